//! FLV: one file of tags in the order of their times, with an index of its key frames at the head.
//!
//! ```text
//! header | onMetaData with room for the index | video sequence header | audio sequence header | tags ...
//! ```
//!
//! Contract:
//! - the file plays after every operation. At the end one patch within `onMetaData` tells duration, size and
//!   key frames; no byte of media moves;
//! - times are the publisher's less one constant, so that the first tag is at 0, in whole milliseconds. Two
//!   frames of a track never share a millisecond: the later one moves, and is counted;
//! - frames are written as they came, by reference: of a fragment only the headers between them are made anew;
//! - the same bytes come out of salvage, where nothing was lost.

mod ledger;
mod metadata;
pub(crate) mod object;
mod reopen;
mod salvage;

#[cfg(test)]
mod tests;

pub(crate) use reopen::reopen;
pub(crate) use salvage::salvage;

use bytes::Bytes;
use livetape_flv::tag::{PREVIOUS_SIZE_BYTES, TAG_HEADER_BYTES};
use livetape_flv::{TagHeader, write};
use livetape_media::{Frame, MediaTime, Track, TrackKind, WallTime};

use crate::flushed::{Flushed, Pending};
use crate::{Begin, FileName, Layout, Muxer, NotPossible, Op, Progress, Summary};
use ledger::{FrameFacts, Ledger};
use metadata::Head;

/// How long the first fragment waits for a track that has not shown a frame, so that the zero of the file is
/// the earliest time of all tracks.
const FIRST_WAIT: MediaTime = MediaTime::from_millis(1_000);
/// The most a tag holds.
const MAX_BODY_BYTES: usize = (1 << 24) - 1;
/// The most bytes between two frames.
const MOST_BETWEEN: usize = PREVIOUS_SIZE_BYTES + TAG_HEADER_BYTES + write::MAX_PREFIX_BYTES;

/// The writer of one FLV recording.
pub struct FlvMuxer {
    layout: Layout,
    start: MediaTime,
    head: Head,
    ledger: Ledger,
    /// The time that is 0 in the file; known when the first fragment is written.
    zero: Option<MediaTime>,
    /// The open fragment.
    frames: Vec<Frame>,
    frames_bytes: usize,
    video: Lane,
    audio: Lane,
    repaired: u64,
    flushed: Flushed,
}

/// Where one track stands.
#[derive(Default)]
struct Lane {
    track: Option<Track>,
    /// The first time in the open fragment.
    first: Option<MediaTime>,
    /// Whether a frame has come, ever.
    seen: bool,
    last_ms: Option<u32>,
}

impl FlvMuxer {
    /// Opens a recording.
    pub fn open(begin: Begin, ops: &mut Vec<Op>) -> Self {
        let track = |kind| begin.tracks.iter().find(|track| track.id.kind == kind).cloned();
        let (video, audio) = (track(TrackKind::Video), track(TrackKind::Audio));
        let file = FileName::flv();

        let mut ledger = Ledger::new();
        let (head, before_room) = Head::write(&begin, video.as_ref(), audio.as_ref());
        let mut after_room = head.after_room();
        ledger.size = head.end();
        for track in video.iter().chain(&audio) {
            let mut body = Vec::new();
            if write::sequence_header(&track.config, &mut body) {
                write::tag(write::kind_of(track.config.codec()), 0, &body, &mut after_room);
                ledger.sequence_header(track.id.kind, body.len() as u32);
            }
            ledger.configure(track.config.clone());
        }
        ledger.index.room = head.index_entries();

        ops.push(Op::Create { file: file.clone() });
        ops.push(Op::Append { file: file.clone(), slices: vec![before_room.into()] });
        ops.push(Op::Reserve { file: file.clone(), len: head.room_bytes() });
        ops.push(Op::Append { file, slices: vec![after_room.into()] });

        Self {
            layout: begin.layout,
            start: begin.start,
            head,
            ledger,
            zero: None,
            frames: Vec::new(),
            frames_bytes: 0,
            video: Lane { track: video, ..Lane::default() },
            audio: Lane { track: audio, ..Lane::default() },
            repaired: 0,
            flushed: Flushed::default(),
        }
    }

