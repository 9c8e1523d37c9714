//! So many a second, with a reserve for bursts.

use std::time::Duration;

/// A token bucket on the session's clock.
#[derive(Debug)]
pub(crate) struct Budget {
    per_second: u32,
    capacity: u64,
    /// Thousandths of a token, so that short steps of the clock are not lost to rounding.
    millitokens: u64,
    filled: Duration,
}

impl Budget {
    /// A full bucket that holds `seconds` worth of `per_second`.
    pub(crate) fn new(per_second: u32, seconds: u32, now: Duration) -> Self {
        let capacity = u64::from(per_second) * u64::from(seconds) * 1000;
        Self { per_second, capacity, millitokens: capacity, filled: now }
    }

    /// Takes one; false when there is none.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        if millis > 0 {
            // One token a second is one thousandth of a token each millisecond.
            let earned = millis.saturating_mul(u64::from(self.per_second));
            self.millitokens = self.millitokens.saturating_add(earned).min(self.capacity);
            self.filled += Duration::from_millis(millis);
        }
        let Some(left) = self.millitokens.checked_sub(1000) else { return false };
        self.millitokens = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_empties_it_and_time_refills_it_no_further_than_full() {
        let mut budget = Budget::new(2, 3, Duration::ZERO);
        assert_eq!((0..10).filter(|_| budget.take(Duration::ZERO)).count(), 6);
        assert!(!budget.take(Duration::from_millis(499)));
        assert!(budget.take(Duration::from_millis(500)));
        assert!(!budget.take(Duration::from_millis(999)));
        let later = Duration::from_secs(1000);
        assert_eq!((0..10).filter(|_| budget.take(later)).count(), 6);
    }
}
