//! Making one change within a transaction: rows, events, deliveries.

mod by_filter;
mod deletion;
mod deliveries;
mod endpoints;
mod hold;
mod outbox;
mod plan;
mod playlists;
mod prune;
mod recordings;
mod reports;
mod resend;
mod sessions;
mod waiting;
mod warnings;

use std::cell::Cell;

use rusqlite::Connection;

use crate::{Addresses, Applied, CatalogError, Change};

pub(crate) use endpoints::register;
pub(crate) use outbox::recording_event_id;

/// The longest text kept of an error or a warning, in bytes: an event stays well under the 20 kB
/// that webhook receivers are promised.
const MAX_TEXT_BYTES: usize = 2000;

/// A transaction in which changes are made.
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) node: &'a str,
    pub(crate) addresses: &'a Addresses,
    /// Whether an event was written, or a delivery may have become due.
    pub(crate) deliveries_due: Cell<bool>,
    /// Whether a number that is missing among a stream's events is given again: in a catalog that lost some.
    pub(crate) fills_gaps: bool,
}

impl Work<'_> {
    /// Makes `change`. On an error the transaction is to be rolled back to where it was.
    pub(crate) fn apply(&self, change: &Change) -> Result<Applied, CatalogError> {
        let applied = self.apply_to_one(change)?;
        self.follow(change)?;
        Ok(applied)
    }

    fn apply_to_one(&self, change: &Change) -> Result<Applied, CatalogError> {
        match change {
            Change::SessionStarted(session) => self.session_started(session),
            Change::SessionEnded { id, at, reason } => self.session_ended(id, *at, reason),
            Change::RecordingOpened(recording) => self.recording_opened(recording, None),
            Change::PlaylistsOpened { of, key } => self.playlists_opened(of, key),
            Change::RecordingWaits { id, at, until, lost } => self.recording_waits(id, *at, *until, *lost),
            Change::RecordingContinued { id, session, gap } => self.recording_continued(id, session, gap),
            Change::RecordingFinished { id, ended_at, reason, facts, recovered, lost } => {
                self.recording_finished(id, *ended_at, reason, facts, *recovered, *lost)
            }
            Change::RecordingDiscarded { id, at, reason, lost } => self.recording_discarded(id, *at, reason, *lost),
            Change::UploadStarted { id } => self.upload_started(id),
            Change::UploadNoted { id, upload } => self.upload_noted(id, upload.as_deref()),
            Change::RecordingReady { id, at, size_bytes, store } => self.recording_ready(id, *at, *size_bytes, *store),
            Change::RecordingFailed { id, at, error } => self.recording_failed(id, *at, error),
            Change::Reported { id, report } => self.reported(id, report),
            Change::RecordingPaused { id, at } => self.recording_pauses(id, "paused", *at),
            Change::RecordingResumed { id, at } => self.recording_pauses(id, "resumed", *at),
            Change::Warning { session, recording, kind, detail, at } => {
                self.warning(session, recording.as_ref(), kind, detail, *at)
            }
            Change::Finding { session, finding, at } => self.finding(session, finding, *at),
            Change::DeletionStarted { id, reason } => self.deletion_started(id, *reason),
            Change::RecordingHeld { id, at, by, reason } => self.recording_held(id, *at, by, reason),
            Change::RecordingReleased { id, at } => self.recording_released(id, *at),
            Change::DeletionAsked(deletion) => self.deletion_asked(deletion),
            Change::DeletionAdvanced { deletion, ids, place, at } => {
                self.deletion_advanced(*deletion, ids, place.as_ref(), *at)
            }
            Change::EventsPruned { before, now, limit } => self.events_pruned(*before, *now, *limit),
            Change::RecordingDeleted { id, at } => self.recording_deleted(id, *at),
            Change::SpoolEvicted { id } => self.spool_evicted(id),
            Change::DeliverySucceeded { event, endpoint, attempt } => self.delivery_succeeded(event, endpoint, attempt),
            Change::DeliveryFailed { event, endpoint, attempt, error, retry_at } => {
                self.delivery_failed(event, endpoint, attempt, error, *retry_at)
            }
            Change::DeliveryFiltered { event, endpoint } => self.delivery_filtered(event, endpoint),
            Change::DeliveriesAgain { endpoint, events, at } => self.deliveries_again(endpoint, events, *at),
            Change::DeliveriesExpired { endpoint, before } => self.deliveries_expired(endpoint, *before),
            Change::EndpointRecovered { endpoint, at } => self.endpoint_recovered(endpoint, *at),
            Change::EndpointEnabled { endpoint } => self.endpoint_enabled(endpoint),
            Change::EndpointSet { endpoint, settings } => self.endpoint_set(endpoint, settings),
            Change::EndpointRemoved { endpoint } => self.endpoint_removed(endpoint),
            Change::PlanSet { kind, name, settings } => self.plan_set(*kind, name, settings),
            Change::PlanRemoved { kind, name } => self.plan_removed(*kind, name),
            Change::TaskCreated(task) => self.task_created(task),
            Change::TaskPaused { id, paused } => self.task_paused(*id, *paused),
            Change::TaskEnded { id, at, reason } => self.task_ended(*id, *at, reason),
            Change::TaskRemoved { id } => self.task_removed(*id),
            Change::EndpointDisabled { endpoint, at, reason } => self.endpoint_disabled(endpoint, *at, reason),
        }
    }
}
