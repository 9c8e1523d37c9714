//! Bringing one object to its place, whole or not at all.
//!
//! ```text
//! link(spool, target)                              one file system
//! copy -> .put-NNNN beside it, size, sync, rename  otherwise
//! ```

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::tree::Tree;
use crate::{ContentType, ObjectKey, StoreError, Stored};

/// What becomes an object.
pub(super) enum Source {
    File { path: PathBuf, file: File, metadata: Metadata },
    Bytes(Bytes),
}

impl Source {
    /// Opens the file to put.
    ///
    /// It is not synced here, since it is durable already: syncing a clean file still flushes the device's
    /// cache, which made a playlist of 100,000 segments take minutes.
    pub(super) fn file(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Source { path: path.into(), source };
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let file = File::open(path).map_err(failed)?;
        Ok(Self::File { path: path.into(), file, metadata })
    }

    fn len(&self) -> u64 {
        match self {
            Self::File { metadata, .. } => metadata.len(),
            Self::Bytes(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
        }
    }

    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.read_exact_at(buffer, offset),
            Self::Bytes(data) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| data.get(offset..));
                let found = rest.and_then(|rest| rest.get(..buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(found);
                Ok(())
            }
        }
    }

    fn copy_to(&self, target: &mut File) -> io::Result<u64> {
        match self {
            // A handle of its own, whose position is at the start. The standard library lets the
            // file system share the extents where it can.
            Self::File { path, .. } => io::copy(&mut File::open(path)?, target),
            Self::Bytes(data) => target.write_all(data).map(|()| self.len()),
        }
    }
}

impl Tree {
    /// Puts `source` at `key`; returns what is there and the directory whose sync makes its name
    /// durable.
    pub(super) fn put(&self, key: &ObjectKey, source: &Source) -> Result<(Stored, PathBuf), StoreError> {
        let directory = self.directory_for(key)?;
        let put = Put { tree: self, key, source, target: directory.join(key.name()) };
        let stored = put.run()?;
        Ok((stored, directory))
    }
}

/// One put under way.
struct Put<'a> {
    tree: &'a Tree,
    key: &'a ObjectKey,
    source: &'a Source,
    target: PathBuf,
}

