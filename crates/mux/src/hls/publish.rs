//! Writing the playlists of a recording as it grows and ends.

use bytes::Bytes;
use livetape_media::Track;

use super::playlist::{self, PlaylistType};
use super::segments::{Mark, SegmentList};
use super::totals::{Totals, bit_rate};
use super::variant::{Rates, Variant};
use crate::{FileName, Op, SegmentType};

/// Publishes finished segments.
pub(super) struct Publisher {
    segment_type: SegmentType,
    segments: SegmentList,
    variant: Variant,
    /// The multivariant playlist no longer says all there is to say.
    variant_is_due: bool,
    /// Bytes of the growing playlist; none before it is published.
    growing_bytes: Option<u64>,
    /// Bytes of the playlists that are written whole.
    index_bytes: u64,
    whole_bytes: u64,
}

impl Publisher {
    /// For a recording that has no segment yet.
    pub(super) fn new(segment_type: SegmentType) -> Self {
        Self {
            segment_type,
            segments: SegmentList::default(),
            variant: Variant::default(),
            variant_is_due: true,
            growing_bytes: None,
            index_bytes: 0,
            whole_bytes: 0,
        }
    }

    /// The segments published so far.
    pub(super) fn segments(&self) -> &SegmentList {
        &self.segments
    }

    /// For a recording whose growing playlist, of `growing_bytes`, lists `segments`.
    pub(super) fn resume(segment_type: SegmentType, segments: SegmentList, growing_bytes: u64) -> Self {
        Self { segments, growing_bytes: Some(growing_bytes), ..Self::new(segment_type) }
    }

    /// Bytes of all playlists.
    pub(super) fn bytes(&self) -> u64 {
        self.growing_bytes.unwrap_or(0) + self.index_bytes + self.whole_bytes
    }

    /// Segments with these tracks follow.
    pub(super) fn configure(&mut self, tracks: &[Track]) {
        let before = self.variant.clone();
        self.variant.add(tracks.iter().map(|track| &track.config));
        self.variant_is_due |= self.variant != before;
    }

    /// A segment is finished: lists it. `target` declares TARGETDURATION for the recording's whole
    /// life; it is asked once, with the first segment.
    pub(super) fn segment(
        &mut self,
        duration_ms: u32,
        mark: Option<Mark>,
        target: impl FnOnce() -> u32,
        totals: &Totals,
        ops: &mut Vec<Op>,
    ) {
        let mut text = String::new();
        if self.growing_bytes.is_none() {
            ops.push(Op::Create { file: growing() });
            text = playlist::header(self.segment_type, PlaylistType::Event, target());
        }
        playlist::entry(&mut text, self.segment_type, self.segments.len(), duration_ms, mark.as_ref());
        self.segments.push(duration_ms, mark);
        self.append(text, ops);
        if std::mem::take(&mut self.variant_is_due) {
            self.index(playlist::GROWING, false, totals, ops);
        }
    }

    /// The recording is over: closes the growing playlist and writes the others. Nothing when there
    /// is no segment.
    pub(super) fn end(&mut self, totals: &Totals, ops: &mut Vec<Op>) {
        if self.growing_bytes.is_none() {
            return;
        }
        self.append(playlist::END.to_owned(), ops);
        ops.push(Op::Finish { file: growing() });
        self.finish(totals, ops);
    }

    /// A multivariant playlist of `bytes` stands, and may say too little.
    pub(super) fn index_stands(&mut self, bytes: u64) {
        self.index_bytes = bytes;
    }

    /// Writes the multivariant playlist of a recording that grows.
    pub(super) fn index_growing(&mut self, totals: &Totals, ops: &mut Vec<Op>) {
        self.variant_is_due = false;
        self.index(playlist::GROWING, false, totals, ops);
    }

    /// Writes the playlists of a recording whose growing one is complete.
    pub(super) fn finish(&mut self, totals: &Totals, ops: &mut Vec<Op>) {
        let whole = playlist::whole(self.segment_type, &self.segments, !totals.dependent);
        self.whole_bytes = whole.len() as u64;
        ops.push(Op::Whole { file: FileName::made(playlist::WHOLE.to_owned()), data: whole.into() });
        self.index(playlist::WHOLE, !totals.dependent, totals, ops);
    }

    fn append(&mut self, text: String, ops: &mut Vec<Op>) {
        *self.growing_bytes.get_or_insert(0) += text.len() as u64;
        ops.push(Op::Append { file: growing(), slices: vec![Bytes::from(text)] });
    }

    fn index(&mut self, uri: &str, independent: bool, totals: &Totals, ops: &mut Vec<Op>) {
        let rates = Rates {
            peak_bit_rate: totals.peak.bit_rate,
            average_bit_rate: bit_rate(totals.bytes, self.segments.total_ms()),
            frame_rate: totals.rate.frames_per_second(),
        };
        let text = self.variant.playlist(uri, independent, rates);
        self.index_bytes = text.len() as u64;
        ops.push(Op::Whole { file: FileName::made(playlist::INDEX.to_owned()), data: text.into() });
    }
}

fn growing() -> FileName {
    FileName::made(playlist::GROWING.to_owned())
}
