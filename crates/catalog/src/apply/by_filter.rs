//! Deletions by filter: asked for once, then begun a few recordings at a time, so that nobody waits for the writer,
//! and so that a restart goes on where the last life stopped.

use livetape_media::WallTime;
use livetape_record::RecordingId;
use rusqlite::{OptionalExtension, params};

use super::Work;
use crate::columns::signed;
use crate::{Applied, CatalogError, Change, DeletionReason, Looked, NewDeletion};

impl Work<'_> {
    pub(super) fn deletion_asked(&self, new: &NewDeletion) -> Result<Applied, CatalogError> {
        let recordings = signed("the number of recordings", new.recordings)?;
        let size_bytes = signed("the size", new.size_bytes)?;
        let written = self
            .connection
            .prepare_cached(
                "INSERT INTO deletions (token, filter, as_of_ms, asked_ms, asked_by, recordings, size_bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (token) DO NOTHING",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    new.token,
                    new.filter.conditions().to_string(),
                    new.as_of.as_unix_millis(),
                    new.asked_at.as_unix_millis(),
                    new.asked_by,
                    recordings,
                    size_bytes,
                ])
            })
            .map_err(CatalogError::sqlite("noting a deletion"))?;
        Ok(if written > 0 { Applied::Done } else { Applied::Already })
    }

    pub(super) fn deletion_advanced(
        &self,
        deletion: i64,
        ids: &[RecordingId],
        place: Option<&Looked>,
        at: WallTime,
    ) -> Result<Applied, CatalogError> {
        let failed = || CatalogError::sqlite("going on with a deletion");
        let open: Option<i64> = self
            .connection
            .prepare_cached("SELECT as_of_ms FROM deletions WHERE id = ?1 AND chosen_ms IS NULL")
            .and_then(|mut select| select.query_row([deletion], |row| row.get(0)).optional())
            .map_err(failed())?;
        let Some(as_of_ms) = open else {
            return match self.is_known(deletion).map_err(failed())? {
                true => Ok(Applied::Already),
                false => Err(CatalogError::UnknownDeletion(deletion)),
            };
        };
        let as_of = WallTime::from_unix_millis(as_of_ms);
        let mut begun = 0;
        for id in ids {
            begun += self.begin(deletion, id, as_of)?;
        }
        let (place_ms, place_id, chosen_ms) = match place {
            Some((started_at, id)) => (Some(started_at.as_unix_millis()), Some(id.to_string()), None),
            None => (None, None, Some(at.as_unix_millis())),
        };
        self.connection
            .prepare_cached(
                "UPDATE deletions SET begun = begun + ?2, place_ms = coalesce(?3, place_ms), \
                 place_id = coalesce(?4, place_id), chosen_ms = ?5 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![deletion, begun, place_ms, place_id, chosen_ms]))
            .map_err(failed())?;
        self.end_when_done(deletion, at).map_err(failed())?;
        Ok(Applied::Done)
    }

    /// Begins to delete one recording, if it still may go; how many go.
    fn begin(&self, deletion: i64, id: &RecordingId, as_of: WallTime) -> Result<i64, CatalogError> {
        let Some(row) = self.find(id)?.filter(|row| row.may_go(as_of)) else { return Ok(0) };
        // What goes with it is part of the same deletion.
        let over = self.playlists_over(&row.id)?.filter(|over| over.may_go(as_of));
        let change = Change::DeletionStarted { id: row.id, reason: DeletionReason::Request };
        match self.apply(&change) {
            Ok(_) => {}
            // Somebody holds what goes with it.
            Err(CatalogError::Held { .. }) => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut begun = 0;
        for id in [Some(row.id), over.map(|over| over.id)].into_iter().flatten() {
            begun += 1;
            self.connection
                .prepare_cached("UPDATE recordings SET deletion = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute(params![id.to_string(), deletion]))
                .map_err(CatalogError::sqlite("noting a deletion"))?;
        }
        Ok(begun)
    }

    /// Counts a recording that is gone, whose row is there still.
    pub(super) fn count_deleted(&self, id: &RecordingId, at: WallTime) -> Result<(), CatalogError> {
        let failed = || CatalogError::sqlite("counting what is deleted");
        let deletion: Option<i64> = self
            .connection
            .prepare_cached("SELECT deletion FROM recordings WHERE id = ?1")
            .and_then(|mut select| select.query_row([id.to_string()], |row| row.get(0)))
            .map_err(failed())?;
        let Some(deletion) = deletion else { return Ok(()) };
        self.connection
            .prepare_cached("UPDATE deletions SET deleted = deleted + 1 WHERE id = ?1 AND deleted < begun")
            .and_then(|mut update| update.execute([deletion]))
            .map_err(failed())?;
        self.end_when_done(deletion, at).map_err(failed())
    }

    fn end_when_done(&self, deletion: i64, at: WallTime) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE deletions SET ended_ms = ?2 WHERE id = ?1 AND ended_ms IS NULL AND chosen_ms IS NOT NULL \
                 AND deleted = begun",
            )?
            .execute(params![deletion, at.as_unix_millis()])?;
        Ok(())
    }

    fn is_known(&self, deletion: i64) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM deletions WHERE id = ?1)")?
            .query_row([deletion], |row| row.get(0))
    }
}
