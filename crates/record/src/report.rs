//! What is to be said of a recording's integrity when it is over.
//!
//! Moments are milliseconds from the recording's start. Its size is bounded: of what can come any number of times the
//! first [`Listed::MOST`] are kept, and all are counted.

use livetape_media::{JumpDirection, MediaTime, TrackKind, WallTime};
use livetape_mux::Summary;
use serde::{Serialize, Serializer};

/// A recording's integrity report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// It was completed, or went on, after a break: what was observed while it grew before that is lost.
    pub recovered: bool,
    /// The calendar's time at its first picture or sound.
    #[serde(serialize_with = "time")]
    pub first_at: Option<WallTime>,
    /// The calendar's time when its last frame came; of one that was recovered, at its end.
    #[serde(serialize_with = "time")]
    pub last_at: Option<WallTime>,
    /// How long it plays.
    pub duration_ms: u64,
    /// Bytes over all its files.
    pub size_bytes: u64,
    /// Its pictures.
    pub video: Option<TrackReport>,
    /// Its sound.
    pub audio: Option<TrackReport>,
    /// Frames whose times had to be moved to fit the container.
    pub container_moved: u64,
    /// What was observed while it grew; nothing of one that ended with the break it was recovered after.
    pub observed: Option<Observed>,
    /// What recovery had to do, when it had to.
    pub recovery: Option<Recovery>,
}

/// One track.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrackReport {
    /// [`livetape_media::Codec::name`], at its end.
    pub codec: String,
    /// Frames.
    pub frames: u64,
    /// Bytes of the frames, without what the container adds; unknown of what was recovered.
    pub bytes: Option<u64>,
    /// Timestamps that repeated or ran back and were moved to keep order; unknown of what was recovered.
    pub moved: Option<u64>,
}

/// What was observed while a recording grew.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Observed {
    /// It was opened again at this moment, after a break: nothing from before it is observed, but what is known to be
    /// missing. `None`: all of it is.
    #[serde(serialize_with = "time")]
    pub since: Option<WallTime>,
    /// Steps of a track's timestamps that are far longer than usual for it: frames are missing.
    pub gaps: Listed<Gap>,
    /// Jumps of the publisher's clock.
    pub jumps: Listed<Jump>,
    /// What came and is not in it.
    pub left_out: LeftOut,
    /// How far pictures and sound were apart; nothing where there were not both.
    pub apart: Option<ApartReport>,
    /// Groups of pictures, those that are whole.
    pub gops: Option<GopReport>,
    /// Each configuration of each track, the ones it began with first.
    pub configurations: Listed<Configuration>,
}

/// The first of many.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed<T> {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    /// The most that are kept.
    pub const MOST: usize = 200;

    pub(crate) fn push(&mut self, one: T) {
        self.total += 1;
        if self.first.len() < Self::MOST {
            self.first.push(one);
        }
    }
}

/// Missing frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The track.
    #[serde(serialize_with = "track")]
    pub track: TrackKind,
    /// Where the last frame before it is.
    pub at_ms: i64,
    /// How long the step is.
    pub length_ms: i64,
}

/// A jump of the publisher's clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jump {
    /// The first moment behind it.
    pub at_ms: i64,
    /// How far; negative: back.
    pub by_ms: i64,
    /// What became of it.
    pub repair: Repair,
}

/// What became of a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// The recording goes on without it.
    TakenOut,
    /// The same, with a discontinuity at the next key frame.
    Discontinuity,
    /// The same, up to the next key frame, where the recording ends and another begins.
    Cut,
}

/// What came and is in no recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LeftOut {
    /// Frames that no decoder could have started from, before the recording or in it.
    pub undecodable_frames: u64,
    /// Frames that came after its end while the disk was too slow.
    pub disk_slow_frames: u64,
    /// How much media those are.
    pub disk_slow_ms: u64,
}

/// How far pictures and sound that came together were apart. Positive: the pictures were ahead.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApartReport {
    /// The farthest.
    pub max_ms: i64,
    /// When that was.
    pub max_at_ms: i64,
    /// Minutes of each point of the curve: 1 for recordings of up to a day.
    pub minutes: u32,
    /// The farthest of each; null where pictures and sound did not both come.
    pub curve_ms: Vec<Option<i64>>,
}

/// Groups of pictures: from one key frame to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GopReport {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min_ms: i64,
    /// Their mean.
    pub mean_ms: i64,
    /// The longest.
    pub max_ms: i64,
}

/// A track's configuration from a moment on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Configuration {
    /// The moment.
    pub at_ms: i64,
    /// The track.
    #[serde(serialize_with = "track")]
    pub track: TrackKind,
    /// [`livetape_media::Codec::name`].
    pub codec: String,
    /// RFC 6381.
    pub codec_string: String,
    /// Pixels across, of pictures.
    pub width: Option<u32>,
    /// Pixels down, of pictures.
    pub height: Option<u32>,
    /// Samples a second, of sound.
    pub sample_rate: Option<u32>,
    /// Channels, of sound.
    pub channels: Option<u16>,
}

/// What recovery had to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// Why the recording broke off.
    pub reason: String,
    /// Bytes at its end that were not whole and were cut off.
    pub cut_bytes: u64,
    /// Media that had come, as far as is known, and is not in it.
    pub lost_ms: u64,
}

impl Report {
    /// What `summary` says of a recording, and nothing of how it grew.
    pub fn of(summary: &Summary) -> Self {
        let track = |codec: livetape_media::Codec, frames| {
            Some(TrackReport { codec: codec.name().to_owned(), frames, bytes: None, moved: None })
        };
        Self {
            duration_ms: u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
            size_bytes: summary.size_bytes,
            video: summary.video.as_ref().and_then(|video| track(video.codec, video.frames)),
            audio: summary.audio.as_ref().and_then(|audio| track(audio.codec, audio.frames)),
            container_moved: summary.repaired_frames,
            ..Self::default()
        }
    }

    /// Of a recording that broke off and was completed from what its files hold.
    pub fn recovered(summary: &Summary, from: WallTime, until: WallTime, recovery: Recovery) -> Self {
        Self {
            recovered: true,
            first_at: Some(from),
            last_at: Some(until),
            recovery: Some(recovery),
            ..Self::of(summary)
        }
    }
}

impl Repair {
    /// Of a jump that way, in a recording that can or cannot go on behind one.
    pub(crate) fn of(direction: JumpDirection, goes_on: bool) -> Self {
        match (goes_on, direction) {
            (true, _) => Self::Discontinuity,
            (false, JumpDirection::Forward) => Self::TakenOut,
            (false, JumpDirection::Backward) => Self::Cut,
        }
    }
}

/// From `start`, in milliseconds.
pub(crate) fn since(moment: MediaTime, start: MediaTime) -> i64 {
    (moment - start).as_nanos() / 1_000_000
}

fn time<S: Serializer>(time: &Option<WallTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn track<S: Serializer>(track: &TrackKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(track.name())
}
