//! A data directory, and the programs that come and go over it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::{
    Addresses, Catalog, Change, EventRow, Facts, Gate, NewRecording, NewSession, Options, RecordingRow,
};
use livetape_disk::{Disk, Pulse, RealDisk, Spool};
use livetape_finalize::{Counters, Fallback, Finalizer, FinalizerOptions, Tools, WallClock};
use livetape_media::{Format, MediaTime, WallTime};
use livetape_mux::{FileName, Op};
use livetape_record::{RecordingId, SessionId};
use livetape_store::{DirectoryStore, ObjectStore};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// When everything in these tests begins.
pub(crate) const START: &str = "2026-11-22T21:07:00.000Z";

/// When a pulse says it was written, after [`START`].
pub(crate) const PULSE_AFTER_MS: i64 = 4_700;

pub(crate) fn start() -> WallTime {
    START.parse().unwrap()
}

/// A calendar that begins at [`START`] and goes with the runtime's clock, which a test can pause.
pub(crate) fn simulated_clock() -> WallClock {
    let begun = tokio::time::Instant::now();
    Arc::new(move || {
        let passed = tokio::time::Instant::now().duration_since(begun);
        start().plus_millis(i64::try_from(passed.as_millis()).unwrap())
    })
}

/// A data directory with its catalog and spool open.
pub(crate) struct World {
    pub(crate) directory: Arc<TempDir>,
    pub(crate) catalog: Catalog,
    pub(crate) spool: Spool,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) fallback: Option<Fallback>,
    endpoints: Vec<String>,
}

impl World {
    pub(crate) fn new(endpoints: &[&str]) -> Self {
        let endpoints = endpoints.iter().map(|id| (*id).to_owned()).collect();
        // In memory where that is possible: what a sync costs on a disk is nothing these tests ask.
        let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        Self::open(Arc::new(directory.unwrap()), endpoints)
    }

    fn open(directory: Arc<TempDir>, endpoints: Vec<String>) -> Self {
        let options =
            Options { addresses: Addresses::new("http://tape.example"), endpoints: endpoints.clone(), gate: None };
        let catalog = Catalog::open(&directory.path().join("livetape.db"), options).unwrap();
        let spool = Spool::open(Arc::new(RealDisk), directory.path()).unwrap();
        let store = Arc::new(DirectoryStore::open(Arc::new(RealDisk), &directory.path().join("media")).unwrap());
        Self { directory, catalog, spool, store, fallback: None, endpoints }
    }

    /// The program is gone, and another one starts over the same directory.
    pub(crate) fn restart(self) -> Self {
        self.restart_after(|| {})
    }

    /// The program is gone, and another one starts over what `between` makes of the directory.
    pub(crate) fn restart_after(self, between: impl FnOnce()) -> Self {
        let Self { directory, catalog, spool, store, endpoints, .. } = self;
        drop((catalog, spool, store));
        between();
        Self::open(directory, endpoints)
    }

