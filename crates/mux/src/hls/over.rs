//! HLS over an MP4: playlists whose segments are ranges of bytes of the MP4's own file, so that two
//! formats cost one write of the media, one place in the spool and one object.
//!
//! The fragments of an MP4 stay where they are when it is finished (`mp4/layout.rs`), each still a whole
//! `moof` and `mdat`. A segment is a run of them. What the finished file's head does not say any more, the
//! initialisation section, is a small file of its own:
//!
//! ```text
//! recording.mp4    the media, written by the MP4's muxer
//! init-0.mp4       ftyp | moov(mvex), as the MP4 begins while it grows | free(stamp)
//! media.m3u8       grows with the recording: EVENT, at the end EXT-X-ENDLIST
//! vod.m3u8         the whole recording, written at the end
//! index.m3u8       multivariant: first to media.m3u8, at the end to vod.m3u8
//! ```
//!
//! Contract: what stands in the playlists is a function of the stamp and of the whole fragments in front, so
//! that a crash costs nothing but the end: the same is found again in the file. A segment is listed once all
//! its bytes are on the disk. A fragment that is not whole is in no segment.
//!
//! Segments begin where fragments do, which is at every key frame; otherwise the rules of
//! [`super::cut`] hold (see [`cutter`]).

mod cutter;
mod piece;
mod stamp;

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use livetape_media::{CodecConfig, MediaTime, TrackKind, WallTime};

use super::playlist::{self, PlaylistType};
use super::segments::{Mark, SegmentList, rounded_seconds};
use super::totals::{Peak, bit_rate};
use super::variant::{Rates, Variant};
use crate::bmff::TrackEntry;
use crate::rate::RateMeter;
use crate::{FileName, Layout, Op, PlaylistSummary, SegmentType};
use cutter::{Cut, Cutter};
pub(crate) use piece::FragmentRun;
use piece::Pieces;
pub(crate) use stamp::Stamp;

/// The first fragment may be this far from where the recording was announced to begin, and the first
/// segment still begins there.
const ANNOUNCED: MediaTime = MediaTime::from_millis(1_500);

/// The playlists over one MP4.
#[derive(Debug)]
pub(crate) struct Over {
    stamp: Stamp,
    /// The file with the media, which is synced before a segment of it is listed.
    media: FileName,
    configs: Vec<CodecConfig>,
    pieces: Pieces,
    cutter: Cutter,
    /// Where the recording begins, and a moment of the stretch without a break and the calendar's time then.
    start: MediaTime,
    anchor: MediaTime,
    wall: WallTime,
    /// The stretch has no segment yet: whether its first is to be marked as a discontinuity.
    fresh: Option<bool>,
    /// The next segment is the first after a pause: the calendar's time there.
    resumed: Option<WallTime>,
    open: Option<OpenSegment>,
    list: SegmentList,
    /// Where the segment's bytes are, one for each of `list`.
    ranges: Vec<Range<u64>>,
    declared: u32,
    init_bytes: u64,
    /// Bytes of segments.
    bytes: u64,
    pictures: u64,
    sounds: u64,
    rate: RateMeter,
    peak: Peak,
    /// A segment did not begin with a key frame.
    dependent: bool,
}

/// The playlists: the growing one, the whole one, the multivariant one.
type Files = [(FileName, Bytes); 3];

#[derive(Debug)]
struct OpenSegment {
    begins: MediaTime,
    bytes: Range<u64>,
    mark: Option<Mark>,
}

impl Stamp {
    /// For a recording that begins at `start` of the session's timeline, when the calendar shows `wall`.
    /// Playlists name its file `uri`.
    pub(crate) fn new(uri: String, layout: &Layout, start: MediaTime, wall: WallTime) -> Self {
        Self { start, wall, target: layout.segment.into(), overrun: layout.segment_overrun, uri }
    }
}

impl Over {
    /// Over an MP4 whose head, as it grows, has `tracks`, whose fragments count from `zero`, and whose
    /// initialisation section, with its stamp, has `init_bytes`.
    pub(crate) fn new(stamp: Stamp, media: FileName, tracks: &[TrackEntry], zero: MediaTime, init_bytes: u64) -> Self {
        // Moments here count from the zero of the fragments.
        let start = stamp.start - zero;
        let has_video = tracks.iter().any(TrackEntry::is_video);
        Self {
            media,
            configs: tracks.iter().filter_map(|track| track.config.clone()).collect(),
            pieces: Pieces::new(tracks),
            cutter: Cutter::new(stamp.target, stamp.overrun, has_video),
            start,
            anchor: start,
            wall: stamp.wall,
            fresh: Some(false),
            resumed: None,
            open: None,
            list: SegmentList::default(),
            ranges: Vec::new(),
            declared: 1,
            init_bytes,
            bytes: 0,
            pictures: 0,
            sounds: 0,
            rate: RateMeter::default(),
            peak: Peak::default(),
            dependent: false,
            stamp,
        }
    }

