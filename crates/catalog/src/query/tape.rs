//! The recordings of one stream by number, for a call of another service's API that pages so.

use livetape_media::WallTime;
use rusqlite::params;

use super::rows;
use crate::{Catalog, CatalogError, RecordingView, columns};

/// Which recordings are asked for: those of a stream that are ready, and not being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeFilter {
    /// The stream's name, in any application.
    pub stream: String,
    /// Begun at this time or later.
    pub from: Option<WallTime>,
    /// Begun before this time.
    pub to: Option<WallTime>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// How many are passed over.
    pub offset: i64,
    /// How many are wanted.
    pub limit: i64,
}

impl Catalog {
    /// How many recordings there are in all, and those wanted.
    pub fn tape(&self, filter: &TapeFilter) -> Result<(u64, Vec<RecordingView>), CatalogError> {
        const WHICH: &str = "FROM recordings INDEXED BY recordings_stream WHERE stream = ?1 AND started_ms >= ?2 \
             AND started_ms < ?3 AND state = 'ready' AND deleting IS NULL";
        let from = filter.from.map_or(i64::MIN, WallTime::as_unix_millis);
        let to = filter.to.map_or(i64::MAX, WallTime::as_unix_millis);
        let order = if filter.oldest_first { "ASC" } else { "DESC" };
        let page =
            format!("SELECT {} {WHICH} ORDER BY started_ms {order}, id {order} LIMIT ?4 OFFSET ?5", columns::RECORDING);
        self.readers().with("listing a stream's recordings", |connection| {
            let count = connection
                .prepare_cached(&format!("SELECT count(*) {WHICH}"))?
                .query_row(params![filter.stream, from, to], |row| columns::unsigned(row, 0))?;
            let values = params![filter.stream, from, to, filter.limit, filter.offset];
            let found = rows(connection, &page, values, columns::recording)?;
            Ok((count, found.into_iter().map(|row| RecordingView::new(row, self.addresses())).collect()))
        })
    }
}
