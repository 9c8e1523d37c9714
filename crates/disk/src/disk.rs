//! The effects on a disk that everything is made of.

use std::any::Any;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::Path;

/// A disk: every way in which Livetape changes or reads media files.
///
/// Each call is one effect, so that an implementation can count them and fail or stop at any of
/// them. Paths are absolute or relative to the process. No call follows a symbolic link in the
/// last component of a path.
pub trait Disk: Send + Sync {
    /// Creates a file that must not exist, open for reading and writing.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a regular file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a regular file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// What stands at `path`; `None` when nothing does.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// Renames a file, replacing one that has the new name.
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames a file or directory; [`io::ErrorKind::AlreadyExists`] when the new name is taken.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, on the same filesystem, that must not be taken.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name of a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory that must not exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// What a directory holds, in the order of the names' bytes, without `.` and `..`.
    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// How much room the filesystem that holds `path` has.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Takes the exclusive lock on the file at `path`, creating it when it is missing, and writes
    /// `holder` into it. Never waits.
    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Writes `slices` one after the other from `offset` on and says how many bytes were taken,
    /// which may be fewer than there are. Takes at most the first 1024 slices.
    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Reads into `buffer` from `offset` on and says how many bytes there were; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Cuts or extends (with a hole) to `len` bytes.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Gives the space of a range back, which reads as zero after. `false` when the filesystem
    /// cannot do this; the range is then unchanged.
    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool>;

    /// Makes the file's bytes and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;

    /// Says that a range that has been read will not be read again soon, so that it need not be kept in
    /// memory for others to make room. Advice: changes nothing else.
    fn release(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }
}

/// Slices that one [`DiskFile::write_at`] takes (`IOV_MAX` on Linux).
pub(crate) const MAX_SLICES: usize = 1024;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// Its length in bytes, of a file.
    pub size_bytes: u64,
    /// Which one it is.
    pub identity: Identity,
}

/// Which file or directory it is, whatever its name: two paths with equal identities are names of
/// one file. Equal for as long as the file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The filesystem it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What it stands for.
    pub kind: EntryKind,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, a socket, a device ...
    Other,
}

/// The room of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes this process may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// What became of an attempt to take a lock.
pub enum LockAttempt {
    /// Taken; held until the value is dropped.
    Held(Box<dyn Any + Send + Sync>),
    /// Somebody else has it, and left this text.
    Taken(String),
}
