//! One life of the program in a simulated world: from its start over what is on the disk, in the
//! catalog and in the store, to its end, with publishers or without.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Addresses, Catalog, Change, EventRow, Options, RecordingRow, RecordingState};
use livetape_disk::{Disk, Spool, lock};
use livetape_finalize::sink::EventSink;
use livetape_finalize::{
    Announcer, Counters, Destination, Endpoint, Finalizer, FinalizerOptions, Policy, Recovered, Report, Retention,
    Tools, recover_with,
};
use livetape_record::{GapRule, RecordingId};
use livetape_store::{DirectoryStore, ObjectStore, PartRules};
use tokio_util::sync::CancellationToken;

use crate::catalog::{CatalogImage, CatalogTape};
use crate::clock::SimClock;
use crate::disk::{Faults, SimDisk, Volume};
use crate::ingest::{Connection, Ingest, Received};
use crate::journal::{Effect, Journal};
use crate::publisher::{Act, Script};
use crate::receiver::{ReceiverAct, SimReceiver};
use crate::store::{SimStore, StoreAct, StoreImage};

/// The data directory.
pub const DATA: &str = "/data";
/// Where the store is, when it is a directory.
pub const MEDIA: &str = "/data/media";
/// The endpoints that get events.
pub const ENDPOINTS: [&str; 2] = ["one", "two"];
/// How often growing files are synced in these worlds.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often the pulse is written.
const PULSE: Duration = Duration::from_millis(250);
/// How long a world may take to come to rest, in its own time.
const PATIENCE: Duration = Duration::from_secs(4 * 24 * 3600);

/// What a life begins with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The disk.
    pub volume: Volume,
    /// The catalog, if there is one.
    pub catalog: Option<CatalogImage>,
    /// What the simulated store holds.
    pub store: StoreImage,
    /// Time since the first world began.
    pub elapsed: Duration,
}

impl Beginning {
    /// A machine on which nothing has run yet. Somebody left a file in the spool.
    pub fn fresh() -> Self {
        let mut volume = Volume::with_directory(&Path::new(DATA).join("spool"));
        let alien = SimDisk::new(volume.clone(), Journal::default(), None);
        let file = alien.create_new(&Path::new(DATA).join("spool").join(ALIEN)).unwrap();
        file.write_at(0, &[std::io::IoSlice::new(ALIEN_BYTES)]).unwrap();
        drop(file);
        volume.clone_from(&alien.volume());
        volume.settle();
        Self { volume, catalog: None, store: StoreImage::default(), elapsed: Duration::ZERO }
    }
}

/// A file that is no recording's, and what it holds.
pub const ALIEN: &str = "holiday.txt";
/// What that file holds.
pub const ALIEN_BYTES: &[u8] = b"not yours to delete";

/// The parts of a world that a test can put something in front of.
type Wrap<T> = Option<Arc<dyn Fn(Arc<T>, &SimDisk, &Journal) -> Arc<T> + Send + Sync>>;

/// How a life goes.
#[derive(Clone, Default)]
pub struct Plan {
    /// Whether there are publishers; without, only what is left over is worked off.
    pub publishers: bool,
    /// Whether the catalog of every moment is kept, so that the life can be cut at each of its effects.
    pub keeps: bool,
    /// Streams that recovery works on at once; one unless it says more.
    pub workers: usize,
    /// The script of a store in memory; without, the store is a directory on the simulated disk.
    pub store: Option<Vec<StoreAct>>,
    /// How the store in memory takes objects in parts, if it does.
    pub parts: Option<PartRules>,
    /// Whether HLS is playlists over the MP4 recordings.
    pub over: bool,
    /// Whether publishers go and come back, their recordings waiting for them, and what becomes of the time in which
    /// nobody published.
    pub returning: Option<GapRule>,
    /// Whether everything that is ready, and that nobody holds, is deleted.
    pub deletes: bool,
    /// What somebody holds before that.
    pub holds: Vec<RecordingId>,
    /// Whether every hold is taken off before that.
    pub releases: bool,
    /// The scripts of the receivers.
    pub receivers: [Vec<ReceiverAct>; 2],
    /// What the disk does wrong, from when publishers may come.
    pub faults: Faults,
    /// What is put in front of the disk.
    pub wrap_disk: Wrap<dyn Disk>,
    /// What is put in front of the store.
    pub wrap_store: Wrap<dyn ObjectStore>,
    /// What is put in front of each receiver.
    pub wrap_sink: Wrap<dyn EventSink>,
    /// Told of what writers report, before anybody else is.
    pub on_report: Option<OnReport>,
}

