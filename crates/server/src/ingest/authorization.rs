//! Who may push: what the configuration, the push URL and, where that is wanted, a server of the operator's say.
//!
//! Contract: whatever is not allowed is refused, also when nobody answers. It is decided once, when a publish begins,
//! and before anything is done for it; a stream that runs is not touched by pushes that are refused, and goes on when
//! what allowed it has expired. Secrets are compared in constant time, and no secret reaches a log or the client.

mod answers;
mod authorizer;
mod denial;
mod signature;
mod tokens;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use livetape_finalize::webhook::WebhookError;
use livetape_media::WallTime;
use livetape_record::SessionId;
use livetape_rtmp::{PublishRequest, Query};

pub(super) use denial::{Denial, Reason};

use crate::config::{AddressRange, PushAuthorization, PushSettings};
use authorizer::Authorizer;
use signature::Signature;
use tokens::Tokens;

/// Who may push. That can be changed while streams run.
pub struct Authorization(RwLock<Arc<Rules>>);

/// Who may push, at one time.
struct Rules {
    settings: PushSettings,
    allow: Vec<AddressRange>,
    deny: Vec<AddressRange>,
    scheme: Scheme,
}

enum Scheme {
    Open,
    Signed(Signature),
    Token(Tokens),
    Http(Arc<Authorizer>),
}

/// A push that wants to begin.
#[derive(Clone, Copy)]
pub(super) struct Push<'a> {
    pub(super) app: &'a str,
    pub(super) stream: &'a str,
    pub(super) query: &'a Query,
    pub(super) tc_url: Option<&'a str>,
    pub(super) encoder: Option<&'a str>,
    /// From where.
    pub(super) remote: SocketAddr,
    /// What it will be once it has begun.
    pub(super) session: SessionId,
}

impl<'a> Push<'a> {
    pub(super) fn new(request: &'a PublishRequest, remote: SocketAddr, session: SessionId) -> Self {
        let PublishRequest { app, stream, query, .. } = request;
        let (tc_url, encoder) = (request.tc_url.as_deref(), request.encoder.as_deref());
        Self { app, stream, query, tc_url, encoder, remote, session }
    }
}

/// Whether a push may begin.
pub(super) type Verdict = Result<(), Denial>;
/// A verdict that takes a while. Dropped, nobody is asked any more.
pub(super) type Pending = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// A verdict, or a way to it.
pub(super) enum Finding {
    Now(Verdict),
    Later(Pending),
}

impl Authorization {
    /// As configured.
    ///
    /// # Errors
    /// When somebody is to be asked and cannot be.
    pub fn new(settings: &PushSettings) -> Result<Self, WebhookError> {
        Ok(Self(RwLock::new(Arc::new(Rules::new(settings)?))))
    }

    /// From now on as configured here; whether anything has changed. What runs goes on.
    ///
    /// # Errors
    /// When somebody is to be asked and cannot be; nothing has changed then.
    pub fn replace(&self, settings: &PushSettings) -> Result<bool, WebhookError> {
        // What has been answered is remembered while nothing changes.
        if self.rules().settings == *settings {
            return Ok(false);
        }
        let rules = Arc::new(Rules::new(settings)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(true)
    }

    /// Whether everybody who can connect may push.
    pub fn is_open(&self) -> bool {
        let rules = self.rules();
        matches!(rules.scheme, Scheme::Open) && rules.allow.is_empty()
    }

    /// Whether connections from `address` are closed at once.
    pub(super) fn shuts_out(&self, address: IpAddr) -> bool {
        self.rules().shuts_out(address)
    }

    /// Whether `push` may begin at `now`.
    pub(super) fn find(&self, push: Push<'_>, now: WallTime) -> Finding {
        self.rules().find(push, now)
    }

    fn rules(&self) -> Arc<Rules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Rules {
    fn new(settings: &PushSettings) -> Result<Self, WebhookError> {
        let scheme = match settings.authorization {
            PushAuthorization::Open => Scheme::Open,
            PushAuthorization::Signed => {
                Scheme::Signed(Signature::new([&settings.key, &settings.backup_key], settings.hash))
            }
            PushAuthorization::Token => Scheme::Token(Tokens::new(&settings.tokens)),
            PushAuthorization::Http => Scheme::Http(Arc::new(Authorizer::new(settings)?)),
        };
        let (allow, deny) = (settings.allow.clone(), settings.deny.clone());
        Ok(Self { settings: settings.clone(), allow, deny, scheme })
    }

    fn shuts_out(&self, address: IpAddr) -> bool {
        self.deny.iter().any(|range| range.contains(address))
    }

    fn find(&self, push: Push<'_>, now: WallTime) -> Finding {
        let address = push.remote.ip();
        if self.shuts_out(address) || !(self.allow.is_empty() || self.allow.iter().any(|range| range.contains(address)))
        {
            return Finding::Now(Err(Reason::Address.into()));
        }
        match &self.scheme {
            Scheme::Open => Finding::Now(Ok(())),
            Scheme::Signed(signature) => Finding::Now(signature.check(push.stream, push.query, now)),
            Scheme::Token(tokens) => Finding::Now(tokens.check(push.query)),
            Scheme::Http(authorizer) => authorizer.find(push),
        }
    }
}

/// The value of the parameter `name`. Who sends two that differ does not get to choose which of them counts.
fn parameter<'a>(query: &'a Query, name: &str) -> Result<Cow<'a, str>, Denial> {
    let mut values = query.parameters().filter(|(found, _)| found == name).map(|(_, value)| value);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(Reason::Missing)?;
    if values.any(|other| other != value) {
        return Err(Reason::Ambiguous.into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
