//! Delivering the events the catalog owes.
//!
//! One task per endpoint takes what is due from the catalog, makes a bounded number of attempts at
//! once, and records what became of each. The catalog keeps the order within a stream: it offers an
//! event only when those before it are delivered or have stepped aside. A receiver that is dead or
//! slow costs its own task and nothing else; of a dead one only one event is tried now and then ([`breaker`]).
//!
//! Delivered at least once: an attempt whose outcome could not be recorded, because the program
//! was stopped in between, is made again with the same event id.

mod breaker;
mod lane;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livetape_catalog::{Catalog, EndpointId};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::lane::Lane;
use crate::sink::EventSink;
use crate::steady::SteadyClock;
use crate::{Counters, WallClock};

/// Where the events of one endpoint go.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name, one of those the catalog was opened with.
    pub id: EndpointId,
    /// Where they go.
    pub sink: Arc<dyn EventSink>,
    /// Attempts that may be under way at once, each of another stream.
    pub concurrency: usize,
}

/// The handle of the tasks that deliver events. Cheap to clone.
#[derive(Clone)]
pub struct Announcer {
    lanes: Lanes,
    /// Counts the times that somebody wanted all lanes to look at the catalog.
    generation: Arc<AtomicU64>,
    catalog: Catalog,
    wall: WallClock,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
    begin: mpsc::Sender<Beginning>,
}

type Lanes = Arc<Mutex<BTreeMap<EndpointId, LaneHandle>>>;

#[derive(Clone)]
struct LaneHandle {
    wake: Arc<Notify>,
    /// The latest generation at which nothing was due and nothing under way. Closed when the lane has ended.
    idle: watch::Receiver<u64>,
    stop: CancellationToken,
}

/// A lane that is to run until its token is cancelled.
struct Beginning {
    lane: Lane,
    stop: CancellationToken,
}

impl Announcer {
    /// The handle, and the work: a future to be spawned, which ends when `shutdown` is cancelled.
    /// Attempts under way are then dropped, and made again after the next start.
    pub fn new(
        catalog: &Catalog,
        endpoints: Vec<Endpoint>,
        wall: &WallClock,
        counters: &Arc<Counters>,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (begin, mut beginning) = mpsc::channel::<Beginning>(8);
        let announcer = Self {
            lanes: Lanes::default(),
            generation: Arc::new(AtomicU64::new(0)),
            catalog: catalog.clone(),
            wall: wall.clone(),
            counters: counters.clone(),
            shutdown: shutdown.clone(),
            begin,
        };
        let first: Vec<Beginning> = endpoints.into_iter().map(|endpoint| announcer.prepare(endpoint)).collect();
        let lanes = announcer.lanes.clone();
        catalog.when_events(move || lock(&lanes).values().for_each(|lane| lane.wake.notify_one()));
        let run = async move {
            let mut tasks = JoinSet::new();
            for Beginning { lane, stop } in first {
                tasks.spawn(lane.run(stop));
            }
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => break,
                    Some(Beginning { lane, stop }) = beginning.recv() => {
                        tasks.spawn(lane.run(stop));
                    }
                    Some(ended) = tasks.join_next() => note(ended),
                    else => break,
                }
            }
            while let Some(ended) = tasks.join_next().await {
                note(ended);
            }
        };
        (announcer, run)
    }

    /// Delivers events to one more endpoint, or to one that is there as it is now. The catalog must know it.
    /// Attempts of the one before are dropped, and made again.
    pub async fn set(&self, endpoint: Endpoint) {
        self.remove(&endpoint.id).await;
        let beginning = self.prepare(endpoint);
        // Only fails when everything has ended.
        let _ = self.begin.send(beginning).await;
    }

    /// Delivers no more events to an endpoint. Attempts under way are dropped.
    pub async fn remove(&self, id: &str) {
        let Some(handle) = lock(&self.lanes).remove(id) else { return };
        handle.stop.cancel();
        let mut idle = handle.idle;
        // An error is what is waited for: the lane has gone.
        let _ = idle.wait_for(|_| false).await;
    }

    /// A lane that is entered and not yet at work.
    fn prepare(&self, endpoint: Endpoint) -> Beginning {
        let wake = Arc::new(Notify::new());
        let (idle, watch_idle) = watch::channel(0);
        let stop = self.shutdown.child_token();
        let handle = LaneHandle { wake: wake.clone(), idle: watch_idle, stop: stop.clone() };
        lock(&self.lanes).insert(endpoint.id.clone(), handle);
        let lane = Lane {
            endpoint,
            catalog: self.catalog.clone(),
            wall: self.wall.clone(),
            clock: SteadyClock::new(self.wall.clone()),
            counters: self.counters.clone(),
            wake,
            generation: self.generation.clone(),
            idle,
        };
        Beginning { lane, stop }
    }

    /// Has every endpoint's task look at the catalog now. Not needed for new events, of which the
    /// catalog tells by itself; for deliveries that are to be made again by hand.
    pub fn wake(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        lock(&self.lanes).values().for_each(|lane| lane.wake.notify_one());
    }

    /// Waits until everything due at this moment has been tried, at most for `limit`. Events that
    /// wait for another attempt, or for an endpoint that is dead, are not waited for. Returns whether all of
    /// it was tried.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.wake();
        let generation = self.generation.load(Ordering::SeqCst);
        let lanes: Vec<LaneHandle> = lock(&self.lanes).values().cloned().collect();
        let all_idle = async {
            for mut lane in lanes {
                // An error means that the task has ended: nothing more comes of it.
                let _ = lane.idle.wait_for(|idle| *idle >= generation).await;
            }
        };
        tokio::time::timeout(limit, all_idle).await.is_ok()
    }
}

fn lock(lanes: &Lanes) -> MutexGuard<'_, BTreeMap<EndpointId, LaneHandle>> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("events of one endpoint are not delivered any more: {error}");
    }
}
