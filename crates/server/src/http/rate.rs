//! How often something may happen, for each of many.
//!
//! For each key one moment is kept: when it would have used up all it may, had it used it evenly (the generic cell rate
//! algorithm). Keys that have nothing used up are forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are kept. When so many use something up at once, further ones are not counted.
const KEYS_MAX: usize = 16_384;

/// A rate that each key may keep up, and exceed for a moment.
pub(super) struct Rate<K> {
    /// The time between two, on the average; `None`: any number may come.
    interval: Option<Duration>,
    /// How many may come at once.
    burst: u32,
    used: Mutex<BTreeMap<K, Instant>>,
}

impl<K: Ord> Rate<K> {
    /// `count` in each `period`, and `burst` at once; no limit when `count` is 0.
    pub(super) fn new(count: u32, period: Duration, burst: u32) -> Self {
        Self { interval: period.checked_div(count), burst: burst.max(1), used: Mutex::default() }
    }

    /// How long `key` has to wait before one more may come; `None`: it may now.
    pub(super) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let interval = self.interval?;
        let used = self.lock().get(key).copied()?;
        let wait = (used.saturating_duration_since(now) + interval).saturating_sub(interval * self.burst);
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts one of `key`, whether it may come or not.
    pub(super) fn count(&self, key: K, now: Instant) {
        let Some(interval) = self.interval else { return };
        let most = now + interval * self.burst;
        let mut used = self.lock();
        if used.len() >= KEYS_MAX {
            used.retain(|_, used| *used > now);
        }
        if used.len() < KEYS_MAX || used.contains_key(&key) {
            let before = used.get(&key).copied().unwrap_or(now).max(now);
            // What comes beyond what may makes nobody wait longer.
            used.insert(key, (before + interval).min(most));
        }
    }

    /// Counts one of `key` if it may come, or says how long it has to wait.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        match self.wait(&key, now) {
            Some(wait) => Err(wait),
            None => {
                self.count(key, now);
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Instant>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_may_come_and_then_the_rate_is_kept() {
        let (rate, begin) = (Rate::new(10, Duration::from_secs(1), 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(rate.take("a", begin), Ok(()));
        }
        assert_eq!(rate.take("a", begin), Err(100 * MS));
        assert_eq!(rate.take("b", begin), Ok(()), "each for itself");
        assert_eq!(rate.take("a", begin + 99 * MS), Err(MS));
        assert_eq!(rate.take("a", begin + 100 * MS), Ok(()));
        assert_eq!(rate.take("a", begin + 100 * MS), Err(100 * MS));
        // A second later all three may come again, and no more.
        let later = begin + 2_000 * MS;
        assert_eq!([0; 4].map(|_| rate.take("a", later).is_ok()), [true, true, true, false]);
    }

    #[test]
    fn over_a_long_time_no_more_come_than_may() {
        let (rate, begin) = (Rate::new(20, Duration::from_secs(60), 20), Instant::now());
        let came = (0..600_000u32).step_by(50).filter(|at| rate.take((), begin + *at * MS).is_ok()).count();
        assert!((219..=220).contains(&came), "{came} in ten minutes");
    }

    #[test]
    fn what_is_counted_although_it_may_not_makes_nobody_wait_longer() {
        let (rate, begin) = (Rate::new(1, Duration::from_secs(1), 2), Instant::now());
        for _ in 0..1_000 {
            rate.count((), begin);
        }
        assert_eq!(rate.wait(&(), begin), Some(1_000 * MS));
        assert_eq!(rate.wait(&(), begin + 1_000 * MS), None);
    }

    #[test]
    fn zero_is_no_limit_and_what_is_kept_is_bounded() {
        let begin = Instant::now();
        let none = Rate::new(0, Duration::from_secs(1), 1);
        assert!((0..1_000).all(|_| none.take((), begin).is_ok()));
        let rate = Rate::new(1, Duration::from_secs(1), 1);
        for key in 0..KEYS_MAX + 100 {
            assert_eq!(rate.take(key, begin), Ok(()));
        }
        assert_eq!(rate.lock().len(), KEYS_MAX);
        assert!(rate.take(0, begin).is_err(), "those that are known are still counted");
        assert_eq!(rate.take(KEYS_MAX + 100, begin + 2_000 * MS), Ok(()));
        assert_eq!(rate.lock().len(), 1);
    }
}
