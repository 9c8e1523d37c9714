//! A server of the operator's that is asked who may push.
//!
//! Each push is a question, by POST: 2xx allows it; any other answer, and none in time, refuses it. Redirects are not
//! followed. No more questions than allowed are under way at once, and a push waits for its turn no longer than for its
//! answer. Answers hold for a while where that is wanted; that none came is not remembered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_finalize::webhook::{ReceiverUrl, WebhookClient, WebhookError, WebhookOptions};
use ring::digest::{Context, SHA256};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::answers::{Answers, Question};
use super::{Denial, Finding, Push, Reason, Verdict};
use crate::config::PushSettings;

/// Who is asked.
pub(super) struct Authorizer {
    client: WebhookClient,
    /// `None` is a URL that the configuration's check did not let pass: everything is refused.
    url: Option<ReceiverUrl>,
    timeout: Duration,
    places: Semaphore,
    answers: Mutex<Answers>,
}

/// What is asked.
#[derive(Serialize)]
struct Body<'a> {
    app: &'a str,
    stream: &'a str,
    query: &'a str,
    address: String,
    port: u16,
    session_id: String,
    tc_url: Option<&'a str>,
    encoder: Option<&'a str>,
}

impl Authorizer {
    pub(super) fn new(settings: &PushSettings) -> Result<Self, WebhookError> {
        let timeout = settings.timeout.duration();
        let url: Option<ReceiverUrl> = settings.url.reveal().parse().ok();
        let https = url.as_ref().is_some_and(ReceiverUrl::is_https);
        // Waiting for a turn counts too, so the time is taken here; the client's own only has to be longer.
        let longer = timeout + Duration::from_secs(1);
        let options =
            WebhookOptions { https, connect_timeout: longer, attempt_timeout: longer, ..WebhookOptions::default() };
        Ok(Self {
            client: WebhookClient::new(options)?,
            url,
            timeout,
            places: Semaphore::new(usize::try_from(settings.max_requests).unwrap_or(1)),
            answers: Mutex::new(Answers::new(settings.cache.duration())),
        })
    }

    /// What was answered to the same push a moment ago; else it is asked.
    pub(super) fn find(self: &Arc<Self>, push: Push<'_>) -> Finding {
        let question = question(push);
        if let Some(verdict) = self.answers().find(&question, Instant::now()) {
            return Finding::Now(verdict);
        }
        let body = match serde_json::to_vec(&body(push)) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Finding::Now(Err(unreachable(error.to_string()))),
        };
        let authorizer = self.clone();
        Finding::Later(Box::pin(async move { authorizer.ask(question, body).await }))
    }

    async fn ask(&self, question: Question, body: Bytes) -> Verdict {
        let Some(url) = &self.url else { return Err(unreachable("push.url cannot be called".to_owned())) };
        let deadline = tokio::time::Instant::now() + self.timeout;
        let Ok(Ok(_place)) = tokio::time::timeout_at(deadline, self.places.acquire()).await else {
            return Err(Reason::Busy.into());
        };
        let answer = tokio::time::timeout_at(deadline, self.client.ask(url, body)).await;
        let verdict = match answer {
            Err(_) => return Err(Reason::Timeout.into()),
            Ok(Err(problem)) => return Err(unreachable(problem)),
            Ok(Ok(200..=299)) => Ok(()),
            Ok(Ok(status)) => Err(Denial { reason: Reason::Refused, detail: format!("HTTP {status}") }),
        };
        self.answers().keep(question, verdict.clone(), Instant::now());
        verdict
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreachable(detail: String) -> Denial {
    Denial { reason: Reason::Unreachable, detail }
}

fn body(push: Push<'_>) -> Body<'_> {
    Body {
        app: push.app,
        stream: push.stream,
        query: push.query.expose(),
        address: push.remote.ip().to_string(),
        port: push.remote.port(),
        session_id: push.session.to_string(),
        tc_url: push.tc_url,
        encoder: push.encoder,
    }
}

/// Two pushes that an authorizer cannot tell apart, but for their port and session, are one question.
fn question(push: Push<'_>) -> Question {
    let mut context = Context::new(&SHA256);
    let address = push.remote.ip().to_string();
    for part in [push.app, push.stream, push.query.expose(), &address] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut question = [0; 32];
    question.copy_from_slice(context.finish().as_ref());
    question
}
