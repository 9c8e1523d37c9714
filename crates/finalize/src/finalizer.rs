//! From finished recordings to objects in the store.
//!
//! Each recording goes the same way, and can be dropped after every step and begun again:
//!
//! ```text
//!  1  row `uploading`
//!  2  put its files, and the playlists over it, in stages, or what of its object is not there yet, in parts ([`crate::upload`]);
//!     the size of every object is held against the file's
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

use livetape_catalog::{Catalog, RecordingState, StoreRole};
use livetape_disk::Spool;
use livetape_media::MediaTime;
use livetape_record::RecordingId;
use livetape_store::{ObjectKey, ObjectStore};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub(crate) use self::files::{Outbound, Outgoing, PLAYLIST_MAX_BYTES};
use self::queue::{Job, Queue, Retry, Task};
use self::transfer::Transfer;
use crate::environment::{blocking, random};
use crate::error::Verdict;
use crate::schedule::upload_wait;
use crate::upload::{Before, Followers, Permits, Sweeper, Urgency, Way};
use crate::{Companions, Counters, Fallback, FinalizeError, Target, WallClock};

/// Bounds of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalizerOptions {
    /// Recordings on their way at once.
    pub transfers: usize,
    /// What one call to the store is given at least.
    pub call_timeout_min: Duration,
    /// The rate at which a call must move its files not to be given up, in bytes a second.
    pub rate_min_bytes: u64,
    /// What is shorter is not kept, so it is not put while it grows.
    pub min_duration: Duration,
    /// What is put beside recordings.
    pub companions: Companions,
}

impl FinalizerOptions {
    /// What a call is given to a store that has time-outs of its own, and may be told to send slowly: for when
    /// they fail.
    pub(crate) fn backstop(&self, bytes: u64) -> Duration {
        self.limit(bytes) * 10
    }

    /// What a call to the store that moves `bytes` is given.
    pub(crate) fn limit(&self, bytes: u64) -> Duration {
        self.call_timeout_min.max(Duration::from_secs(bytes / self.rate_min_bytes.max(1)))
    }
}

impl Default for FinalizerOptions {
    fn default() -> Self {
        Self {
            transfers: 4,
            call_timeout_min: Duration::from_secs(60),
            rate_min_bytes: 256 << 10,
            min_duration: Duration::ZERO,
            companions: Companions::default(),
        }
    }
}

/// What the work is done with.
#[derive(Clone)]
pub struct Tools {
    /// The index.
    pub catalog: Catalog,
    /// Where recordings grow.
    pub spool: Spool,
    /// Where they go.
    pub store: Arc<dyn ObjectStore>,
    /// Where they go when the store could not take them for long.
    pub fallback: Option<Fallback>,
    /// The calendar.
    pub wall: WallClock,
    /// What has been done.
    pub counters: Arc<Counters>,
}

/// The handle of the tasks that finish recordings. Cheap to clone.
#[derive(Clone)]
pub struct Finalizer(Arc<Shared>);

