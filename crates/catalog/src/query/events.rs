//! Reading events.

use rusqlite::{OptionalExtension, params};

use super::rows;
use crate::{Catalog, CatalogError, EventRow, columns};

impl Catalog {
    /// The first `limit` events after `sequence`, in order. Begin with 0.
    ///
    /// Events become visible in the order of their sequence, so none turns up behind one that was
    /// already read.
    pub fn events_after(&self, sequence: i64, limit: usize) -> Result<Vec<EventRow>, CatalogError> {
        let sql = format!("SELECT {} FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2", columns::EVENT);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers()
            .with("reading events", |connection| rows(connection, &sql, params![sequence, limit], columns::event))
    }

    /// The place of the first event that is there; if there is none, of the next one that will be. Those before it
    /// were pruned.
    pub fn first_event(&self) -> Result<i64, CatalogError> {
        self.readers().with("looking for the first event", |connection| {
            connection
                .prepare_cached(
                    "SELECT coalesce((SELECT min(sequence) FROM events), \
                     (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'events'), 1)",
                )?
                .query_row([], |row| row.get(0))
        })
    }

    /// The event with this id.
    pub fn event(&self, id: &str) -> Result<Option<EventRow>, CatalogError> {
        self.readers().with("reading an event", |connection| {
            connection
                .prepare_cached(&format!("SELECT {} FROM events WHERE id = ?1", columns::EVENT))?
                .query_row([id], columns::event)
                .optional()
        })
    }
}
