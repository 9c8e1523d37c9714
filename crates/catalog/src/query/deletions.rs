//! Reading which recordings may be deleted, and which are being deleted.

use livetape_media::WallTime;
use rusqlite::params;

use super::rows;
use crate::{Catalog, CatalogError, RecordingRow, StoreRole, columns};

impl Catalog {
    /// The first `limit` recordings to be deleted, those that ended first before others: ready, out of the
    /// spool, not being deleted yet, held by nobody; with `before`, those that ended before it; with `store`, those that
    /// this one has. Playlists over an MP4 are not among them: they go with it.
    pub fn oldest_stored(
        &self,
        before: Option<WallTime>,
        store: Option<StoreRole>,
        limit: usize,
    ) -> Result<Vec<RecordingRow>, CatalogError> {
        let store = match store {
            None => "TRUE",
            Some(StoreRole::Primary) => "store IS NULL",
            Some(StoreRole::Fallback) => "store = 'fallback'",
        };
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_stored \
             WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL AND ended_ms < ?1 AND spool_evicted = 1 AND media_of IS NULL \
             AND {store} \
             ORDER BY ended_ms, id LIMIT ?2",
            columns::RECORDING
        );
        let before = before.map_or(i64::MAX, WallTime::as_unix_millis);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers().with("listing the oldest recordings", |connection| {
            rows(connection, &sql, params![before, limit], columns::recording)
        })
    }

    /// The first `limit` recordings that are being deleted and whose ids come after `after`, in order. Begin
    /// with an empty text.
    pub fn being_deleted(&self, after: &str, limit: usize) -> Result<Vec<RecordingRow>, CatalogError> {
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_deleting \
             WHERE deleting IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
            columns::RECORDING
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers().with("listing recordings that are being deleted", |connection| {
            rows(connection, &sql, params![after, limit], columns::recording)
        })
    }

    /// Bytes of the ready recordings that are not being deleted, over all stores. Cheap: nothing is added up.
    pub fn stored_bytes(&self) -> Result<u64, CatalogError> {
        self.readers().with("reading how much is stored", |connection| {
            connection
                .prepare_cached("SELECT bytes FROM tallies WHERE state = 'ready'")?
                .query_row([], |row| columns::unsigned(row, 0))
        })
    }
}
