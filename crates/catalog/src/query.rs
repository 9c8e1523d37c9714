//! Reading the catalog.

mod counts;
mod deletions;
mod deliveries;
mod endpoints;
mod events;
mod listing;
mod outbox;
mod plan;
mod recordings;
mod sessions;
mod tape;
mod tasks;

pub use counts::{Counts, EndpointCounts};
pub use deletions::{Deletable, StoredBytes};
pub use endpoints::StoredEndpoint;
pub use outbox::{DeliveryFilter, Selected};
pub use plan::{DeletionPlan, DeletionRow, Found, Looked};
pub use tape::TapeFilter;
pub use tasks::TaskFilter;

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
