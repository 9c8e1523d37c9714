//! What segments are made of: fragmented MP4 or transport streams, behind one face.

use bytes::Bytes;
use livetape_media::{Frame, MediaTime, Track, TrackId, TrackKind};

use super::fmp4::Fmp4;
use super::salvage::WriterState;
use crate::flushed::Pending;
use crate::ts::TsMuxer;
use crate::{Layout, SegmentType};

/// Writes frames into segments. What it returns are the slices of a whole fragment.
pub(super) enum Container {
    /// Fragmented MP4.
    Fmp4(Box<Fmp4>),
    /// Transport stream.
    Ts(Box<Ts>),
}

impl Container {
    /// For `tracks`; timestamps count from 10 s before `origin`.
    pub(super) fn new(tracks: &[Track], layout: &Layout, origin: MediaTime) -> Self {
        match layout.segment_type {
            SegmentType::Fmp4 => Self::Fmp4(Box::new(Fmp4::new(tracks, layout, origin))),
            SegmentType::Ts => Self::Ts(Box::new(Ts::new(tracks, layout, origin))),
        }
    }

    /// A recording goes on of which segments have been written before, with these configurations, the last of which
    /// are the tracks now: so its writer stood, and so many frames had been moved.
    pub(super) fn go_on(&mut self, state: &WriterState, configurations: &[Vec<Track>], repaired: u64) {
        match self {
            Self::Fmp4(fmp4) => fmp4.go_on(state.sequence, configurations, repaired),
            Self::Ts(ts) => ts.muxer.go_on(state.stream, repaired),
        }
    }

    /// The stream goes on with these tracks.
    pub(super) fn restart(&mut self, tracks: &[Track]) {
        match self {
            Self::Fmp4(fmp4) => fmp4.restart(tracks),
            Self::Ts(ts) => ts.restart(tracks),
        }
    }

    /// Nothing comes for long; then the same tracks go on.
    pub(super) fn interrupt(&mut self) {
        if let Self::Ts(ts) = self {
            ts.muxer.interrupt();
        }
    }

    /// Whether it carries a track's frames.
    pub(super) fn carries(&self, track: TrackId) -> bool {
        match self {
            Self::Fmp4(fmp4) => fmp4.carries(track),
            Self::Ts(ts) => ts.muxer.carries(track),
        }
    }

    /// A segment begins, with `note` at its head.
    pub(super) fn begin_segment(&mut self, note: Vec<u8>) {
        match self {
            Self::Fmp4(fmp4) => fmp4.begin_segment(&note),
            Self::Ts(ts) => ts.muxer.begin_segment(note),
        }
    }

    /// One more frame; a fragment, when that closes one. `frame` is not in it.
    pub(super) fn push(&mut self, frame: &Frame) -> Option<Vec<Bytes>> {
        match self {
            Self::Fmp4(fmp4) => fmp4.push(frame),
            Self::Ts(ts) => ts.push(frame),
        }
    }

    /// Closes the open fragment; one frame of each track may be held back.
    pub(super) fn cut(&mut self) -> Option<Vec<Bytes>> {
        match self {
            Self::Fmp4(fmp4) => fmp4.cut(),
            Self::Ts(ts) => ts.cut(),
        }
    }

    /// Closes the open fragment with every frame taken; the segment ends. The last picture lasts
    /// until the decoding time `end`, when that is known.
    pub(super) fn finish(&mut self, end: Option<MediaTime>) -> Option<Vec<Bytes>> {
        match self {
            Self::Fmp4(fmp4) => fmp4.finish(end),
            Self::Ts(ts) => ts.cut(),
        }
    }

    /// What waits for the fragment to be closed, of each track.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Pending> + '_ {
        let (fmp4, ts) = match self {
            Self::Fmp4(fmp4) => (Some(fmp4.waiting()), None),
            Self::Ts(ts) => (None, Some(ts.muxer.waiting())),
        };
        fmp4.into_iter().flatten().chain(ts.into_iter().flatten())
    }

    /// Frames whose times had to be moved.
    pub(super) fn repaired_frames(&self) -> u64 {
        match self {
            Self::Fmp4(fmp4) => fmp4.repaired_frames(),
            Self::Ts(ts) => ts.muxer.repaired_frames(),
        }
    }
}

/// Segments of a transport stream.
pub(super) struct Ts {
    muxer: TsMuxer,
    fragment: MediaTime,
    fragment_max_bytes: usize,
    /// The earliest decoding time in the open fragment, and its bytes.
    open: Option<(MediaTime, usize)>,
}

impl Ts {
    fn new(tracks: &[Track], layout: &Layout, origin: MediaTime) -> Self {
        Self {
            muxer: TsMuxer::new(tracks, origin),
            fragment: layout.fragment.into(),
            fragment_max_bytes: layout.fragment_max_bytes,
            open: None,
        }
    }

    fn restart(&mut self, tracks: &[Track]) {
        self.muxer.restart(tracks);
        self.open = None;
    }

    fn push(&mut self, frame: &Frame) -> Option<Vec<Bytes>> {
        let is_key = frame.track.kind == TrackKind::Video && frame.random_access;
        let due = self.open.is_some_and(|(first, bytes)| {
            is_key
                || frame.dts - first >= self.fragment
                || bytes.saturating_add(frame.data.len()) > self.fragment_max_bytes
        });
        let fragment = if due { self.cut() } else { None };
        let (first, bytes) = self.open.unwrap_or((frame.dts, 0));
        self.open = Some((first.min(frame.dts), bytes.saturating_add(frame.data.len())));
        self.muxer.push(frame);
        fragment
    }

    fn cut(&mut self) -> Option<Vec<Bytes>> {
        self.open = None;
        self.muxer.close_fragment().map(|bytes| vec![bytes])
    }
}
