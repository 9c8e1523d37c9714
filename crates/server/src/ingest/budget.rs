//! How much memory something may hold, when many share what there is.
//!
//! Contract: what all hold together stays below the limit, but for what each may take in at once.
//! Nobody may hold more than is left over: the fuller it is, the less each may hold. So those that
//! stand still hold equal amounts at most, and there is always room for the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::HeldBytes;

/// An amount of memory that many share.
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    shown: HeldBytes,
}

/// What one of them holds; nothing any more when it is dropped.
pub(super) struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Budget {
    /// So many bytes for all, shown in the metrics as those of `stage`.
    pub fn new(limit: usize, stage: &'static str) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), shown: HeldBytes::of(stage) })
    }

    /// What all hold together.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// A further one, which holds nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), held: 0 }
    }
}

impl Share {
    /// It holds so many bytes now.
    pub(super) fn set(&mut self, held: usize) {
        if held > self.held {
            self.budget.held.fetch_add(held - self.held, Ordering::Relaxed);
        } else if held < self.held {
            self.budget.held.fetch_sub(self.held - held, Ordering::Relaxed);
        } else {
            return;
        }
        self.held = held;
        self.budget.shown.set(self.budget.held());
    }

    /// Whether it may take more. One that holds nothing always may: it stands in nobody's way.
    pub(super) fn may_grow(&self) -> bool {
        self.held == 0 || self.held < self.budget.limit.saturating_sub(self.budget.held())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_stand_still_leave_room_for_the_others() {
        let budget = Budget::new(1_000_000, "test");
        let mut stalled: Vec<Share> = (0..9).map(|_| budget.share()).collect();
        for _ in 0..1_000 {
            for share in &mut stalled {
                if share.may_grow() {
                    share.set(share.held + 1_000);
                }
            }
        }
        assert!((800_000..=910_000).contains(&budget.held()), "{}", budget.held());
        let (most, least) =
            (stalled.iter().map(|share| share.held).max(), stalled.iter().map(|share| share.held).min());
        assert!(most.unwrap() - least.unwrap() <= 1_000);

        // Another one comes: it may hold as much as each of them.
        let mut moving = budget.share();
        while moving.may_grow() {
            moving.set(moving.held + 1_000);
        }
        assert!((40_000..=100_000).contains(&moving.held), "{}", moving.held);
        drop(stalled);
        assert_eq!(budget.held(), moving.held);
        assert!(moving.may_grow());
    }

    #[test]
    fn what_is_held_is_bounded_when_all_come_one_after_the_other() {
        let budget = Budget::new(1_000_000, "test");
        let mut all = Vec::new();
        for _ in 0..200 {
            let mut share = budget.share();
            while share.may_grow() && share.held < 100_000 {
                share.set(share.held + 500);
            }
            all.push(share);
        }
        assert!(budget.held() <= 1_000_000 + 200 * 500, "{}", budget.held());
    }
}
