//! The shape of a recording's integrity report.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Gap;

/// A recording's integrity report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Report {
    /// The recording; of playlists over an MP4 that is the MP4.
    pub recording_id: String,
    /// Stretches of the calendar's time of which it holds nothing since its publisher was gone, oldest first. Missing in
    /// reports from before they were told.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// It was completed, or went on, after a break: what was observed while it grew before that is lost.
    pub recovered: bool,
    /// The calendar's time at its first picture or sound.
    #[schema(required)]
    pub first_at: Option<String>,
    /// The calendar's time when its last frame came; of one that was recovered, at its end.
    #[schema(required)]
    pub last_at: Option<String>,
    /// How long it plays.
    pub duration_ms: u64,
    /// Bytes over all its files.
    pub size_bytes: u64,
    /// Its pictures.
    #[schema(required)]
    pub video: Option<ReportTrack>,
    /// Its sound.
    #[schema(required)]
    pub audio: Option<ReportTrack>,
    /// Frames whose times had to be moved to fit the container.
    pub container_moved: u64,
    /// What was observed while it grew; nothing of one that ended with the break it was recovered after.
    #[schema(required)]
    pub observed: Option<Observed>,
    /// What recovery had to do, when it had to.
    #[schema(required)]
    pub recovery: Option<Recovery>,
}

/// One track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ReportTrack {
    /// Its codec at the end: `h264`, `aac` ...
    pub codec: String,
    /// Frames.
    pub frames: u64,
    /// Bytes of the frames, without what the container adds; unknown of what was recovered.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// Timestamps that repeated or ran back and were moved to keep order; unknown of what was recovered.
    #[schema(required)]
    pub moved: Option<u64>,
}

/// What was observed while a recording grew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Observed {
    /// It was opened again at this moment, after a break: nothing from before it is observed. Null, or missing: all of it is.
    #[serde(default)]
    pub since: Option<String>,
    /// Steps of a track's timestamps that are far longer than usual for it: frames are missing.
    pub gaps: GapList,
    /// Jumps of the publisher's clock.
    pub jumps: JumpList,
    /// What came and is not in it.
    pub left_out: LeftOut,
    /// How far pictures and sound were apart; nothing where there were not both.
    #[schema(required)]
    pub apart: Option<ApartReport>,
    /// Groups of pictures, those that are whole.
    #[schema(required)]
    pub gops: Option<GopReport>,
    /// Each configuration of each track, the ones it began with first.
    pub configurations: ConfigurationList,
}

/// Missing frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TrackGap {
    /// The track.
    pub track: ReportTrackKind,
    /// Where the last frame before it is.
    pub at_ms: i64,
    /// How long the step is.
    pub length_ms: i64,
}

/// A jump of the publisher's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Jump {
    /// The first moment behind it.
    pub at_ms: i64,
    /// How far; negative: back.
    pub by_ms: i64,
    /// What became of it.
    pub repair: Repair,
}

/// What became of a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum Repair {
    /// The recording goes on without it.
    TakenOut,
    /// The same, with a discontinuity at the next key frame.
    Discontinuity,
    /// The same, up to the next key frame, where the recording ends and another begins.
    Cut,
}

/// What came and is in no recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LeftOut {
    /// Frames that no decoder could have started from, before the recording or in it.
    pub undecodable_frames: u64,
    /// Frames that came after its end while the disk was too slow.
    pub disk_slow_frames: u64,
    /// How much media those are.
    pub disk_slow_ms: u64,
}

/// How far pictures and sound that came together were apart. Positive: the pictures were ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ApartReport {
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct GopReport {
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Configuration {
    /// The moment.
    pub at_ms: i64,
    /// The track.
    pub track: ReportTrackKind,
    /// Its codec: `h264`, `aac` ...
    pub codec: String,
    /// The codec and its profile, as RFC 6381 writes them.
    pub codec_string: String,
    /// Pixels across, of pictures.
    #[schema(required)]
    pub width: Option<u32>,
    /// Pixels down, of pictures.
    #[schema(required)]
    pub height: Option<u32>,
    /// Samples a second, of sound.
    #[schema(required)]
    pub sample_rate: Option<u32>,
    /// Channels, of sound.
    #[schema(required)]
    pub channels: Option<u16>,
}

/// What recovery had to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Recovery {
    /// Why the recording broke off.
    pub reason: String,
    /// Bytes at its end that were not whole and were cut off.
    pub cut_bytes: u64,
    /// Media that had come, as far as is known, and is not in it.
    pub lost_ms: u64,
}

/// The first of the gaps, 200 at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct GapList {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub first: Vec<TrackGap>,
}

/// The first of the jumps, 200 at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct JumpList {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub first: Vec<Jump>,
}

/// The first of the configurations, 200 at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ConfigurationList {
    /// How many there were.
    pub total: u64,
    /// The first of them.
    pub first: Vec<Configuration>,
}

/// Pictures or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum ReportTrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}
