//! Reading deliveries.

use std::collections::BTreeMap;

use livetape_media::WallTime;
use rusqlite::{Row, params};

use super::rows;
use crate::{AttemptView, Catalog, CatalogError, DeliveryState, DeliveryView, DueDelivery, columns};

/// Rows looked at for each delivery asked for: several of one stream may be due, and only one of
/// each stream is returned.
const LOOK_AHEAD: usize = 16;

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
            "SELECT {}, deliveries.attempts FROM deliveries INDEXED BY deliveries_due \
             CROSS JOIN events ON events.sequence = deliveries.event \
             WHERE deliveries.endpoint = ?1 AND deliveries.state IN ('head', 'aside') AND deliveries.next_ms <= ?2 \
             ORDER BY deliveries.next_ms, deliveries.event LIMIT ?3",
            columns::EVENT
        );
        let look = i64::try_from(limit.saturating_mul(LOOK_AHEAD)).unwrap_or(i64::MAX);
        let found = self.readers().with("looking for due deliveries", |connection| {
            rows(connection, &sql, params![endpoint, now.as_unix_millis(), look], |row| {
                Ok(DueDelivery { event: columns::event(row)?, attempts: row.get(6)? })
            })
        })?;
        let mut first: BTreeMap<String, i64> = BTreeMap::new();
        for due in &found {
            let sequence = first.entry(due.event.subject.clone()).or_insert(due.event.sequence);
            *sequence = due.event.sequence.min(*sequence);
        }
        let is_first = |due: &DueDelivery| first.get(&due.event.subject) == Some(&due.event.sequence);
        Ok(found.into_iter().filter(is_first).take(limit).collect())
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

    /// The deliveries of an event, by endpoint, with their last attempts.
    pub fn deliveries(&self, event_id: &str) -> Result<Vec<DeliveryView>, CatalogError> {
        self.readers().with("reading deliveries", |connection| {
            let mut views = rows(
                connection,
                "SELECT events.id, deliveries.endpoint, deliveries.state, deliveries.attempts, deliveries.next_ms, \
                 deliveries.created_ms FROM events JOIN deliveries ON deliveries.event = events.sequence \
                 WHERE events.id = ?1 ORDER BY deliveries.endpoint",
                [event_id],
                delivery,
            )?;
            for view in &mut views {
                view.log = rows(
                    connection,
                    "SELECT attempts.attempt, attempts.at_ms, attempts.status, attempts.error FROM attempts \
                     JOIN events ON events.sequence = attempts.event \
                     WHERE events.id = ?1 AND attempts.endpoint = ?2 ORDER BY attempts.attempt",
                    params![event_id, view.endpoint],
                    attempt,
                )?;
            }
            Ok(views)
        })
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryView> {
    let state: DeliveryState = columns::parsed(row, 2)?;
    // Zero means at once, which was when the event happened.
    let next_ms = match row.get(4)? {
        0 => row.get(5)?,
        next_ms => next_ms,
    };
    let tried = matches!(state, DeliveryState::Head | DeliveryState::Aside);
    Ok(DeliveryView {
        event: row.get(0)?,
        endpoint: row.get(1)?,
        state,
        attempts: row.get(3)?,
        next_at: tried.then(|| WallTime::from_unix_millis(next_ms)),
        log: Vec::new(),
    })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptView> {
    Ok(AttemptView { attempt: row.get(0)?, at: columns::time(row, 1)?, status: row.get(2)?, error: row.get(3)? })
}
