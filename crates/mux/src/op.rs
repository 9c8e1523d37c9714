//! What a muxer wants done to files.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The name of a file within its recording: one path component, made by a muxer, never by a
/// publisher. `[a-z0-9.-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// The only file of an MP4 recording.
    pub fn mp4() -> Self {
        Self("recording.mp4".into())
    }

    /// The only file of an FLV recording.
    pub fn flv() -> Self {
        Self("recording.flv".into())
    }

    /// A name a muxer made, or one found in a recording's directory; `None` unless it is one path
    /// component of the allowed characters that does not begin with a dot.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let good = !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.bytes().all(allowed);
        good.then(|| Self(name.into()))
    }

    /// A name this crate puts together; of the allowed characters by construction.
    pub(crate) fn made(name: String) -> Self {
        debug_assert!(Self::new(&name).is_some(), "{name} is no file name");
        Self(name.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One operation on a file of a recording.
///
/// A file grows under a temporary name (`NAME.part`) from `Create` to `Finish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates the growing file. It must not exist.
    Create {
        /// Which.
        file: FileName,
    },
    /// Appends all `slices`, in order, with one vectored write where possible.
    Append {
        /// To which.
        file: FileName,
        /// What.
        slices: Vec<Bytes>,
    },
    /// Overwrites bytes that exist (or lie in a hole made by `Reserve`).
    Patch {
        /// In which.
        file: FileName,
        /// From which byte on.
        offset: u64,
        /// With what.
        data: Bytes,
    },
    /// Extends the file by `len` bytes that read as zero and need no disk space (a hole).
    Reserve {
        /// Which.
        file: FileName,
        /// By how many bytes.
        len: u64,
    },
    /// Gives the disk space of a range back; it reads as zero after. Best effort.
    PunchHole {
        /// In which.
        file: FileName,
        /// From which byte on.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Cuts the file to `len` bytes. Only salvage and [`reopen()`](crate::reopen()) do this.
    Truncate {
        /// Which.
        file: FileName,
        /// New length.
        len: u64,
    },
    /// Everything before this is on the disk before anything after it.
    Sync {
        /// Which.
        file: FileName,
    },
    /// The file will never change again: sync it and give it its final name.
    Finish {
        /// Which.
        file: FileName,
    },
    /// A small file, whole: written under a temporary name, synced and renamed. Replaces an older
    /// one of the same name.
    Whole {
        /// Which.
        file: FileName,
        /// Its contents.
        data: Bytes,
    },
    /// Removes the file. Only salvage and [`reopen()`](crate::reopen()) do this, for a file that holds nothing whole.
    Remove {
        /// Which.
        file: FileName,
    },
}
