//! Reading what this crate writes: the head of a growing file and its fragments.
//!
//! Our own reader instead of a library's, because completing a file needs the sample entries as the
//! bytes they are (a decoded and re-encoded record is not the publisher's), and because it has to be
//! cheap for hundreds of thousands of fragments: no allocation but the frames' list, which is reused.
//!
//! Contract: whatever the bytes, no panic, and memory in proportion to the box at most.

use bytes::Bytes;
use livetape_media::{MediaTime, TrackKind, WallTime};

use super::fragment::{tfhd, trun};
use super::movie::{ORIGIN_UUID, wall_time};
use super::{Sample, TrackEntry};

/// The first bytes of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    /// Its type.
    pub(crate) kind: [u8; 4],
    /// Bytes of the header itself: 8, or 16 with a 64-bit size.
    pub(crate) header_len: u64,
    /// Bytes in all; `None` when it reaches to the end of the file.
    pub(crate) size: Option<u64>,
}

impl BoxHeader {
    /// The most bytes a header has.
    pub(crate) const MAX_LEN: usize = 16;

    /// Reads the header at the start of `bytes`; `None` when they end too early or the size is less
    /// than the header's own.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let size = reader.u32()?;
        let kind = reader.array::<4>()?;
        let (header_len, size) = match size {
            0 => (8, None),
            1 => (16, Some(reader.u64()?)),
            size => (8, Some(u64::from(size))),
        };
        (size.is_none_or(|size| size >= header_len)).then_some(Self { kind, header_len, size })
    }
}

/// The boxes in `bytes`, one after the other: type and body. Ends at the first that is not whole.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = BoxHeader::parse(rest)?;
        let size = usize::try_from(header.size?).ok()?;
        let body = rest.get(header.header_len as usize..size)?;
        rest = rest.get(size..)?;
        Some((header.kind, body))
    })
}

/// The body of the first box of type `kind` in `bytes`.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(found, _)| found == kind).map(|(_, body)| body)
}

/// What the `moov` of a fragmented file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InitSection {
    /// Its tracks.
    pub(crate) tracks: Vec<TrackEntry>,
    /// The calendar's time at the recording's start, in whole seconds.
    pub(crate) wall_start: WallTime,
    /// The moment of the session's timeline that decoding time 0 is.
    pub(crate) zero: MediaTime,
    /// Bytes of the whole box.
    pub(crate) len: u64,
}

impl InitSection {
    /// Reads a `moov` as [`super::init_section`] writes it. `bytes` begin with the body of the box; what
    /// follows it (a `free` box) ends it, so that it is found even when its header has been overwritten.
    pub(crate) fn parse(bytes: &Bytes) -> Option<Self> {
        let mut len = 8;
        let (mut wall_start, mut zero) = (None, None);
        let mut tracks = Vec::new();
        for (kind, body) in children(bytes) {
            match &kind {
                b"mvhd" => {
                    let mut reader = Reader(body);
                    let wide = reader.u8()? == 1;
                    reader.skip(3)?;
                    wall_start = Some(wall_time(if wide { reader.u64()? } else { u64::from(reader.u32()?) }));
                }
                b"trak" if tracks.len() < 16 => tracks.push(track(bytes, body)?),
                b"uuid" => {
                    let nanos = body.strip_prefix(&ORIGIN_UUID).and_then(|rest| Reader(rest).u64());
                    zero = nanos.map(|nanos| MediaTime::from_nanos(nanos as i64));
                }
                b"mvex" => {}
                _ => break,
            }
            len += 8 + body.len() as u64;
        }
        Some(Self { tracks, wall_start: wall_start?, zero: zero?, len })
    }
}

fn track(all: &Bytes, trak: &[u8]) -> Option<TrackEntry> {
    let mut reader = Reader(child(trak, b"tkhd")?);
    let wide = reader.u8()? == 1;
    reader.skip(3 + if wide { 16 } else { 8 })?;
    let number = reader.u32()?;

    let mdia = child(trak, b"mdia")?;
    let mut reader = Reader(child(mdia, b"mdhd")?);
    let wide = reader.u8()? == 1;
    reader.skip(3 + if wide { 16 } else { 8 })?;
    let timescale = reader.u32()?;

    let kind = match child(mdia, b"hdlr")?.get(8..12)? {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => return None,
    };
    let stsd = child(child(child(mdia, b"minf")?, b"stbl")?, b"stsd")?;
    let entries = stsd.get(8..)?;
    let size = usize::try_from(BoxHeader::parse(entries)?.size?).ok()?;
    let sample_entry = all.slice_ref(entries.get(..size)?);
    Some(TrackEntry::from_file(number, kind, timescale, sample_entry))
}

