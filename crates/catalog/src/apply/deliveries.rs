//! What became of attempts to deliver events, and which endpoints there are.

use livetape_media::WallTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::Work;
use super::outbox::HEAD_PATIENCE_MS;
use crate::columns::{self, bounded};
use crate::{Applied, CatalogError, DeliveryState, EndpointId};

/// Attempts kept of each delivery.
const MAX_ATTEMPTS_KEPT: u32 = 20;
/// The longest text kept of a failed attempt, in bytes.
const MAX_ATTEMPT_TEXT_BYTES: usize = 500;

/// A delivery as it stands.
struct Delivery {
    sequence: i64,
    subject: String,
    state: DeliveryState,
    attempts: u32,
    created_ms: i64,
}

/// What an attempt came to.
struct Outcome<'a> {
    at: WallTime,
    attempt: u32,
    status: Option<u16>,
    error: Option<&'a str>,
}

impl Work<'_> {
    pub(super) fn delivery_succeeded(
        &self,
        event: &str,
        endpoint: &str,
        at: WallTime,
        attempt: u32,
        status: u16,
    ) -> Result<Applied, CatalogError> {
        let delivery = self.delivery(event, endpoint)?;
        match delivery.state {
            DeliveryState::Delivered => return Ok(Applied::Already),
            // One that was on its way when its endpoint was disabled may still arrive.
            DeliveryState::Head | DeliveryState::Aside | DeliveryState::Dropped => {}
            state => return Err(out_of_turn(event, endpoint, state)),
        }
        expect_attempt(event, endpoint, &delivery, attempt)?;
        self.conclude(endpoint, &delivery, DeliveryState::Delivered, 0, attempt)?;
        self.log(endpoint, &delivery, &Outcome { at, attempt, status: Some(status), error: None })?;
        Ok(Applied::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the change")]
    pub(super) fn delivery_failed(
        &self,
        event: &str,
        endpoint: &str,
        at: WallTime,
        attempt: u32,
        status: Option<u16>,
        error: &str,
        retry_at: Option<WallTime>,
    ) -> Result<Applied, CatalogError> {
        let delivery = self.delivery(event, endpoint)?;
        if attempt <= delivery.attempts {
            return Ok(Applied::Already);
        }
        expect_attempt(event, endpoint, &delivery, attempt)?;
        let state = match (delivery.state, retry_at) {
            (DeliveryState::Dropped, _) => DeliveryState::Dropped,
            (DeliveryState::Head | DeliveryState::Aside, None) => DeliveryState::GivenUp,
            (DeliveryState::Aside, Some(_)) => DeliveryState::Aside,
            (DeliveryState::Head, Some(retry_at)) => {
                // It steps aside now if its patience is over before it is tried again; those behind
                // it are held until then.
                let patience_ends = delivery.created_ms.saturating_add(HEAD_PATIENCE_MS);
                let aside = retry_at.as_unix_millis() >= patience_ends;
                if aside { DeliveryState::Aside } else { DeliveryState::Head }
            }
            (state, _) => return Err(out_of_turn(event, endpoint, state)),
        };
        let next_ms = retry_at.map_or(0, WallTime::as_unix_millis);
        self.conclude(endpoint, &delivery, state, next_ms, attempt)?;
        self.log(endpoint, &delivery, &Outcome { at, attempt, status, error: Some(error) })?;
        Ok(Applied::Done)
    }

    pub(super) fn endpoint_disabled(
        &self,
        endpoint: &str,
        at: WallTime,
        reason: &str,
    ) -> Result<Applied, CatalogError> {
        let disabled: Option<bool> = self
            .connection
            .prepare_cached("SELECT disabled_ms IS NOT NULL FROM endpoints WHERE id = ?1 AND configured = 1")
            .and_then(|mut select| select.query_row([endpoint], |row| row.get(0)).optional())
            .map_err(CatalogError::sqlite("reading an endpoint"))?;
        match disabled {
            None => return Err(CatalogError::UnknownEndpoint(endpoint.to_owned())),
            Some(true) => return Ok(Applied::Already),
            Some(false) => {}
        }
        self.connection
            .prepare_cached("UPDATE endpoints SET disabled_ms = ?2, disabled_reason = ?3 WHERE id = ?1")
            .and_then(|mut update| {
                update.execute(params![endpoint, at.as_unix_millis(), bounded(reason, MAX_ATTEMPT_TEXT_BYTES)])
            })
            .and_then(|_| drop_pending(self.connection, endpoint))
            .map_err(CatalogError::sqlite("disabling an endpoint"))?;
        Ok(Applied::Done)
    }

    fn delivery(&self, event: &str, endpoint: &str) -> Result<Delivery, CatalogError> {
        self.connection
            .prepare_cached(
                "SELECT deliveries.event, deliveries.subject, deliveries.state, deliveries.attempts, \
                 deliveries.created_ms FROM events JOIN deliveries ON deliveries.event = events.sequence \
                 WHERE events.id = ?1 AND deliveries.endpoint = ?2",
            )
            .and_then(|mut select| {
                select
                    .query_row(params![event, endpoint], |row| {
                        Ok(Delivery {
                            sequence: row.get(0)?,
                            subject: row.get(1)?,
                            state: columns::parsed(row, 2)?,
                            attempts: row.get(3)?,
                            created_ms: row.get(4)?,
                        })
                    })
                    .optional()
            })
            .map_err(CatalogError::sqlite("reading a delivery"))?
            .ok_or_else(|| CatalogError::UnknownDelivery { event: event.to_owned(), endpoint: endpoint.to_owned() })
    }

    /// Writes where the delivery is now; when it leaves the head of its queue, the next one comes.
    fn conclude(
        &self,
        endpoint: &str,
        delivery: &Delivery,
        state: DeliveryState,
        next_ms: i64,
        attempts: u32,
    ) -> Result<(), CatalogError> {
        let failed = CatalogError::sqlite;
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET state = ?3, next_ms = ?4, attempts = ?5 WHERE endpoint = ?1 AND event = ?2",
            )
            .and_then(|mut update| {
                update.execute(params![endpoint, delivery.sequence, state.name(), next_ms, attempts])
            })
            .map_err(failed("writing a delivery"))?;
        if delivery.state == DeliveryState::Head && state != DeliveryState::Head {
            self.promote(endpoint, &delivery.subject).map_err(failed("moving a queue on"))?;
        }
        Ok(())
    }

    fn log(&self, endpoint: &str, delivery: &Delivery, outcome: &Outcome<'_>) -> Result<(), CatalogError> {
        let error = outcome.error.map(|error| bounded(error, MAX_ATTEMPT_TEXT_BYTES));
        let at_ms = outcome.at.as_unix_millis();
        self.connection
            .prepare_cached(
                "INSERT INTO attempts (endpoint, event, attempt, at_ms, status, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![endpoint, delivery.sequence, outcome.attempt, at_ms, outcome.status, error])
            })
            .and_then(|_| {
                let gone = outcome.attempt.saturating_sub(MAX_ATTEMPTS_KEPT);
                self.connection
                    .prepare_cached("DELETE FROM attempts WHERE endpoint = ?1 AND event = ?2 AND attempt <= ?3")?
                    .execute(params![endpoint, delivery.sequence, gone])
            })
            .map_err(CatalogError::sqlite("logging an attempt"))?;
        Ok(())
    }
}