    /// One more whole fragment, at `place` in the file. What has ended before it is listed; everything in front
    /// of `place` has been handed over.
    pub(crate) fn fragment<'a>(
        &mut self,
        place: Range<u64>,
        runs: impl Iterator<Item = FragmentRun<'a>>,
        ops: &mut Vec<Op>,
    ) {
        let rate = &mut self.rate;
        let Some(piece) = self.pieces.read(runs, |dts| rate.frame(dts)) else { return };
        match self.cutter.decide(&piece) {
            // What lies in between is damaged.
            Cut::None if self.open.as_ref().is_some_and(|open| open.bytes.end != place.start) => {
                self.list_segment(self.cutter.ends(), ops);
            }
            Cut::None => {}
            Cut::At => self.list_segment(piece.begins, ops),
            Cut::Pause => {
                self.list_segment(self.cutter.ends(), ops);
                self.wall = self.wall.plus_millis((piece.begins - self.anchor).as_millis());
                self.anchor = piece.begins;
                self.fresh = Some(true);
            }
        }
        match &mut self.open {
            Some(open) => open.bytes.end = place.end,
            None => self.begin_segment(piece.begins, place),
        }
        self.cutter.took(&piece);
        self.pictures += piece.pictures;
        self.sounds += piece.sounds;
    }

    /// Nothing comes for long: lists what there is.
    pub(crate) fn pause(&mut self, ops: &mut Vec<Op>) {
        self.list_segment(self.cutter.ends(), ops);
    }

    /// The next fragment goes on after a pause, when the calendar shows `wall`.
    pub(crate) fn resume(&mut self, wall: WallTime, ops: &mut Vec<Op>) {
        self.pause(ops);
        self.rate.interrupt();
        self.resumed = Some(wall);
    }

    fn begin_segment(&mut self, begins: MediaTime, bytes: Range<u64>) {
        if let Some(wall) = self.resumed.take() {
            (self.anchor, self.wall) = (begins, wall);
            self.fresh.get_or_insert(true);
        }
        let fresh = self.fresh.take();
        let off = (begins - self.start).as_nanos().unsigned_abs();
        let announced = fresh == Some(false) && off <= ANNOUNCED.as_nanos().unsigned_abs();
        let begins = if announced { self.start } else { begins };
        let mark = fresh.map(|discontinuity| Mark {
            number: self.list.len(),
            discontinuity,
            wall: self.wall.plus_millis((begins - self.anchor).as_millis()),
            map: Some(0),
        });
        self.cutter.begin(begins);
        self.open = Some(OpenSegment { begins, bytes, mark });
    }

    /// The open segment ends at `ends`: lists it.
    fn list_segment(&mut self, ends: MediaTime, ops: &mut Vec<Op>) {
        let Some(open) = self.open.take() else { return };
        let ends = self.cutter.bounded(ends);
        self.dependent |= !self.cutter.close();
        let duration_ms = self.length_ms(open.begins, ends);
        let bytes = open.bytes.end.saturating_sub(open.bytes.start);
        self.bytes += bytes;
        self.peak.segment(duration_ms, bytes);
        let first = self.list.len() == 0;
        let mut text = String::new();
        if first {
            self.declared = self.cutter.declare(ends, rounded_seconds(duration_ms));
            text = playlist::header(SegmentType::Fmp4, PlaylistType::Event, self.declared);
        }
        self.entry(&mut text, duration_ms, open.mark.as_ref(), &open.bytes);
        self.list.push(duration_ms, open.mark);
        self.ranges.push(open.bytes);
        // What is listed can be fetched, also after a loss of power.
        ops.push(Op::Sync { file: self.media.clone() });
        if first {
            ops.push(Op::Create { file: growing() });
        }
        ops.push(append(text));
        if first {
            ops.push(Op::Whole { file: index(), data: self.variant(playlist::GROWING) });
        }
    }

    /// Goes on with what a crash left, all of whose fragments have been read: lists what there is. `grown` is what there
    /// is of the growing playlist; `index`: whether the multivariant one stands.
    pub(crate) fn reopen(&mut self, grown: Option<&[u8]>, index_stands: bool, ops: &mut Vec<Op>) {
        self.pause(&mut Vec::new());
        let text = match self.list.len() {
            0 => String::new(),
            _ => self.text(PlaylistType::Event, self.declared),
        };
        let text = text.strip_suffix(playlist::END).unwrap_or(&text);
        let same =
            grown.unwrap_or_default().iter().zip(text.as_bytes()).take_while(|(one, other)| one == other).count();
        match grown {
            None if text.is_empty() => return,
            // What is listed is on the disk.
            None => ops.extend([Op::Sync { file: self.media.clone() }, Op::Create { file: growing() }]),
            Some(_) if text.is_empty() => return ops.push(Op::Remove { file: growing() }),
            Some(grown) => {
                ops.push(Op::Sync { file: self.media.clone() });
                if grown.len() > same {
                    ops.push(Op::Truncate { file: growing(), len: same as u64 });
                }
            }
        }
        if let Some(rest) = text.get(same..).filter(|rest| !rest.is_empty()) {
            ops.push(append(rest.to_owned()));
        }
        if !index_stands {
            ops.push(Op::Whole { file: index(), data: self.variant(playlist::GROWING) });
        }
    }

    /// The recording is over, and all its fragments are handed over: completes the playlists. `None`, and
    /// nothing, when there was none.
    pub(crate) fn end(&mut self, ops: &mut Vec<Op>) -> Option<PlaylistSummary> {
        let before = ops.len();
        self.list_segment(self.cutter.ends(), ops);
        let Some((files, summary)) = self.files() else {
            ops.truncate(before);
            return None;
        };
        ops.push(append(playlist::END.to_owned()));
        ops.push(Op::Finish { file: growing() });
        let whole = files.into_iter().filter(|(file, _)| *file != growing());
        ops.extend(whole.map(|(file, data)| Op::Whole { file, data }));
        Some(summary)
    }

    /// [`Over::end`] of what a crash left: what the playlists hold then, in the order they are written.
    pub(crate) fn finish(&mut self) -> Option<(Files, PlaylistSummary)> {
        self.list_segment(self.cutter.ends(), &mut Vec::new());
        self.files()
    }

    fn files(&self) -> Option<(Files, PlaylistSummary)> {
        if self.list.len() == 0 {
            return None;
        }
        let event = self.text(PlaylistType::Event, self.declared);
        let vod = self.text(PlaylistType::Vod { independent: !self.dependent }, self.list.target_duration());
        let files = [(growing(), event.into()), (whole(), vod.into()), (index(), self.variant(playlist::WHOLE))];
        let playlists: u64 = files.iter().map(|(_, data): &(FileName, Bytes)| data.len() as u64).sum();
        let summary = PlaylistSummary {
            size_bytes: self.init_bytes + playlists,
            duration: Duration::from_millis(self.list.total_ms()),
            pictures: self.pictures,
            sounds: self.sounds,
        };
        Some((files, summary))
    }

    fn text(&self, kind: PlaylistType, target_duration: u32) -> String {
        let mut text = playlist::header(SegmentType::Fmp4, kind, target_duration);
        text.reserve(self.ranges.len() * (64 + self.stamp.uri.len()));
        for ((_, duration_ms, mark), range) in self.list.iter().zip(&self.ranges) {
            self.entry(&mut text, duration_ms, mark, range);
        }
        text.push_str(playlist::END);
        text
    }

    fn entry(&self, text: &mut String, duration_ms: u32, mark: Option<&Mark>, range: &Range<u64>) {
        playlist::duration(text, duration_ms, mark);
        // Writing to a string cannot fail.
        let (len, at) = (range.end.saturating_sub(range.start), range.start);
        let _ = writeln!(text, "#EXT-X-BYTERANGE:{len}@{at}\n{}", self.stamp.uri);
    }

    fn variant(&self, uri: &str) -> Bytes {
        let mut variant = Variant::default();
        variant.add(self.configs.iter());
        let rates = Rates {
            peak_bit_rate: self.peak.bit_rate,
            average_bit_rate: bit_rate(self.bytes, self.list.total_ms()),
            frame_rate: self.rate.frames_per_second(),
        };
        let independent = uri == playlist::WHOLE && !self.dependent;
        variant.playlist(uri, independent, rates).into()
    }

    /// In milliseconds, rounded so that the lengths of segments in a row add up to the length of all.
    fn length_ms(&self, from: MediaTime, to: MediaTime) -> u32 {
        let millis = |moment: MediaTime| (moment - self.anchor + MediaTime::from_nanos(500_000)).as_millis();
        u32::try_from(millis(to) - millis(from)).unwrap_or(0).max(1)
    }
}

/// The name of the initialisation section, which stands beside an MP4 from before its media on, where there are to
/// be playlists over it.
pub fn init_file() -> FileName {
    playlist::init_name(0)
}

fn growing() -> FileName {
    FileName::made(playlist::GROWING.to_owned())
}

fn whole() -> FileName {
    FileName::made(playlist::WHOLE.to_owned())
}

fn index() -> FileName {
    FileName::made(playlist::INDEX.to_owned())
}

fn append(text: String) -> Op {
    Op::Append { file: growing(), slices: vec![Bytes::from(text)] }
}

/// Whether a track is of pictures.
fn is_picture(kind: TrackKind) -> bool {
    kind == TrackKind::Video
}
