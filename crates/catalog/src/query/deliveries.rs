//! Deliveries that are due.

use livetape_media::WallTime;
use rusqlite::params;

use super::rows;
use crate::{Catalog, CatalogError, DueDelivery, columns};

/// Rows looked at for each delivery asked for: several of one stream may be due, and only the first of
/// each stream is returned.
const LOOK_AHEAD: usize = 16;

/// The first that is due of each of the streams of which something has been due longest.
///
/// A stream's first one may have come to be due later than others of it that stepped aside, so it is looked for
/// among all of the stream's.
const DUE: &str = "WITH look AS (SELECT subject, min(next_ms) AS next_ms FROM \
     (SELECT subject, next_ms FROM deliveries INDEXED BY deliveries_due \
      WHERE endpoint = ?1 AND state IN ('head', 'aside') AND next_ms <= ?2 ORDER BY next_ms, event LIMIT ?3) \
     GROUP BY subject), \
     due AS MATERIALIZED (SELECT look.next_ms AS since, (SELECT min(event) FROM \
      (SELECT event FROM deliveries INDEXED BY deliveries_head \
       WHERE endpoint = ?1 AND subject = look.subject AND state = 'head' AND next_ms <= ?2 \
       UNION ALL SELECT event FROM deliveries INDEXED BY deliveries_aside \
       WHERE endpoint = ?1 AND subject = look.subject AND state = 'aside' AND next_ms <= ?2)) AS event FROM look)";

impl Catalog {
    /// What may be sent to `endpoint` now: at most `limit` deliveries, at most one of each stream,
    /// those that are overdue longest first.
    ///
    /// Events of a stream come in order: the first that is not delivered holds up those behind it
    /// until it is ten minutes old. Then it steps aside, and is still tried at its own times.
    ///
    /// A delivery on its way is returned again until its outcome is recorded, so the caller skips
    /// those, and nothing else of their streams is returned meanwhile. With `limit` = those on their
    /// way + those wanted, none is missed.
    pub fn deliveries_due(
        &self,
        endpoint: &str,
        now: WallTime,
        limit: usize,
    ) -> Result<Vec<DueDelivery>, CatalogError> {
        let sql = format!(
            "{DUE} SELECT {}, deliveries.attempts, deliveries.again_attempts, deliveries.again_ms FROM due \
             CROSS JOIN deliveries ON deliveries.endpoint = ?1 AND deliveries.event = due.event \
             CROSS JOIN events ON events.sequence = due.event ORDER BY due.since, due.event LIMIT ?4",
            columns::EVENT
        );
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let values = params![endpoint, now.as_unix_millis(), number(limit.saturating_mul(LOOK_AHEAD)), number(limit)];
        self.readers().with("looking for due deliveries", |connection| {
            rows(connection, &sql, values, |row| {
                let event = columns::event(row)?;
                let (attempts, before): (u32, u32) = (row.get(7)?, row.get(8)?);
                let owed_since = columns::optional_time(row, 9)?.unwrap_or(event.timestamp);
                Ok(DueDelivery { event, attempts, tries: attempts.saturating_sub(before), owed_since })
            })
        })
    }

    /// When the next delivery to `endpoint` may be tried; in the past when one is due now, `None`
    /// when nothing is pending.
    pub fn next_due_at(&self, endpoint: &str) -> Result<Option<WallTime>, CatalogError> {
        self.readers().with("looking for the next delivery", |connection| {
            connection
                .prepare_cached(
                    "SELECT min(next_ms) FROM deliveries INDEXED BY deliveries_due \
                     WHERE endpoint = ?1 AND state IN ('head', 'aside')",
                )?
                .query_row([endpoint], |row| columns::optional_time(row, 0))
        })
    }
}
