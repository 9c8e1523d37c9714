//! A catalog in a temporary directory, and things to put in it.

use std::path::PathBuf;
use std::time::Duration;

use livetape_catalog::{
    Addresses, Applied, AudioFacts, Catalog, CatalogError, Change, DeletionReason, EventRow, Facts, NewRecording,
    NewSession, Options, StoreRole, VideoFacts,
};
use livetape_media::{Format, MediaTime, WallTime};
use livetape_record::{RecordingId, SessionId};
use tempfile::TempDir;

/// 2026-11-22T21:00:00Z.
pub const START_MS: i64 = 1_795_381_200_000;

pub struct Fixture {
    pub catalog: Catalog,
    pub path: PathBuf,
    _directory: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with_endpoints(&[])
    }

    pub fn with_endpoints(endpoints: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("livetape.db");
        let catalog = Catalog::open(&path, options(endpoints)).unwrap();
        Self { catalog, path, _directory: directory }
    }

    /// Closes the catalog and opens it again.
    pub fn reopened(self, endpoints: &[&str]) -> Self {
        let Self { catalog, path, _directory } = self;
        drop(catalog);
        let catalog = Catalog::open(&path, options(endpoints)).unwrap();
        Self { catalog, path, _directory }
    }

    /// Closes the catalog, has something done to it and opens it again.
    pub fn reopened_after(self, between: impl FnOnce(&std::path::Path)) -> Self {
        let Self { catalog, path, _directory } = self;
        drop(catalog);
        between(&path);
        let catalog = Catalog::open(&path, options(&[])).unwrap();
        Self { catalog, path, _directory }
    }

    pub fn apply(&self, change: Change) -> Result<Applied, CatalogError> {
        self.catalog.apply(change)
    }

    /// Makes a change that must be made.
    pub fn done(&self, change: Change) {
        assert_eq!(self.catalog.apply(change.clone()).unwrap(), Applied::Done, "{change:?}");
    }

    pub fn events(&self) -> Vec<EventRow> {
        self.catalog.events_after(0, usize::MAX).unwrap()
    }

    /// Types of all events, in order.
    pub fn event_kinds(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.kind).collect()
    }

    /// A connection of our own, to look at or damage what the catalog would not.
    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(&self.path).unwrap()
    }

    /// Every row of every table as text.
    pub fn dump(&self) -> String {
        dump(&self.raw())
    }
}

pub fn dump(connection: &rusqlite::Connection) -> String {
    let mut text = String::new();
    for table in [
        "meta",
        "sessions",
        "recordings",
        "tallies",
        "events",
        "endpoints",
        "deliveries",
        "attempts",
        "deletions",
        "pruned",
        "plan",
        "tasks",
    ] {
        let mut select = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            text += &format!("{table}: {}\n", values.join(" | "));
        }
    }
    text
}

pub fn options(endpoints: &[&str]) -> Options {
    Options {
        addresses: Addresses::new("https://tape.example.com/"),
        endpoints: endpoints.iter().map(|id| (*id).to_owned()).collect(),
        gate: None,
    }
}

pub fn at(seconds: i64) -> WallTime {
    WallTime::from_unix_millis(START_MS + seconds * 1000)
}

pub fn session_id(number: u128) -> SessionId {
    format!("ses_0192f0c1000070008{number:015x}").parse().unwrap()
}

pub fn recording_id(number: u128) -> RecordingId {
    RecordingId { session: session_id(number), format: Format::Mp4, sequence: 1 }
}

pub fn session(number: u128) -> NewSession {
    NewSession {
        id: session_id(number),
        app: "live".to_owned(),
        stream: format!("s{number}"),
        query: "record=mp4".to_owned(),
        remote_addr: "192.0.2.1:50000".to_owned(),
        tc_url: "rtmp://push.example.com/live".to_owned(),
        encoder: "obs".to_owned(),
        started_at: at(0),
    }
}

/// The first MP4 recording of session `number`.
pub fn recording(number: u128) -> NewRecording {
    NewRecording {
        task: None,
        keep: livetape_record::Keep::default(),
        id: recording_id(number),
        app: "live".to_owned(),
        stream: format!("s{number}"),
        key: format!("live/s{number}/2026-11-22/s{number}-210000-1.mp4"),
        started_at: at(1),
        start: MediaTime::from_millis(700),
        start_reason: "publish".to_owned(),
        video: Some(video(0)),
        audio: Some(audio(0)),
    }
}

pub fn video(frames: u64) -> VideoFacts {
    VideoFacts { codec: "h264".to_owned(), width: 1920, height: 1080, frame_rate: Some(30000.0 / 1001.0), frames }
}

pub fn audio(frames: u64) -> AudioFacts {
    AudioFacts { codec: "aac".to_owned(), sample_rate: 48_000, channels: 2, frames }
}

pub fn facts() -> Facts {
    Facts {
        size_bytes: 3_000_000,
        duration: Duration::from_millis(10_010),
        video: Some(video(300)),
        audio: Some(audio(469)),
        playlists: None,
    }
}

pub fn finished(number: u128) -> Change {
    Change::RecordingFinished {
        id: recording_id(number),
        ended_at: at(11),
        reason: "unpublish".to_owned(),
        facts: facts(),
        recovered: false,
        lost: Duration::ZERO,
    }
}

pub fn ready(number: u128) -> Change {
    Change::RecordingReady { id: recording_id(number), at: at(12), size_bytes: 3_000_000, store: StoreRole::Primary }
}

pub fn discarded(number: u128) -> Change {
    Change::RecordingDiscarded {
        id: recording_id(number),
        at: at(11),
        reason: "too_short".to_owned(),
        lost: Duration::ZERO,
    }
}

pub fn failed(number: u128) -> Change {
    Change::RecordingFailed { id: recording_id(number), at: at(13), error: "the file is damaged".to_owned() }
}

pub fn uploading(number: u128) -> Change {
    Change::UploadStarted { id: recording_id(number) }
}

pub fn evicted(number: u128) -> Change {
    Change::SpoolEvicted { id: recording_id(number) }
}

pub fn deleting(number: u128, reason: DeletionReason) -> Change {
    Change::DeletionStarted { id: recording_id(number), reason }
}

pub fn deleted(number: u128) -> Change {
    Change::RecordingDeleted { id: recording_id(number), at: at(100) }
}
