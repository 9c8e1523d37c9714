//! Segments of fragmented MP4 (ISO/IEC 14496-12, 8.16; RFC 8216, 3.3).
//!
//! ```text
//! init-N.mp4:           ftyp | moov(mvex)
//! segment-NNNNNN.m4s:   styp | free(stamp) | moof mdat | moof mdat | ...
//! ```
//!
//! Decoding times of all tracks count from one origin, 10 s before the recording's start, through
//! all segments; there is no edit list, and composition offsets are positive.

use bytes::Bytes;
use livetape_media::codec::AvcConfig;
use livetape_media::{CodecConfig, Frame, MediaTime, Track, TrackId, WallTime};

use crate::Layout;
use crate::bmff::{BoxWriter, Brands, Fragment, FragmentLimits, Fragmenter, Origin, TrackEntry, init_section};
use crate::flushed::Pending;

/// How far before the recording's start decoding time zero is: room for sound that begins before
/// the first picture, and for pictures that are decoded before they are shown.
const LEAD: MediaTime = MediaTime::from_millis(10_000);

/// No brand older than `iso5`: fragments use `default-base-is-moof`.
const BRANDS: Brands = Brands { major: *b"iso6", minor: 512, compatible: &[*b"iso6", *b"iso5", *b"mp41"] };

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;

/// Writes frames into segments of fragmented MP4.
pub(super) struct Fmp4 {
    limits: FragmentLimits,
    zero: MediaTime,
    tracks: Vec<TrackEntry>,
    fragmenter: Fragmenter,
    /// Of finished fragmenters.
    repaired: u64,
    sequence: u32,
    /// The head of a segment of which nothing has been written yet.
    head: Option<Bytes>,
    /// Pictures have had another configuration before. Players that keep the decoder across a
    /// discontinuity, ffmpeg among them, need the parameter sets in the stream from then on.
    repeat_sets: bool,
    /// The next picture is its segment's first.
    first_picture: bool,
}

impl Fmp4 {
    pub(super) fn new(tracks: &[Track], layout: &Layout, origin: MediaTime) -> Self {
        let limits = FragmentLimits { duration: layout.fragment, bytes: layout.fragment_max_bytes };
        let zero = MediaTime::from_millis((origin - LEAD).as_millis());
        let tracks = TrackEntry::of_all(tracks);
        Self {
            limits,
            zero,
            fragmenter: Fragmenter::new(&tracks, Origin::At(zero), limits),
            tracks,
            repaired: 0,
            sequence: 0,
            head: None,
            repeat_sets: false,
            first_picture: false,
        }
    }

    pub(super) fn restart(&mut self, tracks: &[Track]) {
        let before = self.avc().cloned();
        self.tracks = TrackEntry::of_all(tracks);
        self.repeat_sets |= before.is_some() && self.avc().is_some() && self.avc() != before.as_ref();
        self.repaired += self.fragmenter.repaired();
        self.fragmenter = Fragmenter::new(&self.tracks, Origin::At(self.zero), self.limits);
    }

    /// Segments have been written before, with these configurations; their last fragment had this number.
    pub(super) fn go_on(&mut self, sequence: u32, configurations: &[Vec<Track>], repaired: u64) {
        let avc = |track: &Track| match &track.config {
            CodecConfig::Avc(config) => Some(config.clone()),
            _ => None,
        };
        let pictures: Vec<AvcConfig> = configurations.iter().flatten().filter_map(avc).collect();
        self.repeat_sets = pictures.windows(2).any(|pair| pair.first() != pair.last());
        (self.sequence, self.repaired) = (sequence, repaired);
    }

    /// The initialisation section of the tracks as they are.
    pub(super) fn init(&self, wall_start: WallTime) -> Bytes {
        init_section(BRANDS, &self.tracks, wall_start, self.zero)
    }

    pub(super) fn carries(&self, track: TrackId) -> bool {
        self.tracks.iter().any(|entry| entry.id == track)
    }

    pub(super) fn begin_segment(&mut self, note: &[u8]) {
        self.head = Some(head(note));
        self.first_picture = true;
    }

    pub(super) fn push(&mut self, frame: &Frame) -> Option<Vec<Bytes>> {
        let fragment = match self.with_sets(frame) {
            Some(frame) => self.fragmenter.push(&frame),
            None => self.fragmenter.push(frame),
        };
        self.slices(fragment)
    }

    pub(super) fn cut(&mut self) -> Option<Vec<Bytes>> {
        let fragment = self.fragmenter.cut();
        self.slices(fragment)
    }

