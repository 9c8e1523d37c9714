//! From the items of one recording to operations on its files, for MP4, HLS and FLV; and from the
//! torn files a crash left to the operations that complete them, or to a writer that goes on with them. Also how such a file becomes an object
//! in a store ([`object`]).
//!
//! Contract: the same calls give the same operations, byte for byte. Nothing here touches a file,
//! a clock or a task. Operations of one recording are performed in order; every prefix of them
//! leaves files that can be played or completed.

mod bmff;
mod flushed;
pub mod flv;
pub mod hls;
pub mod mp4;
pub mod object;
mod op;
mod rate;
mod reopen;
mod salvage;
mod ts;

pub use op::{FileName, Op};
pub use reopen::{Reopened, Torn, reopen};
pub use salvage::{Files, ReadAt, Salvage, SalvageError, salvage};

use std::time::Duration;

use livetape_media::{AudioFormat, Codec, Format, Frame, MediaTime, Metadata, Track, VideoFormat, WallTime};

/// Sound that begins up to this much before the first picture is recorded, but playing, and the
/// recording's length, count from the picture; decoders use it to start up. Sound that begins
/// earlier counts from where it begins.
pub(crate) const PRE_ROLL: MediaTime = MediaTime::from_millis(1_000);

/// What a recording starts with.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Its tracks: at most one of each kind, at least one.
    pub tracks: Vec<Track>,
    /// The moment of the session's timeline where it begins: the first picture's presentation time
    /// (or the first sound's). No frame that follows is shown much earlier.
    pub start: MediaTime,
    /// The calendar's time at `start`.
    pub wall_start: WallTime,
    /// The publisher's own description of the stream.
    pub metadata: Metadata,
    /// How long a recording is allowed to become, for sizing the room kept for its index.
    pub max_duration: Duration,
    /// How its files are laid out.
    pub layout: Layout,
    /// MP4: what HLS playlists over its fragments call the file; `None`: there are to be none.
    pub playlists: Option<String>,
}

/// How the files of a recording are laid out. One value serves all formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A fragment is closed when it is this long, or at a key frame.
    pub fragment: Duration,
    /// A fragment is closed when it is this large.
    pub fragment_max_bytes: usize,
    /// HLS: what a segment should last; it ends at the next key frame.
    pub segment: Duration,
    /// HLS: what segments are made of.
    pub segment_type: SegmentType,
    /// MP4: the most room kept at the head for the index.
    pub mp4_reserve_max_bytes: u64,
    /// HLS: a segment that has become this many times its target without a key frame is cut
    /// without one.
    pub segment_overrun: u32,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            fragment: Duration::from_millis(400),
            fragment_max_bytes: 4 << 20,
            segment: Duration::from_secs(6),
            segment_type: SegmentType::Fmp4,
            mp4_reserve_max_bytes: 64 << 20,
            segment_overrun: 4,
        }
    }
}

/// What HLS segments are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentType {
    /// Fragmented MP4 (CMAF).
    Fmp4,
    /// MPEG-2 transport stream.
    Ts,
}

/// The writer of one recording in one format.
///
/// Frames come in decoding order per track, tracks interleaved roughly by time; the first frame of
/// the video track, if there is one, is a random access point. Every operation the calls produce
/// is appended to `ops`.
pub trait Muxer: Send {
    /// One more frame of one of the recording's tracks.
    fn frame(&mut self, frame: &Frame, ops: &mut Vec<Op>);

    /// Closes the open fragment: every frame taken so far becomes an operation, except that one
    /// frame of each track may be held back until its duration is known.
    fn flush(&mut self, ops: &mut Vec<Op>);

    /// The stream goes on with other configurations, or after a jump of its clock. The next video
    /// frame is a random access point. Only HLS can do this; for the others the recorder ends the
    /// recording and begins a new one, and the call is [`NotPossible`].
    fn discontinuity(
        &mut self,
        tracks: &[Track],
        at: MediaTime,
        wall: WallTime,
        ops: &mut Vec<Op>,
    ) -> Result<(), NotPossible>;

