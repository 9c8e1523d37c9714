//! Streams as publishers send them, made up, and what is recorded of them.

use std::fmt;
use std::time::Duration;

use livetape_media::{Codec, Format, Frame, MediaTime, Metadata, Track, TrackKind, WallTime};
use livetape_mux::{Begin, Layout, Op, SegmentType, Summary, open};

use crate::media::{aac, avc, avc_large, he_aac, mp3, picture, sound};

/// The wall clock when a recording begins.
pub(crate) const WALL: i64 = 1_795_000_000_000;

/// One step of a recorder.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Frame(Frame),
    Flush,
    Discontinuity { tracks: Vec<Track>, at_ms: i64, wall_ms: i64 },
    Pause,
    Resume { at_ms: i64, wall_ms: i64 },
}

/// What one recording takes.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) tracks: Vec<Track>,
    pub(crate) steps: Vec<Step>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) layout: Layout,
}

/// Times in milliseconds, without the bytes.
impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.layout)?;
        for step in &self.steps {
            match step {
                Step::Frame(frame) => {
                    let key = if frame.random_access { "*" } else { "" };
                    let (kind, dts, pts) = (frame.track.kind.name(), frame.dts.as_millis(), frame.pts.as_millis());
                    write!(f, ", {kind}{key} {dts}>{pts}")?;
                }
                Step::Flush => write!(f, ", flush")?,
                Step::Pause => write!(f, ", pause")?,
                Step::Resume { at_ms, .. } => write!(f, ", resume {at_ms}")?,
                Step::Discontinuity { at_ms, .. } => write!(f, ", discontinuity {at_ms}")?,
            }
        }
        Ok(())
    }
}

/// Both kinds of segments.
pub(crate) const KINDS: [SegmentType; 2] = [SegmentType::Fmp4, SegmentType::Ts];

impl Stream {
    /// Tracks taken as one, in the order of their decoding times.
    pub(crate) fn new(name: &'static str, tracks: Vec<Track>, pictures: Vec<Frame>, sounds: Vec<Frame>) -> Self {
        let steps = interleaved(pictures, sounds);
        Self { name, tracks, steps, end_ms: None, layout: Layout::default() }
    }

    /// With the kind of segments it will be made of: MP3 is only put into transport streams.
    pub(crate) fn of(&self, segment_type: SegmentType) -> Self {
        let mut stream = self.clone();
        let has_mp3 = self.tracks.iter().any(|track| track.config.codec() == Codec::Mp3);
        stream.layout.segment_type = if has_mp3 { SegmentType::Ts } else { segment_type };
        stream
    }

    pub(crate) fn then(mut self, tracks: Vec<Track>, at_ms: i64, wall_ms: i64, steps: Vec<Step>) -> Self {
        self.steps.push(Step::Discontinuity { tracks, at_ms, wall_ms });
        self.steps.extend(steps);
        self
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.steps.iter().filter_map(|step| match step {
            Step::Frame(frame) => Some(frame),
            _ => None,
        })
    }

    pub(crate) fn track(&self, kind: TrackKind) -> Vec<&Frame> {
        self.frames().filter(|frame| frame.track.kind == kind).collect()
    }

    /// Where the recording begins, as its recorder says.
    pub(crate) fn start(&self) -> MediaTime {
        let first = |kind| self.frames().find(|frame| frame.track.kind == kind).map(|frame| frame.pts);
        let has_video = self.tracks.iter().any(|track| track.id.kind == TrackKind::Video);
        let picture = first(TrackKind::Video).filter(|_| has_video);
        picture.or_else(|| first(TrackKind::Audio)).unwrap_or_default()
    }

    pub(crate) fn begin(&self) -> Begin {
        Begin {
            tracks: self.tracks.clone(),
            start: self.start(),
            wall_start: WallTime::from_unix_millis(WALL),
            metadata: Metadata::default(),
            max_duration: Duration::from_secs(7 * 24 * 3600),
            layout: self.layout.clone(),
            playlists: None,
        }
    }

