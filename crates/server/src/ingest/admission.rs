//! Whether a publish is accepted, and its place among the live streams.

use std::net::SocketAddr;
use std::time::Duration;

use livetape_catalog::{Change, NewSession};
use livetape_media::EndReason;
use livetape_record::{SessionId, StreamPath};
use livetape_rtmp::{CloseReason, PublishRequest, Rejection, RejectionCode};
use tokio::sync::mpsc;
use tracing::info;

use super::{Context, OnConflict, query};
use crate::descriptors;
use crate::live::{LiveSession, Occupied, Place, Request, Wanted};

/// How long a new publisher waits for the one it takes over from.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the catalog may take to enter a session.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(10);

/// Decides on the publishes of one connection.
pub(super) struct Admission<'a> {
    pub(super) context: &'a Context,
    pub(super) remote: SocketAddr,
    /// Reaches the connection's task.
    pub(super) requests: &'a mpsc::Sender<Request>,
    /// The sessions that the connection has already.
    pub(super) ours: Vec<SessionId>,
}

impl Admission<'_> {
    /// Takes the stream and enters the session `id` in the catalog, or says why not. The publish has been authorized.
    pub(super) async fn decide(
        &self,
        request: &PublishRequest,
        path: &StreamPath,
        id: SessionId,
    ) -> Result<Place, Rejection> {
        if self.context.draining.is_cancelled() {
            return Err(not_now("the service is stopping"));
        }
        if descriptors::scarce_for_streams() {
            return Err(not_now("too many files are open for another stream"));
        }
        self.context.space.check(&self.context.destination).await.map_err(not_now)?;
        let place = self.take_place(path, id).await?;
        let session = place.session();
        let change = Change::SessionStarted(NewSession {
            id: session.id,
            app: path.app.clone(),
            stream: path.name.clone(),
            query: query::redacted(&request.query),
            remote_addr: session.remote.clone(),
            tc_url: request.tc_url.clone().unwrap_or_default(),
            encoder: request.encoder.clone().unwrap_or_default(),
            started_at: session.started_at,
        });
        match tokio::time::timeout(CATALOG_TIMEOUT, self.context.change(change)).await {
            Ok(Ok(_)) => Ok(place),
            Ok(Err(problem)) => Err(not_now(format!("the session cannot be entered in the catalog: {problem}"))),
            Err(_) => {
                // Should it be entered after all, it has ended.
                let at = self.context.clock.now().wall;
                let reason = EndReason::Disconnect.name().to_owned();
                self.context.catalog().submit(Change::SessionEnded { id: session.id, at, reason }, |_| {});
                let seconds = CATALOG_TIMEOUT.as_secs();
                Err(not_now(format!("the recorder's disk has not answered for {seconds} s")))
            }
        }
    }

    /// Takes the stream, from its publisher where that is the rule.
    async fn take_place(&self, path: &StreamPath, id: SessionId) -> Result<Place, Rejection> {
        let deadline = tokio::time::Instant::now() + TAKEOVER_TIMEOUT;
        loop {
            let Occupied(holder) = match self.enter(path, id) {
                Ok(place) => return Ok(place),
                Err(occupied) => occupied,
            };
            if self.ours.contains(&holder.id) || self.context.on_conflict == OnConflict::Reject {
                return Err(bad_name(format!("{path} is already being published")));
            }
            info!(stream = %path, session = %holder.id, by = %self.remote, "taken over");
            // A full queue already holds a request to close.
            let _ = holder.requests.try_send((holder.id, Wanted::Close(CloseReason::Takeover)));
            if tokio::time::timeout_at(deadline, holder.gone()).await.is_err() {
                return Err(bad_name(format!(
                    "{path} is being published and its publisher could not be ended in time"
                )));
            }
        }
    }

    fn enter(&self, path: &StreamPath, id: SessionId) -> Result<Place, Occupied> {
        let started_at = self.context.clock.now().wall;
        let remote = self.remote.to_string();
        self.context.live.enter(LiveSession::new(id, path.clone(), remote, started_at, self.requests.clone()))
    }
}

fn not_now(description: impl Into<String>) -> Rejection {
    Rejection { code: RejectionCode::Rejected, description: description.into() }
}

fn bad_name(description: String) -> Rejection {
    Rejection { code: RejectionCode::BadName, description }
}
