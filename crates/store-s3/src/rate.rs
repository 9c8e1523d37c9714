//! How fast is sent: one bucket of tokens for all uploads.
//!
//! Each slice of a body reserves its time when it is asked for, so that slices of all bodies go in the order in which
//! they were asked for. Since a body asks for one slice at a time, bodies share the rate evenly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What may go at once after a pause, as time at the full rate.
const BURST: Duration = Duration::from_millis(100);
/// How much longer than its share says an upload may take: others may begin meanwhile.
const PATIENCE: u64 = 4;

/// A limit that uploads share.
#[derive(Debug)]
pub(crate) struct Rate {
    /// 0 is no limit.
    bytes_per_second: u64,
    /// When the next slice may go, at the earliest. Held for a few instructions.
    next: Mutex<Option<Instant>>,
    /// Bytes of the bodies under way.
    under_way: AtomicU64,
}

impl Rate {
    /// A limit; 0 is none.
    pub(crate) fn new(bytes_per_second: u64) -> Arc<Self> {
        Arc::new(Self { bytes_per_second, next: Mutex::new(None), under_way: AtomicU64::new(0) })
    }

    /// Reserves the time of `bytes`; they may go at the instant returned, or at once.
    pub(crate) fn take(&self, bytes: u64) -> Option<Instant> {
        if self.bytes_per_second == 0 {
            return None;
        }
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let at = next.map_or(earliest, |next| next.max(earliest));
        *next = Some(at + self.time(bytes));
        (at > now).then_some(at)
    }

    /// Counts a body of `bytes` among those under way for as long as the value lives.
    pub(crate) fn begin(self: &Arc<Self>, bytes: u64) -> UnderWay {
        self.under_way.fetch_add(bytes, Ordering::Relaxed);
        UnderWay { rate: Arc::clone(self), bytes }
    }

    /// How long bodies at once take at this rate; no time when there is no limit.
    fn time(&self, bytes: u64) -> Duration {
        if self.bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct UnderWay {
    rate: Arc<Rate>,
    bytes: u64,
}

impl UnderWay {
    /// How long the limit may hold this body back, judged by what is under way now.
    pub(crate) fn delay_max(&self) -> Duration {
        self.rate.time(self.rate.under_way.load(Ordering::Relaxed).saturating_mul(PATIENCE))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.rate.under_way.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;

    #[tokio::test(start_paused = true)]
    async fn slices_go_at_the_rate() {
        let rate = Rate::new(64 * KIB);
        let begun = Instant::now();
        for _ in 0..100 {
            if let Some(at) = rate.take(64 * KIB) {
                tokio::time::sleep_until(at).await;
            }
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(98_900) && took <= Duration::from_secs(99), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let rate = Rate::new(1000);
        rate.take(1000);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(rate.take(1000), None);
        let wait = rate.take(1000).unwrap() - Instant::now();
        assert_eq!(wait, Duration::from_millis(900), "no more than a burst goes at once");
    }

    #[tokio::test(start_paused = true)]
    async fn two_bodies_share_the_rate_evenly() {
        let rate = Rate::new(1000);
        let body = |rate: Arc<Rate>| async move {
            for _ in 0..10 {
                if let Some(at) = rate.take(1000) {
                    tokio::time::sleep_until(at).await;
                }
            }
            Instant::now()
        };
        let begun = Instant::now();
        let (first, second) = tokio::join!(body(Arc::clone(&rate)), body(rate));
        // Twenty slices, the first two of them the first body's.
        assert!(first - begun > Duration::from_secs(16) && second - begun < Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let rate = Rate::new(0);
        assert!((0..1000).all(|_| rate.take(u64::MAX).is_none()));
        assert_eq!(rate.begin(1 << 40).delay_max(), Duration::ZERO);
    }

    #[test]
    fn what_is_under_way_gives_everybody_more_time() {
        let rate = Rate::new(1000);
        let first = rate.begin(10_000);
        assert_eq!(first.delay_max(), Duration::from_secs(40));
        let second = rate.begin(5_000);
        assert_eq!(first.delay_max(), Duration::from_secs(60));
        drop(second);
        assert_eq!(first.delay_max(), Duration::from_secs(40));
    }
}
