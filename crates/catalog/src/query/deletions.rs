//! Reading which recordings may be deleted, and which are being deleted.

use livetape_media::WallTime;
use rusqlite::params;

use super::rows;
use crate::{Catalog, CatalogError, RecordingRow, StoreRole, columns};

/// Which recordings may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletable {
    /// All, those that ended first before others.
    Oldest,
    /// Those of which no template says how long they are kept and that were ready before this moment, in that order.
    ReadyBefore(WallTime),
    /// Those whose time, as their template says it, was over before this moment, in that order.
    ExpiredBefore(WallTime),
}

/// How much is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredBytes {
    /// All of it.
    pub all: u64,
    /// What is held.
    pub held: u64,
}

impl Catalog {
    /// The first `limit` recordings of a store that may be deleted for this: ready, out of the spool, not being deleted
    /// yet, held by nobody. Playlists over an MP4 are not among them: they go with it.
    pub fn deletable(
        &self,
        which: Deletable,
        store: StoreRole,
        limit: usize,
    ) -> Result<Vec<RecordingRow>, CatalogError> {
        let store = match store {
            StoreRole::Primary => "store IS NULL",
            StoreRole::Fallback => "store = 'fallback'",
        };
        let (index, condition, order, before) = match which {
            Deletable::Oldest => ("recordings_stored", "ended_ms < ?1", "ended_ms", i64::MAX),
            Deletable::ReadyBefore(before) => {
                let condition = "retention_ms IS NULL AND ready_ms < ?1";
                ("recordings_common", condition, "ready_ms", before.as_unix_millis())
            }
            Deletable::ExpiredBefore(before) => {
                let condition = "retention_ms > 0 AND ready_ms + retention_ms < ?1";
                ("recordings_expiring", condition, "ready_ms + retention_ms", before.as_unix_millis())
            }
        };
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY {index} WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL \
             AND {store} AND {condition} AND spool_evicted = 1 AND media_of IS NULL ORDER BY {order}, id LIMIT ?2",
            columns::RECORDING
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers().with("listing recordings that may be deleted", |connection| {
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

    /// Bytes of the ready recordings that are not being deleted, over all stores, and of those among them that somebody
    /// holds. Cheap: nothing is added up.
    pub fn stored_bytes(&self) -> Result<StoredBytes, CatalogError> {
        self.readers().with("reading how much is stored", |connection| {
            connection
                .prepare_cached("SELECT bytes, held_bytes FROM tallies WHERE state = 'ready'")?
                .query_row([], |row| {
                    Ok(StoredBytes { all: columns::unsigned(row, 0)?, held: columns::unsigned(row, 1)? })
                })
        })
    }
}
