//! Where segments begin and end.
//!
//! Rules, the same whatever segments are made of:
//! - a segment ends at the first key frame at or after the target;
//! - one that has become too long is cut before any frame: at `segment_overrun` times the target,
//!   and, once the playlist has declared a TARGETDURATION, where the next frame could break it (an
//!   EXTINF, rounded to whole seconds, may not exceed it: RFC 8216, 4.3.3.1);
//! - a segment that began without a key frame ends at the next key frame;
//! - a pause that no segment may span ends it where its last frame ends.
//!
//! Moments here are times of showing as if every picture were shown when it is its turn: decoding
//! times, with the distance of the first key frame added. They increase from frame to frame and
//! agree with those of sound.

use std::time::Duration;

use livetape_media::{CodecConfig, Frame, MediaTime, Track, TrackKind};

/// A key frame this little before the target counts as at it: publishers round their timestamps.
pub(super) const ROUNDING: MediaTime = MediaTime::from_millis(20);
/// What EXTINF may exceed TARGETDURATION by, and still be rounded down to it.
pub(super) const HEADROOM: MediaTime = MediaTime::from_millis(499);
/// How much of that headroom is spent on waiting for a picture to cut at instead of a sound.
const PATIENCE: MediaTime = MediaTime::from_millis(300);
/// Pictures have gone missing when there has been none for so long.
const STALLED: MediaTime = MediaTime::from_millis(1_000);
/// The shortest segment that is ended only because it began without a key frame.
pub(super) const SHORTEST: MediaTime = MediaTime::from_millis(100);
/// A longer interval between frames says nothing of how long a frame lasts.
const LONGEST_FRAME: MediaTime = MediaTime::from_millis(2_000);
/// How long a picture lasts of which nothing else is known.
const PICTURE: MediaTime = MediaTime::from_millis(33);

/// What a frame does to the open segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It goes into it.
    None,
    /// It begins the next one, at this moment.
    At(MediaTime),
    /// It begins the next one at `begins`, long after the open one's last frame ended.
    Pause {
        /// When the open segment ends.
        ends: MediaTime,
        /// When the next one begins.
        begins: MediaTime,
    },
}

/// Watches the frames of a recording and decides where segments end.
#[derive(Debug)]
pub(super) struct Cutter {
    target: MediaTime,
    overrun: MediaTime,
    /// TARGETDURATION, in seconds, once it is declared.
    declared: Option<u32>,
    has_video: bool,
    /// From decoding to showing a key frame.
    delay: Option<MediaTime>,
    open: Option<OpenSegment>,
    pictures: Pace,
    sounds: Pace,
    last_key: Option<MediaTime>,
    longest_gop: MediaTime,
}

#[derive(Debug)]
struct OpenSegment {
    begins: MediaTime,
    /// Whether the first picture is a key frame, once there is one.
    begins_with_key: Option<bool>,
}

/// How the frames of a track follow each other.
#[derive(Debug, Default)]
struct Pace {
    last: Option<MediaTime>,
    /// How long its last frame lasts.
    duration: MediaTime,
    constant: bool,
}

impl Cutter {
    /// For segments of `target` length, never longer than `overrun` times that without a key frame.
    pub(super) fn new(target: Duration, overrun: u32) -> Self {
        let target = MediaTime::from(target).max(MediaTime::from_millis(500));
        let overrun = MediaTime::from_nanos(target.as_nanos().saturating_mul(i64::from(overrun.max(1))));
        Self {
            target,
            overrun,
            declared: None,
            has_video: false,
            delay: None,
            open: None,
            pictures: Pace::default(),
            sounds: Pace::default(),
            last_key: None,
            longest_gop: MediaTime::ZERO,
        }
    }

    /// The stream begins, or goes on, with these tracks.
    pub(super) fn restart(&mut self, tracks: &[Track]) {
        let video = tracks.iter().find_map(|track| track.config.video());
        self.has_video = video.is_some();
        self.delay = None;
        self.last_key = None;
        let rate = video.and_then(|video| video.frame_rate).map(|rate| rate.as_f64());
        let rate = rate.filter(|rate| (1.0..=240.0).contains(rate));
        let duration = rate.map_or(PICTURE, |rate| Duration::from_secs_f64(1.0 / rate).into());
        self.pictures = Pace { duration, ..Pace::default() };
        self.sounds = tracks
            .iter()
            .find_map(|track| sound_duration(&track.config))
            .map_or(Pace::default(), |duration| Pace { duration, constant: true, last: None });
    }

    /// What `frame`, the next one, does to the open segment.
    pub(super) fn decide(&self, frame: &Frame) -> Cut {
        let Some(open) = &self.open else { return Cut::None };
        let at = self.moment(frame);
        let length = at - open.begins;
        let due = self.declared().unwrap_or(self.overrun);
        let most = due + HEADROOM;
        if length > most {
            return Cut::Pause { ends: self.end(), begins: at };
        }
        let is_picture = frame.track.kind == TrackKind::Video;
        if is_picture == self.has_video && frame.random_access {
            let realign = open.begins_with_key == Some(false) && length >= SHORTEST;
            if realign || length + ROUNDING >= self.target {
                return Cut::At(at);
            }
        }
        let pictures_come = self.has_video && self.pictures.last.is_some_and(|last| at - last < STALLED);
        let due = if !is_picture && pictures_come { due + PATIENCE } else { due };
        let next = length + self.pace(frame.track.kind).duration.min(LONGEST_FRAME);
        if length >= due || next > most { Cut::At(at) } else { Cut::None }
    }

