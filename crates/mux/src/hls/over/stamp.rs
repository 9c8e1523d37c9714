//! What playlists over an MP4 are made by, kept with the initialisation section, where players look away: in a
//! `free` box at its end.
//!
//! ```text
//! 0    4 "ltov" | version:1 = 1 | zero:3
//! 8    recording's start:8                  nanoseconds on the session's timeline
//! 16   wall clock at the start:8            milliseconds since 1970
//! 24   target of segments:8 (ns) | overrun:4 | length of what follows:4
//! 40   what playlists call the MP4
//!      CRC-32 of the above:4
//! ```

use bytes::Bytes;
use livetape_media::{MediaTime, WallTime};

use crate::bmff::{BoxHeader, BoxWriter};
use crate::ts::crc32;

const MAGIC: [u8; 8] = *b"ltov\x01\0\0\0";
/// Bytes before the name.
const FIXED: usize = 40;
/// No name is longer: a key has at most a kilobyte, and its escapes three times that.
const URI_MAX: usize = 8 << 10;

/// What playlists over an MP4 are made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Where the recording begins, on the session's timeline.
    pub(crate) start: MediaTime,
    /// The wall clock there.
    pub(crate) wall: WallTime,
    /// What a segment should last.
    pub(crate) target: MediaTime,
    /// A segment that has become this many times its target without a key frame is cut without one.
    pub(crate) overrun: u32,
    /// What playlists call the MP4: its key, as seen from theirs.
    pub(crate) uri: String,
}

impl Stamp {
    /// `init`, an initialisation section, with this at its end.
    pub(crate) fn behind(&self, init: &[u8]) -> Bytes {
        let mut body = BoxWriter::with_capacity(FIXED + self.uri.len() + 4);
        body.raw(&MAGIC);
        for number in [self.start.as_nanos(), self.wall.as_unix_millis(), self.target.as_nanos()] {
            body.raw(&number.to_be_bytes());
        }
        body.u32(self.overrun);
        body.u32(u32::try_from(self.uri.len()).unwrap_or(u32::MAX));
        body.raw(self.uri.as_bytes());
        let mut body = body.into_bytes();
        let crc = crc32(&body);
        body.extend_from_slice(&crc.to_be_bytes());
        let mut out = BoxWriter::with_capacity(init.len() + body.len() + 8);
        out.raw(init);
        out.boxed(b"free", |w| w.raw(&body));
        out.into_bytes().into()
    }

    /// Reads what [`Self::behind`] wrote; `None` when it is something else.
    pub(crate) fn read(init: &[u8]) -> Option<Self> {
        let mut rest = init;
        loop {
            let header = BoxHeader::parse(rest)?;
            let size = usize::try_from(header.size?).ok()?;
            let (found, after) = rest.split_at_checked(size)?;
            if &header.kind == b"free" {
                return Self::parse(found.get(usize::try_from(header.header_len).ok()?..)?);
            }
            rest = after;
        }
    }

    fn parse(body: &[u8]) -> Option<Self> {
        if crc32(body) != 0 || !body.starts_with(&MAGIC) {
            return None;
        }
        let i64_at = |at: usize| body.get(at..)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
        let u32_at = |at: usize| body.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let len = usize::try_from(u32_at(36)?).ok().filter(|len| *len <= URI_MAX)?;
        Some(Self {
            start: MediaTime::from_nanos(i64_at(8)?),
            wall: WallTime::from_unix_millis(i64_at(16)?),
            target: MediaTime::from_nanos(i64_at(24)?),
            overrun: u32_at(32)?,
            uri: String::from_utf8(body.get(FIXED..FIXED + len)?.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Stamp {
        Stamp {
            start: MediaTime::from_millis(-40),
            wall: WallTime::from_unix_millis(1_795_000_000_123),
            target: MediaTime::from_millis(6_000),
            overrun: 4,
            uri: "../cam1-20261122T210700123Z-1.mp4".to_owned(),
        }
    }

    const INIT: &[u8] = b"\0\0\0\x0cftypiso6\0\0\0\x09moov\x01";

    #[test]
    fn a_stamp_comes_back() {
        let bytes = example().behind(INIT);
        assert!(bytes.starts_with(INIT));
        assert_eq!(Stamp::read(&bytes), Some(example()));
        assert_eq!(Stamp::read(INIT), None);
    }

    proptest! {
        #[test]
        fn a_stamp_with_any_bit_turned_is_none(bit in (INIT.len() + 8) * 8..(INIT.len() + 85) * 8) {
            let mut bytes = example().behind(INIT).to_vec();
            prop_assume!(bit / 8 < bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Stamp::read(&bytes), None);
        }
    }
}
