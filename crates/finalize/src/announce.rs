//! Delivering the events the catalog owes.
//!
//! One task per endpoint takes what is due from the catalog, makes a bounded number of attempts at
//! once, and records what became of each. The catalog keeps the order within a stream: it offers an
//! event only when those before it are delivered or have stepped aside. A receiver that is dead or
//! slow costs its own task and nothing else.
//!
//! Delivered at least once: an attempt whose outcome could not be recorded, because the program
//! was stopped in between, is made again with the same event id.

mod lane;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use livetape_catalog::{Catalog, EndpointId};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
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
    lanes: Arc<[LaneHandle]>,
    /// Counts the times that somebody wanted all lanes to look at the catalog.
    generation: Arc<AtomicU64>,
}

struct LaneHandle {
    wake: Arc<Notify>,
    /// The latest generation at which nothing was due and nothing under way.
    idle: watch::Receiver<u64>,
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
        let generation = Arc::new(AtomicU64::new(0));
        let mut lanes = Vec::with_capacity(endpoints.len());
        let mut handles = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let wake = Arc::new(Notify::new());
            let (idle, watch_idle) = watch::channel(0);
            handles.push(LaneHandle { wake: wake.clone(), idle: watch_idle });
            lanes.push(Lane {
                endpoint,
                catalog: catalog.clone(),
                wall: wall.clone(),
                clock: SteadyClock::new(wall.clone()),
                counters: counters.clone(),
                wake,
                generation: generation.clone(),
                idle,
            });
        }
        let lanes_to_wake: Vec<Arc<Notify>> = handles.iter().map(|handle| handle.wake.clone()).collect();
        catalog.when_events(move || lanes_to_wake.iter().for_each(|wake| wake.notify_one()));
        let run = async move {
            let mut tasks = JoinSet::new();
            for lane in lanes {
                tasks.spawn(lane.run(shutdown.clone()));
            }
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!("events of one endpoint are not delivered any more: {error}");
                }
            }
        };
        (Self { lanes: handles.into(), generation }, run)
    }

    /// Has every endpoint's task look at the catalog now. Not needed for new events, of which the
    /// catalog tells by itself; for deliveries that are to be made again by hand.
    pub fn wake(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.lanes.iter().for_each(|lane| lane.wake.notify_one());
    }

    /// Waits until everything due at this moment has been tried, at most for `limit`. Events that
    /// wait for another attempt are not waited for. Returns whether all of it was tried.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.wake();
        let generation = self.generation.load(Ordering::SeqCst);
        let all_idle = async {
            for lane in self.lanes.iter() {
                // An error means that the task has ended: nothing more comes of it.
                let _ = lane.idle.clone().wait_for(|idle| *idle >= generation).await;
            }
        };
        tokio::time::timeout(limit, all_idle).await.is_ok()
    }
}
