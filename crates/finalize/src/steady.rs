//! A calendar that is never set back, for times at which something is tried again.
//!
//! The catalog keeps such times as the calendar shows them, so that they outlast the process. When
//! the calendar is set back by a day, they would be a day further away; so this one goes on from
//! where it was. Set forward, it follows: what waits is tried early, which does no harm.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use livetape_media::WallTime;
use tokio::time::Instant;
use tracing::warn;

use crate::WallClock;

/// Corrections up to this are none.
const STEP_MIN_MS: i64 = 1_000;

/// The clock.
pub(crate) struct SteadyClock {
    wall: WallClock,
    state: Mutex<State>,
}

struct State {
    /// What the calendar showed last, and when that was.
    seen: WallTime,
    at: Instant,
    /// By how much the calendar was set back since this began, in milliseconds.
    behind_ms: i64,
}

impl SteadyClock {
    /// The calendar as `wall` shows it from now on.
    pub(crate) fn new(wall: WallClock) -> Self {
        let state = State { seen: wall(), at: Instant::now(), behind_ms: 0 };
        Self { wall, state: Mutex::new(state) }
    }

    /// The time; never before one it has told.
    pub(crate) fn now(&self) -> WallTime {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, at) = ((self.wall)(), Instant::now());
        let elapsed_ms = millis(at.saturating_duration_since(state.at));
        let back_ms = state.seen.plus_millis(elapsed_ms).as_unix_millis().saturating_sub(seen.as_unix_millis());
        if back_ms > STEP_MIN_MS {
            state.behind_ms = state.behind_ms.saturating_add(back_ms);
        }
        (state.seen, state.at) = (seen, at);
        seen.plus_millis(state.behind_ms)
    }

    /// Goes on from `due` if that is further off than anything is ever put off: it was written down by
    /// a process whose calendar was set back since.
    pub(crate) fn expect_within(&self, due: WallTime, longest: Duration) {
        let now = self.now();
        if now.plus_millis(millis(longest)) < due {
            let back_ms = due.as_unix_millis().saturating_sub(now.as_unix_millis());
            warn!(back_ms, "the calendar is behind what was written down before; what waits is tried now");
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.behind_ms = state.behind_ms.saturating_add(back_ms);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A calendar that can be set, running with tokio's clock.
    fn calendar() -> (Arc<AtomicI64>, SteadyClock) {
        let (set, begun) = (Arc::new(AtomicI64::new(1_000_000)), Instant::now());
        let shown = set.clone();
        let wall: WallClock =
            Arc::new(move || WallTime::from_unix_millis(shown.load(Ordering::SeqCst) + millis(begun.elapsed())));
        (set, SteadyClock::new(wall))
    }

    fn ms(clock: &SteadyClock) -> i64 {
        clock.now().as_unix_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_calendar_that_is_set_back_goes_on_here() {
        let (set, clock) = calendar();
        assert_eq!(ms(&clock), 1_000_000);
        tokio::time::advance(Duration::from_secs(5)).await;
        set.fetch_sub(86_400_000, Ordering::SeqCst);
        assert_eq!(ms(&clock), 1_005_000);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(ms(&clock), 1_010_000);
        set.fetch_add(2 * 86_400_000, Ordering::SeqCst);
        assert_eq!(ms(&clock), 1_010_000 + 2 * 86_400_000);
        set.fetch_sub(2 * 86_400_000, Ordering::SeqCst);
        assert_eq!(ms(&clock), 1_010_000 + 2 * 86_400_000, "not back again");
    }

    #[tokio::test(start_paused = true)]
    async fn small_corrections_are_followed() {
        let (set, clock) = calendar();
        set.fetch_sub(900, Ordering::SeqCst);
        assert_eq!(ms(&clock), 999_100);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_former_process_put_off_by_another_calendar_is_due() {
        let (_, clock) = calendar();
        let hour = Duration::from_secs(3600);
        clock.expect_within(WallTime::from_unix_millis(1_000_000 + 3_600_000), hour);
        assert_eq!(ms(&clock), 1_000_000, "an hour is nothing unusual");
        clock.expect_within(WallTime::from_unix_millis(1_000_000 + 3_600_001), hour);
        assert_eq!(ms(&clock), 1_000_000 + 3_600_001);
    }
}
