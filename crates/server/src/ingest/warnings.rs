//! Telling an operator of trouble without waiting for anything: log and metric at once, the event when
//! the catalog can take it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use livetape_catalog::{Catalog, Change};
use livetape_media::{Phase, WallTime, Warning};
use livetape_record::{Finding, RecordingId, SessionId};
use tracing::{debug, info, warn};

use crate::metrics;

/// Events that may wait for the catalog; further ones are only logged and counted. Far below what the
/// catalog lets wait, so that handing one over never waits.
const WAITING: usize = 256;

/// Gives warnings. Cheap to clone.
#[derive(Clone)]
pub(super) struct Warnings {
    catalog: Catalog,
    waiting: Arc<AtomicUsize>,
}

impl Warnings {
    /// Warnings that become events of `catalog`.
    pub(super) fn new(catalog: Catalog) -> Self {
        Self { catalog, waiting: Arc::default() }
    }

    /// Gives a warning of a session, about one recording or all.
    pub(super) fn give(&self, session: SessionId, recording: Option<RecordingId>, warning: &Warning, at: WallTime) {
        let kind = warning.kind.name();
        metrics::warned(warning.kind);
        match recording {
            Some(recording) => warn!(%recording, kind, "{}", warning.detail),
            None => warn!(%session, kind, "{}", warning.detail),
        }
        let change = Change::Warning { session, recording, kind: kind.to_owned(), detail: warning.detail.clone(), at };
        self.submit(session, kind, change);
    }

    /// Tells what was noticed of the quality of what a session's publisher sends.
    pub(super) fn tell(&self, session: SessionId, finding: Finding, at: WallTime) {
        let (kind, phase, count) = (finding.kind.name(), finding.phase.name(), finding.count);
        metrics::warned(finding.kind);
        match finding.phase {
            Phase::Ended => info!(%session, kind, phase, count, "{}", finding.detail),
            _ => warn!(%session, kind, phase, count, "{}", finding.detail),
        }
        self.submit(session, kind, Change::Finding { session, finding: Box::new(finding), at });
    }

    /// Tells that nothing more of a recording is written for the time being.
    pub(super) fn paused(&self, id: RecordingId, at: WallTime) {
        self.submit(id.session, "recording.paused", Change::RecordingPaused { id, at });
    }

    /// Tells that it goes on.
    pub(super) fn resumed(&self, id: RecordingId, at: WallTime) {
        self.submit(id.session, "recording.resumed", Change::RecordingResumed { id, at });
    }

    fn submit(&self, session: SessionId, kind: &'static str, change: Change) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            debug!(%session, kind, "it is no event: too many wait for the catalog");
            return;
        }
        let waiting = self.waiting.clone();
        self.catalog.submit(change, move |result| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            if let Err(problem) = result {
                debug!(%session, kind, "the event is not in the catalog: {problem}");
            }
        });
    }
}
