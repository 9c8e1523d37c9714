//! Whether it is worth trying to reach an endpoint at all.
//!
//! Pure: moments in, decisions out.
//!
//! ```text
//! closed --- five events failed, none taken in between ---> open
//! open: one event is tried, half a minute after the one before has failed
//! open --- one is taken ---> closed
//! ```
//!
//! Five events, not five attempts: one that a receiver does not like is tried again at its own times and holds
//! up its stream alone.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::schedule::{DELIVERY_FIRST_TEN, PROBE_WAIT};

/// Events that fail one after the other until the endpoint counts as dead.
const FAILURES: usize = 5;
/// How often what is too old is given up.
const EXPIRY_EVERY: Duration = Duration::from_secs(10 * 60);

/// The state of one endpoint.
#[derive(Default)]
pub(super) struct Breaker {
    /// Events that have failed since one was taken; as many as matter.
    failed: BTreeSet<String>,
    open: Option<Open>,
}

struct Open {
    since: Instant,
    probe_at: Instant,
    expired_at: Option<Instant>,
}

/// How many attempts may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// As many as are configured.
    All,
    /// One.
    One,
    /// None for this long.
    None(Duration),
}

impl Breaker {
    /// How many attempts may be made now.
    pub(super) fn leave(&self, now: Instant) -> Leave {
        match &self.open {
            None => Leave::All,
            Some(open) if open.probe_at <= now => Leave::One,
            Some(open) => Leave::None(open.probe_at - now),
        }
    }

    /// An event was not taken. Whether the endpoint counts as dead from now on.
    pub(super) fn failed(&mut self, event: &str, now: Instant) -> bool {
        if let Some(open) = &mut self.open {
            open.probe_at = now + PROBE_WAIT;
            return false;
        }
        self.failed.insert(event.to_owned());
        if self.failed.len() < FAILURES {
            return false;
        }
        self.open = Some(Open { since: now, probe_at: now + PROBE_WAIT, expired_at: None });
        true
    }

    /// An event was taken. Whether the endpoint counted as dead until now.
    pub(super) fn taken(&mut self) -> bool {
        self.failed.clear();
        self.open.take().is_some()
    }

    /// Whether it is time to give up what has waited for too long. Events get so many attempts whatever the
    /// calendar says; with a dead endpoint they get none, so that what counts is how long it has been dead.
    pub(super) fn expires(&mut self, now: Instant) -> bool {
        let Some(open) = &mut self.open else { return false };
        let due = now - open.since >= DELIVERY_FIRST_TEN && open.expired_at.is_none_or(|at| now - at >= EXPIRY_EVERY);
        if due {
            open.expired_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn five_events_that_fail_open_it_and_one_that_is_taken_closes_it() {
        let (start, mut breaker) = (Instant::now(), Breaker::default());
        for event in 0..4 {
            assert!(!breaker.failed(&event.to_string(), start));
            assert_eq!(breaker.leave(start), Leave::All);
        }
        assert!(breaker.failed("4", start));
        assert_eq!(breaker.leave(after(start, 10)), Leave::None(Duration::from_secs(20)));
        assert_eq!(breaker.leave(after(start, 30)), Leave::One);
        assert!(!breaker.failed("0", after(start, 40)));
        assert_eq!(breaker.leave(after(start, 60)), Leave::None(Duration::from_secs(10)));
        assert!(breaker.taken());
        assert_eq!(breaker.leave(after(start, 60)), Leave::All);
        assert!(!breaker.taken());
    }

    #[tokio::test(start_paused = true)]
    async fn one_event_that_fails_for_ever_and_failures_with_successes_between_do_not_open_it() {
        let (start, mut breaker) = (Instant::now(), Breaker::default());
        assert!((0..100).all(|_| !breaker.failed("same", start)));
        for event in 0..100 {
            assert!(!breaker.failed(&event.to_string(), start));
            if event % 3 == 0 {
                breaker.taken();
            }
        }
        assert_eq!(breaker.leave(start), Leave::All);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_expires_once_the_endpoint_has_been_dead_for_as_long_as_ten_attempts_take() {
        let (start, mut breaker) = (Instant::now(), Breaker::default());
        assert!(!breaker.expires(after(start, 1_000_000)));
        (0..5).for_each(|event| {
            breaker.failed(&event.to_string(), start);
        });
        let dead = DELIVERY_FIRST_TEN.as_secs();
        assert!(!breaker.expires(after(start, dead - 1)));
        assert!(breaker.expires(after(start, dead)));
        assert!(!breaker.expires(after(start, dead + 599)));
        assert!(breaker.expires(after(start, dead + 600)));
    }
}
