//! From finished recordings to objects in the store.
//!
//! Each recording goes the same way, and can be dropped after every step and begun again:
//!
//! ```text
//!  1  row `uploading`
//!  2  put its files, in stages; the size of every object is held against the file's
//!  3  row `ready` and event `recording.ready`, one transaction
//!  4  row `evicted`
//!  5  remove its files from the spool
//! ```
//!
//! Several recordings are on their way at once, the oldest first. What fails is tried again for as
//! long as it takes; only damage on this side (a file that is gone, a key that is taken) makes a
//! recording `failed`, and then its files are moved to the quarantine. While nothing at all gets
//! through, one recording is tried at a time.

mod files;
mod queue;
mod transfer;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livetape_catalog::{Catalog, RecordingState};
use livetape_disk::Spool;
use livetape_media::MediaTime;
use livetape_record::RecordingId;
use livetape_store::ObjectStore;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub(crate) use self::files::{Outbound, PLAYLIST_MAX_BYTES};
use self::queue::{Job, Queue, Retry, Task};
use self::transfer::Transfer;
use crate::environment::{blocking, random};
use crate::error::Verdict;
use crate::schedule::upload_wait;
use crate::{Counters, FinalizeError, WallClock};

/// Bounds of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalizerOptions {
    /// Recordings on their way at once.
    pub transfers: usize,
    /// What one call to the store is given at least.
    pub call_timeout_min: Duration,
    /// The rate at which a call must move its files not to be given up, in bytes a second.
    pub rate_min_bytes: u64,
}

impl Default for FinalizerOptions {
    fn default() -> Self {
        Self { transfers: 4, call_timeout_min: Duration::from_secs(60), rate_min_bytes: 256 << 10 }
    }
}

/// What the work is done with.
#[derive(Clone)]
pub struct Parts {
    /// The index.
    pub catalog: Catalog,
    /// Where recordings grow.
    pub spool: Spool,
    /// Where they go.
    pub store: Arc<dyn ObjectStore>,
    /// The calendar.
    pub wall: WallClock,
    /// What has been done.
    pub counters: Arc<Counters>,
}

/// The handle of the tasks that finish recordings. Cheap to clone.
#[derive(Clone)]
pub struct Finalizer(Arc<Shared>);

struct Shared {
    parts: Parts,
    options: FinalizerOptions,
    queue: Mutex<Queue>,
    /// There is more to do.
    more: Notify,
    /// Something was done.
    done: Notify,
}

impl Finalizer {
    /// The handle, and the work: a future to be spawned, which ends when `shutdown` is cancelled.
    /// Transfers under way are then dropped, and made again after the next start.
    ///
    /// Takes up every recording that the catalog says is on its way. Blocks: reads the catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn new(
        parts: Parts,
        options: FinalizerOptions,
        shutdown: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), FinalizeError> {
        let mut rows = parts.catalog.recordings_in(&[RecordingState::Finished, RecordingState::Uploading])?;
        rows.sort_by_key(|row| (row.ended_at, row.id));
        let mut queue = Queue::new(options.transfers);
        rows.iter().for_each(|row| queue.push(row.id, Task::Upload));
        if !rows.is_empty() {
            info!(recordings = rows.len(), "recordings on their way to the store are taken up again");
        }
        let (more, done) = (Notify::new(), Notify::new());
        let shared = Arc::new(Shared { parts, options, queue: Mutex::new(queue), more, done });
        let run = Arc::clone(&shared).run(shutdown);
        Ok((Self(shared), run))
    }

    /// The row of this recording is `finished`, and nobody writes to its files any more.
    pub fn recording_finished(&self, id: RecordingId) {
        self.push(id, Task::Upload);
    }

    /// This recording could not be written to its end, and nobody writes to its files any more. What
    /// they hold is completed as after a crash and goes the same way as others.
    ///
    /// `received` is how much of its session had arrived when it broke, as a moment on the session's
    /// timeline: what the files do not hold of it is lost in this format. `None` when that is not known.
    pub fn recording_broken(&self, id: RecordingId, received: Option<MediaTime>) {
        self.push(id, Task::Complete { received });
    }

    /// Recordings that are not in the store yet.
    pub fn pending(&self) -> usize {
        self.0.queue().len()
    }

    /// Waits until every recording is in the store and out of the spool, or only waits for another
    /// attempt, at most for `limit`. Returns how many are left; they are taken up at the next start.
    pub async fn drain(&self, limit: Duration) -> usize {
        let drained = async {
            loop {
                let done = self.0.done.notified();
                if self.0.queue().only_waits() {
                    return;
                }
                done.await;
            }
        };
        // Running out of time is no error here: the count says it.
        let _ = tokio::time::timeout(limit, drained).await;
        self.pending()
    }

    fn push(&self, id: RecordingId, task: Task) {
        self.0.queue().push(id, task);
        self.0.more.notify_one();
    }
}