/// The frames of one track in a fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadRun {
    /// `track_ID`.
    pub(crate) number: u32,
    /// Decoding time of the first frame, in ticks since the zero.
    pub(crate) dts: u64,
    /// From the start of the `moof` to the first frame's bytes.
    pub(crate) offset: u64,
    /// The frames.
    pub(crate) samples: Vec<Sample>,
}

/// Which fragment the body of a `moof` says it is.
pub(crate) fn sequence_number(moof: &[u8]) -> Option<u32> {
    child(moof, b"mfhd")?.get(4..)?.first_chunk().map(|number| u32::from_be_bytes(*number))
}

/// Reads the body of a `moof` as [`super::Fragment`] writes it into `runs`, whose vectors are reused.
/// Returns how many runs it has; `None` when it is not one we write.
pub(crate) fn read_fragment(moof: &[u8], runs: &mut Vec<ReadRun>) -> Option<usize> {
    let mut count = 0;
    for (kind, body) in children(moof) {
        if &kind == b"traf" {
            if runs.len() == count {
                runs.push(ReadRun::default());
            }
            read_traf(body, runs.get_mut(count)?)?;
            count += 1;
        }
    }
    (count > 0).then_some(count)
}

fn read_traf(traf: &[u8], run: &mut ReadRun) -> Option<()> {
    let mut header = Reader(child(traf, b"tfhd")?);
    let flags = header.u32()? & 0x00ff_ffff;
    if flags & tfhd::DEFAULT_BASE_IS_MOOF == 0 || flags & tfhd::BASE_DATA_OFFSET != 0 {
        return None;
    }
    run.number = header.u32()?;
    if flags & tfhd::SAMPLE_DESCRIPTION != 0 {
        header.skip(4)?;
    }
    let duration = if flags & tfhd::DEFAULT_DURATION != 0 { header.u32()? } else { 0 };
    let size = if flags & tfhd::DEFAULT_SIZE != 0 { header.u32()? } else { 0 };
    let default_flags = if flags & tfhd::DEFAULT_FLAGS != 0 { header.u32()? } else { 0 };

    let mut decode_time = Reader(child(traf, b"tfdt")?);
    let wide = decode_time.u8()? == 1;
    decode_time.skip(3)?;
    run.dts = if wide { decode_time.u64()? } else { u64::from(decode_time.u32()?) };

    let mut table = Reader(child(traf, b"trun")?);
    let flags = table.u32()? & 0x00ff_ffff;
    let count = table.u32()? as usize;
    if flags & trun::DATA_OFFSET == 0 || flags & trun::SIZE == 0 {
        return None;
    }
    run.offset = u64::from(table.u32()?);
    let first_flags = if flags & trun::FIRST_FLAGS != 0 { Some(table.u32()?) } else { None };
    run.samples.clear();
    for index in 0..count {
        let duration = if flags & trun::DURATION != 0 { table.u32()? } else { duration };
        let size = if flags & trun::SIZE != 0 { table.u32()? } else { size };
        let own_flags = if flags & trun::FLAGS != 0 { Some(table.u32()?) } else { None };
        let composition = if flags & trun::COMPOSITION != 0 { table.u32()? as i32 } else { 0 };
        let sample_flags = own_flags.or(first_flags.filter(|_| index == 0)).unwrap_or(default_flags);
        run.samples.push(Sample { duration, size, composition, sync: sample_flags & 0x0001_0000 == 0 });
    }
    (!run.samples.is_empty()).then_some(())
}

/// Takes big-endian numbers off the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_that_are_not_whole_end_the_list() {
        let good = [0, 0, 0, 9, b'f', b'r', b'e', b'e', 7];
        assert_eq!(children(&good).collect::<Vec<_>>(), [(*b"free", &[7u8][..])]);
        for (size, kept) in [(7u8, 0), (8, 1), (10, 0)] {
            let mut bytes = good;
            bytes[3] = size;
            assert_eq!(children(&bytes).count(), kept, "a size of {size}");
        }
    }

    #[test]
    fn a_run_that_claims_more_frames_than_it_has_is_refused() {
        // tfhd with default-base-is-moof, tfdt, trun of sizes with 2^32 - 1 frames and bytes for one.
        let traf = [
            &[0, 0, 0, 68][..],
            b"traf",
            &[0, 0, 0, 16],
            b"tfhd",
            &[0, 2, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 20],
            b"tfdt",
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 24],
            b"trun",
            &[0, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 5],
        ]
        .concat();
        assert_eq!(read_fragment(&traf, &mut Vec::new()), None);
        let mut one = traf.clone();
        one[56..60].copy_from_slice(&[0, 0, 0, 1]);
        let mut runs = Vec::new();
        assert_eq!(read_fragment(&one, &mut runs), Some(1));
        assert_eq!(runs[0].samples, [Sample { duration: 0, size: 5, composition: 0, sync: true }]);
    }
}
