//! What each segment says of itself, so that a recording can be completed from its segments after
//! a crash, without reading more than the last one.
//!
//! It stands where players look away: in a `free` box before the first fragment of an fMP4
//! segment, in a null packet behind the tables of a transport stream segment.
//!
//! ```text
//! 0    4 "ltsg" | version:1 = 1 | flags:1 | zero:2
//! 8    segment number:4 | initialisation section number:4
//! 16   recording's start:8 | this segment's start:8         nanoseconds on the session's timeline
//! 32   wall clock at this segment's start:8                 milliseconds since 1970
//! 40   of all segments before: duration:8 (ms) | pictures:8 | sounds:8 | bytes with initialisation sections:8
//! 72   peak bit rate:8 | intervals between pictures:8 | their sum:8 (ns) | frames moved:8
//! 104  CRC-32 of the above:4
//! ```

use livetape_media::{MediaTime, WallTime};

use crate::ts::{NOTE_MAX, crc32};

/// Bytes of a stamp.
pub(super) const STAMP: usize = 108;
const _: () = assert!(STAMP <= NOTE_MAX, "a stamp fits in one null packet");
const MAGIC: [u8; 5] = *b"ltsg\x01";

const FLAG_DISCONTINUITY: u8 = 1;
const FLAG_MARK: u8 = 2;
const FLAG_CUT_AT_RANDOM: u8 = 4;

/// What a segment says of itself and of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its number.
    pub(super) number: u32,
    /// The number of its initialisation section.
    pub(super) init: u32,
    /// The stream does not go on seamlessly from the segment before.
    pub(super) discontinuity: bool,
    /// The playlist tells the wall clock and the initialisation section before it.
    pub(super) marked: bool,
    /// A segment before it did not begin with a key frame.
    pub(super) dependent_before: bool,
    /// Where the recording begins, on the session's timeline.
    pub(super) start: MediaTime,
    /// Where this segment begins.
    pub(super) begins: MediaTime,
    /// The wall clock there.
    pub(super) wall: WallTime,
    /// Of all segments before: how long they last, in milliseconds, as the playlist says.
    pub(super) duration_ms: u64,
    /// Pictures in them.
    pub(super) pictures: u64,
    /// Sounds in them.
    pub(super) sounds: u64,
    /// Their bytes and those of all initialisation sections so far.
    pub(super) bytes: u64,
    /// Their peak bit rate.
    pub(super) peak_bit_rate: u64,
    /// What the frame rate was measured from.
    pub(super) intervals: u64,
    /// Likewise.
    pub(super) span_nanos: u64,
    /// Frames whose times had to be moved.
    pub(super) repaired: u64,
}

impl Stamp {
    /// As bytes, [`STAMP`] of them.
    pub(super) fn write(&self) -> Vec<u8> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(self.discontinuity, FLAG_DISCONTINUITY)
            | flag(self.marked, FLAG_MARK)
            | flag(self.dependent_before, FLAG_CUT_AT_RANDOM);
        let mut out = Vec::with_capacity(STAMP);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[flags, 0, 0]);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.init.to_be_bytes());
        for signed in [self.start.as_nanos(), self.begins.as_nanos(), self.wall.as_unix_millis()] {
            out.extend_from_slice(&signed.to_be_bytes());
        }
        for count in [
            self.duration_ms,
            self.pictures,
            self.sounds,
            self.bytes,
            self.peak_bit_rate,
            self.intervals,
            self.span_nanos,
            self.repaired,
        ] {
            out.extend_from_slice(&count.to_be_bytes());
        }
        let crc = crc32(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// Reads what [`Self::write`] wrote; bytes behind it do not matter. `None` when it is something else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let stamp = bytes.first_chunk::<STAMP>()?;
        if crc32(stamp) != 0 || !stamp.starts_with(&MAGIC) {
            return None;
        }
        let u32_at = |at: usize| stamp.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let u64_at = |at: usize| stamp.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let i64_at = |at: usize| u64_at(at).map(|value| value as i64);
        let flags = stamp[5];
        Some(Self {
            number: u32_at(8)?,
            init: u32_at(12)?,
            discontinuity: flags & FLAG_DISCONTINUITY != 0,
            marked: flags & FLAG_MARK != 0,
            dependent_before: flags & FLAG_CUT_AT_RANDOM != 0,
            start: MediaTime::from_nanos(i64_at(16)?),
            begins: MediaTime::from_nanos(i64_at(24)?),
            wall: WallTime::from_unix_millis(i64_at(32)?),
            duration_ms: u64_at(40)?,
            pictures: u64_at(48)?,
            sounds: u64_at(56)?,
            bytes: u64_at(64)?,
            peak_bit_rate: u64_at(72)?,
            intervals: u64_at(80)?,
            span_nanos: u64_at(88)?,
            repaired: u64_at(96)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Stamp {
        Stamp {
            number: 7,
            init: 1,
            discontinuity: true,
            marked: true,
            dependent_before: false,
            start: MediaTime::from_millis(-40),
            begins: MediaTime::from_millis(42_000),
            wall: WallTime::from_unix_millis(1_795_000_000_000),
            duration_ms: 42_040,
            pictures: 1260,
            sounds: 1969,
            bytes: 13_000_000,
            peak_bit_rate: 2_700_000,
            intervals: 1259,
            span_nanos: 42_000_000_000,
            repaired: 2,
        }
    }

    #[test]
    fn a_stamp_comes_back() {
        let mut bytes = example().write();
        assert_eq!(bytes.len(), STAMP);
        bytes.extend_from_slice(&[0xff; 76]);
        assert_eq!(Stamp::read(&bytes), Some(example()));
    }

    proptest! {
        #[test]
        fn a_stamp_with_any_bit_turned_is_none(bit in 0..STAMP * 8) {
            let mut bytes = example().write();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Stamp::read(&bytes), None);
        }
    }
}
