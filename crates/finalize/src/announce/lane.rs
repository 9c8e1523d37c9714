//! The deliveries of one endpoint.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use livetape_catalog::{Attempt, Catalog, CatalogError, Change, DueDelivery};
use livetape_media::WallTime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Endpoint;
use super::breaker::{Breaker, Leave};
use crate::environment::{Stopped, blocking, random};
use crate::schedule::{DELIVERY_AGE_MAX, DELIVERY_WAIT_LONGEST, delivery_wait, upload_wait};
use crate::sink::{Event, Outcome};
use crate::steady::SteadyClock;
use crate::{Counters, WallClock};

/// The catalog is looked at this often whatever else happens: the calendar may step.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);
/// While attempts are under way, whose own times are past.
const LOOK_WHILE_BUSY: Duration = Duration::from_secs(1);
/// No sooner than this again for something that is due a moment from now.
const LOOK_AT_MOST: Duration = Duration::from_millis(10);

pub(super) struct Lane {
    pub(super) endpoint: Endpoint,
    pub(super) catalog: Catalog,
    pub(super) wall: WallClock,
    /// When attempts are due.
    pub(super) clock: SteadyClock,
    pub(super) counters: Arc<Counters>,
    pub(super) wake: Arc<Notify>,
    pub(super) generation: Arc<AtomicU64>,
    pub(super) idle: watch::Sender<u64>,
}

/// What an attempt came to, for the lane.
struct Attempted {
    event: String,
    verdict: Verdict,
}

enum Verdict {
    Delivered,
    /// It was not sent.
    Filtered,
    Failed(String),
    /// The endpoint wants nothing any more.
    Gone,
}

