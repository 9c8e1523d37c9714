//! How many parts and objects are on their way at once: with what each of them holds in memory, a bound for
//! all of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Counters;

/// Who puts something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// The recording is over, and somebody waits for it.
    Finished,
    /// The recording grows: what is not put now is put later.
    Growing,
}

/// The permits of all recordings. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    /// What recordings that grow may have of them: the others never wait for all of these.
    growing: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// A permit to have one part or object on its way.
pub(crate) struct Permit {
    _one: Option<OwnedSemaphorePermit>,
    _growing: Option<OwnedSemaphorePermit>,
    counters: Arc<Counters>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.upload_ended();
    }
}

impl Permits {
    /// So many at once, at least one; they are counted.
    pub(crate) fn new(transfers: usize, counters: Arc<Counters>) -> Self {
        let all = transfers.clamp(1, Semaphore::MAX_PERMITS);
        let growing = (all * 3 / 4).max(1);
        Self { all: Arc::new(Semaphore::new(all)), growing: Arc::new(Semaphore::new(growing)), counters }
    }

    /// Waits for its turn: those who ask first come first.
    pub(crate) async fn take(&self, urgency: Urgency) -> Permit {
        // The semaphores are never closed; if they were, nobody would have to wait.
        let growing = match urgency {
            Urgency::Growing => Arc::clone(&self.growing).acquire_owned().await.ok(),
            Urgency::Finished => None,
        };
        let one = Arc::clone(&self.all).acquire_owned().await.ok();
        self.counters.upload_began();
        Permit { _one: one, _growing: growing, counters: Arc::clone(&self.counters) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn recordings_that_grow_leave_room_for_those_that_are_over() {
        let counters = Arc::new(Counters::default());
        let permits = Permits::new(4, counters.clone());
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(permits.take(Urgency::Growing).await);
        }
        let soon = Duration::from_millis(1);
        assert!(timeout(soon, permits.take(Urgency::Growing)).await.is_err());
        let last = timeout(soon, permits.take(Urgency::Finished)).await.unwrap();
        assert_eq!(counters.snapshot().uploads, 4);
        assert!(timeout(soon, permits.take(Urgency::Finished)).await.is_err());
        drop(last);
        held.clear();
        assert_eq!(counters.snapshot().uploads, 0);
        assert!(timeout(soon, permits.take(Urgency::Growing)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_is_enough_for_both() {
        let permits = Permits::new(1, Arc::default());
        drop(permits.take(Urgency::Growing).await);
        drop(permits.take(Urgency::Finished).await);
    }
}