/// Told of a report, with the catalog and the receivers.
pub type OnReport = Arc<dyn Fn(Report, &Catalog, &Journal) + Send + Sync>;

/// A life, from its end.
#[derive(Debug)]
pub struct Life {
    /// What it began with.
    pub beginning: Beginning,
    /// Everything that happened.
    pub entries: Vec<Effect>,
    /// The catalog as of each commit, when it was kept; the last as of the end.
    pub images: Vec<CatalogImage>,
    /// The disk at the end.
    pub volume: Volume,
    /// What the simulated store held at the end.
    pub store: StoreImage,
    /// All recordings.
    pub rows: Vec<RecordingRow>,
    /// All events.
    pub events: Vec<EventRow>,
    /// Sessions that have not ended.
    pub open_sessions: usize,
    /// What recovery came to.
    pub recovered: Recovered,
    /// What writers reported.
    pub reports: Vec<Report>,
    /// Calls of the disk before publishers could come, and in all.
    pub calls: (u64, u64),
    /// What was not done at the end.
    pub undone: Option<String>,
}

/// Lives a life to its end: until everything is in the store and every event delivered.
pub fn live(beginning: &Beginning, plan: &Plan) -> Life {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // One blocking call after the other, so that effects have one order.
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(World::run(beginning.clone(), plan.clone()))
}

