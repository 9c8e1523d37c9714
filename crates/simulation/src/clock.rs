//! Simulated time.
//!
//! Goes with the clock of a tokio runtime whose time is paused, and further where something blocks: a
//! slow disk lets time pass while no timer can fire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use livetape_finalize::WallClock;
use livetape_media::{Now, WallTime};
use tokio::time::Instant;

/// The calendar's time at a world's beginning: 2026-11-22T21:07:00Z.
const EPOCH_MS: i64 = 1_795_381_620_000;

/// A world's clock. Cheap to clone.
#[derive(Clone)]
pub struct SimClock(Arc<Inner>);

struct Inner {
    begun: Instant,
    /// Milliseconds of the calendar that had passed when it began.
    before: u64,
    /// Milliseconds that something blocked for.
    blocked: AtomicU64,
    /// The latest time seen, for threads that are no runtime's.
    latest: AtomicU64,
}

impl SimClock {
    /// A clock that begins `before` after the first world began. Call it in the runtime whose time it
    /// follows.
    pub fn begin(before: Duration) -> Self {
        let before = u64::try_from(before.as_millis()).unwrap();
        Self(Arc::new(Inner {
            begun: Instant::now(),
            before,
            blocked: AtomicU64::new(0),
            latest: AtomicU64::new(before),
        }))
    }

    /// Time since the first world began.
    pub fn elapsed(&self) -> Duration {
        let seen = match tokio::runtime::Handle::try_current() {
            Ok(_) => {
                let passed = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap();
                self.0.before + passed + self.0.blocked.load(Ordering::SeqCst)
            }
            Err(_) => 0,
        };
        Duration::from_millis(self.0.latest.fetch_max(seen, Ordering::SeqCst).max(seen))
    }

    /// Lets `time` pass, as in a call that blocks.
    pub fn block(&self, time: Duration) {
        self.0.blocked.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let mono = self.elapsed();
        Now { mono, wall: wall_at(mono) }
    }

    /// The calendar.
    pub fn wall(&self) -> WallClock {
        let clock = self.clone();
        Arc::new(move || clock.now().wall)
    }
}

/// The calendar's time this long after the first world began.
pub fn wall_at(elapsed: Duration) -> WallTime {
    WallTime::from_unix_millis(EPOCH_MS + i64::try_from(elapsed.as_millis()).unwrap())
}
