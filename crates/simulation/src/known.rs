//! What a catalog's image says, read by plain SQL.

use std::collections::BTreeMap;

use livetape_record::RecordingId;
use rusqlite::{Connection, OpenFlags};

use crate::catalog::CatalogImage;
use crate::world::scratch;

/// A recording's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRecording {
    /// `recording`, `finished` ...
    pub state: String,
    /// Its key in the store.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// Nothing of it is left in the spool.
    pub evicted: bool,
    /// Its objects are being deleted.
    pub deleting: bool,
    /// Somebody holds it.
    pub held: bool,
    /// The recording that has its media, if it is playlists over an MP4.
    pub media_of: Option<RecordingId>,
}

impl KnownRecording {
    /// Whether its files will never change again.
    pub fn is_finished(&self) -> bool {
        matches!(self.state.as_str(), "finished" | "uploading" | "ready")
    }
}

/// The contents of a catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its recordings.
    pub recordings: BTreeMap<RecordingId, KnownRecording>,
    /// The ids of its events, with their types.
    pub events: BTreeMap<String, String>,
}

impl Known {
    /// What `image` says.
    pub fn read(image: &CatalogImage) -> Self {
        let place = scratch();
        let path = place.path().join("copy.db");
        std::fs::write(&path, image.as_slice()).unwrap();
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let mut select = connection
            .prepare(
                "SELECT id, state, key, size_bytes, spool_evicted, deleting IS NOT NULL, media_of, \
                 held_ms IS NOT NULL FROM recordings",
            )
            .unwrap();
        let recordings = select.query_map([], |row| {
            let id: String = row.get(0)?;
            let size: Option<i64> = row.get(3)?;
            let media_of: Option<String> = row.get(6)?;
            let recording = KnownRecording {
                state: row.get(1)?,
                key: row.get(2)?,
                size_bytes: size.map(|size| u64::try_from(size).unwrap()),
                evicted: row.get(4)?,
                deleting: row.get(5)?,
                held: row.get(7)?,
                media_of: media_of.map(|id| id.parse().unwrap()),
            };
            Ok((id.parse().unwrap(), recording))
        });
        let recordings = recordings.unwrap().collect::<Result<_, _>>().unwrap();
        let mut select = connection.prepare("SELECT id, type FROM events").unwrap();
        let events =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
        Self { recordings, events }
    }
}

/// The id of the event that tells that a recording was deleted.
pub fn deleted_event(id: &RecordingId) -> String {
    recording_event(id, "deleted")
}

/// The id of the event that tells that a recording is ready.
pub fn ready_event(id: &RecordingId) -> String {
    recording_event(id, "ready")
}

/// The id of the event that tells what has become of a recording.
pub fn recording_event(id: &RecordingId, what: &str) -> String {
    format!("evt_{}_{}_{}_{what}", id.session.0.simple(), id.format, id.sequence)
}
