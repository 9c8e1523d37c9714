//! HLS: segments, and the playlists that list them (RFC 8216).
//!
//! Contract: a segment never changes once it is finished, and only then is it listed; the growing
//! playlist is only appended to, one piece for each segment, whatever its length. Everything needed
//! to complete a recording after a crash is in its segments and initialisation sections (see
//! `stamp`). Segments begin at key frames wherever the publisher sends them often enough (see
//! `cut`), at the same frames whatever they are made of.
//!
//! MP3 has no place in the fragmented MP4 that browsers play: a recording with MP3 sound is made of
//! transport streams, whatever its layout says.
//!
//! ```text
//! init-0.mp4 ...             initialisation sections, one for each configuration (fMP4 only)
//! segment-000000.m4s ...     segments (.ts: transport stream)
//! media.m3u8                 grows with the recording: EVENT, at the end EXT-X-ENDLIST
//! vod.m3u8                   the whole recording, written at the end
//! index.m3u8                 multivariant: first to media.m3u8, at the end to vod.m3u8
//! ```

mod container;
mod cut;
mod fmp4;
pub(crate) mod over;
mod playlist;
mod publish;
mod reopen;
mod salvage;
mod segments;
mod stamp;
mod totals;
mod variant;

pub use over::init_file as over_init;
pub(crate) use playlist::END;
pub use playlist::{GROWING, INDEX, WHOLE, is_media, listed, ranges};
pub(crate) use reopen::reopen;
pub(crate) use salvage::salvage;

use std::time::Duration;

use bytes::Bytes;
use livetape_media::{Codec, Frame, MediaTime, Track, TrackKind, WallTime};

use crate::flushed::Flushed;
use crate::{Begin, Layout, Muxer, NotPossible, Op, Progress, SegmentType, Summary};
use container::Container;
use cut::{Cut, Cutter};
use publish::Publisher;
use segments::Mark;
use stamp::Stamp;
use totals::Totals;

/// The first frame of a recording or after a discontinuity may be this far from where it was
/// announced to be, and the segment still begins there.
const ANNOUNCED: MediaTime = MediaTime::from_millis(1_500);

/// The writer of one HLS recording.
pub struct HlsMuxer {
    layout: Layout,
    start: MediaTime,
    wall_start: WallTime,
    /// The tracks as they are, and each as it was first.
    tracks: Vec<Track>,
    first_tracks: Vec<Track>,
    container: Container,
    cutter: Cutter,
    run: Run,
    init: Option<Init>,
    open: Option<OpenSegment>,
    publisher: Publisher,
    totals: Totals,
    flushed: Flushed,
}

/// A stretch of the recording that goes on without a break.
struct Run {
    /// A moment of it, and the calendar's time then.
    anchor: MediaTime,
    wall: WallTime,
    /// It has no segment yet: whether its first is to be marked as a discontinuity.
    fresh: Option<bool>,
}

/// An initialisation section.
struct Init {
    number: u32,
    data: Bytes,
}

/// The segment that grows.
struct OpenSegment {
    number: u32,
    begins: MediaTime,
    mark: Option<Mark>,
    bytes: u64,
}

impl HlsMuxer {
    /// Opens a recording.
    pub fn open(begin: Begin, ops: &mut Vec<Op>) -> Self {
        let Begin { tracks, start, wall_start, mut layout, .. } = begin;
        if tracks.iter().any(|track| track.config.codec() == Codec::Mp3) {
            layout.segment_type = SegmentType::Ts;
        }
        let mut muxer = Self {
            container: Container::new(&tracks, &layout, start),
            cutter: Cutter::new(layout.segment, layout.segment_overrun),
            publisher: Publisher::new(layout.segment_type),
            first_tracks: Vec::new(),
            tracks: Vec::new(),
            run: Run { anchor: start, wall: wall_start, fresh: Some(false) },
            init: None,
            open: None,
            totals: Totals::default(),
            flushed: Flushed::default(),
            start,
            wall_start,
            layout,
        };
        muxer.configure(&tracks, ops);
        muxer
    }

