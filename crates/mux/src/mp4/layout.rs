//! Where things stand in the file, and how a growing file becomes a finished one.
//!
//! ```text
//! growing    ftyp(iso6) | moov(mvex) | free[ hole ................................ ] | moof mdat | moof mdat | ...
//! prepared   ftyp(iso6) | moov(mvex) | free[ moov | free header | hole | mdat header ] | moof mdat | moof mdat | ...
//! finished   ftyp(isom) | free       ...      | moov | free         ... | mdat: all the rest, to the end
//! ```
//!
//! From *growing* to *prepared* nothing a player sees changes: all is written inside the `free` box.
//! From *prepared* to *finished* takes one write of 36 bytes at the start of the file: another `ftyp` of
//! the same length, and the header of the first `moov` becomes that of a `free` box that covers it and
//! the eight bytes after it. A sync stands before that write. The write lies in one sector, so that even
//! a loss of power leaves one state or the other; both can be played.
//!
//! The header of the large `mdat` is written first of all: from then on it says where the media ends, so that
//! an index behind it is never taken for media.
//!
//! When the index does not fit into the hole, it is appended instead, and the first `free` covers the
//! whole hole:
//!
//! ```text
//! prepared   ftyp(iso6) | moov(mvex) | free[ hole ... | mdat header ] | moof mdat | moof mdat | ... | moov
//! finished   ftyp(isom) | free                  ...     | mdat: all the media                       | moov
//! ```
//!
//! The fragments' own `moof` and `mdat` headers stay where they are, as bytes of the large `mdat` that
//! no table points to. So everything needed to make the index again is still there afterwards.

use bytes::Bytes;
use livetape_media::{TrackKind, Value};

use crate::bmff::{BoxWriter, Brands, TrackEntry};
use crate::{Begin, FileName, Op};

/// Bytes of `ftyp`, growing and finished.
pub(super) const FTYP_LEN: u64 = 28;
/// Bytes of a box header.
pub(super) const HEADER: u64 = 8;
/// Bytes of the header of the large `mdat`, which has a 64-bit size.
pub(super) const MDAT_HEADER: u64 = 16;
/// Media begins at a multiple of this, so that the hole consists of whole blocks.
const BLOCK: u64 = 4096;
/// The most that is ever kept free, whatever is asked for: the boxes around it have 32-bit sizes.
const RESERVE_LIMIT: u64 = 1 << 30;
/// No head is longer.
pub(super) const HEAD_LIMIT: u64 = RESERVE_LIMIT + (2 << 20);
/// A hole smaller than this is not worth an operation.
const WORTH_PUNCHING: u64 = 64 << 10;

/// The boxes before the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the `moov` of the growing file.
    pub(super) moov_len: u64,
    /// Bytes of the `free` box after it.
    pub(super) free_len: u64,
}

/// What became of a completed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completed {
    /// Its bytes.
    pub(super) size_bytes: u64,
    /// The index did not fit at the front.
    pub(super) index_at_end: bool,
}

/// Where an index goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the hole, from byte `at` on; a `free` box of `rest` bytes (0, or at least a header) follows.
    Front { at: u64, rest: u64 },
    /// To the end of the file.
    End,
}

impl Head {
    /// For a file whose `ftyp` and `moov` have `init_len` bytes together, with room for an index of
    /// `index_bytes`.
    pub(super) fn for_recording(init_len: u64, index_bytes: u64) -> Self {
        let wanted = init_len + HEADER + index_bytes.min(RESERVE_LIMIT) + MDAT_HEADER;
        Self { moov_len: init_len - FTYP_LEN, free_len: wanted.next_multiple_of(BLOCK) - init_len }
    }

    /// Where the first fragment begins.
    pub(super) fn media_start(&self) -> u64 {
        FTYP_LEN + self.moov_len + self.free_len
    }

    /// Where the header of the large `mdat` goes.
    pub(super) fn mdat_start(&self) -> u64 {
        self.media_start() - MDAT_HEADER
    }

    /// Where the hole begins.
    fn hole_start(&self) -> u64 {
        FTYP_LEN + self.moov_len + HEADER
    }

    /// Writes the head; `init` is its `ftyp` and `moov`.
    pub(super) fn begin(&self, file: &FileName, init: Bytes, ops: &mut Vec<Op>) {
        let mut free = BoxWriter::with_capacity(HEADER as usize);
        header(&mut free, self.free_len, b"free");
        ops.push(Op::Append { file: file.clone(), slices: vec![init, free.into_bytes().into()] });
        ops.push(Op::Reserve { file: file.clone(), len: self.free_len - HEADER });
    }

