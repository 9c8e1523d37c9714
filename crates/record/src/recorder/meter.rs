//! What a recording's report says of how it grew.

use livetape_media::{Format, Frame, JumpDirection, MediaTime, TrackKind, WallTime};
use livetape_mux::Summary;

use super::Tracks;
use crate::measure::{Apart, Curve, Gops, Pace};
use crate::report::{ApartReport, Configuration, Gap, GopReport, Jump, LeftOut, Listed, Observed, Repair, since};
use crate::{Report, report::TrackReport};

/// A step of a track's timestamps that is at least so long, and far longer than usual, is a gap.
const GAP: MediaTime = MediaTime::from_millis(200);

/// Watches what goes into a recording.
pub(super) struct Meter {
    start: MediaTime,
    first_at: WallTime,
    last_at: WallTime,
    video: TrackMeter,
    audio: TrackMeter,
    apart: Apart,
    curve: Curve,
    gops: Gops,
    gaps: Listed<Gap>,
    jumps: Listed<Jump>,
    configurations: Listed<Configuration>,
    /// What each track was configured with last.
    configured: Tracks,
}

#[derive(Default)]
struct TrackMeter {
    frames: u64,
    bytes: u64,
    moved: u64,
    pace: Pace,
}

impl Meter {
    /// Of a recording that begins with these tracks.
    pub(super) fn new(start: MediaTime, wall: WallTime, tracks: &Tracks) -> Self {
        let mut meter = Self {
            start,
            first_at: wall,
            last_at: wall,
            video: TrackMeter::default(),
            audio: TrackMeter::default(),
            apart: Apart::default(),
            curve: Curve::new(start),
            gops: Gops::default(),
            gaps: Listed::default(),
            jumps: Listed::default(),
            configurations: Listed::default(),
            configured: Tracks::default(),
        };
        meter.configure(tracks, start);
        meter
    }

    /// From this moment on these are its tracks.
    pub(super) fn configure(&mut self, tracks: &Tracks, at: MediaTime) {
        for track in tracks.list() {
            let before = self.configured.slot(track.id.kind).replace(track.clone());
            if before.as_ref() == Some(&track) {
                continue;
            }
            let (video, audio) = (track.config.video(), track.config.audio());
            self.configurations.push(Configuration {
                at_ms: since(at, self.start),
                track: track.id.kind,
                codec: track.config.codec().name().to_owned(),
                codec_string: track.config.rfc6381(),
                width: video.map(|video| video.width),
                height: video.map(|video| video.height),
                sample_rate: audio.map(|audio| audio.output_sample_rate),
                channels: audio.map(|audio| audio.channels),
            });
        }
    }

    /// A frame came.
    #[inline]
    pub(super) fn came(&mut self, frame: &Frame, wall: WallTime) {
        self.last_at = wall;
        if let Some(apart) = self.apart.frame(frame.track.kind, frame.dts) {
            self.second(frame.dts, apart);
        }
    }

    #[cold]
    #[inline(never)]
    fn second(&mut self, at: MediaTime, apart: MediaTime) {
        self.curve.add(at, apart);
    }

    /// A frame goes into the recording.
    #[inline]
    pub(super) fn took(&mut self, frame: &Frame) {
        let track = match frame.track.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        track.frames += 1;
        track.bytes += frame.data.len() as u64;
        if let Some(step) = track.pace.frame(frame.dts, GAP) {
            self.gap(frame, step);
        }
        if frame.random_access && frame.track.kind == TrackKind::Video {
            self.key_frame(frame.dts);
        }
    }

    #[cold]
    #[inline(never)]
    fn key_frame(&mut self, dts: MediaTime) {
        self.gops.key_frame(dts);
    }

    #[cold]
    #[inline(never)]
    fn gap(&mut self, frame: &Frame, step: MediaTime) {
        let at_ms = since(frame.dts - step, self.start);
        self.gaps.push(Gap { track: frame.track.kind, at_ms, length_ms: step.as_millis() });
    }

    /// The time of the next frame of a track was moved.
    pub(super) fn moved(&mut self, kind: TrackKind) {
        match kind {
            TrackKind::Video => self.video.moved += 1,
            TrackKind::Audio => self.audio.moved += 1,
        }
    }

    /// The publisher's clock jumped.
    pub(super) fn jumped(&mut self, at: MediaTime, by: MediaTime, direction: JumpDirection, format: Format) {
        let repair = Repair::of(direction, format == Format::Hls);
        self.jumps.push(Jump { at_ms: since(at, self.start), by_ms: by.as_nanos() / 1_000_000, repair });
    }

    /// All of it, now that the recording is over.
    pub(super) fn report(self, summary: &Summary, left_out: LeftOut) -> Report {
        let Self { start, curve, gops, .. } = self;
        let apart = curve.max.map(|(max, at)| ApartReport {
            max_ms: max.as_nanos() / 1_000_000,
            max_at_ms: since(at, start),
            minutes: curve.minutes,
            curve_ms: curve.points,
        });
        let gops = (gops.count > 0).then(|| GopReport {
            count: gops.count,
            min_ms: gops.min.as_millis(),
            mean_ms: gops.mean().as_millis(),
            max_ms: gops.max.as_millis(),
        });
        let (gaps, jumps, configurations) = (self.gaps, self.jumps, self.configurations);
        let mut report = Report::of(summary);
        let add = |track: &mut Option<TrackReport>, meter: &TrackMeter| {
            if let Some(track) = track {
                (track.bytes, track.moved) = (Some(meter.bytes), Some(meter.moved));
            }
        };
        add(&mut report.video, &self.video);
        add(&mut report.audio, &self.audio);
        Report {
            first_at: Some(self.first_at),
            last_at: Some(self.last_at),
            observed: Some(Observed { since: None, gaps, jumps, left_out, apart, gops, configurations }),
            ..report
        }
    }
}