impl Put<'_> {
    fn run(&self) -> Result<Stored, StoreError> {
        if let Source::File { path, .. } = self.source {
            match fs::hard_link(path, &self.target) {
                Ok(()) => return self.confirm(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.settle(),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                    return Err(StoreError::Source { path: path.clone(), source: error });
                }
                Err(error) if link_impossible(&error) => {}
                Err(error) => return Err(self.failed("linking", error)),
            }
        }
        match fs::symlink_metadata(&self.target) {
            Ok(_) => self.settle(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.copy(false),
            Err(error) => Err(self.failed("looking at", error)),
        }
    }

    /// Something is at the key already: this object, another playlist to be replaced, or an error.
    fn settle(&self) -> Result<Stored, StoreError> {
        let found = fs::symlink_metadata(&self.target).map_err(|error| self.failed("looking at", error))?;
        let same_inode = matches!(self.source, Source::File { metadata, .. }
            if (metadata.dev(), metadata.ino()) == (found.dev(), found.ino()));
        if same_inode || (found.is_file() && found.len() == self.source.len() && self.equals_target()?) {
            return self.confirm();
        }
        if found.is_file() && ContentType::of_key(self.key) == ContentType::Playlist {
            return self.copy(true);
        }
        let (existing_bytes, new_bytes) = (found.len(), self.source.len());
        Err(StoreError::Taken { key: self.key.clone(), existing_bytes, new_bytes })
    }

    fn equals_target(&self) -> Result<bool, StoreError> {
        let compare = || -> io::Result<bool> {
            let mut target = File::open(&self.target)?;
            let (mut there, mut here) = (vec![0; 256 << 10], vec![0; 256 << 10]);
            let mut offset = 0;
            loop {
                let count = target.read(&mut there)?;
                let (Some(there), Some(here)) = (there.get(..count), here.get_mut(..count)) else { return Ok(false) };
                if count == 0 {
                    // What an interrupted machine left may be in the page cache only.
                    target.sync_data()?;
                    return Ok(offset == self.source.len());
                }
                match self.source.read_exact_at(here, offset) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    result => result?,
                }
                if there != here {
                    return Ok(false);
                }
                offset += u64::try_from(count).unwrap_or(u64::MAX);
            }
        };
        compare().map_err(|error| self.failed("comparing", error))
    }

    /// Copies to the temporary name, checks, syncs, renames.
    fn copy(&self, replace: bool) -> Result<Stored, StoreError> {
        let number = fnv1a(self.key.name());
        let temporary = self.target.with_file_name(format!(".put-{number:016x}"));
        // A caller may have given up on this very put and begun again while the first still runs.
        let index = usize::try_from(number % 16).unwrap_or(0);
        let _turn = self.tree.writing.get(index).map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let result = self.copy_through(&temporary, replace);
        if result.is_err() {
            // The error that matters is the first one; what cannot be removed now is removed by
            // the next attempt.
            let _ = fs::remove_file(&temporary);
        }
        match result? {
            Placed::Now => self.confirm(),
            Placed::Before => {
                let _ = fs::remove_file(&temporary);
                self.settle()
            }
        }
    }

    fn copy_through(&self, temporary: &Path, replace: bool) -> Result<Placed, StoreError> {
        match fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.failed("clearing the way for", error));
            }
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(temporary)
            .map_err(|error| self.failed("creating the copy for", error))?;
        let copied = self.source.copy_to(&mut file).map_err(|error| self.failed("copying to", error))?;
        let found_bytes = file.metadata().map_err(|error| self.failed("looking at the copy for", error))?.len();
        let expected_bytes = self.source.len();
        if copied != expected_bytes || found_bytes != expected_bytes {
            return Err(StoreError::SizeDiffers { key: self.key.clone(), expected_bytes, found_bytes });
        }
        file.sync_all().map_err(|error| self.failed("syncing the copy for", error))?;
        if replace {
            fs::rename(temporary, &self.target).map_err(|error| self.failed("renaming to", error))?;
            return Ok(Placed::Now);
        }
        match renameat_with(CWD, temporary, CWD, &self.target, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(Placed::Now),
            Err(Errno::EXIST) => Ok(Placed::Before),
            // The file system has no such rename; that nothing is there was seen a moment ago, and
            // this process is the only one that puts.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::rename(temporary, &self.target).map_err(|error| self.failed("renaming to", error))?;
                Ok(Placed::Now)
            }
            Err(error) => Err(self.failed("renaming to", error.into())),
        }
    }

    /// The object has the size of what was put.
    fn confirm(&self) -> Result<Stored, StoreError> {
        let found_bytes = fs::symlink_metadata(&self.target).map_err(|error| self.failed("looking at", error))?.len();
        let expected_bytes = self.source.len();
        if found_bytes == expected_bytes {
            Ok(Stored { size_bytes: found_bytes })
        } else {
            Err(StoreError::SizeDiffers { key: self.key.clone(), expected_bytes, found_bytes })
        }
    }

    fn failed(&self, doing: &str, error: io::Error) -> StoreError {
        StoreError::from_io(|| format!("{doing} {}", self.target.display()), error)
    }
}

enum Placed {
    Now,
    /// Another put of the same key was faster.
    Before,
}

/// Whether this pair of places can never be linked: two file systems, one without links, a file
/// owned by another user, or one that has all the links it may have.
fn link_impossible(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::CrossesDevices | Kind::PermissionDenied | Kind::Unsupported | Kind::TooManyLinks)
}

/// FNV-1a, 64 bits: the same name has the same number in every process.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
