//! How the file of a recording becomes an object in a store that takes objects in parts.
//!
//! Such a store takes the parts of an object in any order and one part again, until it is told that the object
//! is complete. So what stands at the head need not be known when the first part is put, and the object needs no
//! room for it: the first part is put with a head under which what has been put so far plays, and once more, at
//! the end, with the final one. An object is a head of this module's making, and then bytes of the file:
//!
//! ```text
//! object   head | body
//! part 1   head | the first bytes of the body       put early, and again when finished
//! part n          bytes of the body                 put once
//! ```
//!
//! Contract:
//! - the body begins at the same byte of the file from the first fragment on, finished or not, salvaged or not;
//! - the body of a growing recording is how the body of the finished one begins, byte for byte;
//! - the head of a growing recording makes a playable file with any first part of its body: what is torn at the
//!   end of that is not played. The head of a finished one goes with the whole body only;
//! - nothing is changed or kept; the memory is that of the head, and of an MP4's index once more.
//!
//! A crash may take the end of a body away with the frames that were not whole, and salvage then tells the last
//! `mdat` of an MP4 its true size: four bytes that a finished file does not use. What had been put of it before
//! the crash stays right up to where the finished body ends.

use std::ops::Range;

use bytes::Bytes;
use livetape_media::Format;

use crate::{ReadAt, SalvageError, flv, mp4};

/// How an object is made of its file: `head`, and then the file's bytes `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// Bytes before the media.
    pub head: Bytes,
    /// The range of the file that follows.
    pub body: Range<u64>,
}

impl ObjectLayout {
    /// Bytes of the object.
    pub fn size_bytes(&self) -> u64 {
        self.head.len() as u64 + self.body.end.saturating_sub(self.body.start)
    }
}

/// How long a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// As long as it needs to be: an MP4 keeps no room for its index. The head of the finished recording, a
    /// few kilobytes to tens of megabytes, is longer than that of the growing one, and so is the first part.
    Exact,
    /// As long as in the file, so that the object is the file, byte for byte: for stores that want parts of
    /// equal sizes. The caller keeps the head shorter than a part: that of an MP4 is the room for its index,
    /// bounded by [`Layout::mp4_reserve_max_bytes`](crate::Layout::mp4_reserve_max_bytes), and a few kilobytes;
    /// that of an FLV is at most 1.2 MB. An MP4's index that did not fit into the room is the end of the body.
    Same,
}

/// A format whose recordings are one file each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneFile {
    /// MP4.
    Mp4,
    /// FLV. Its metadata keeps its length when it is completed, so both fits are the same.
    Flv,
}

impl OneFile {
    /// `None` for HLS, whose files are objects as they are.
    pub fn of(format: Format) -> Option<Self> {
        match format {
            Format::Mp4 => Some(Self::Mp4),
            Format::Flv => Some(Self::Flv),
            Format::Hls => None,
        }
    }
}

/// The object of what is in `file` so far. `None` until its head is whole and a byte of the body follows.
///
/// Right in every state of the file, also while it is being completed and after, when [`finished`] has more to
/// say. Errors: the file cannot be read, or it is not what a muxer writes.
pub fn growing(format: OneFile, file: &dyn ReadAt, fit: Fit) -> Result<Option<ObjectLayout>, SalvageError> {
    match format {
        OneFile::Mp4 => mp4::object::growing(file, fit),
        OneFile::Flv => flv::object::growing(file),
    }
}

/// The object of the finished `file`.
///
/// Errors: the file cannot be read, it is not what a muxer writes, or it is not finished. An index of more than
/// 1 GiB, two weeks of it, counts as damage.
pub fn finished(format: OneFile, file: &dyn ReadAt, fit: Fit) -> Result<ObjectLayout, SalvageError> {
    match format {
        OneFile::Mp4 => mp4::object::finished(file, fit),
        OneFile::Flv => flv::object::finished(file),
    }
}