    pub(crate) fn with_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.store = store;
        self
    }

    pub(crate) fn with_disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.spool = Spool::open(disk, self.directory.path()).unwrap();
        self
    }

    /// Asks `gate` before each commit from now on.
    pub(crate) fn with_gate(mut self, gate: Gate) -> Self {
        let path = self.path("livetape.db");
        let options = Options {
            addresses: Addresses::new("http://tape.example"),
            endpoints: self.endpoints.clone(),
            gate: Some(gate),
        };
        self.catalog = Catalog::open(&path, options).unwrap();
        self
    }

    /// The pulse that a process left: what it had received of each session, [`PULSE_AFTER_MS`] after
    /// [`START`].
    pub(crate) fn pulse(&self, sessions: &[(SessionId, Option<MediaTime>)]) {
        let session =
            |(id, received): &(SessionId, Option<MediaTime>)| (id.to_string(), received.map(MediaTime::as_millis));
        let pulse = Pulse {
            at_ms: start().plus_millis(PULSE_AFTER_MS).as_unix_millis(),
            sessions: sessions.iter().map(session).collect(),
        };
        pulse.write(&RealDisk, self.directory.path()).unwrap();
    }

    /// One of its endpoints.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoints[0]
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub(crate) fn spooled(&self, id: RecordingId) -> PathBuf {
        self.path(&format!("spool/{id}"))
    }

    pub(crate) fn apply(&self, change: Change) {
        self.catalog.apply(change).unwrap();
    }

    /// Session number `number`, of the stream `live/roomNUMBER`.
    pub(crate) fn session(&self, number: u32) -> SessionId {
        let id: SessionId = format!("ses_{number:032x}").parse().unwrap();
        self.apply(Change::SessionStarted(NewSession {
            id,
            app: "live".into(),
            stream: format!("room{number}"),
            query: String::new(),
            remote_addr: "192.0.2.1:40000".into(),
            tc_url: "rtmp://push.example/live".into(),
            encoder: String::new(),
            started_at: start(),
        }));
        id
    }

    /// A recording that has begun: its row and its directory.
    pub(crate) fn recording(&self, session: SessionId, format: Format, sequence: u32) -> RecordingId {
        let id = RecordingId { session, format, sequence };
        self.open_row(id);
        self.spool.create_recording(&id.to_string(), b"").unwrap();
        id
    }

    pub(crate) fn open_row(&self, id: RecordingId) {
        self.open_row_at(id, MediaTime::ZERO);
    }

    /// The row of a recording that begins at this moment of its session's timeline.
    pub(crate) fn open_row_at(&self, id: RecordingId, begun: MediaTime) {
        let stream = format!("room{}", id.session.0.as_u128());
        let name = format!("{stream}-{}", id.sequence);
        let file = match id.format {
            Format::Hls => format!("{name}/index.m3u8"),
            other => format!("{name}.{other}"),
        };
        self.apply(Change::RecordingOpened(NewRecording {
            task: None,
            keep: livetape_record::Keep::default(),
            id,
            app: "live".into(),
            key: format!("live/{stream}/{file}"),
            stream,
            started_at: start(),
            start: begun,
            start_reason: "publish".into(),
            video: None,
            audio: None,
        }));
    }

    /// Writes finished files of a recording, and says how many bytes they have.
    pub(crate) fn write(&self, id: RecordingId, files: &[(&str, &str)]) -> u64 {
        let mut writer = self.spool.writer(&id.to_string()).unwrap();
        for (name, text) in files {
            let file = FileName::new(name).unwrap();
            let slices = vec![text.as_bytes().to_vec().into()];
            writer
                .perform(&[
                    Op::Create { file: file.clone() },
                    Op::Append { file: file.clone(), slices },
                    Op::Finish { file },
                ])
                .unwrap();
        }
        files.iter().map(|(_, text)| u64::try_from(text.len()).unwrap()).sum()
    }

    pub(crate) fn finish_row(&self, id: RecordingId, size_bytes: u64) {
        let facts = Facts { size_bytes, duration: Duration::from_millis(2000), ..Facts::default() };
        let (ended_at, reason) = (start().plus_millis(2000), "unpublish".to_owned());
        self.apply(Change::RecordingFinished { id, ended_at, reason, facts, recovered: false, lost: Duration::ZERO });
    }

    /// A recording that is finished, with its files in the spool.
    pub(crate) fn finished(&self, session: SessionId, format: Format, sequence: u32) -> RecordingId {
        let id = self.recording(session, format, sequence);
        let size = self.write(id, &files_of(id));
        self.finish_row(id, size);
        id
    }

    pub(crate) fn row(&self, id: RecordingId) -> RecordingRow {
        self.catalog.recording_row(&id).unwrap().unwrap()
    }

    pub(crate) fn state(&self, id: RecordingId) -> &'static str {
        self.row(id).state.name()
    }

    pub(crate) fn events(&self) -> Vec<EventRow> {
        self.catalog.events_after(0, 1000).unwrap()
    }

    /// Ids of the events of this kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<String> {
        self.events().into_iter().filter(|event| event.kind == kind).map(|event| event.id).collect()
    }

    pub(crate) fn object(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.path("media").join(key)).ok()
    }

    pub(crate) fn quarantined(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("quarantine"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn tools(&self) -> Tools {
        Tools {
            catalog: self.catalog.clone(),
            spool: self.spool.clone(),
            store: self.store.clone(),
            fallback: self.fallback.clone(),
            wall: simulated_clock(),
            counters: Arc::new(Counters::default()),
        }
    }

    /// A finalizer at work until the guard is dropped.
    pub(crate) fn finalizer(&self) -> Working {
        self.finalizer_with(FinalizerOptions::default())
    }

    pub(crate) fn finalizer_with(&self, options: FinalizerOptions) -> Working {
        Working::new(self.tools(), options)
    }

    /// Everything that is promised of a recording that became ready.
    pub(crate) fn assert_ready_once(&self, id: RecordingId) {
        let row = self.row(id);
        assert_eq!(row.state.name(), "ready", "{id}");
        assert!(row.spool_evicted && !self.spooled(id).exists(), "{id} is still in the spool");
        let ready = id.to_string().replace("rec_", "evt_") + "_ready";
        assert_eq!(self.events().iter().filter(|event| event.id == ready).count(), 1, "{id}");
        let (directory, _) = row.key.rsplit_once('/').unwrap();
        for (name, text) in files_of(id) {
            let key = if id.format == Format::Hls { format!("{directory}/{name}") } else { row.key.clone() };
            assert_eq!(self.object(&key).as_deref(), Some(text), "{key}");
        }
    }
}

pub(crate) struct Working {
    pub(crate) handle: Finalizer,
    pub(crate) counters: Arc<Counters>,
    task: tokio::task::JoinHandle<()>,
    _stop: DropGuard,
}

impl Working {
    pub(crate) fn new(tools: Tools, options: FinalizerOptions) -> Self {
        let counters = tools.counters.clone();
        let stop = CancellationToken::new();
        let (handle, run) = Finalizer::new(tools, options, stop.clone()).unwrap();
        Self { handle, counters, task: tokio::spawn(run), _stop: stop.drop_guard() }
    }

    /// Ends the work at whatever point it is, and waits until it is gone.
    pub(crate) async fn kill(self) {
        let Self { handle, task, _stop, .. } = self;
        drop(_stop);
        task.await.unwrap();
        drop(handle);
    }
}

/// What a finished recording of these tests is made of.
pub(crate) fn files_of(id: RecordingId) -> Vec<(&'static str, &'static str)> {
    match id.format {
        Format::Mp4 => vec![("recording.mp4", "an mp4 file")],
        Format::Flv => vec![("recording.flv", "an flv file")],
        Format::Hls => vec![
            ("index.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmedia.m3u8\n"),
            ("init-0.mp4", "init"),
            ("media.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init-0.mp4\"\nsegment-000000.m4s\nsegment-000001.m4s\n"),
            ("segment-000000.m4s", "first"),
            ("segment-000001.m4s", "second"),
            (
                "vod.m3u8",
                "#EXTM3U\n#EXT-X-MAP:URI=\"init-0.mp4\"\nsegment-000000.m4s\nsegment-000001.m4s\n#EXT-X-ENDLIST\n",
            ),
        ],
    }
}