    /// Records everything. `batch` is called with the operations of each step.
    pub(crate) fn record_with(&self, mut batch: impl FnMut(Vec<Op>)) -> Summary {
        let mut ops = Vec::new();
        let mut muxer = open(Format::Hls, self.begin(), &mut ops);
        for step in &self.steps {
            match step {
                Step::Frame(frame) => muxer.frame(frame, &mut ops),
                Step::Flush => muxer.flush(&mut ops),
                Step::Pause => muxer.pause(&mut ops),
                Step::Resume { at_ms, wall_ms } => {
                    let (at, wall) = (MediaTime::from_millis(*at_ms), WallTime::from_unix_millis(WALL + wall_ms));
                    muxer.resume(at, wall, &mut ops);
                }
                Step::Discontinuity { tracks, at_ms, wall_ms } => {
                    let (at, wall) = (MediaTime::from_millis(*at_ms), WallTime::from_unix_millis(WALL + wall_ms));
                    muxer.discontinuity(tracks, at, wall, &mut ops).unwrap();
                }
            }
            batch(std::mem::take(&mut ops));
        }
        let summary = muxer.end(self.end_ms.map(MediaTime::from_millis), &mut ops);
        batch(ops);
        summary
    }

    /// Records everything.
    pub(crate) fn record(&self) -> (Vec<Op>, Summary) {
        let mut ops = Vec::new();
        let summary = self.record_with(|batch| ops.extend(batch));
        (ops, summary)
    }
}

pub(crate) fn interleaved(pictures: Vec<Frame>, sounds: Vec<Frame>) -> Vec<Step> {
    let mut frames = [pictures, sounds].concat();
    frames.sort_by_key(|frame| frame.dts);
    frames.into_iter().map(Step::Frame).collect()
}

/// Pictures at 25 frames a second, a key frame every `gop`, from `from_ms` on.
pub(crate) fn pictures(from_ms: i64, gop: usize, count: usize) -> Vec<Frame> {
    let at = |n: usize| from_ms + n as i64 * 40;
    (0..count).map(|n| picture(n, at(n), at(n), n % gop == 0, if n % gop == 0 { 2000 } else { 200 })).collect()
}

/// I P B P B ...: decoded two frames before they are shown, but for `early_ms`.
pub(crate) fn b_pictures(from_ms: i64, gop: usize, count: usize, early_ms: i64) -> Vec<Frame> {
    let shown = |n: usize| match n % gop {
        0 => n,
        within if within % 2 == 1 && within + 1 < gop => n + 1,
        within if within % 2 == 0 => n - 1,
        _ => n,
    };
    let frame = |n: usize| {
        let (dts, pts) = (from_ms + n as i64 * 40, from_ms + 80 - early_ms + shown(n) as i64 * 40);
        picture(n, dts, pts, n.is_multiple_of(gop), if n.is_multiple_of(gop) { 2000 } else { 200 })
    };
    (0..count).map(frame).collect()
}

/// AAC at `rate`, stamped in whole milliseconds, rounded down.
pub(crate) fn sounds(from_ms: i64, rate: i64, until_ms: i64) -> Vec<Frame> {
    let at = |n: usize| from_ms + n as i64 * 1024 * 1000 / rate;
    (0..).map(|n| (n, at(n))).take_while(|(_, at)| *at < until_ms).map(|(n, at)| sound(n, at, false)).collect()
}

/// A key frame every 2 s for 20 s.
pub(crate) fn plain() -> Stream {
    Stream::new("plain", vec![avc(), aac()], pictures(1_000, 50, 500), sounds(1_010, 48_000, 21_000))
}

/// B-frames, key frames every 2.4 s.
pub(crate) fn b_frames() -> Stream {
    Stream::new("b-frames", vec![avc(), aac()], b_pictures(5_000, 60, 400, 0), sounds(5_080, 48_000, 21_080))
}

/// Pictures shown before they are decoded.
pub(crate) fn negative_offsets() -> Stream {
    let (pictures, sounds) = (b_pictures(5_000, 60, 400, 80), sounds(5_000, 48_000, 21_000));
    Stream::new("negative-offsets", vec![avc(), aac()], pictures, sounds)
}

/// One key frame for 60 s.
pub(crate) fn one_key_frame() -> Stream {
    Stream::new("one-key-frame", vec![avc(), aac()], pictures(0, 9999, 1500), sounds(0, 48_000, 60_000))
}

pub(crate) fn audio_only() -> Stream {
    let sounds = (0..800).map(|n| sound(n, 123 + n as i64 * 24, true)).collect();
    Stream::new("audio-only", vec![mp3()], vec![], sounds)
}