#[derive(Debug, thiserror::Error)]
enum LaneError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Lane {
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let lane = Arc::new(self);
        let mut attempts = JoinSet::new();
        let mut under_way = HashSet::new();
        let mut health = Health::default();
        let mut breaker = Breaker::default();
        lane.begin().await;
        loop {
            let next_look = lane.look(&mut attempts, &mut under_way, breaker.leave(Instant::now())).await;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(attempted) = attempts.join_next() => match attempted {
                    Ok(Attempted { event, verdict }) => {
                        under_way.remove(&event);
                        if let Verdict::Gone = verdict {
                            return;
                        }
                        health.note(&lane.endpoint, &event, &verdict);
                        lane.judge(&mut breaker, &event, &verdict).await;
                    }
                    Err(error) => {
                        error!(endpoint = lane.endpoint.id, "an attempt to deliver an event broke off: {error}");
                        // Which event it was is not known. All are dropped; the catalog offers them again.
                        attempts.shutdown().await;
                        under_way.clear();
                        tokio::time::sleep(LOOK_WHILE_BUSY).await;
                    }
                },
                () = lane.wake.notified() => {}
                () = tokio::time::sleep(next_look) => {}
            }
        }
    }

    /// Sees to it that nothing waits for a time of a calendar that was set back.
    async fn begin(self: &Arc<Self>) {
        let lane = Arc::clone(self);
        let next = blocking::<_, LaneError, _>(move || Ok(lane.catalog.next_due_at(&lane.endpoint.id)?));
        // What cannot be read now is looked for again at once, with a warning.
        if let Ok(Some(next)) = next.await {
            self.clock.expect_within(next, DELIVERY_WAIT_LONGEST);
        }
    }

    /// What an attempt says of the endpoint itself.
    async fn judge(self: &Arc<Self>, breaker: &mut Breaker, event: &str, verdict: &Verdict) {
        let now = Instant::now();
        let endpoint = self.endpoint.id.clone();
        match verdict {
            Verdict::Delivered if breaker.taken() => {
                info!(endpoint, "the endpoint counts as alive: what waits is tried now");
                self.record(Change::EndpointRecovered { endpoint, at: self.clock.now() }).await;
            }
            Verdict::Failed(_) if breaker.failed(event, now) => {
                warn!(endpoint, "the endpoint counts as dead: one event at a time is tried until one is taken");
            }
            Verdict::Failed(_) if breaker.expires(now) => {
                let before = earlier(self.clock.now(), DELIVERY_AGE_MAX);
                warn!(endpoint, %before, "what has waited for the endpoint for three days is given up");
                self.record(Change::DeliveriesExpired { endpoint, before }).await;
            }
            _ => {}
        }
    }

    /// Begins the attempts that are due and for which there is room and leave; says when to look again.
    async fn look(
        self: &Arc<Self>,
        attempts: &mut JoinSet<Attempted>,
        under_way: &mut HashSet<String>,
        leave: Leave,
    ) -> Duration {
        let generation = self.generation.load(Ordering::SeqCst);
        let limit = match leave {
            Leave::All => self.endpoint.concurrency.max(1),
            Leave::One => 1,
            Leave::None(_) => 0,
        };
        if let Leave::None(wait) = leave
            && under_way.is_empty()
        {
            self.idle.send_replace(generation);
            return wait;
        }
        if under_way.len() >= limit {
            return LOOK_AT_LEAST;
        }
        let lane = Arc::clone(self);
        let looked = blocking::<_, LaneError, _>(move || {
            let now = lane.clock.now();
            let due = lane.catalog.deliveries_due(&lane.endpoint.id, now, limit)?;
            Ok((due, lane.catalog.next_due_at(&lane.endpoint.id)?, now))
        });
        let (due, next, now) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                warn!(endpoint = self.endpoint.id, "looking for events to deliver: {error}");
                return LOOK_WHILE_BUSY;
            }
        };
        for delivery in due {
            if under_way.len() < limit && under_way.insert(delivery.event.id.clone()) {
                attempts.spawn(Arc::clone(self).attempt(delivery));
            }
        }
        if !under_way.is_empty() {
            return LOOK_WHILE_BUSY;
        }
        self.idle.send_replace(generation);
        let wait = next.map_or(LOOK_AT_LEAST, |next| millis_between(now, next));
        wait.clamp(LOOK_AT_MOST, LOOK_AT_LEAST)
    }

    /// Makes one attempt and records it.
    async fn attempt(self: Arc<Self>, delivery: DueDelivery) -> Attempted {
        let row = delivery.event;
        let event = Event { id: row.id.clone(), kind: row.kind, body: Bytes::from(row.body) };
        let begun = Instant::now();
        let outcome = self.endpoint.sink.deliver(&event).await;
        let (at, took) = ((self.wall)(), begun.elapsed());
        let attempt =
            |status, answer| Attempt { number: delivery.attempts.saturating_add(1), at, took, status, answer };
        let age = millis_between(delivery.owed_since, at);
        let endpoint = self.endpoint.id.clone();
        let verdict = match outcome {
            Outcome::Delivered { status, answer } => {
                self.counters.delivered();
                let attempt = attempt(Some(status), answer);
                self.record(Change::DeliverySucceeded { event: row.id.clone(), endpoint, attempt }).await;
                Verdict::Delivered
            }
            Outcome::Filtered => {
                self.record(Change::DeliveryFiltered { event: row.id.clone(), endpoint }).await;
                Verdict::Filtered
            }
            Outcome::Failed { status, error, answer, retry_after } => {
                let wait = delivery_wait(delivery.tries.saturating_add(1), age, retry_after, random());
                self.counters.undelivered(wait.is_none());
                let retry_at = wait.map(|wait| later(self.clock.now(), wait));
                if retry_at.is_none() {
                    warn!(endpoint, event = row.id, "event given up after three days: {error}");
                }
                let change = Change::DeliveryFailed {
                    event: row.id.clone(),
                    endpoint,
                    attempt: attempt(status, answer),
                    error: error.clone(),
                    retry_at,
                };
                self.record(change).await;
                Verdict::Failed(error)
            }
            Outcome::Gone => {
                self.counters.undelivered(false);
                let error = "HTTP 410 Gone: the receiver wants no more events".to_owned();
                // Left to be tried again until the endpoint is disabled, so that a crash between
                // the two changes loses nothing.
                let retry_at =
                    Some(later(self.clock.now(), delivery_wait(1, Duration::ZERO, None, 0).unwrap_or(LOOK_AT_LEAST)));
                let event = row.id.clone();
                let change = Change::DeliveryFailed {
                    event,
                    endpoint: endpoint.clone(),
                    attempt: attempt(Some(410), String::new()),
                    error: error.clone(),
                    retry_at,
                };
                self.record(change).await;
                self.record(Change::EndpointDisabled { endpoint, at, reason: error }).await;
                error!(
                    endpoint = self.endpoint.id,
                    sink = self.endpoint.sink.describe(),
                    "the receiver answered 410 Gone: its endpoint is disabled until it is enabled, or the next start"
                );
                Verdict::Gone
            }
        };
        Attempted { event: row.id, verdict }
    }

    /// Records a change for as long as it takes: as long as the outcome is not recorded, the event
    /// must count as under way, or it would be sent again and again.
    async fn record(self: &Arc<Self>, change: Change) {
        for failures in 1.. {
            let (lane, change) = (Arc::clone(self), change.clone());
            match blocking::<_, LaneError, _>(move || Ok(lane.catalog.apply(change)?)).await {
                Ok(_) => return,
                Err(LaneError::Catalog(error)) if error.is_refusal() => {
                    error!(endpoint = self.endpoint.id, "an outcome does not fit the catalog: {error}");
                    // Whatever the reason, it is not tried again at once.
                    tokio::time::sleep(LOOK_WHILE_BUSY).await;
                    return;
                }
                Err(error) => {
                    warn!(
                        endpoint = self.endpoint.id,
                        failures, "the outcome of a delivery cannot be recorded: {error}"
                    );
                    tokio::time::sleep(upload_wait(failures, false, random())).await;
                }
            }
        }
    }
}

/// Whether the endpoint takes events, so that a dead one is one warning and not thousands.
#[derive(Default)]
struct Health {
    failures: u64,
}

impl Health {
    fn note(&mut self, endpoint: &Endpoint, event: &str, verdict: &Verdict) {
        match verdict {
            Verdict::Delivered => {
                debug!(endpoint = endpoint.id, event, "event delivered");
                if self.failures > 0 {
                    info!(endpoint = endpoint.id, failures = self.failures, "the endpoint takes events again");
                }
                self.failures = 0;
            }
            Verdict::Failed(problem) => {
                self.failures += 1;
                if self.failures == 1 {
                    warn!(
                        endpoint = endpoint.id,
                        sink = endpoint.sink.describe(),
                        event,
                        "the endpoint did not take an event, which is tried again: {problem}"
                    );
                } else {
                    debug!(endpoint = endpoint.id, event, failures = self.failures, "event not taken: {problem}");
                }
            }
            Verdict::Filtered | Verdict::Gone => {}
        }
    }
}

/// From `from` to `to`; nothing when `to` is past.
fn millis_between(from: WallTime, to: WallTime) -> Duration {
    let millis = to.as_unix_millis().saturating_sub(from.as_unix_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn earlier(at: WallTime, by: Duration) -> WallTime {
    at.plus_millis(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

fn later(at: WallTime, wait: Duration) -> WallTime {
    at.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