    /// The tracks are now these: writes their initialisation section, if they need another.
    fn configure(&mut self, tracks: &[Track], ops: &mut Vec<Op>) {
        self.tracks = tracks.iter().filter(|track| self.container.carries(track.id)).cloned().collect();
        for track in &self.tracks {
            if !self.first_tracks.iter().any(|first| first.id == track.id) {
                self.first_tracks.push(track.clone());
            }
        }
        self.cutter.restart(&self.tracks);
        self.publisher.configure(&self.tracks);
        let Container::Fmp4(fmp4) = &self.container else { return };
        let data = fmp4.init(self.wall_start);
        if self.init.as_ref().is_some_and(|init| init.data == data) {
            return;
        }
        let number = self.init.as_ref().map_or(0, |init| init.number + 1);
        self.totals.bytes += data.len() as u64;
        ops.push(Op::Whole { file: playlist::init_name(number), data: data.clone() });
        self.init = Some(Init { number, data });
    }

    fn begin_segment(&mut self, begins: MediaTime) {
        let fresh = self.run.fresh.take();
        let announced = (begins - self.run.anchor).as_nanos().unsigned_abs() <= ANNOUNCED.as_nanos().unsigned_abs();
        let begins = if fresh.is_some() && announced { self.run.anchor } else { begins };
        let number = self.publisher.segments().len();
        let wall = self.run.wall.plus_millis((begins - self.run.anchor).as_millis());
        let map = self.init.as_ref().map(|init| init.number);
        let mark = fresh.map(|discontinuity| Mark { number, discontinuity, wall, map });
        let stamp = Stamp {
            number,
            init: map.unwrap_or(0),
            discontinuity: fresh == Some(true),
            marked: fresh.is_some(),
            dependent_before: self.totals.dependent,
            start: self.start,
            begins,
            wall,
            duration_ms: self.publisher.segments().total_ms(),
            pictures: self.totals.pictures,
            sounds: self.totals.sounds,
            bytes: self.totals.bytes,
            peak_bit_rate: self.totals.peak.bit_rate,
            intervals: self.totals.rate.intervals,
            span_nanos: self.totals.rate.span_nanos,
            repaired: self.container.repaired_frames(),
        };
        self.container.begin_segment(stamp.write());
        self.cutter.begin(begins);
        self.open = Some(OpenSegment { number, begins, mark, bytes: 0 });
    }

    /// Appends a fragment to the open segment.
    fn append(&mut self, slices: Option<Vec<Bytes>>, ops: &mut Vec<Op>) {
        let (Some(slices), Some(open)) = (slices, &mut self.open) else { return };
        let file = playlist::segment_name(self.layout.segment_type, open.number);
        if open.bytes == 0 {
            ops.push(Op::Create { file: file.clone() });
        }
        open.bytes += slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        ops.push(Op::Append { file, slices });
    }

    /// Finishes the open segment, which ends at `ends`; the last picture lasts until the decoding
    /// time `picture_ends`, when that is known.
    fn close_segment(&mut self, ends: MediaTime, picture_ends: Option<MediaTime>, ops: &mut Vec<Op>) {
        let rest = self.container.finish(picture_ends);
        self.append(rest, ops);
        let independent = self.cutter.close();
        let Some(open) = self.open.take() else { return };
        if open.bytes == 0 {
            // Nothing of it could be carried: the next one takes its place.
            self.run.fresh = open.mark.map(|mark| mark.discontinuity);
            return;
        }
        let ends = self.cutter.bounded(open.begins, ends);
        let duration_ms = self.run.length_ms(open.begins, ends);
        self.totals.dependent |= !independent;
        self.totals.bytes += open.bytes;
        self.totals.peak.segment(duration_ms, open.bytes);
        ops.push(Op::Finish { file: playlist::segment_name(self.layout.segment_type, open.number) });
        let target = || self.cutter.declare(ends, segments::rounded_seconds(duration_ms));
        self.publisher.segment(duration_ms, open.mark, target, &self.totals, ops);
    }

    /// With these tracks, after a break. The segment before it is closed.
    fn go_on(&mut self, tracks: &[Track], at: MediaTime, wall: WallTime, ops: &mut Vec<Op>) {
        self.begin_run(at, wall);
        self.container.restart(tracks);
        self.totals.rate.interrupt();
        self.configure(tracks, ops);
    }