    /// Where an index of `len` bytes goes.
    pub(super) fn place(&self, len: u64) -> Place {
        let room = self.free_len - HEADER - MDAT_HEADER;
        match room.checked_sub(len) {
            None => Place::End,
            // Too little for a box of its own: it goes to the box before.
            Some(rest @ 0..HEADER) => Place::Front { at: self.hole_start() + rest, rest: 0 },
            Some(rest) => Place::Front { at: self.hole_start(), rest },
        }
    }

    /// Completes a file whose media ends at `media_end` with `index`, its final `moov`.
    pub(super) fn complete(&self, file: &FileName, media_end: u64, index: Vec<u8>, ops: &mut Vec<Op>) -> Completed {
        let mut mdat = BoxWriter::with_capacity(MDAT_HEADER as usize);
        mdat_header(&mut mdat, media_end - self.media_start());
        ops.push(Op::Patch { file: file.clone(), offset: self.mdat_start(), data: mdat.into_bytes().into() });
        let index_len = index.len() as u64;
        let place = self.place(index_len);
        let (first_free_end, size_bytes, hole) = match place {
            Place::Front { at, rest } => {
                let mut data = BoxWriter::from(index);
                if rest > 0 {
                    header(&mut data, rest, b"free");
                }
                ops.push(Op::Patch { file: file.clone(), offset: at, data: data.into_bytes().into() });
                let hole = (at + index_len + HEADER, rest.saturating_sub(HEADER));
                (at, media_end, hole)
            }
            Place::End => {
                ops.push(Op::Append { file: file.clone(), slices: vec![index.into()] });
                let end = self.mdat_start();
                (end, media_end + index_len, (self.hole_start(), end - self.hole_start()))
            }
        };
        ops.push(Op::Sync { file: file.clone() });

        let mut flip = BoxWriter::with_capacity((FTYP_LEN + HEADER) as usize);
        Brands::FINISHED.write(&mut flip);
        header(&mut flip, first_free_end - FTYP_LEN, b"free");
        ops.push(Op::Patch { file: file.clone(), offset: 0, data: flip.into_bytes().into() });
        let (offset, len) = hole;
        if len >= WORTH_PUNCHING {
            ops.push(Op::PunchHole { file: file.clone(), offset, len });
        }
        ops.push(Op::Finish { file: file.clone() });
        Completed { size_bytes, index_at_end: place == Place::End }
    }
}

/// The header of the large `mdat`, which holds `media_len` bytes.
pub(super) fn mdat_header(writer: &mut BoxWriter, media_len: u64) {
    writer.u32(1);
    writer.raw(b"mdat");
    writer.u64(MDAT_HEADER + media_len);
}

/// A box header; the box has `len` bytes with it.
pub(super) fn header(writer: &mut BoxWriter, len: u64, kind: &[u8; 4]) {
    writer.u32(u32::try_from(len).unwrap_or(u32::MAX));
    writer.raw(kind);
}

/// Pictures a second assumed of a stream that does not say.
const ASSUMED_FRAME_RATE: f64 = 60.0;

/// A bound for the index of a recording as long as it may become.
///
/// ```text
/// headers + seconds * ( pictures a second * (size 4 + duration 8 + composition offset 8)
///                     + key frames a second * 4
///                     + sound frames a second * 4
///                     + fragments a second * tracks * (place 8 + length 12) )
/// ```
pub(super) fn index_bytes(tracks: &[TrackEntry], begin: &Begin) -> u64 {
    let fragment = begin.layout.fragment.as_secs_f64().max(0.001);
    let mut fragments_per_second = 1.0 / fragment;
    let mut per_second = 0.0;
    let mut fixed = 2048.0;
    for track in tracks {
        fixed += track.sample_entry.len() as f64;
        per_second += match track.id.kind {
            TrackKind::Video => {
                let rate = frame_rate(track, begin);
                fragments_per_second += 1.0;
                // A key frame every second, as streams for playback have them, is more than usual.
                rate * 20.0 + 4.0
            }
            TrackKind::Audio => f64::from(track.timescale) / f64::from(track.step.unwrap_or(1024).max(1)) * 4.0,
        };
    }
    per_second += fragments_per_second * tracks.len() as f64 * 20.0;
    (fixed + per_second * begin.max_duration.as_secs_f64()).ceil() as u64
}

fn frame_rate(track: &TrackEntry, begin: &Begin) -> f64 {
    let said = begin.metadata.field("framerate").and_then(|value| match value {
        Value::Number(rate) => Some(*rate),
        _ => None,
    });
    let declared = track.config.as_ref().and_then(|config| config.video()).and_then(|video| video.frame_rate);
    let rates = said.into_iter().chain(declared.map(|rate| rate.as_f64()));
    rates.filter(|rate| (1.0..=240.0).contains(rate)).reduce(f64::max).unwrap_or(ASSUMED_FRAME_RATE)
}