pub(crate) fn he_aac_only() -> Stream {
    Stream::new("he-aac-only", vec![he_aac()], vec![], sounds(0, 24_000, 14_000))
}

pub(crate) fn video_only() -> Stream {
    let mut stream = Stream::new("video-only", vec![avc()], pictures(40, 50, 333), vec![]);
    stream.end_ms = Some(40 + 333 * 40 + 7);
    stream
}

/// Sound begins 400 ms before the pictures.
pub(crate) fn early_audio() -> Stream {
    Stream::new("early-audio", vec![avc(), aac()], pictures(2_000, 50, 350), sounds(1_600, 48_000, 16_000))
}

/// Sound begins 5 s after the pictures and ends 3 s before them.
pub(crate) fn late_audio() -> Stream {
    Stream::new("late-audio", vec![avc(), aac()], pictures(0, 50, 350), sounds(5_000, 48_000, 11_000))
}

/// Nothing comes for 40 s.
pub(crate) fn pause() -> Stream {
    let mut pictures = pictures(0, 50, 600);
    let mut sounds = sounds(0, 48_000, 24_000);
    for frame in pictures.iter_mut().skip(230).chain(sounds.iter_mut().skip(432)) {
        (frame.dts, frame.pts) =
            (frame.dts + MediaTime::from_millis(40_000), frame.pts + MediaTime::from_millis(40_000));
    }
    Stream::new("pause", vec![avc(), aac()], pictures, sounds)
}

/// The picture becomes larger, and the clock of the calendar has gone on by a minute.
pub(crate) fn codec_change() -> Stream {
    let first = Stream::new("codec-change", vec![avc(), aac()], pictures(0, 50, 230), sounds(0, 48_000, 9_200));
    let steps = interleaved(pictures(9_200, 50, 250), sounds(9_205, 48_000, 19_200));
    first.then(vec![avc_large(), aac()], 9_200, 69_200, steps)
}

/// The clock jumped; then the sound is gone; then the first tracks are back.
pub(crate) fn discontinuities() -> Stream {
    let first = Stream::new("discontinuities", vec![avc(), aac()], pictures(0, 50, 180), sounds(0, 48_000, 7_200));
    let second = interleaved(pictures(7_240, 50, 170), sounds(7_240, 48_000, 14_040));
    let third = interleaved(pictures(14_040, 50, 30), vec![]);
    let fourth = interleaved(pictures(15_240, 50, 100), sounds(15_240, 48_000, 19_240));
    first.then(vec![avc(), aac()], 7_240, 7_300, second).then(vec![avc()], 14_040, 14_100, third).then(
        vec![avc(), aac()],
        15_240,
        15_300,
        fourth,
    )
}

/// The publisher goes and comes back: after 20 s, and at once though the calendar has gone on by a minute.
pub(crate) fn resumed() -> Stream {
    let mut stream = Stream::new("resumed", vec![avc(), aac()], pictures(0, 50, 80), sounds(0, 48_000, 3_200));
    let back = [
        (23_300, 23_300, pictures(23_300, 50, 30), sounds(23_300, 48_000, 24_500)),
        (24_540, 84_540, pictures(24_540, 50, 70), sounds(24_540, 48_000, 27_340)),
    ];
    for (at_ms, wall_ms, pictures, sounds) in back {
        stream.steps.extend([Step::Pause, Step::Resume { at_ms, wall_ms }]);
        stream.steps.extend(interleaved(pictures, sounds));
    }
    stream
}

/// Ends before the first segment is full.
pub(crate) fn short() -> Stream {
    Stream::new("short", vec![avc(), aac()], pictures(0, 50, 20), sounds(0, 48_000, 800))
}

pub(crate) fn one_picture() -> Stream {
    Stream::new("one-picture", vec![avc(), aac()], pictures(0, 1, 1), vec![])
}

pub(crate) fn one_sound() -> Stream {
    Stream::new("one-sound", vec![aac()], vec![], sounds(77, 48_000, 78))
}

pub(crate) fn all() -> Vec<Stream> {
    vec![
        plain(),
        b_frames(),
        negative_offsets(),
        one_key_frame(),
        audio_only(),
        he_aac_only(),
        video_only(),
        early_audio(),
        late_audio(),
        pause(),
        codec_change(),
        discontinuities(),
        resumed(),
        short(),
        one_picture(),
        one_sound(),
    ]
}
