//! The header of one chunk, as it is on the wire.

use std::fmt;

/// The longest header: basic 3, message 11, extended timestamp 4.
pub(crate) const MAX_HEADER: usize = 18;
/// 24 bits that say: the value is in the extended timestamp.
pub(crate) const EXTENDED: u32 = 0x00FF_FFFF;

/// How much of a message's header a chunk repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Type 0: everything.
    Full,
    /// Type 1: all but the message stream.
    SameStream,
    /// Type 2: the timestamp's delta only.
    Delta,
    /// Type 3: nothing.
    Nothing,
}

impl Format {
    const fn from_byte(byte: u8) -> Self {
        match byte >> 6 {
            0 => Self::Full,
            1 => Self::SameStream,
            2 => Self::Delta,
            _ => Self::Nothing,
        }
    }

    /// Bytes of the message header.
    const fn size(self) -> usize {
        match self {
            Self::Full => 11,
            Self::SameStream => 7,
            Self::Delta => 3,
            Self::Nothing => 0,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "type 0 header",
            Self::SameStream => "type 1 header",
            Self::Delta => "type 2 header",
            Self::Nothing => "type 3 header",
        })
    }
}

/// What the fixed part of a chunk's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) format: Format,
    pub(crate) csid: u32,
    /// The 24-bit timestamp or delta; absent in type 3.
    pub(crate) time: Option<u32>,
    /// Message length and type; types 0 and 1.
    pub(crate) message: Option<(u32, u8)>,
    /// Message stream; type 0.
    pub(crate) stream_id: Option<u32>,
    /// Bytes of all that, without the extended timestamp.
    pub(crate) size: usize,
}

impl Header {
    /// Reads the header at the front of `data`; nothing if it is not all there.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        let first = *data.first()?;
        let format = Format::from_byte(first);
        let (csid, basic) = match first & 0x3F {
            0 => (64 + u32::from(*data.get(1)?), 2),
            1 => (64 + u32::from(*data.get(1)?) + 256 * u32::from(*data.get(2)?), 3),
            small => (u32::from(small), 1),
        };
        let size = basic + format.size();
        let header = data.get(basic..size)?;
        Some(Self {
            format,
            csid,
            time: u24(header, 0),
            message: u24(header, 3).zip(header.get(6).copied()),
            stream_id: header.get(7..11).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes),
            size,
        })
    }

    /// The 32 bits behind the fixed part, where an extended timestamp would be.
    pub(crate) fn extended(&self, data: &[u8]) -> Option<u32> {
        data.get(self.size..self.size + 4)?.try_into().ok().map(u32::from_be_bytes)
    }
}

fn u24(data: &[u8], at: usize) -> Option<u32> {
    match data.get(at..at + 3)? {
        &[a, b, c] => Some(u32::from_be_bytes([0, a, b, c])),
        _ => None,
    }
}
