//! The changes of a disk, each one effect.

use std::ffi::OsString;
use std::fmt;

use bytes::Bytes;

/// The number of a file or directory.
pub type Inode = u64;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: Inode,
    /// The name in it.
    pub name: OsString,
}

/// One change of a disk: what one call of [`livetape_disk::Disk`] or [`livetape_disk::DiskFile`] did.
#[derive(Clone, PartialEq, Eq)]
pub enum DiskEffect {
    /// A new, empty file.
    Create(Place, Inode),
    /// A new, empty directory.
    CreateDir(Place, Inode),
    /// Bytes of a file.
    Write {
        /// Which file.
        inode: Inode,
        /// From which byte on.
        offset: u64,
        /// Which bytes.
        data: Bytes,
    },
    /// The length of a file.
    SetLen(Inode, u64),
    /// A range of a file reads as zero: first byte, length.
    Punch(Inode, u64, u64),
    /// A file's bytes and length are durable.
    SyncData(Inode),
    /// A sync failed, and what was not durable of the file never will be.
    Forget(Inode),
    /// A name moves, replacing what has the new one.
    Rename(Place, Place),
    /// A second name of a file.
    Link(Inode, Place),
    /// A name of a file, or of an empty directory, is gone.
    Remove(Place),
    /// A directory's names are durable.
    SyncDir(Inode),
}

impl fmt::Debug for DiskEffect {
    /// Says how much was written, not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(place, inode) => write!(f, "create {place:?} as {inode}"),
            Self::CreateDir(place, inode) => write!(f, "mkdir {place:?} as {inode}"),
            Self::Write { inode, offset, data } => write!(f, "write {inode} at {offset}: {} bytes", data.len()),
            Self::SetLen(inode, len) => write!(f, "set length of {inode} to {len}"),
            Self::Punch(inode, offset, len) => write!(f, "punch {inode} at {offset}: {len} bytes"),
            Self::SyncData(inode) => write!(f, "sync {inode}"),
            Self::Forget(inode) => write!(f, "failed sync of {inode}"),
            Self::Rename(from, to) => write!(f, "rename {from:?} to {to:?}"),
            Self::Link(inode, place) => write!(f, "link {inode} to {place:?}"),
            Self::Remove(place) => write!(f, "remove {place:?}"),
            Self::SyncDir(inode) => write!(f, "sync directory {inode}"),
        }
    }
}