/// Makes the configured endpoints those that get events from now on; what is pending for others
/// is dropped. One that was disabled gets another chance.
pub(crate) fn register(connection: &Connection, endpoints: &[EndpointId]) -> rusqlite::Result<()> {
    let known: Vec<String> = connection
        .prepare("SELECT id FROM endpoints WHERE configured = 1")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for gone in known.iter().filter(|id| !endpoints.contains(id)) {
        connection.execute("UPDATE endpoints SET configured = 0 WHERE id = ?1", [gone])?;
        let dropped = drop_pending(connection, gone)?;
        tracing::warn!(endpoint = %gone, dropped, "endpoint is not configured any more; its pending deliveries are dropped");
    }
    for endpoint in endpoints {
        connection.execute(
            "INSERT INTO endpoints (id, configured) VALUES (?1, 1) \
             ON CONFLICT (id) DO UPDATE SET configured = 1, disabled_ms = NULL, disabled_reason = NULL",
            [endpoint],
        )?;
    }
    Ok(())
}

/// Drops what is pending for an endpoint and says how many that were.
fn drop_pending(connection: &Connection, endpoint: &str) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE deliveries INDEXED BY deliveries_pending SET state = 'dropped' \
         WHERE endpoint = ?1 AND state IN ('waiting', 'head', 'aside')",
        [endpoint],
    )
}

fn expect_attempt(event: &str, endpoint: &str, delivery: &Delivery, attempt: u32) -> Result<(), CatalogError> {
    if attempt == delivery.attempts.saturating_add(1) {
        return Ok(());
    }
    let detail = format!("{} attempts are known, this is said to be attempt {attempt}", delivery.attempts);
    Err(CatalogError::Conflict { what: format!("the delivery of {event} to '{endpoint}'"), detail })
}

fn out_of_turn(event: &str, endpoint: &str, state: DeliveryState) -> CatalogError {
    let detail = format!("it is {state}, so there should be no attempt");
    CatalogError::Conflict { what: format!("the delivery of {event} to '{endpoint}'"), detail }
}
