//! Holds: a recording that somebody holds is not deleted before that is over.
//!
//! An MP4 and the playlists over it are held together: the one is not worth much without the other.

use livetape_media::WallTime;
use livetape_record::RecordingId;
use rusqlite::params;

use super::{MAX_TEXT_BYTES, Work};
use crate::columns::bounded;
use crate::{Applied, CatalogError, RecordingRow};

impl Work<'_> {
    pub(super) fn recording_held(
        &self,
        id: &RecordingId,
        at: WallTime,
        by: &str,
        reason: &str,
    ) -> Result<Applied, CatalogError> {
        let (by, reason) = (bounded(by, MAX_TEXT_BYTES), bounded(reason, MAX_TEXT_BYTES));
        let rows = self.held_together(id)?;
        if let Some(going) = rows.iter().find(|row| row.deleting.is_some()) {
            // Of what goes together the playlists may be going alone.
            if going.id == *id || going.media_of.is_none() {
                return Err(CatalogError::TooLate(going.id));
            }
        }
        let mut applied = Applied::Already;
        for row in rows.iter().filter(|row| row.deleting.is_none()) {
            if row.hold.as_ref().is_some_and(|hold| (hold.by.as_str(), hold.reason.as_str()) == (by, reason)) {
                continue;
            }
            // Held since the first time, whoever says so now.
            let since = row.hold.as_ref().map_or(at, |hold| hold.at);
            self.connection
                .prepare_cached("UPDATE recordings SET held_ms = ?2, held_by = ?3, held_reason = ?4 WHERE id = ?1")
                .and_then(|mut update| update.execute(params![row.id.to_string(), since.as_unix_millis(), by, reason]))
                .map_err(CatalogError::sqlite("holding a recording"))?;
            applied = Applied::Done;
        }
        Ok(applied)
    }

    pub(super) fn recording_released(&self, id: &RecordingId, at: WallTime) -> Result<Applied, CatalogError> {
        let mut applied = Applied::Already;
        for row in self.held_together(id)?.iter().filter(|row| row.hold.is_some()) {
            self.connection
                .prepare_cached(
                    "UPDATE recordings SET held_ms = NULL, held_by = NULL, held_reason = NULL, released_ms = ?2 \
                     WHERE id = ?1",
                )
                .and_then(|mut update| update.execute(params![row.id.to_string(), at.as_unix_millis()]))
                .map_err(CatalogError::sqlite("releasing a recording"))?;
            applied = Applied::Done;
        }
        Ok(applied)
    }

    /// The recording, and what is held with it.
    fn held_together(&self, id: &RecordingId) -> Result<Vec<RecordingRow>, CatalogError> {
        let row = self.known(id)?;
        let other = match &row.media_of {
            Some(media) => self.find(media)?,
            None => self.playlists_over(id)?,
        };
        Ok([Some(row), other].into_iter().flatten().collect())
    }
}