    fn lane(&mut self, kind: TrackKind) -> &mut Lane {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// Whether the zero of the file is known, or can be told from what has gathered.
    fn may_write(&self, waited: MediaTime) -> bool {
        let all_seen = [&self.video, &self.audio].iter().all(|lane| lane.track.is_none() || lane.seen);
        self.zero.is_some() || all_seen || waited >= FIRST_WAIT
    }

    /// Writes the open fragment.
    fn write(&mut self, ops: &mut Vec<Op>) {
        let mut frames = std::mem::take(&mut self.frames);
        self.frames_bytes = 0;
        self.video.first = None;
        self.audio.first = None;
        // Each track is in order already; players want the tracks interleaved by time.
        frames.sort_by_key(|frame| frame.dts);
        let Some(first) = frames.first() else { return };
        let zero = *self.zero.get_or_insert(first.dts);

        // The bytes between the frames, all in one buffer: the size of the tag before, the header of the next.
        let mut between = Vec::with_capacity(frames.len() * MOST_BETWEEN);
        let mut ends = Vec::with_capacity(frames.len());
        frames.retain(|frame| self.write_tag(frame, zero, &mut between, &mut ends));
        let between = Bytes::from(between);
        let mut slices = Vec::with_capacity(2 * frames.len() + 1);
        let mut at = 0;
        for (frame, end) in frames.iter().zip(ends) {
            slices.push(between.slice(at..end));
            slices.push(frame.data.clone());
            at = end;
        }
        slices.push(between.slice(at..));
        if frames.is_empty() {
            return;
        }
        ops.push(Op::Append { file: FileName::flv(), slices });
        frames.clear();
        self.frames = frames;
    }

    /// Writes what stands around a frame, and notes where the frame stands within that. False for a frame that
    /// no tag can hold; ingest takes none so large.
    fn write_tag(&mut self, frame: &Frame, zero: MediaTime, between: &mut Vec<u8>, ends: &mut Vec<usize>) -> bool {
        let kind = frame.track.kind;
        let lane = self.lane(kind);
        let Some(config) = lane.track.as_ref().map(|track| &track.config) else { return false };
        let exact_ms = (frame.dts - zero).to_ticks(1000);
        let earliest = lane.last_ms.map_or(0, |last| last.saturating_add(1));
        let timestamp_ms = u32::try_from(exact_ms.max(0)).unwrap_or(u32::MAX).max(earliest);
        let composition_ms = (frame.pts - zero).to_ticks(1000) - i64::from(timestamp_ms);
        let composition_ms = composition_ms.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;

        let start = between.len();
        between.extend([0; TAG_HEADER_BYTES]);
        write::frame_prefix(config, frame.random_access, composition_ms, between);
        let size = between.len() - start - TAG_HEADER_BYTES + frame.data.len();
        if size > MAX_BODY_BYTES {
            between.truncate(start);
            return false;
        }
        let header = TagHeader { kind: write::kind_of(config.codec()), size: size as u32, timestamp_ms };
        if let Some(place) = between.get_mut(start..start + TAG_HEADER_BYTES) {
            place.copy_from_slice(&header.to_bytes());
        }
        lane.last_ms = Some(timestamp_ms);
        self.repaired += u64::from(exact_ms != i64::from(timestamp_ms));
        ends.push(between.len());
        between.extend(header.whole_size().to_be_bytes());

        self.ledger.frame(
            kind,
            FrameFacts { timestamp_ms, composition_ms, random_access: frame.random_access, size: header.size },
        );
        true
    }
}

impl Muxer for FlvMuxer {
    fn frame(&mut self, frame: &Frame, ops: &mut Vec<Op>) {
        let kind = frame.track.kind;
        let fragment = MediaTime::from(self.layout.fragment);
        let lane = self.lane(kind);
        if lane.track.is_none() {
            return;
        }
        let waited = |lane: &Lane| lane.first.map_or(MediaTime::ZERO, |first| frame.dts - first);
        let before_key = waited(lane);
        lane.seen = true;
        if kind == TrackKind::Video && frame.random_access && self.may_write(before_key) {
            self.write(ops);
        }
        self.flushed.took(frame);
        self.frames.push(frame.clone());
        self.frames_bytes += frame.data.len();
        let lane = self.lane(kind);
        lane.first.get_or_insert(frame.dts);
        let waited = waited(lane);
        let full = self.frames_bytes >= self.layout.fragment_max_bytes;
        if full || (waited >= fragment && self.may_write(waited)) {
            self.write(ops);
        }
    }

    fn flush(&mut self, ops: &mut Vec<Op>) {
        self.write(ops);
    }

    fn discontinuity(&mut self, _: &[Track], _: MediaTime, _: WallTime, _: &mut Vec<Op>) -> Result<(), NotPossible> {
        Err(NotPossible)
    }

    fn pause(&mut self, ops: &mut Vec<Op>) {
        self.write(ops);
    }

    fn resume(&mut self, _: MediaTime, _: WallTime, _: &mut Vec<Op>) {}

    fn progress(&self) -> Progress {
        let first = |kind, lane: &Lane| lane.first.map(|first| Pending { kind, first, lone: false });
        let waiting = [first(TrackKind::Video, &self.video), first(TrackKind::Audio, &self.audio)];
        Progress {
            size_bytes: self.ledger.size,
            duration: self.ledger.duration(None).to_duration(),
            flushed: self.flushed.until(self.start, waiting.into_iter().flatten()),
            segments: 0,
        }
    }

    fn end(&mut self, end: Option<MediaTime>, ops: &mut Vec<Op>) -> Summary {
        self.write(ops);
        let next_ms = end.zip(self.zero).map(|(end, zero)| (end - zero).to_ticks(1000));
        let file = FileName::flv();
        let data = self.head.changing(&self.ledger, self.ledger.end(next_ms));
        ops.push(Op::Patch { file: file.clone(), offset: self.head.changing_at(), data: data.into() });
        ops.push(Op::Finish { file });
        Summary { repaired_frames: self.repaired, ..self.ledger.summary(self.start, next_ms) }
    }
}