    pub(super) fn finish(&mut self, end: Option<MediaTime>) -> Option<Vec<Bytes>> {
        let fragment = self.fragmenter.finish(end);
        self.slices(fragment)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = Pending> + '_ {
        self.fragmenter.waiting()
    }

    pub(super) fn repaired_frames(&self) -> u64 {
        self.repaired + self.fragmenter.repaired()
    }

    fn slices(&mut self, fragment: Option<Fragment>) -> Option<Vec<Bytes>> {
        let fragment = fragment?;
        let mut slices: Vec<Bytes> = self.head.take().into_iter().collect();
        self.sequence = self.sequence.wrapping_add(1);
        fragment.append_to(self.sequence, &mut slices);
        Some(slices)
    }

    fn avc(&self) -> Option<&AvcConfig> {
        self.tracks.iter().find_map(|entry| match &entry.config {
            Some(CodecConfig::Avc(config)) => Some(config),
            _ => None,
        })
    }

    /// The first picture of a segment with its parameter sets before it, where they are needed and
    /// it does not bring them.
    fn with_sets(&mut self, frame: &Frame) -> Option<Frame> {
        if frame.track != TrackId::VIDEO || !std::mem::take(&mut self.first_picture) || !self.repeat_sets {
            return None;
        }
        let data = with_parameter_sets(&frame.data, self.avc()?)?;
        Some(Frame { data, ..frame.clone() })
    }
}

/// `styp  major:4 minor:u32 compatible:4...` and `free`, in which `note` is.
fn head(note: &[u8]) -> Bytes {
    let mut writer = BoxWriter::with_capacity(32 + note.len());
    writer.boxed(b"styp", |w| {
        w.raw(b"msdh");
        w.u32(0);
        w.raw(b"msdh");
        w.raw(b"iso6");
    });
    writer.boxed(b"free", |w| w.raw(note));
    writer.into_bytes().into()
}

/// A length-prefixed access unit with `config`'s parameter sets before it (behind its delimiter).
/// `None` when it has them already or their lengths cannot be written.
fn with_parameter_sets(data: &Bytes, config: &AvcConfig) -> Option<Bytes> {
    let size = usize::from(config.nal_length_size.clamp(1, 4));
    let mut kinds = Vec::new();
    let mut first_len = 0;
    let mut rest: &[u8] = data;
    while let Some((prefix, tail)) = rest.split_at_checked(size) {
        let len = prefix.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
        let Some((nal, tail)) = tail.split_at_checked(len) else { break };
        kinds.extend(nal.first().map(|head| head & 0x1f));
        if first_len == 0 {
            first_len = size + len;
        }
        rest = tail;
    }
    if kinds.contains(&NAL_SPS) && kinds.contains(&NAL_PPS) {
        return None;
    }
    let (delimiter, rest) = data.split_at(if kinds.first() == Some(&NAL_DELIMITER) { first_len } else { 0 });
    let mut out = Vec::with_capacity(data.len() + config.record.len() + 32);
    out.extend_from_slice(delimiter);
    for set in config.sps.iter().chain(&config.pps) {
        if set.len() >> (8 * size) != 0 {
            return None;
        }
        out.extend_from_slice((set.len() as u32).to_be_bytes().get(4 - size..)?);
        out.extend_from_slice(set);
    }
    out.extend_from_slice(rest);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use livetape_media::VideoFormat;

    use super::*;

    fn config(nal_length_size: u8) -> AvcConfig {
        AvcConfig {
            record: Bytes::new(),
            format: VideoFormat { width: 16, height: 16, frame_rate: None },
            nal_length_size,
            sps: vec![Bytes::from_static(&[0x67, 1])],
            pps: vec![Bytes::from_static(&[0x68, 2])],
        }
    }

    #[test]
    fn parameter_sets_go_behind_the_delimiter_and_before_everything_else() {
        let sets = |data: &'static [u8], size| with_parameter_sets(&Bytes::from_static(data), &config(size));
        assert_eq!(sets(&[2, 0x65, 8], 1).unwrap(), [2, 0x67, 1, 2, 0x68, 2, 2, 0x65, 8].as_slice());
        assert_eq!(
            sets(&[0, 2, 9, 0xf0, 0, 1, 0x65], 2).unwrap(),
            [0, 2, 9, 0xf0, 0, 2, 0x67, 1, 0, 2, 0x68, 2, 0, 1, 0x65].as_slice()
        );
        assert_eq!(sets(&[1, 0x67, 1, 0x68, 1, 0x65], 1), None);
    }

    #[test]
    fn the_note_is_in_a_box_that_players_skip() {
        let head = head(b"note");
        assert_eq!(&head[24..], b"\0\0\0\x0cfreenote");
        assert_eq!(&head[..8], b"\0\0\0\x18styp");
    }
}
