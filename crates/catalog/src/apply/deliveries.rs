//! What became of attempts to deliver events.

use livetape_media::WallTime;
use rusqlite::{OptionalExtension, params};

use super::Work;
use super::outbox::HEAD_PATIENCE_MS;
use crate::columns::{self, bounded};
use crate::{Applied, Attempt, CatalogError, DeliveryState};

/// Attempts kept of each delivery.
const MAX_ATTEMPTS_KEPT: u32 = 20;
/// The longest text kept of a failed attempt, in bytes.
pub(super) const MAX_ATTEMPT_TEXT_BYTES: usize = 500;

/// A delivery as it stands.
struct Delivery {
    sequence: i64,
    subject: String,
    state: DeliveryState,
    attempts: u32,
    created_ms: i64,
}

impl Work<'_> {
    pub(super) fn delivery_succeeded(
        &self,
        event: &str,
        endpoint: &str,
        attempt: &Attempt,
    ) -> Result<Applied, CatalogError> {
        let delivery = self.delivery(event, endpoint)?;
        match delivery.state {
            DeliveryState::Delivered => return Ok(Applied::Already),
            // One that was on its way when its endpoint was disabled, or it was given up, may still arrive.
            DeliveryState::Head | DeliveryState::Aside | DeliveryState::Dropped | DeliveryState::GivenUp => {}
            state => return Err(out_of_turn(event, endpoint, state)),
        }
        expect_attempt(event, endpoint, &delivery, attempt.number)?;
        self.conclude(endpoint, &delivery, DeliveryState::Delivered, 0, attempt.number)?;
        self.log(endpoint, &delivery, attempt, None)?;
        Ok(Applied::Done)
    }

    pub(super) fn delivery_failed(
        &self,
        event: &str,
        endpoint: &str,
        attempt: &Attempt,
        error: &str,
        retry_at: Option<WallTime>,
    ) -> Result<Applied, CatalogError> {
        let delivery = self.delivery(event, endpoint)?;
        if attempt.number <= delivery.attempts {
            return Ok(Applied::Already);
        }
        expect_attempt(event, endpoint, &delivery, attempt.number)?;
        let state = match (delivery.state, retry_at) {
            (state @ (DeliveryState::Dropped | DeliveryState::GivenUp), _) => state,
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
        self.conclude(endpoint, &delivery, state, next_ms, attempt.number)?;
        self.log(endpoint, &delivery, attempt, Some(error))?;
        Ok(Applied::Done)
    }

    pub(super) fn delivery_filtered(&self, event: &str, endpoint: &str) -> Result<Applied, CatalogError> {
        let delivery = self.delivery(event, endpoint)?;
        match delivery.state {
            DeliveryState::Head | DeliveryState::Aside => {}
            DeliveryState::Delivered | DeliveryState::Dropped | DeliveryState::GivenUp => return Ok(Applied::Already),
            state => return Err(out_of_turn(event, endpoint, state)),
        }
        self.conclude(endpoint, &delivery, DeliveryState::Delivered, 0, delivery.attempts)?;
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

    fn log(
        &self,
        endpoint: &str,
        delivery: &Delivery,
        attempt: &Attempt,
        error: Option<&str>,
    ) -> Result<(), CatalogError> {
        let error = error.map(|error| bounded(error, MAX_ATTEMPT_TEXT_BYTES));
        let answer = Some(bounded(&attempt.answer, MAX_ATTEMPT_TEXT_BYTES)).filter(|answer| !answer.is_empty());
        let took_ms = i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX);
        let at_ms = attempt.at.as_unix_millis();
        self.connection
            .prepare_cached(
                "INSERT INTO attempts (endpoint, event, attempt, at_ms, status, error, took_ms, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut insert| {
                let (event, number, status) = (delivery.sequence, attempt.number, attempt.status);
                insert.execute(params![endpoint, event, number, at_ms, status, error, took_ms, answer])
            })
            .and_then(|_| {
                let gone = attempt.number.saturating_sub(MAX_ATTEMPTS_KEPT);
                self.connection
                    .prepare_cached("DELETE FROM attempts WHERE endpoint = ?1 AND event = ?2 AND attempt <= ?3")?
                    .execute(params![endpoint, delivery.sequence, gone])
            })
            .map_err(CatalogError::sqlite("logging an attempt"))?;
        Ok(())
    }
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
