//! Streams as publishers send them, made up.

use std::fmt;
use std::time::Duration;

use livetape_media::{Format, Frame, MediaTime, Metadata, Track, TrackKind, WallTime};
use livetape_mux::{Begin, Layout, Op, Summary, open};

use crate::media::{aac, audio, avc, he_aac, mp3, video};

/// What one recording takes.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) tracks: Vec<Track>,
    /// In the order they are pushed.
    pub(crate) frames: Vec<Frame>,
    pub(crate) end: Option<MediaTime>,
    /// Before which frames the publisher goes and comes back.
    pub(crate) pauses: Vec<usize>,
    pub(crate) layout: Layout,
    pub(crate) max_duration: Duration,
}

/// Times in milliseconds, without the bytes.
impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.layout)?;
        for frame in &self.frames {
            let key = if frame.random_access { "*" } else { "" };
            let (kind, dts, pts) = (frame.track.kind.name(), frame.dts.as_millis(), frame.pts.as_millis());
            write!(f, ", {kind}{key} {dts}>{pts}")?;
        }
        Ok(())
    }
}

impl Stream {
    pub(crate) fn new(name: &'static str, tracks: Vec<Track>, video: Vec<Frame>, audio: Vec<Frame>) -> Self {
        let mut frames = [video, audio].concat();
        frames.sort_by_key(|frame| frame.dts);
        let layout = Layout::default();
        Self { name, tracks, frames, end: None, pauses: Vec::new(), layout, max_duration: Duration::from_secs(60) }
    }

    /// Where the recording begins, as its recorder says.
    pub(crate) fn start(&self) -> MediaTime {
        let first = |kind| self.frames.iter().find(|frame| frame.track.kind == kind).map(|frame| frame.pts);
        first(TrackKind::Video).or(first(TrackKind::Audio)).unwrap_or_default()
    }

    pub(crate) fn begin(&self) -> Begin {
        Begin {
            tracks: self.tracks.clone(),
            start: self.start(),
            wall_start: WallTime::from_unix_millis(1_795_000_000_000),
            metadata: Metadata::default(),
            max_duration: self.max_duration,
            layout: self.layout.clone(),
            playlists: None,
        }
    }

    /// Records everything.
    pub(crate) fn record(&self) -> (Vec<Op>, Summary) {
        let mut ops = Vec::new();
        let mut muxer = open(Format::Mp4, self.begin(), &mut ops);
        for (number, frame) in self.frames.iter().enumerate() {
            if self.pauses.contains(&number) {
                muxer.pause(&mut ops);
                let wall = WallTime::from_unix_millis(1_795_000_000_000 + 2 * frame.pts.as_millis());
                muxer.resume(frame.pts, wall, &mut ops);
            }
            muxer.frame(frame, &mut ops);
        }
        let summary = muxer.end(self.end, &mut ops);
        (ops, summary)
    }

    pub(crate) fn track(&self, kind: TrackKind) -> Vec<&Frame> {
        self.frames.iter().filter(|frame| frame.track.kind == kind).collect()
    }
}

/// Pictures every `1000 / rate` ms rounded down, a key frame every `gop`, the first shown at `from_ms`.
fn pictures(from_ms: i64, rate: i64, gop: usize, count: usize) -> Vec<Frame> {
    (0..count).map(|n| (n, from_ms + n as i64 * 1000 / rate)).map(|(n, ms)| video(n, ms, ms, n % gop == 0)).collect()
}

/// I B B P at 25 frames a second: every third picture is shown two places later than it is decoded.
fn b_pictures(from_ms: i64, gop: usize, count: usize, delay_ms: i64) -> Vec<Frame> {
    let shown = |n: usize| {
        let within = n % gop;
        let place = match (within, within % 3) {
            (0, _) => 0,
            (_, 1) => (within + 2).min(gop - 1),
            (_, 2) if within + 1 < gop => within - 1,
            (_, 2) => within - 1,
            _ => within - 1,
        };
        (n - within + place) as i64
    };
    (0..count).map(|n| video(n, from_ms + n as i64 * 40, from_ms + delay_ms + shown(n) * 40, n % gop == 0)).collect()
}

/// Sound at `rate`, stamped in whole milliseconds, rounded down.
fn sound(from_ms: i64, rate: i64, samples: i64, count: usize) -> Vec<Frame> {
    (0..count).map(|n| audio(n, from_ms + n as i64 * samples * 1000 / rate)).collect()
}

pub(crate) fn b_frames() -> Stream {
    let video = b_pictures(10_000, 25, 60, 80);
    Stream::new("b-frames", vec![avc(), aac(48_000)], video, sound(10_080, 48_000, 1024, 100))
}

