//! What has been done since the start, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Trouble;

/// Counts that only grow. Shared by all tasks of this crate; read them with
/// [`Counters::snapshot`].
#[derive(Debug, Default)]
pub struct Counters {
    uploads: AtomicU64,
    stored_bytes: AtomicU64,
    stored_media_ms: AtomicU64,
    ready: AtomicU64,
    failed: AtomicU64,
    evicted: AtomicU64,
    retries: [AtomicU64; Trouble::ALL.len()],
    delivered: AtomicU64,
    undelivered: AtomicU64,
    given_up: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Parts and objects on their way at that moment, into stores that take parts.
    pub uploads: u64,
    /// Bytes put into the store.
    pub stored_bytes: u64,
    /// Playing time of the recordings that became ready.
    pub stored_media: Duration,
    /// Recordings that became ready.
    pub ready: u64,
    /// Recordings that could not be completed.
    pub failed: u64,
    /// Recordings removed from the spool.
    pub evicted: u64,
    /// Attempts to finish a recording that have to be repeated, by where the trouble was.
    pub retries: [(Trouble, u64); Trouble::ALL.len()],
    /// Events a receiver took.
    pub delivered: u64,
    /// Attempts to deliver an event that failed.
    pub undelivered: u64,
    /// Events that were given up.
    pub given_up: u64,
}

impl Counters {
    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut retries = Trouble::ALL.map(|trouble| (trouble, 0));
        for ((_, count), counter) in retries.iter_mut().zip(&self.retries) {
            *count = read(counter);
        }
        Snapshot {
            uploads: read(&self.uploads),
            stored_bytes: read(&self.stored_bytes),
            stored_media: Duration::from_millis(read(&self.stored_media_ms)),
            ready: read(&self.ready),
            failed: read(&self.failed),
            evicted: read(&self.evicted),
            retries,
            delivered: read(&self.delivered),
            undelivered: read(&self.undelivered),
            given_up: read(&self.given_up),
        }
    }

    pub(crate) fn upload_began(&self) {
        self.uploads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn upload_ended(&self) {
        self.uploads.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn stored(&self, bytes: u64) {
        self.stored_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn ready(&self, media: Duration) {
        self.ready.fetch_add(1, Ordering::Relaxed);
        self.stored_media_ms.fetch_add(u64::try_from(media.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self, trouble: Trouble) {
        let counter = Trouble::ALL.iter().zip(&self.retries).find(|(one, _)| **one == trouble);
        if let Some((_, counter)) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn undelivered(&self, given_up: bool) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
        if given_up {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}
