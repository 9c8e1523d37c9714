//! How far recovery has come, and what it came to.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use livetape_record::RecordingId;
use tracing::info;

/// What recovery came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Recordings that were completed and are on their way to the store.
    pub completed: usize,
    /// Bytes of them that were not whole and were cut.
    pub cut_bytes: u64,
    /// Recordings that held nothing whole.
    pub discarded: usize,
    /// Recordings that are damaged; their files are in the quarantine.
    pub failed: usize,
    /// Recordings whose files were taken out of the spool because nobody needs them there.
    pub evicted: usize,
    /// Things in the spool that no row accounts for, moved to the quarantine.
    pub quarantined: usize,
    /// Sessions that the crash ended.
    pub sessions: usize,
    /// Recordings that could not be completed now, as when the disk is full. Hand them to
    /// [`crate::Finalizer::recording_broken`], which tries again for as long as it takes.
    pub left: Vec<RecordingId>,
}

/// How often progress is logged, at least one of both.
const EVERY_RECORDINGS: usize = 100;
const EVERY: Duration = Duration::from_secs(5);

/// What recovery has come to so far, told in the log on the way.
pub(super) struct Report {
    total: usize,
    begun: Instant,
    progress: Mutex<Progress>,
}

struct Progress {
    recovered: Recovered,
    done: usize,
    told: Instant,
}

impl Report {
    pub(super) fn begin(total: usize) -> Self {
        if total > 0 {
            info!(recordings = total, "completing recordings that were cut off");
        }
        let begun = Instant::now();
        let progress = Mutex::new(Progress { recovered: Recovered::default(), done: 0, told: begun });
        Self { total, begun, progress }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Recovered)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner).recovered);
    }

    /// One more recording is done.
    pub(super) fn step(&self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.done += 1;
        let due = progress.done.is_multiple_of(EVERY_RECORDINGS) || progress.told.elapsed() >= EVERY;
        if due && progress.done < self.total {
            progress.told = Instant::now();
            info!(done = progress.done, of = self.total, "completing recordings");
        }
    }

    pub(super) fn finish(self) -> Recovered {
        let mut recovered = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner).recovered;
        recovered.left.sort();
        if recovered != Recovered::default() {
            info!(
                completed = recovered.completed, cut_bytes = recovered.cut_bytes, discarded = recovered.discarded,
                failed = recovered.failed, evicted = recovered.evicted, quarantined = recovered.quarantined,
                sessions = recovered.sessions, left = recovered.left.len(), took = ?self.begun.elapsed(),
                "recovered from a crash"
            );
        }
        recovered
    }
}
