//! What a recorder wants done.

use std::time::Duration;

use livetape_media::{Format, MediaTime, Track, WallTime, Warning};
use livetape_mux::{Op, Summary};

use crate::{CutReason, Keep, RecordingId, Report, SessionId, StartReason, StopReason, StreamPath, TaskId};

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
    /// Its publisher has gone and may come back.
    Pause(Pausing),
    /// Its publisher has come back: it goes on with what follows.
    Resume(Box<Resuming>),
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
    /// How long it is kept.
    pub keep: Keep,
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

/// A recording that waits for its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pausing {
    /// Its id.
    pub id: RecordingId,
    /// Since when.
    pub at: WallTime,
    /// Until when.
    pub until: WallTime,
}

/// A recording that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resuming {
    /// Its id.
    pub id: RecordingId,
    /// The session that it records from now on.
    pub session: SessionId,
    /// What lies in between.
    pub gap: Gap,
}

/// A stretch of the calendar's time of which a recording holds nothing, since nobody published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The calendar's time where the media before it ends.
    pub from: WallTime,
    /// The calendar's time where the media behind it begins.
    pub to: WallTime,
    /// Where in the recording it begins, in the time of a player.
    pub at: Duration,
    /// How long a player takes to pass it. Nothing in HLS, whose playlists go straight on.
    pub length: Duration,
    /// How far apart the two are on the sessions' timeline.
    pub apart: Duration,
    /// Media that had come behind `from` and is in no recording of its format: a crash lies in between.
    pub lost: Duration,
}

/// How far what is counted while media comes may be from what its files are found to hold.
const COUNTED: Duration = Duration::from_millis(2);

impl Gap {
    /// Whether anything lies behind it in a recording that plays so long. Not when a crash came before the media did.
    pub fn lies_within(&self, duration: Duration) -> bool {
        duration > self.at + self.length / 2 + COUNTED
    }

    /// None: it keeps the place of one that turned out to have nothing behind it.
    pub fn nothing(from: WallTime, at: Duration) -> Self {
        let none = Duration::ZERO;
        Self { from, to: from, at, length: none, apart: none, lost: none }
    }

    /// Whether it is none.
    pub fn is_nothing(&self) -> bool {
        *self == Self::nothing(self.from, self.at)
    }

    /// How far a player's time falls behind the calendar's across it, in milliseconds.
    pub fn behind_ms(&self) -> i64 {
        let passed = self.to.as_unix_millis().saturating_sub(self.from.as_unix_millis());
        passed.saturating_sub(i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX))
    }

    /// The calendar's time at the end of a recording with these `gaps` that a player plays for `duration`. A gap with
    /// nothing behind it is none.
    pub fn end_of(gaps: &[Self], started_at: WallTime, duration: Duration) -> WallTime {
        let within = gaps.iter().filter(|gap| gap.lies_within(duration));
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        started_at.plus_millis(within.map(Self::behind_ms).fold(millis, i64::saturating_add))
    }
}
