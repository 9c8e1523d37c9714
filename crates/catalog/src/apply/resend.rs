//! Deliveries that are made again on request, and those that are given up together.

use livetape_media::WallTime;
use rusqlite::{OptionalExtension, params};

use super::Work;
use super::outbox::HEAD_PATIENCE_MS;
use crate::columns;
use crate::{Applied, CatalogError, DeliveryState};

impl Work<'_> {
    pub(super) fn deliveries_again(
        &self,
        endpoint: &str,
        events: &[i64],
        at: WallTime,
    ) -> Result<Applied, CatalogError> {
        if self.endpoint(endpoint)?.disabled {
            return Err(CatalogError::DisabledEndpoint(endpoint.to_owned()));
        }
        let mut moved = 0;
        for sequence in events {
            moved += self
                .again(endpoint, *sequence, at.as_unix_millis())
                .map_err(CatalogError::sqlite("queueing a delivery again"))?;
        }
        self.deliveries_due.set(true);
        Ok(if moved > 0 { Applied::Done } else { Applied::Already })
    }

    /// Queues one event again; how many rows that changed.
    fn again(&self, endpoint: &str, sequence: i64, at_ms: i64) -> rusqlite::Result<usize> {
        let state: Option<DeliveryState> = self
            .connection
            .prepare_cached("SELECT state FROM deliveries WHERE endpoint = ?1 AND event = ?2")?
            .query_row(params![endpoint, sequence], |row| columns::parsed(row, 0))
            .optional()?;
        // It holds up nothing: it counts as one whose patience has ended.
        let created_ms = at_ms.saturating_sub(HEAD_PATIENCE_MS);
        match state {
            None => self
                .connection
                .prepare_cached(
                    "INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms, again_ms) \
                     SELECT ?1, sequence, subject, 'aside', min(timestamp_ms, ?3), ?4, ?4 FROM events \
                     WHERE sequence = ?2",
                )?
                .execute(params![endpoint, sequence, created_ms, at_ms]),
            Some(DeliveryState::Waiting) => Ok(0),
            Some(DeliveryState::Head | DeliveryState::Aside) => self
                .connection
                .prepare_cached(
                    "UPDATE deliveries SET next_ms = min(next_ms, ?3) WHERE endpoint = ?1 AND event = ?2 \
                     AND next_ms > ?3",
                )?
                .execute(params![endpoint, sequence, at_ms]),
            Some(_) => self
                .connection
                .prepare_cached(
                    "UPDATE deliveries SET state = 'aside', created_ms = min(created_ms, ?3), next_ms = ?4, \
                     again_ms = ?4, again_attempts = attempts WHERE endpoint = ?1 AND event = ?2",
                )?
                .execute(params![endpoint, sequence, created_ms, at_ms]),
        }
    }

    pub(super) fn deliveries_expired(&self, endpoint: &str, before: WallTime) -> Result<Applied, CatalogError> {
        let given_up = self
            .connection
            .prepare_cached(
                "UPDATE deliveries INDEXED BY deliveries_pending SET state = 'given_up' WHERE endpoint = ?1 \
                 AND state IN ('waiting', 'head', 'aside') AND created_ms < ?2 AND coalesce(again_ms, created_ms) < ?2",
            )
            .and_then(|mut update| update.execute(params![endpoint, before.as_unix_millis()]))
            .map_err(CatalogError::sqlite("giving deliveries up"))?;
        let headless: Vec<String> = self
            .connection
            .prepare_cached(
                "SELECT DISTINCT subject FROM deliveries AS waiting WHERE endpoint = ?1 AND state = 'waiting' \
                 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ?1 AND subject = waiting.subject \
                 AND state = 'head')",
            )
            .and_then(|mut select| select.query_map([endpoint], |row| row.get(0))?.collect())
            .map_err(CatalogError::sqlite("looking for queues that stand"))?;
        for subject in headless {
            self.promote(endpoint, &subject).map_err(CatalogError::sqlite("moving a queue on"))?;
        }
        Ok(if given_up > 0 { Applied::Done } else { Applied::Already })
    }
}