    /// A stretch begins at `anchor`, when the calendar shows `wall`.
    fn begin_run(&mut self, anchor: MediaTime, wall: WallTime) {
        // Before the first segment there is nothing to be discontinuous with.
        let discontinuity = self.publisher.segments().len() > 0;
        self.run = Run { anchor, wall, fresh: Some(discontinuity) };
    }
}

impl Muxer for HlsMuxer {
    fn frame(&mut self, frame: &Frame, ops: &mut Vec<Op>) {
        if !self.container.carries(frame.track) {
            return;
        }
        match self.cutter.decide(frame) {
            Cut::None => {}
            Cut::At(at) => {
                let picture_ends = (frame.track.kind == TrackKind::Video).then_some(frame.dts);
                self.close_segment(at, picture_ends, ops);
                self.begin_segment(at);
            }
            Cut::Pause { ends, begins } => {
                self.close_segment(ends, None, ops);
                let wall = self.run.wall.plus_millis((begins - self.run.anchor).as_millis());
                self.begin_run(begins, wall);
                self.container.interrupt();
            }
        }
        if self.open.is_none() {
            self.begin_segment(self.cutter.moment(frame));
        }
        self.cutter.took(frame);
        self.totals.took(frame);
        self.flushed.took(frame);
        let fragment = self.container.push(frame);
        self.append(fragment, ops);
    }

    fn flush(&mut self, ops: &mut Vec<Op>) {
        let fragment = self.container.cut();
        self.append(fragment, ops);
    }

    fn discontinuity(
        &mut self,
        tracks: &[Track],
        at: MediaTime,
        wall: WallTime,
        ops: &mut Vec<Op>,
    ) -> Result<(), NotPossible> {
        let ends = self.cutter.believe(at).unwrap_or_else(|| self.cutter.end());
        self.close_segment(ends, None, ops);
        self.go_on(tracks, at, wall, ops);
        Ok(())
    }

    /// The open segment is finished and listed.
    fn pause(&mut self, ops: &mut Vec<Op>) {
        self.close_segment(self.cutter.end(), None, ops);
    }

    fn resume(&mut self, at: MediaTime, wall: WallTime, ops: &mut Vec<Op>) {
        let tracks = self.tracks.clone();
        self.go_on(&tracks, at, wall, ops);
    }

    fn progress(&self) -> Progress {
        let segments = self.publisher.segments();
        let open_ms = self.open.as_ref().map_or(0, |open| self.run.length_ms(open.begins, self.cutter.end()));
        let open_bytes = self.open.as_ref().map_or(0, |open| open.bytes);
        Progress {
            size_bytes: self.totals.bytes + open_bytes + self.publisher.bytes(),
            duration: Duration::from_millis(segments.total_ms() + u64::from(open_ms)),
            flushed: self.flushed.until(self.start, self.container.waiting()),
            segments: u64::from(segments.len()),
        }
    }

    fn end(&mut self, end: Option<MediaTime>, ops: &mut Vec<Op>) -> Summary {
        let known = end.and_then(|dts| Some((dts, self.cutter.believe(self.cutter.picture_at(dts))?)));
        let ends = known.map_or_else(|| self.cutter.end(), |(_, at)| at);
        self.close_segment(ends, known.map(|(dts, _)| dts), ops);
        let mut summary = Summary {
            duration: Duration::from_millis(self.publisher.segments().total_ms()),
            start: self.start,
            repaired_frames: self.container.repaired_frames(),
            ..Summary::default()
        };
        let first = |kind| self.first_tracks.iter().find(|track| track.id.kind == kind);
        self.totals.describe(first(TrackKind::Video), first(TrackKind::Audio), &mut summary);
        self.publisher.end(&self.totals, ops);
        summary.size_bytes = self.totals.bytes + self.publisher.bytes();
        summary
    }
}

impl Run {
    /// From one moment of the run to another in milliseconds, rounded so that the lengths of
    /// segments in a row add up to the length of all.
    fn length_ms(&self, from: MediaTime, to: MediaTime) -> u32 {
        let millis = |moment: MediaTime| (moment - self.anchor + MediaTime::from_nanos(500_000)).as_millis();
        u32::try_from(millis(to) - millis(from)).unwrap_or(0).max(1)
    }
}