    /// The publisher has gone, and may come back: every frame taken becomes an operation, the last ones as long
    /// as those before them. Followed by [`Muxer::resume`], [`Muxer::discontinuity`] or [`Muxer::end`].
    fn pause(&mut self, ops: &mut Vec<Op>);

    /// After [`Muxer::pause`]: the same tracks go on. The next picture, a random access point, or the next sound
    /// where there are no pictures, is shown at `at`, when the calendar shows `wall`. No frame that follows is
    /// decoded before the last one taken has ended.
    fn resume(&mut self, at: MediaTime, wall: WallTime, ops: &mut Vec<Op>);

    /// What has been taken so far.
    fn progress(&self) -> Progress;

    /// Completes the recording. `end` is where the last picture stops being shown when that is
    /// known (the next recording's first decoding time); otherwise the last frames of each track
    /// last as long as those before them.
    fn end(&mut self, end: Option<MediaTime>, ops: &mut Vec<Op>) -> Summary;
}

/// This format cannot go on with other configurations in the same recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this format cannot change its configuration within one recording")]
pub struct NotPossible;

/// Opens a recording of `format`. The first operations (file heads, initialisation sections) go
/// to `ops`.
pub fn open(format: Format, begin: Begin, ops: &mut Vec<Op>) -> Box<dyn Muxer> {
    match format {
        Format::Mp4 => Box::new(mp4::Mp4Muxer::open(begin, ops)),
        Format::Hls => Box::new(hls::HlsMuxer::open(begin, ops)),
        Format::Flv => Box::new(flv::FlvMuxer::open(begin, ops)),
    }
}

/// Whether `format`, laid out as `layout`, carries `codec`.
pub fn carries(format: Format, layout: &Layout, codec: Codec) -> bool {
    let _ = (format, layout);
    matches!(codec, Codec::Avc | Codec::Aac | Codec::Mp3)
}

/// How far a recording has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes handed over as operations, over all its files.
    pub size_bytes: u64,
    /// Media time from its start to the end of its last frame.
    pub duration: Duration,
    /// On the session's timeline: every frame taken that is decoded before this moment is in the
    /// operations handed over. What they leave on the disk holds it, whole or salvaged. One frame may be
    /// missing: the last of a track that has sent nothing for more than a second.
    pub flushed: MediaTime,
    /// HLS: media segments finished.
    pub segments: u64,
}

/// What a finished recording holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Bytes, over all its files.
    pub size_bytes: u64,
    /// How long it plays.
    pub duration: Duration,
    /// The publisher's timestamp, on the session's timeline, where it begins.
    pub start: MediaTime,
    /// Its video track.
    pub video: Option<VideoSummary>,
    /// Its audio track.
    pub audio: Option<AudioSummary>,
    /// MP4: the index did not fit in the room kept at the head and stands at the end.
    pub index_at_end: bool,
    /// Frames whose times had to be moved to fit the container.
    pub repaired_frames: u64,
    /// MP4: the playlists over its fragments, if there are some. They count in nothing else here.
    pub playlists: Option<Box<PlaylistSummary>>,
}

/// The HLS playlists over the fragments of a finished MP4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaylistSummary {
    /// Bytes of the playlists and their initialisation section, without the media.
    pub size_bytes: u64,
    /// How long what they list plays.
    pub duration: Duration,
    /// Pictures in what they list. Less than in the MP4 where its last fragment was torn.
    pub pictures: u64,
    /// Sounds in what they list.
    pub sounds: u64,
}

/// A video track of a finished recording.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoSummary {
    /// Codec.
    pub codec: Codec,
    /// RFC 6381 codec string.
    pub codec_string: String,
    /// Size and declared rate.
    pub format: VideoFormat,
    /// Frames recorded.
    pub frames: u64,
    /// Measured frames a second.
    pub frame_rate: f64,
}

/// An audio track of a finished recording.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSummary {
    /// Codec.
    pub codec: Codec,
    /// RFC 6381 codec string.
    pub codec_string: String,
    /// Rate and channels.
    pub format: AudioFormat,
    /// Frames recorded.
    pub frames: u64,
}
