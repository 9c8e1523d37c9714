//! Bringing one object to its place, whole or not at all.
//!
//! ```text
//! link(spool, target)                                          one file system
//! copy -> ROOT/.incoming/NUMBER, size, sync, rename to target  otherwise
//! ```

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use bytes::Bytes;
use livetape_disk::{Disk, DiskFile, EntryKind, Stat, read_exact, write_all};

use super::tree::Tree;
use crate::{ContentType, ObjectKey, StoreError, Stored};

/// What is read and written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What becomes an object.
pub(super) enum Source {
    File { path: PathBuf, stat: Stat },
    Bytes(Bytes),
}

impl Source {
    /// The file to put.
    ///
    /// It is not synced here, since it is durable already: syncing a clean file still flushes the device's
    /// cache, which made a playlist of 100,000 segments take minutes.
    pub(super) fn file(tree: &Tree, path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Source { path: path.into(), source };
        let stat = tree.disk.stat(path).map_err(failed)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        if stat.kind != EntryKind::File {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        Ok(Self::File { path: path.into(), stat })
    }

    fn len(&self) -> u64 {
        match self {
            Self::File { stat, .. } => stat.size_bytes,
            Self::Bytes(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
        }
    }

    /// Hands all of it to `take`, a piece at a time, with the offset of each. `take` says whether it
    /// wants the next.
    fn read(
        &self,
        disk: &dyn Disk,
        mut take: impl FnMut(u64, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (path, len) = match self {
            Self::Bytes(data) => return take(0, data).map(|_| ()),
            Self::File { path, stat } => (path, stat.size_bytes),
        };
        let failed = |source| StoreError::Source { path: path.clone(), source };
        let file = disk.open_read(path).map_err(failed)?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut offset = 0u64;
        while offset < len {
            let piece = usize::try_from(len - offset).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let piece = buffer.get_mut(..piece).unwrap_or_default();
            read_exact(&*file, offset, piece).map_err(failed)?;
            if !take(offset, piece)? {
                return Ok(());
            }
            offset += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }
}

impl Tree {
    /// Puts `source` at `key`; returns what is there and the directory whose sync makes its name
    /// durable.
    pub(super) fn put(&self, key: &ObjectKey, source: &Source) -> Result<(Stored, PathBuf), StoreError> {
        loop {
            let pruned = self.pruned();
            let placed = self.directory_for(key).and_then(|directory| {
                let put = Put { tree: self, key, source, target: directory.join(key.name()) };
                Ok((put.run()?, directory))
            });
            if self.pruned() == pruned {
                return placed;
            }
            // The directory, empty until now, may have been taken away under our hands, and been made anew by
            // somebody who has not synced its name yet.
            if let Ok((stored, _)) = placed {
                return Ok((stored, self.directory_for(key)?));
            }
        }
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
        let disk = &self.tree.disk;
        if let Source::File { path, .. } = self.source {
            match disk.hard_link(path, &self.target) {
                Ok(()) => return self.confirm(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.settle(),
                Err(error) if error.kind() == io::ErrorKind::NotFound && matches!(disk.stat(path), Ok(None)) => {
                    return Err(StoreError::Source { path: path.clone(), source: error });
                }
                Err(error) if link_impossible(&error) => {}
                Err(error) => return Err(self.failed("linking", error)),
            }
        }
        match self.found()? {
            Some(_) => self.settle(),
            None => self.copy(false),
        }
    }

    fn found(&self) -> Result<Option<Stat>, StoreError> {
        self.tree.disk.stat(&self.target).map_err(|error| self.failed("looking at", error))
    }

    /// Something is at the key already: this object, another playlist to be replaced, or an error.
    fn settle(&self) -> Result<Stored, StoreError> {
        let Some(found) = self.found()? else {
            return Err(self.failed("looking at", io::ErrorKind::NotFound.into()));
        };
        let same_file = matches!(self.source, Source::File { stat, .. } if stat.identity == found.identity);
        let is_file = found.kind == EntryKind::File;
        if same_file || (is_file && found.size_bytes == self.source.len() && self.equals_target()?) {
            return self.confirm();
        }
        if is_file && ContentType::of_key(self.key) == ContentType::Playlist {
            return self.copy(true);
        }
        let (existing_bytes, new_bytes) = (found.size_bytes, self.source.len());
        Err(StoreError::Taken { key: self.key.clone(), existing_bytes, new_bytes })
    }

    /// Whether the target, which has the size of the source, has its contents; they are durable then.
    fn equals_target(&self) -> Result<bool, StoreError> {
        let failed = |error| self.failed("comparing", error);
        let target = self.tree.disk.open_read(&self.target).map_err(failed)?;
        let mut there = vec![0; CHUNK_BYTES];
        let mut equal = true;
        self.source.read(&*self.tree.disk, |mut offset, here| {
            for here in here.chunks(CHUNK_BYTES) {
                let there = there.get_mut(..here.len()).unwrap_or_default();
                match read_exact(&*target, offset, there) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => equal = false,
                    result => result.map_err(failed)?,
                }
                equal &= here == there;
                offset += u64::try_from(here.len()).unwrap_or(u64::MAX);
            }
            Ok(equal)
        })?;
        if equal {
            // What an interrupted process left may be in the page cache only.
            target.sync_data().map_err(failed)?;
        }
        Ok(equal)
    }

    /// Copies to a temporary name, checks, syncs, renames.
    fn copy(&self, replace: bool) -> Result<Stored, StoreError> {
        let number = fnv1a(self.key.as_str());
        // A caller may have given up on this very put and begun again while the first still runs.
        let index = usize::try_from(number % 16).unwrap_or(0);
        let _turn = self.tree.writing.get(index).map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let incoming = self.tree.incoming();
        let mut placed = Placed::NotFromThere;
        if self.same_filesystem(&incoming)? {
            placed = self.copy_by(&incoming.join(format!("{number:016x}")), replace)?;
        }
        if placed == Placed::NotFromThere {
            // Another file system is mounted within the store. What a crash leaves of this one is
            // replaced by the next put of the key.
            placed = self.copy_by(&self.target.with_file_name(format!(".put-{number:016x}")), replace)?;
        }
        match placed {
            Placed::Before => self.settle(),
            Placed::Now | Placed::NotFromThere => self.confirm(),
        }
    }

    /// Whether a file can be renamed from `incoming`, which is made if need be, to the target, as
    /// far as can be seen before.
    fn same_filesystem(&self, incoming: &Path) -> Result<bool, StoreError> {
        let failed = |error| StoreError::from_io(|| format!("making {}", incoming.display()), error);
        match self.tree.disk.create_dir(incoming) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(failed)?,
        }
        let device = |path: &Path| Ok(self.tree.look(path)?.map(|stat| stat.identity.device));
        Ok(device(incoming)? == self.target.parent().map(device).transpose()?.flatten())
    }

    fn copy_by(&self, temporary: &Path, replace: bool) -> Result<Placed, StoreError> {
        let result = self.copy_through(temporary, replace);
        if !matches!(result, Ok(Placed::Now)) {
            // The error that matters is the first one; what cannot be removed now is removed by
            // the next attempt, or the next start.
            let _ = self.tree.disk.unlink(temporary);
        }
        result
    }

    fn copy_through(&self, temporary: &Path, replace: bool) -> Result<Placed, StoreError> {
        let disk = &self.tree.disk;
        match disk.unlink(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.failed("clearing the way for", error));
            }
            _ => {}
        }
        let file = disk.create_new(temporary).map_err(|error| self.failed("creating the copy for", error))?;
        self.fill(&*file)?;
        let found_bytes = file.size().map_err(|error| self.failed("looking at the copy for", error))?;
        let expected_bytes = self.source.len();
        if found_bytes != expected_bytes {
            return Err(StoreError::SizeDiffers { key: self.key.clone(), expected_bytes, found_bytes });
        }
        file.sync_data().map_err(|error| self.failed("syncing the copy for", error))?;
        let renamed = match replace {
            true => disk.rename_over(temporary, &self.target),
            false => disk.rename_new(temporary, &self.target),
        };
        match renamed {
            Ok(()) => Ok(Placed::Now),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Placed::Before),
            Err(error)
                if error.kind() == io::ErrorKind::CrossesDevices && temporary.parent() != self.target.parent() =>
            {
                Ok(Placed::NotFromThere)
            }
            Err(error) => Err(self.failed("renaming to", error)),
        }
    }

    fn fill(&self, file: &dyn DiskFile) -> Result<(), StoreError> {
        self.source.read(&*self.tree.disk, |offset, piece| {
            write_all(file, offset, &mut [IoSlice::new(piece)]).map_err(|error| self.failed("copying to", error))?;
            Ok(true)
        })
    }

    /// The object has the size of what was put.
    fn confirm(&self) -> Result<Stored, StoreError> {
        let found_bytes = self.found()?.map_or(0, |stat| stat.size_bytes);
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    Now,
    /// Another put of the same key was faster.
    Before,
    /// The target is on another file system than the temporary name.
    NotFromThere,
}

/// Whether this pair of places can never be linked: two file systems, one without links, a file
/// owned by another user, or one that has all the links it may have.
fn link_impossible(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::CrossesDevices | Kind::PermissionDenied | Kind::Unsupported | Kind::TooManyLinks)
}

/// FNV-1a, 64 bits: the same key has the same number in every process.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
