//! Numbers for metrics.

use std::collections::BTreeMap;

use livetape_media::WallTime;
use rusqlite::Row;

use super::rows;
use crate::{Catalog, CatalogError, EndpointId, RecordingState, columns};

/// How much of everything there is. Cheap: no table is counted through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Recordings in each state; every state is there.
    pub recordings: BTreeMap<RecordingState, u64>,
    /// Bytes of the ready recordings that are not being deleted.
    pub stored_bytes: u64,
    /// Those of them that somebody holds.
    pub held_bytes: u64,
    /// Sessions that have not ended.
    pub sessions_open: u64,
    /// Events written since the catalog was made.
    pub events: u64,
    /// The end of the oldest recording that is finished and not yet whole in the store.
    pub oldest_not_ready: Option<WallTime>,
    /// Bytes of recordings that are finished and not yet whole in the store.
    pub not_ready_bytes: u64,
    /// Configured endpoints, by name.
    pub endpoints: Vec<EndpointCounts>,
}

/// What is owed to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCounts {
    /// Its name.
    pub id: EndpointId,
    /// Events it has not taken yet.
    pub pending: u64,
    /// The time of the oldest of them.
    pub oldest_pending: Option<WallTime>,
    /// Why it was disabled, if it was.
    pub disabled: Option<String>,
    /// When.
    pub disabled_at: Option<WallTime>,
}

impl Catalog {
    /// Counts everything.
    pub fn counts(&self) -> Result<Counts, CatalogError> {
        self.readers().with("counting", |connection| {
            let tallies = rows(connection, "SELECT state, rows FROM tallies", [], |row| {
                Ok((columns::parsed(row, 0)?, columns::unsigned(row, 1)?))
            })?;
            let one = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| columns::unsigned(row, 0));
            let held = "SELECT held_bytes FROM tallies WHERE state = 'ready'";
            Ok(Counts {
                recordings: tallies.into_iter().collect(),
                held_bytes: one(held)?,
                stored_bytes: one("SELECT bytes FROM tallies WHERE state = 'ready'")?,
                sessions_open: one("SELECT count(*) FROM sessions WHERE ended_ms IS NULL")?,
                events: one("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)")?,
                oldest_not_ready: connection
                    .prepare_cached(
                        "SELECT min(ended_ms) FROM recordings INDEXED BY recordings_state \
                         WHERE state IN ('finished', 'uploading')",
                    )?
                    .query_row([], |row| columns::optional_time(row, 0))?,
                not_ready_bytes: one(
                    "SELECT coalesce(sum(size_bytes), 0) FROM recordings INDEXED BY recordings_state \
                     WHERE state IN ('finished', 'uploading')",
                )?,
                endpoints: rows(
                    connection,
                    "SELECT endpoints.id, endpoints.disabled_reason, endpoints.pending, \
                     (SELECT min(created_ms) FROM deliveries INDEXED BY deliveries_pending \
                      WHERE deliveries.endpoint = endpoints.id \
                      AND deliveries.state IN ('waiting', 'head', 'aside')), endpoints.disabled_ms \
                     FROM endpoints WHERE endpoints.configured = 1 ORDER BY endpoints.id",
                    [],
                    endpoint,
                )?,
            })
        })
    }
}

fn endpoint(row: &Row<'_>) -> rusqlite::Result<EndpointCounts> {
    Ok(EndpointCounts {
        id: row.get(0)?,
        disabled: row.get(1)?,
        pending: columns::unsigned(row, 2)?,
        oldest_pending: columns::optional_time(row, 3)?,
        disabled_at: columns::optional_time(row, 4)?,
    })
}
