//! Sessions and recordings as the catalog holds them.

use std::time::Duration;

use livetape_media::{MediaTime, WallTime};
use livetape_record::{Gap, Keep, RecordingId, SessionId, TaskId};

use crate::{DeletionReason, RecordingState, StoreRole};

/// A session: one accepted publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// The node that took it.
    pub node: String,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The query of the push URL, without secrets.
    pub query: String,
    /// The publisher's address and port.
    pub remote_addr: String,
    /// The URL the publisher said it connected to, without query and user; empty: unknown.
    pub tc_url: String,
    /// What the publisher called itself; empty: unknown.
    pub encoder: String,
    /// When it began.
    pub started_at: WallTime,
    /// When it ended, if it has.
    pub ended_at: Option<WallTime>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// A recording.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingRow {
    /// Its id; says session, format and sequence.
    pub id: RecordingId,
    /// The node that made it.
    pub node: String,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// How far it has come.
    pub state: RecordingState,
    /// Where it is, or will be, in the store.
    pub key: String,
    /// The calendar's time at its start.
    pub started_at: WallTime,
    /// The moment of its start on its session's timeline; unknown of one that schema version 1 took up.
    pub start: Option<MediaTime>,
    /// The calendar's time at its end, once it has one.
    pub ended_at: Option<WallTime>,
    /// Why it began.
    pub start_reason: String,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Bytes over all its files, once finished.
    pub size_bytes: Option<u64>,
    /// How long it plays, once finished.
    pub duration: Option<Duration>,
    /// Its video track.
    pub video: Option<VideoFacts>,
    /// Its audio track.
    pub audio: Option<AudioFacts>,
    /// It was completed after a crash.
    pub recovered: bool,
    /// Media that arrived directly after what it holds and is in no recording of its format; `None`
    /// when none is known of.
    pub lost: Option<Duration>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was whole in the store.
    pub ready_at: Option<WallTime>,
    /// Nothing of it is left in the spool.
    pub spool_evicted: bool,
    /// The store's name of the multipart upload that is under way.
    pub upload: Option<String>,
    /// Which store has it, once it is ready.
    pub store: StoreRole,
    /// Why its objects are being deleted, if they are.
    pub deleting: Option<DeletionReason>,
    /// Who holds it, if somebody does.
    pub hold: Option<Hold>,
    /// When a hold on it ended last.
    pub released_at: Option<WallTime>,
    /// HLS: the MP4 whose file has its media, of which it is the playlists. Its files are in that one's directory
    /// of the spool.
    pub media_of: Option<RecordingId>,
    /// Until when it waits for its publisher to come back, while it does.
    pub waiting_until: Option<WallTime>,
    /// What lies between the sessions it is of, oldest first.
    pub gaps: Vec<Gap>,
    /// The task it is for; `None`: it is recorded by a template.
    pub task: Option<TaskId>,
    /// How long it is kept.
    pub keep: Keep,
}

impl RecordingRow {
    /// When its time is over, once it is ready, if its template says so.
    pub fn expires_at(&self) -> Option<WallTime> {
        match self.keep {
            Keep::AsOthers | Keep::Ever => None,
            Keep::For(length) => {
                Some(self.ready_at?.plus_millis(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
            }
        }
    }
}

/// That somebody holds a recording, so that it is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hold {
    /// Since when.
    #[serde(serialize_with = "crate::view::text")]
    pub at: WallTime,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a finished recording holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Bytes over all its files.
    pub size_bytes: u64,
    /// How long it plays. Kept to the millisecond.
    pub duration: Duration,
    /// Its video track.
    pub video: Option<VideoFacts>,
    /// Its audio track.
    pub audio: Option<AudioFacts>,
    /// The playlists over it.
    pub playlists: Option<PlaylistFacts>,
}

/// What the playlists over a finished MP4 hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaylistFacts {
    /// Bytes of the playlists and their initialisation section.
    pub size_bytes: u64,
    /// How long what they list plays. Kept to the millisecond.
    pub duration: Duration,
    /// Pictures in what they list.
    pub pictures: u64,
    /// Sounds in what they list.
    pub sounds: u64,
}

/// A recording's video track.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct VideoFacts {
    /// [`livetape_media::Codec::name`].
    pub codec: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second: declared at the start, measured at the end.
    #[serde(serialize_with = "crate::view::rounded")]
    pub frame_rate: Option<f64>,
    /// Frames recorded.
    pub frames: u64,
}

/// A recording's audio track.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AudioFacts {
    /// [`livetape_media::Codec::name`].
    pub codec: String,
    /// Samples a second of what is heard.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Frames recorded.
    pub frames: u64,
}