    /// A segment begins at `at` with the next frame taken.
    pub(super) fn begin(&mut self, at: MediaTime) {
        self.open = Some(OpenSegment { begins: at, begins_with_key: None });
    }

    /// `frame` has gone into the open segment.
    pub(super) fn took(&mut self, frame: &Frame) {
        let is_picture = frame.track.kind == TrackKind::Video;
        if is_picture && self.delay.is_none() {
            self.delay = Some(frame.pts - frame.dts);
        }
        let at = self.moment(frame);
        if is_picture {
            self.pictures.took(at);
            if let Some(open) = &mut self.open {
                open.begins_with_key.get_or_insert(frame.random_access);
            }
            if frame.random_access
                && let Some(last) = self.last_key.replace(at)
            {
                self.longest_gop = self.longest_gop.max(at - last);
            }
        } else {
            self.sounds.took(at);
        }
    }

    /// The open segment is closed. Returns whether it began with a key frame, or held none to begin with.
    pub(super) fn close(&mut self) -> bool {
        self.open.take().is_none_or(|open| open.begins_with_key != Some(false))
    }

    /// Where `frame` is, as segments count.
    pub(super) fn moment(&self, frame: &Frame) -> MediaTime {
        match frame.track.kind {
            TrackKind::Video => frame.dts + self.delay.unwrap_or(frame.pts - frame.dts),
            TrackKind::Audio => frame.pts,
        }
    }

    /// A picture's decoding time as segments count.
    pub(super) fn picture_at(&self, dts: MediaTime) -> MediaTime {
        dts + self.delay.unwrap_or(MediaTime::ZERO)
    }

    /// Where the last frame of the open segment ends.
    pub(super) fn end(&self) -> MediaTime {
        let begins = self.open.as_ref().map_or(MediaTime::ZERO, |open| open.begins);
        let ends = [&self.pictures, &self.sounds].into_iter().filter_map(Pace::end);
        ends.max().unwrap_or(begins).max(begins)
    }

    /// `ends`, or the last moment at which a segment that begins at `begins` may end.
    pub(super) fn bounded(&self, begins: MediaTime, ends: MediaTime) -> MediaTime {
        self.declared().map_or(ends, |declared| ends.min(begins + declared + HEADROOM))
    }

    /// A moment at which the open segment is said to end: believed when it lies within the second
    /// after the last picture.
    pub(super) fn believe(&self, at: MediaTime) -> Option<MediaTime> {
        let last = self.pictures.last?;
        (at > last && at - last <= STALLED).then_some(at)
    }

    /// The first segment, rounded to `first_rounded` seconds, ends at `at`: declares the TARGETDURATION that will hold
    /// for the recording's whole life. A segment may become as long as the target and the longest
    /// group of pictures together; groups longer than those seen so far get some room.
    pub(super) fn declare(&mut self, at: MediaTime, first_rounded: u32) -> u32 {
        let open_gop = self.last_key.map_or(MediaTime::ZERO, |key| at - key);
        let longest_gop = self.longest_gop.max(open_gop);
        *self.declared.insert(declaration(self.target, longest_gop, self.overrun, first_rounded))
    }

    /// What [`Self::declare`] would declare of a recording whose longest segment, rounded, has `longest_rounded`
    /// seconds, and of which nothing else is known.
    pub(super) fn declaration_for(&self, longest_rounded: u32) -> u32 {
        declaration(self.target, MediaTime::ZERO, self.overrun, longest_rounded)
    }

    /// This TARGETDURATION has been declared before.
    pub(super) fn declared_before(&mut self, seconds: u32) {
        self.declared = Some(seconds);
    }

    /// TARGETDURATION as a length.
    fn declared(&self) -> Option<MediaTime> {
        self.declared.map(|seconds| MediaTime::from_millis(i64::from(seconds) * 1000))
    }

    fn pace(&self, kind: TrackKind) -> &Pace {
        match kind {
            TrackKind::Video => &self.pictures,
            TrackKind::Audio => &self.sounds,
        }
    }
}

impl Pace {
    fn took(&mut self, at: MediaTime) {
        if let Some(last) = self.last.replace(at)
            && !self.constant
            && at > last
            && at - last <= LONGEST_FRAME
        {
            self.duration = at - last;
        }
    }

    fn end(&self) -> Option<MediaTime> {
        self.last.map(|last| last + self.duration)
    }
}

/// The TARGETDURATION, in seconds, of segments of `target` length that end at key frames, which are up to
/// `longest_gop` apart so far; the first one, rounded, has `first_rounded`.
pub(super) fn declaration(target: MediaTime, longest_gop: MediaTime, overrun: MediaTime, first_rounded: u32) -> u32 {
    let half = MediaTime::from_nanos(target.as_nanos() / 2);
    let expected = (target + longest_gop.max(half)).min(overrun);
    let seconds = u32::try_from(expected.as_nanos().unsigned_abs().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
    seconds.max(first_rounded).max(1)
}

/// How long each frame of a sound lasts, where that is constant.
fn sound_duration(config: &CodecConfig) -> Option<MediaTime> {
    let audio = config.audio()?;
    let samples = audio.samples_per_frame.filter(|samples| *samples > 0)?;
    Some(MediaTime::from_ticks(i64::from(samples), audio.sample_rate))
}