struct World {
    plan: Plan,
    clock: SimClock,
    journal: Journal,
    disk: SimDisk,
    catalog: Catalog,
    spool: Spool,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl World {
    async fn run(beginning: Beginning, plan: Plan) -> Life {
        let place = scratch();
        let path = place.path().join("livetape.db");
        if let Some(image) = &beginning.catalog {
            std::fs::write(&path, image.as_slice()).unwrap();
        }
        let journal = Journal::default();
        let clock = SimClock::begin(beginning.elapsed);
        let disk = SimDisk::new(beginning.volume.clone(), journal.clone(), Some(clock.clone()));
        let seam: Arc<dyn Disk> = wrapped(&plan.wrap_disk, Arc::new(disk.clone()), &disk, &journal);
        let tape = CatalogTape::new(&path, plan.keeps);
        let options = Options {
            addresses: Addresses::new("http://tape.example"),
            endpoints: ENDPOINTS.map(str::to_owned).to_vec(),
            gate: Some(tape.gate(&journal)),
        };
        let catalog = Catalog::open(&path, options).unwrap();
        let held = lock(&*seam, Path::new(DATA)).unwrap();
        let spool = Spool::open(seam.clone(), Path::new(DATA)).unwrap();
        let sim_store = plan.store.clone().map(|script| {
            SimStore::new(beginning.store.clone(), Arc::new(disk.clone()), journal.clone(), script, plan.parts)
        });
        let store: Arc<dyn ObjectStore> = match &sim_store {
            Some(store) => Arc::new(store.clone()),
            None => Arc::new(DirectoryStore::open(seam, Path::new(MEDIA)).unwrap()),
        };
        let store = wrapped(&plan.wrap_store, store, &disk, &journal);
        let reports = Arc::default();
        let world = Self { plan, clock, journal, disk, catalog, spool, reports };
        let (recovered, started, undone) = world.work(store).await;
        let World { journal, disk, catalog, spool, reports, .. } = world;
        let (rows, events) =
            (catalog.recordings_in(&RecordingState::ALL).unwrap(), catalog.events_after(0, 10_000).unwrap());
        let open_sessions = catalog.sessions_open().unwrap().len();
        drop((catalog, spool, held));
        Life {
            beginning,
            entries: journal.entries(),
            images: tape.finish(),
            volume: disk.volume(),
            store: sim_store.map(|store| store.image()).unwrap_or_default(),
            rows,
            events,
            open_sessions,
            recovered,
            reports: reports.lock().unwrap().clone(),
            calls: (started, disk.calls()),
            undone,
        }
    }

    /// Recovery, the workload, and what follows from both.
    async fn work(&self, store: Arc<dyn ObjectStore>) -> (Recovered, u64, Option<String>) {
        let shutdown = CancellationToken::new();
        let (wall, counters) = (self.clock.wall(), Arc::new(Counters::default()));
        let recovered = recover_with(&self.catalog, &self.spool, &wall, self.plan.workers.max(1)).await.unwrap();
        let tools = Tools {
            catalog: self.catalog.clone(),
            spool: self.spool.clone(),
            store,
            fallback: None,
            wall: wall.clone(),
            counters: counters.clone(),
        };
        self.hold_and_release().await;
        let retention = self.plan.deletes.then(|| {
            let everything = Policy { max_bytes: Some(0), ..Policy::default() };
            tokio::spawn(Retention::new(tools.clone(), everything, shutdown.clone()).1)
        });
        let options = FinalizerOptions { transfers: 2, ..FinalizerOptions::default() };
        let (finalizer, run) = Finalizer::new(tools, options, shutdown.clone()).unwrap();
        let transfers = tokio::spawn(run);
        recovered.left.iter().for_each(|(id, received)| finalizer.recording_broken(*id, *received));
        let endpoint = |(id, script): (&str, &Vec<ReceiverAct>)| {
            let sink: Arc<dyn EventSink> = Arc::new(SimReceiver::new(id, self.journal.clone(), script));
            Endpoint {
                id: id.to_owned(),
                sink: wrapped(&self.plan.wrap_sink, sink, &self.disk, &self.journal),
                concurrency: 4,
            }
        };
        let endpoints = ENDPOINTS.into_iter().zip(&self.plan.receivers).map(endpoint).collect();
        let (announcer, run) = Announcer::new(&self.catalog, endpoints, &wall, &counters, shutdown.clone());
        let lanes = tokio::spawn(run);
        let started = self.disk.calls();
        if self.plan.publishers {
            self.disk.plan(self.plan.faults.clone());
            self.publish(&finalizer).await;
        }
        let mut undone = self.drain(&finalizer, &announcer).await;
        if retention.is_some() && undone.is_none() {
            undone = self.deleted().await;
            undone = undone.or(self.drain(&finalizer, &announcer).await);
        }
        // What somebody in front of a seam has put off; and uploads that nobody needs are looked for twice.
        tokio::time::sleep(Duration::from_secs(if self.plan.parts.is_some() { 8_000 } else { 1 })).await;
        shutdown.cancel();
        transfers.await.unwrap();
        lanes.await.unwrap();
        if let Some(retention) = retention {
            retention.await.unwrap();
        }
        (recovered, started, undone)
    }

    /// Waits until everything is in the store and every event delivered; what is not, if time runs out.
    async fn drain(&self, finalizer: &Finalizer, announcer: &Announcer) -> Option<String> {
        let end = self.clock.elapsed() + PATIENCE;
        let mut pause = Duration::from_secs(2);
        loop {
            let left = finalizer.drain(Duration::from_secs(60)).await;
            announcer.drain(Duration::from_secs(60)).await;
            let catalog = self.catalog.clone();
            let due = tokio::task::spawn_blocking(move || ENDPOINTS.map(|id| catalog.next_due_at(id).unwrap()));
            let due = due.await.unwrap();
            if left == 0 && due.iter().all(Option::is_none) {
                return None;
            }
            if self.clock.elapsed() > end {
                return Some(format!("{left} recordings are not in the store, deliveries due at {due:?}"));
            }
            tokio::time::sleep(pause).await;
            pause += pause / 4;
        }
    }

    /// What somebody does before anything is deleted.
    async fn hold_and_release(&self) {
        let (catalog, at) = (self.catalog.clone(), self.clock.now().wall);
        let (holds, releases) = (self.plan.holds.clone(), self.plan.releases);
        let done = tokio::task::spawn_blocking(move || {
            for id in holds {
                let (by, reason) = ("a judge".to_owned(), "case 1".to_owned());
                catalog.apply(Change::RecordingHeld { id, at, by, reason }).unwrap();
            }
            let held =
                catalog.recordings_in(&[RecordingState::Ready]).unwrap().into_iter().filter(|row| row.hold.is_some());
            for row in held.filter(|_| releases) {
                catalog.apply(Change::RecordingReleased { id: row.id, at }).unwrap();
            }
        });
        done.await.unwrap();
    }

    /// Waits until nothing is ready any more that nobody holds; what is, if time runs out.
    async fn deleted(&self) -> Option<String> {
        let end = self.clock.elapsed() + PATIENCE;
        loop {
            let catalog = self.catalog.clone();
            let ready = move || {
                let rows = catalog.recordings_in(&[RecordingState::Ready]).unwrap();
                rows.iter().filter(|row| row.hold.is_none()).count()
            };
            match tokio::task::spawn_blocking(ready).await.unwrap() {
                0 => return None,
                left if self.clock.elapsed() > end => return Some(format!("{left} recordings are not deleted")),
                _ => tokio::time::sleep(Duration::from_secs(20)).await,
            }
        }
    }

    /// The workload: the publishers, act by act.
    async fn publish(&self, finalizer: &Finalizer) {
        let received = Received::default();
        let ingest = Arc::new(Ingest {
            to: Arc::new(Destination {
                catalog: self.catalog.clone(),
                spool: self.spool.clone(),
                sync_interval: SYNC_INTERVAL,
                min_free_bytes: 1 << 20,
                told: self.told(finalizer, &received),
            }),
            clock: self.clock.clone(),
            received: received.clone(),
            over: self.plan.over,
            returning: self.plan.returning,
            journal: self.journal.clone(),
            waiting: Mutex::default(),
        });
        let scripts = match self.plan.returning {
            None => Script::both(),
            Some(_) => Script::returning(self.clock.elapsed()),
        };
        let mut connections: Vec<Connection> =
            scripts.iter().map(|script| Connection::open(script, ingest.clone())).collect();
        let mut acts: Vec<(u64, usize, Act)> = Vec::new();
        for (index, script) in scripts.into_iter().enumerate() {
            acts.extend(script.acts.into_iter().map(|(at, act)| (at, index, act)));
        }
        acts.sort_by_key(|(at, index, _)| (*at, *index));
        let mut pulse_at = Duration::ZERO;
        for (at, index, act) in acts {
            let at = Duration::from_millis(at);
            if at >= pulse_at {
                pulse_at = at + PULSE;
                let (received, spool, at_ms) =
                    (received.clone(), self.spool.clone(), self.clock.now().wall.as_unix_millis());
                let written = tokio::task::spawn_blocking(move || {
                    // A disk that fails keeps the pulse before.
                    drop(received.pulse(at_ms).write(&**spool.disk(), Path::new(DATA)));
                });
                written.await.unwrap();
            }
            connections = self.tick_until(Some(at), connections, &ingest).await;
            self.sleep_until(at).await;
            let journal = self.journal.clone();
            let acted = tokio::task::spawn_blocking(move || {
                let connection = &mut connections[index];
                match act {
                    Act::Send(bytes) => connection.input(&bytes),
                    Act::Frame(marker, bytes) => {
                        journal.push(Effect::Pushed(marker));
                        connection.input(&bytes);
                    }
                    Act::Vanish => connection.vanish(),
                }
                connections
            });
            connections = acted.await.unwrap();
        }
        self.tick_until(None, connections, &ingest).await;
    }

    /// Has everybody do what is due by `until`; without, by when nothing waits any more.
    async fn tick_until(
        &self,
        until: Option<Duration>,
        mut connections: Vec<Connection>,
        ingest: &Arc<Ingest>,
    ) -> Vec<Connection> {
        loop {
            let tick = connections.iter().filter_map(Connection::next_tick).chain(ingest.next_expiry()).min();
            let Some(tick) = tick.filter(|tick| until.is_none_or(|until| *tick <= until)) else { return connections };
            self.sleep_until(tick).await;
            let ingest = ingest.clone();
            let ticked = tokio::task::spawn_blocking(move || {
                connections.iter_mut().for_each(Connection::tick);
                ingest.expire();
                connections
            });
            connections = ticked.await.unwrap();
        }
    }

    /// What writers' reports lead to.
    fn told(&self, finalizer: &Finalizer, received: &Received) -> Box<dyn Fn(Report) + Send + Sync> {
        let known = received.clone();
        let (finalizer, reports) = (finalizer.clone(), self.reports.clone());
        let (on_report, journal) = (self.plan.on_report.clone(), self.journal.clone());
        let catalog = self.catalog.clone();
        Box::new(move |report: Report| {
            if let Some(on_report) = &on_report {
                on_report(report.clone(), &catalog, &journal);
            }
            match report {
                Report::Opened { id, ref key, .. } => finalizer.recording_opened(id, key),
                Report::Grew { id } => finalizer.recording_grew(id),
                Report::Discarded { id } => finalizer.recording_discarded(id),
                Report::Finished { id, .. } => finalizer.recording_finished(id),
                Report::Broken { id } => finalizer.recording_broken(id, known.of(id.session)),
                _ => {}
            }
            reports.lock().unwrap().push(report);
        })
    }

    async fn sleep_until(&self, at: Duration) {
        let now = self.clock.elapsed();
        tokio::time::sleep(at.saturating_sub(now)).await;
        self.journal.push(Effect::Passed(self.clock.elapsed()));
    }
}

fn wrapped<T: ?Sized>(wrap: &Wrap<T>, inner: Arc<T>, disk: &SimDisk, journal: &Journal) -> Arc<T> {
    match wrap {
        Some(wrap) => wrap(inner, disk, journal),
        None => inner,
    }
}

/// A directory in memory, where there is one, for what is not simulated.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("livetape-simulation-").tempdir_in(place).unwrap()
}
