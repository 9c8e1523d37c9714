//! What a recorder wants done.

use std::time::Duration;

use livetape_media::{Format, MediaTime, Track, WallTime, Warning};
use livetape_mux::{Op, Summary};

use crate::{CutReason, RecordingId, Report, SessionId, StartReason, StopReason, StreamPath, TaskId};

/// One thing to do, in order. A recorder has at most one recording open at a time: operations
/// belong to the one opened last.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A recording begins.
    Open(Box<Opening>),
    /// Something to do to its files.
    Op(Op),
    /// It is complete once the operations before this are done.
    Close(Box<Closing>),
    /// It was too short to keep: its files go away.
    Discard(Discarding),
    /// It could not be written to its end. What its files hold is to be salvaged.
    Abandon(Abandoning),
    /// Something an operator should hear of, about this format.
    Warn(Warning),
}

/// A recording that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Its id.
    pub id: RecordingId,
    /// Its session.
    pub session: SessionId,
    /// Its stream.
    pub stream: StreamPath,
    /// The task it is for; `None`: it is recorded by a template.
    pub task: Option<TaskId>,
    /// Its format.
    pub format: Format,
    /// The key it will have in the store.
    pub key: String,
    /// MP4: the key that the HLS playlists over it will have, if there are to be some.
    pub playlists: Option<String>,
    /// The calendar's time at its first frame.
    pub started_at: WallTime,
    /// The session's timeline at its first picture, or sound.
    pub start: MediaTime,
    /// Why it begins.
    pub reason: StartReason,
    /// What it records.
    pub tracks: Vec<Track>,
}

/// A recording that is complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// Its id.
    pub id: RecordingId,
    /// The calendar's time at its end: its start and its length.
    pub ended_at: WallTime,
    /// Why it ended.
    pub reason: StopReason,
    /// What it holds.
    pub summary: Summary,
    /// What is to be said of its integrity.
    pub report: Box<Report>,
    /// Media that came after its end and was dropped; it is in no recording of this format.
    pub lost: Duration,
}

/// A recording that is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Discarding {
    /// Its id.
    pub id: RecordingId,
    /// The calendar's time.
    pub at: WallTime,
    /// Why it ended.
    pub reason: StopReason,
    /// Media that came after its end and was dropped.
    pub lost: Duration,
}

/// A recording that broke.
#[derive(Clone, Debug, PartialEq)]
pub struct Abandoning {
    /// Its id.
    pub id: RecordingId,
    /// Why.
    pub reason: CutReason,
}