struct Shared {
    tools: Tools,
    options: FinalizerOptions,
    queue: Mutex<Queue>,
    permits: Permits,
    /// Recordings that are put while they grow.
    followers: Followers,
    /// Those that say in the store that a recording has begun.
    heralds: Mutex<JoinSet<()>>,
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
        tools: Tools,
        options: FinalizerOptions,
        shutdown: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), FinalizeError> {
        let mut rows = tools.catalog.recordings_in(&[RecordingState::Finished, RecordingState::Uploading])?;
        // They go with the MP4 that they are over.
        rows.retain(|row| row.media_of.is_none());
        rows.sort_by_key(|row| (row.ended_at, row.id));
        let mut queue = Queue::new(options.transfers);
        rows.iter().for_each(|row| queue.push(row.id, Task::Upload));
        if !rows.is_empty() {
            info!(recordings = rows.len(), "recordings on their way to the store are taken up again");
        }
        let (queue, permits, followers) =
            (Mutex::new(queue), Permits::new(options.transfers, tools.counters.clone()), Followers::default());
        let (heralds, more, done) = (Mutex::default(), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { tools, options, queue, permits, followers, heralds, more, done });
        let run = Arc::clone(&shared).run(shutdown);
        Ok((Self(shared), run))
    }

    /// The row and the directory of this recording are there. What of it will never change is put while it
    /// grows, where the store takes parts. Needs a runtime.
    pub fn recording_opened(&self, id: RecordingId, key: &str) {
        let shared = &self.0;
        if shared.options.companions.ivs_events {
            let begun = shared.options.companions.begun(shared.tools.clone(), id, shared.options.limit(0));
            let mut heralds = shared.heralds();
            // Those that have ended are let go.
            while heralds.try_join_next().is_some() {}
            heralds.spawn(begun);
        }
        // A key that is none fails the recording at its end.
        let Some(key) = key.parse().ok().filter(|_| shared.tools.store.parts().is_some()) else { return };
        let target = Target { role: StoreRole::Primary, store: shared.tools.store.clone() };
        shared.followers.begin(shared.way(id, key, target, Urgency::Growing), None);
    }

    /// This recording goes on after a process that died had it open. `upload` is the one its row speaks of, if it does:
    /// what has been put of it stays where that is right. Needs a runtime.
    pub fn recording_reopened(&self, id: RecordingId, key: &str, upload: Option<&str>) {
        let shared = &self.0;
        let Some(key) = key.parse().ok().filter(|_| shared.tools.store.parts().is_some()) else { return };
        let target = Target { role: StoreRole::Primary, store: shared.tools.store.clone() };
        let way = shared.way(id, key, target, Urgency::Growing);
        let upload = upload.and_then(|note| way.noted(note)).map(str::to_owned);
        shared.followers.begin(way, Some(Before { upload }));
    }

    /// More of this recording is on the disk.
    pub fn recording_grew(&self, id: RecordingId) {
        self.0.followers.grew(id);
    }

    /// This recording was too short and is gone: what of it was put is given up.
    pub fn recording_discarded(&self, id: RecordingId) {
        if self.0.tools.store.parts().is_some() || self.0.options.companions.ivs_events {
            self.push(id, Task::Forget);
        }
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

    /// Recovery could not complete this recording: it is said beside it, where that is wanted.
    pub fn recording_failed(&self, id: RecordingId) {
        if self.0.options.companions.ivs_events {
            self.push(id, Task::Forget);
        }
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
        // It does not grow any more.
        self.0.followers.stop(id);
        self.0.queue().push(id, task);
        self.0.more.notify_one();
    }
}

/// How an attempt ended.
enum Ended {
    Done {
        /// It shows that the store works.
        through: bool,
    },
    /// Nothing more can be done now.
    Dropped,
    Retry(Retry),
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heralds(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.heralds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self, id: RecordingId, key: ObjectKey, target: Target, urgency: Urgency) -> Way {
        Way {
            tools: self.tools.clone(),
            options: self.options,
            permits: self.permits.clone(),
            id,
            key,
            target,
            urgency,
            stop: CancellationToken::new(),
        }
    }

    async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut sweepers = JoinSet::new();
        let fallback = self.tools.fallback.as_ref().map(|fallback| (&fallback.store, StoreRole::Fallback));
        for (store, role) in std::iter::once((&self.tools.store, StoreRole::Primary)).chain(fallback) {
            let sweeper = Sweeper { catalog: self.tools.catalog.clone(), store: store.clone(), role };
            sweepers.spawn(sweeper.run(shutdown.clone()));
        }
        self.work(shutdown).await;
        self.followers.abort();
        self.heralds().abort_all();
    }

    async fn work(self: &Arc<Self>, shutdown: CancellationToken) {
        let mut transfers = JoinSet::new();
        let mut jobs: HashMap<tokio::task::Id, Job> = HashMap::new();
        loop {
            let next_at = loop {
                let mut queue = self.queue();
                let Some(job) = queue.take(Instant::now()) else { break queue.next_at() };
                drop(queue);
                let handle = transfers.spawn(Arc::clone(self).attempt(job));
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
            Ended::Done { through } => queue.finish(job.id, *through),
            Ended::Dropped => queue.finish(job.id, false),
            Ended::Retry(retry) => queue.retry(job.id, Instant::now(), *retry),
        }
        drop(queue);
        self.done.notify_waiters();
    }

    async fn attempt(self: Arc<Self>, job: Job) -> Ended {
        let transfer = Transfer { shared: &self, tools: &self.tools, options: self.options, id: job.id };
        let error = match transfer.run(job).await {
            Ok(through) => return Ended::Done { through },
            Err(error) => error,
        };
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
                let tools = self.tools.clone();
                let failed = blocking(move || transfer::fail(&tools, id, &error.to_string()));
                match failed.await {
                    Ok(()) => {
                        self.options.companions.failed(self.tools.clone(), id, self.options.limit(0)).await;
                        Ended::Dropped
                    }
                    Err(error) => self.retry(job, &error, false),
                }
            }
        }
    }

    fn retry(&self, job: Job, error: &FinalizeError, slow: bool) -> Ended {
        let (id, attempt, trouble) = (job.id, job.attempt, error.trouble());
        self.tools.counters.retried(trouble);
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
