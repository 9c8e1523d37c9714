//! How far recovery has come, and what it came to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use livetape_media::MediaTime;
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
    /// Recordings that are damaged; their files are in the quarantine. Hand them to
    /// [`crate::Finalizer::recording_failed`].
    pub failed: Vec<RecordingId>,
    /// Recordings whose files were taken out of the spool because nobody needs them there.
    pub evicted: usize,
    /// Things in the spool that no row accounts for, moved to the quarantine.
    pub quarantined: usize,
    /// Recordings that go on waiting for their publisher.
    pub waiting: usize,
    /// Sessions that the crash ended.
    pub sessions: usize,
    /// Recordings that could not be completed now, as when the disk is full, and how much had arrived
    /// of each. Hand them to [`crate::Finalizer::recording_broken`], which tries again for as long as it
    /// takes, and keep their sessions in the pulse: it is the only place where that is said.
    pub left: Vec<(RecordingId, Option<MediaTime>)>,
}

/// How often progress is logged, at least one of both.
const EVERY_RECORDINGS: usize = 100;
const EVERY: Duration = Duration::from_secs(5);

/// What recovery has come to so far, told in the log on the way.
pub(super) struct Report {
    begun: Instant,
    progress: Mutex<Progress>,
}

struct Progress {
    recovered: Recovered,
    /// What is being done.
    phase: &'static str,
    total: usize,
    done: usize,
    told: Instant,
}

impl Report {
    pub(super) fn begin() -> Self {
        let begun = Instant::now();
        let recovered = Recovered::default();
        Self { begun, progress: Mutex::new(Progress { recovered, phase: "", total: 0, done: 0, told: begun }) }
    }

    fn locked(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Recovered)) {
        change(&mut self.locked().recovered);
    }

    /// Something else begins, with so many recordings to look at.
    pub(super) fn phase(&self, phase: &'static str, total: usize) {
        let mut progress = self.locked();
        (progress.phase, progress.total, progress.done, progress.told) = (phase, total, 0, Instant::now());
        if total > 0 {
            info!(recordings = total, "{phase}");
        }
    }

    /// One more recording is done.
    pub(super) fn step(&self) {
        let mut progress = self.locked();
        progress.done += 1;
        let due = progress.done.is_multiple_of(EVERY_RECORDINGS) || progress.told.elapsed() >= EVERY;
        if due && progress.done < progress.total {
            progress.told = Instant::now();
            info!(done = progress.done, left = progress.total - progress.done, "{}", progress.phase);
        }
    }

    pub(super) fn finish(self) -> Recovered {
        let mut recovered = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner).recovered;
        recovered.left.sort();
        recovered.failed.sort();
        if recovered != Recovered::default() {
            info!(
                completed = recovered.completed, cut_bytes = recovered.cut_bytes, discarded = recovered.discarded,
                failed = recovered.failed.len(), evicted = recovered.evicted, quarantined = recovered.quarantined,
                waiting = recovered.waiting, sessions = recovered.sessions, left = recovered.left.len(), took = ?self.begun.elapsed(),
                "recovered from a crash"
            );
        }
        recovered
    }
}