pub(crate) fn late_audio() -> Stream {
    Stream::new("late-audio", vec![aac(44_100), avc()], pictures(0, 25, 50, 50), sound(731, 44_100, 1024, 50))
}

pub(crate) fn early_audio() -> Stream {
    let video = pictures(5_000, 25, 50, 50);
    Stream::new("early-audio", vec![avc(), aac(48_000)], video, sound(4_600, 48_000, 1024, 100))
}

pub(crate) fn very_early_audio() -> Stream {
    let video = pictures(5_000, 25, 50, 50);
    Stream::new("very-early-audio", vec![avc(), aac(48_000)], video, sound(3_500, 48_000, 1024, 150))
}

pub(crate) fn jitter() -> Stream {
    let video = pictures(70_000, 30, 60, 150);
    Stream::new("jitter", vec![avc(), aac(44_100)], video, sound(70_010, 44_100, 1024, 200))
}

pub(crate) fn gaps() -> Stream {
    let mut video = pictures(0, 25, 25, 75);
    let mut audio = sound(0, 48_000, 1024, 140);
    for frame in video.iter_mut().skip(50).chain(audio.iter_mut().skip(90)) {
        (frame.dts, frame.pts) = (frame.dts + MediaTime::from_millis(3_000), frame.pts + MediaTime::from_millis(3_000));
    }
    for frame in audio.iter_mut().skip(40).take(50) {
        (frame.dts, frame.pts) = (frame.dts + MediaTime::from_millis(300), frame.pts + MediaTime::from_millis(300));
    }
    Stream::new("gaps", vec![avc(), aac(48_000)], video, audio)
}

/// The publisher goes twice: it comes back after a minute, and at once.
pub(crate) fn resumed() -> Stream {
    let mut stream = b_frames();
    stream.name = "resumed";
    let session = stream.frames.clone();
    let length = MediaTime::from_millis(2_500);
    let mut behind = MediaTime::ZERO;
    for gap_ms in [60_000, 0] {
        behind = behind + length + MediaTime::from_millis(gap_ms);
        stream.pauses.push(stream.frames.len());
        stream.frames.extend(session.iter().map(|frame| {
            let (dts, pts) = (frame.dts + behind, frame.pts + behind);
            Frame { dts, pts, ..frame.clone() }
        }));
    }
    stream.max_duration = Duration::from_secs(120);
    stream
}

pub(crate) fn negative_offsets() -> Stream {
    let video = b_pictures(1_000, 25, 50, 0);
    Stream::new("negative-offsets", vec![avc(), aac(48_000)], video, sound(1_000, 48_000, 1024, 90))
}

pub(crate) fn audio_only() -> Stream {
    Stream::new("audio-only", vec![mp3()], vec![], sound(123, 44_100, 1152, 80))
}

pub(crate) fn he_aac_only() -> Stream {
    Stream::new("he-aac-only", vec![he_aac()], vec![], sound(0, 24_000, 1024, 60))
}

pub(crate) fn video_only() -> Stream {
    let mut stream = Stream::new("video-only", vec![avc()], pictures(40, 25, 10, 35), vec![]);
    stream.end = Some(MediaTime::from_millis(40 + 35 * 40 + 7));
    stream
}

pub(crate) fn one_picture() -> Stream {
    Stream::new("one-picture", vec![avc(), aac(48_000)], pictures(0, 25, 1, 1), vec![])
}

pub(crate) fn one_sound() -> Stream {
    Stream::new("one-sound", vec![aac(48_000)], vec![], sound(77, 48_000, 1024, 1))
}

pub(crate) fn short() -> Stream {
    Stream::new("short", vec![avc(), aac(48_000)], pictures(0, 25, 50, 5), sound(3, 48_000, 1024, 9))
}

/// More index than was reserved for.
pub(crate) fn crowded() -> Stream {
    let pictures = b_pictures(10_000, 25, 150, 80);
    let mut stream = Stream::new("crowded", vec![avc(), aac(48_000)], pictures, sound(10_080, 48_000, 1024, 300));
    stream.layout.mp4_reserve_max_bytes = 0;
    stream
}

pub(crate) fn all() -> Vec<Stream> {
    vec![
        b_frames(),
        late_audio(),
        early_audio(),
        very_early_audio(),
        jitter(),
        gaps(),
        resumed(),
        negative_offsets(),
        audio_only(),
        he_aac_only(),
        video_only(),
        one_picture(),
        one_sound(),
        short(),
        crowded(),
    ]
}
