//! Recordings that are deleted: first the row says so, then the objects go, then the row.

use livetape_media::WallTime;
use livetape_record::RecordingId;
use rusqlite::params;

use super::Work;
use super::outbox::recording_event_id;
use super::recordings::conflict;
use crate::{Applied, CatalogError, DeletionReason, RecordingRow, RecordingState, RecordingView};

impl Work<'_> {
    pub(super) fn deletion_started(&self, id: &RecordingId, reason: DeletionReason) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        match (row.state, row.deleting) {
            (RecordingState::Ready, None) => {}
            (RecordingState::Ready, Some(before)) if before == reason => return Ok(Applied::Already),
            (RecordingState::Ready, Some(before)) => {
                return Err(conflict(id, format!("it is being deleted, the reason being {before}")));
            }
            (from, _) => return Err(CatalogError::Transition { id: *id, from, change: "deleting it" }),
        }
        self.refuse_held(&row)?;
        if let Some(over) = self.playlists_over(id)? {
            self.refuse_held(&over)?;
        }
        self.connection
            .prepare_cached("UPDATE recordings SET deleting = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.to_string(), reason.name()]))
            .map_err(CatalogError::sqlite("noting a deletion"))?;
        Ok(Applied::Done)
    }

    pub(super) fn recording_deleted(&self, id: &RecordingId, at: WallTime) -> Result<Applied, CatalogError> {
        let event = recording_event_id(id, "deleted");
        let Some(row) = self.find(id)? else {
            return if self.has_event(&event)? {
                Ok(Applied::Already)
            } else {
                Err(CatalogError::UnknownRecording(*id))
            };
        };
        // What is in the spool needs its row, or the next start would not know whose it is; playlists need the media.
        if row.deleting.is_none() || !row.spool_evicted || self.is_needed(id)? {
            return Err(CatalogError::Transition { id: *id, from: row.state, change: "taking its row away" });
        }
        self.count_deleted(id, at)?;
        self.connection
            .prepare_cached("DELETE FROM recordings WHERE id = ?1")
            .and_then(|mut delete| delete.execute([id.to_string()]))
            .map_err(CatalogError::sqlite("deleting a recording"))?;
        let start = row.start;
        self.tell_of(id, "deleted", at, start, RecordingView::deleted(row, self.addresses))?;
        Ok(Applied::Done)
    }

    /// That nobody holds it.
    fn refuse_held(&self, row: &RecordingRow) -> Result<(), CatalogError> {
        match &row.hold {
            None => Ok(()),
            Some(hold) => Err(CatalogError::Held { id: row.id, by: hold.by.clone(), reason: hold.reason.clone() }),
        }
    }

    fn has_event(&self, id: &str) -> Result<bool, CatalogError> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1)")
            .and_then(|mut select| select.query_row([id], |row| row.get(0)))
            .map_err(CatalogError::sqlite("looking at an event"))
    }
}