/// How an attempt ended.
enum Ended {
    Done,
    /// Nothing more can be done now.
    Dropped,
    Retry(Retry),
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut transfers = JoinSet::new();
        let mut jobs: HashMap<tokio::task::Id, Job> = HashMap::new();
        loop {
            let next_at = loop {
                let mut queue = self.queue();
                let Some(job) = queue.take(Instant::now()) else { break queue.next_at() };
                drop(queue);
                let handle = transfers.spawn(Arc::clone(&self).attempt(job));
                jobs.insert(handle.id(), job);
            };
            let next = async {
                match next_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(ended) = transfers.join_next_with_id() => {
                    let (task, ended) = match ended {
                        Ok((task, ended)) => (task, ended),
                        Err(error) => {
                            error!("a transfer broke off: {error}");
                            let at = Instant::now() + upload_wait(1, true, random());
                            (error.id(), Ended::Retry(Retry { at, everybodys: false }))
                        }
                    };
                    if let Some(job) = jobs.remove(&task) {
                        self.ended(job, &ended);
                    }
                }
                () = self.more.notified() => {}
                () = next => {}
            }
        }
    }

    fn ended(&self, job: Job, ended: &Ended) {
        let mut queue = self.queue();
        match ended {
            Ended::Done => queue.finish(job.id, true),
            Ended::Dropped => queue.finish(job.id, false),
            Ended::Retry(retry) => queue.retry(job.id, Instant::now(), *retry),
        }
        drop(queue);
        self.done.notify_waiters();
    }

    async fn attempt(self: Arc<Self>, job: Job) -> Ended {
        let transfer = Transfer { parts: &self.parts, options: self.options, id: job.id };
        let Err(error) = transfer.run(job.task).await else { return Ended::Done };
        let (id, attempt, trouble) = (job.id, job.attempt, error.trouble());
        match error.verdict() {
            Verdict::Retry => self.retry(job, &error, false),
            Verdict::RetrySlowly => self.retry(job, &error, true),
            Verdict::Drop => {
                error!(recording = %id, attempt, trouble = trouble.name(), "the recording is left for the next start: {error}");
                Ended::Dropped
            }
            Verdict::Fail => {
                error!(recording = %id, attempt, trouble = trouble.name(), "the recording cannot be completed: {error}");
                let parts = self.parts.clone();
                let failed = blocking(move || transfer::fail(&parts, id, &error.to_string()));
                match failed.await {
                    Ok(()) => Ended::Dropped,
                    Err(error) => self.retry(job, &error, false),
                }
            }
        }
    }

    fn retry(&self, job: Job, error: &FinalizeError, slow: bool) -> Ended {
        let (id, attempt, trouble) = (job.id, job.attempt, error.trouble());
        self.parts.counters.retried(trouble);
        let wait = upload_wait(attempt, slow, random());
        // Once per episode loudly.
        if attempt == 1 {
            warn!(recording = %id, trouble = trouble.name(), ?wait, "the recording is tried again: {error}");
        } else {
            debug!(recording = %id, attempt, trouble = trouble.name(), ?wait, "the recording is tried again: {error}");
        }
        Ended::Retry(Retry { at: Instant::now() + wait, everybodys: trouble.is_everybodys() })
    }
}
