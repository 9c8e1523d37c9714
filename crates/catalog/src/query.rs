//! Reading the catalog.

mod counts;
mod deletions;
mod deliveries;
mod events;
mod listing;
mod recordings;
mod sessions;

pub use counts::{Counts, EndpointCounts};

use rusqlite::{Connection, Params, Row};

/// All rows of a query.
pub(crate) fn rows<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut select = connection.prepare_cached(sql)?;
    select.query_map(params, read)?.collect()
}
