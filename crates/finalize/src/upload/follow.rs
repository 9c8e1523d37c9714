//! Recordings that grow, and what of them is put meanwhile.
//!
//! ```text
//! begin -> grew, grew ... : what will never change is put -> take: what has been carried so far
//! ```
//!
//! One task for each recording. What fails is tried again for as long as the recording grows; then it is the
//! finaliser's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livetape_media::Format;
use livetape_record::RecordingId;
use livetape_store::StoreError;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Carried, FileWay, PlaylistWay, Way};
use crate::FinalizeError;
use crate::environment::random;
use crate::error::Verdict;
use crate::schedule::upload_wait;

/// The recordings that are followed.
#[derive(Default)]
pub(crate) struct Followers(Mutex<State>);

#[derive(Default)]
struct State {
    followed: HashMap<RecordingId, Followed>,
    tasks: JoinSet<()>,
    /// Of recordings that are over and could not be completed yet.
    carried: HashMap<RecordingId, Carried>,
}

struct Followed {
    wake: Arc<Notify>,
    stop: CancellationToken,
    carried: oneshot::Receiver<Carried>,
}

impl Followers {
    /// Begins to follow the recording of `way`, of which a process before this one may have put something: into the
    /// upload that is named then. Needs a runtime.
    pub(crate) fn begin(&self, way: Way, before: Option<Before>) {
        let (wake, stop) = (Arc::new(Notify::new()), way.stop.clone());
        let (sender, carried) = oneshot::channel();
        let id = way.id;
        let follower = Follower { way, wake: Arc::clone(&wake), stop: stop.clone(), before };
        let mut state = self.state();
        // Those that have ended are let go.
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(async move {
            // Nobody may be waiting for it any more.
            let _ = sender.send(follower.run().await);
        });
        state.followed.insert(id, Followed { wake, stop, carried });
    }

    /// There is more of this recording.
    pub(crate) fn grew(&self, id: RecordingId) {
        if let Some(followed) = self.state().followed.get(&id) {
            followed.wake.notify_one();
        }
    }

    /// The recording does not grow any more: nothing more of it is begun here.
    pub(crate) fn stop(&self, id: RecordingId) {
        if let Some(followed) = self.state().followed.get(&id) {
            followed.stop.cancel();
        }
    }

    /// The recording does not grow any more: what has been carried of it. A part that is on its way comes
    /// to its end first.
    pub(crate) async fn take(&self, id: RecordingId) -> Carried {
        let followed = self.state().followed.remove(&id);
        if let Some(followed) = followed {
            followed.stop.cancel();
            // A follower that has died carried nothing that is known.
            return followed.carried.await.unwrap_or_default();
        }
        self.state().carried.remove(&id).unwrap_or_default()
    }

    /// Keeps for another attempt what has been carried of a recording that is over.
    pub(crate) fn keep(&self, id: RecordingId, carried: Carried) {
        self.state().carried.insert(id, carried);
    }

    /// Ends all of them where they are.
    pub(crate) fn abort(&self) {
        self.state().tasks.abort_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process before this one has put of a recording.
pub(crate) struct Before {
    /// MP4 and FLV: the upload that its row speaks of.
    pub(crate) upload: Option<String>,
}

struct Follower {
    way: Way,
    wake: Arc<Notify>,
    stop: CancellationToken,
    before: Option<Before>,
}

impl Follower {
    async fn run(mut self) -> Carried {
        let mut carried = Carried::default();
        let mut failures = 0u32;
        while !self.stop.is_cancelled() {
            let pause = match self.step(&mut carried).await {
                Ok(more) => {
                    failures = 0;
                    if more {
                        continue;
                    }
                    None
                }
                Err(FinalizeError::Over) => break,
                Err(error) => {
                    if matches!(error, FinalizeError::Store(StoreError::UploadGone { .. })) {
                        carried.forget_parts();
                    }
                    failures = failures.saturating_add(1);
                    Some(self.failed(&error, failures))
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified(), if pause.is_none() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
        carried
    }

    /// Puts one more piece, if one is ready.
    async fn step(&mut self, carried: &mut Carried) -> Result<bool, FinalizeError> {
        let hls = self.way.id.format == Format::Hls;
        if let Some(before) = &self.before {
            match (FileWay::new(&self.way), &before.upload) {
                (Some(way), Some(upload)) => way.take_up(upload, carried).await?,
                (None, _) if hls => PlaylistWay::new(self.way.clone()).take_up(carried).await?,
                _ => {}
            }
            self.before = None;
        }
        match FileWay::new(&self.way) {
            Some(way) => way.put_full(carried).await,
            None if hls => PlaylistWay::new(self.way.clone()).put_listed(carried).await,
            None => Ok(false),
        }
    }

    fn failed(&self, error: &FinalizeError, failures: u32) -> std::time::Duration {
        let (id, trouble) = (self.way.id, error.trouble());
        self.way.tools.counters.retried(trouble);
        let wait = upload_wait(failures, error.verdict() != Verdict::Retry, random());
        // Once per episode loudly.
        if failures == 1 {
            warn!(recording = %id, trouble = trouble.name(), ?wait, "what is recorded is not put into the store now: {error}");
        } else {
            debug!(recording = %id, failures, trouble = trouble.name(), ?wait, "it is still not put: {error}");
        }
        wait
    }
}
