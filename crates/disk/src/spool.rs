//! Where recordings grow.
//!
//! ```text
//! DATA/
//!   lock                      held by the one process that uses DATA
//!   pulse                     how far every live session had come a moment ago
//!   spool/
//!     rec_0192..._mp4_1/      one directory per recording, named by its id
//!       .label.json           what its row says, for when the catalog is lost
//!       recording.mp4.part    grows
//!       .index.m3u8.new       a small file being replaced
//!     rec_0192..._hls_1/
//!       segment-000000.m4s    finished: will never change again
//!   quarantine/               what nothing accounts for, moved here, never deleted
//! ```

mod files;
mod writer;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livetape_mux::FileName;

pub use files::{OpenFile, SpoolFiles};
pub use writer::SpoolWriter;

use crate::copy::{read_small, write_all};
use crate::{Disk, DiskError, EntryKind, Space, copy_new};

/// The suffix of a file that grows.
const GROWING: &str = ".part";
/// The suffix, behind a leading dot, of a file that is to take another's place.
const TEMPORARY: &str = ".new";
/// The file that says what a recording is.
const LABEL: &str = ".label.json";
/// No label is longer.
const LABEL_MAX_BYTES: u64 = 64 << 10;
/// The longest stem a name keeps in the quarantine, so that a number fits behind it.
const QUARANTINE_STEM_BYTES: usize = 200;

/// The spool of a data directory. Cheap to clone.
#[derive(Clone)]
pub struct Spool {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    spool: PathBuf,
    quarantine: PathBuf,
    suspects: Arc<Suspects>,
}

/// Growing files a sync of which failed. Opening such a file again does not make it trustworthy:
/// the kernel reports a lost write once.
#[derive(Default)]
struct Suspects(Mutex<BTreeSet<PathBuf>>);

impl Suspects {
    fn locked(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the spool holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolListing {
    /// Directories named like recordings, in order.
    pub recordings: Vec<String>,
    /// Everything else, in order.
    pub unknown: Vec<OsString>,
}

impl Spool {
    /// The spool of the data directory `root`; what is missing of `root/spool` and
    /// `root/quarantine` is created.
    pub fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, DiskError> {
        let found = Self::as_is(disk, root);
        let mut created = false;
        for path in [&found.spool, &found.quarantine] {
            created |= ensure_dir(&*found.disk, path)?;
        }
        if created {
            found.disk.sync_dir(root).map_err(DiskError::io("syncing", root))?;
        }
        Ok(found)
    }

    /// The spool of the data directory `root` as it is: nothing is created, and it need not be there.
    pub fn as_is(disk: Arc<dyn Disk>, root: &Path) -> Self {
        let (spool, quarantine) = (root.join("spool"), root.join("quarantine"));
        Self { disk, root: root.to_owned(), spool, quarantine, suspects: Arc::default() }
    }

    /// The disk it is on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The data directory it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the recording with this id.
    pub fn directory(&self, id: &str) -> Result<PathBuf, DiskError> {
        if is_recording_name(id) {
            Ok(self.spool.join(id))
        } else {
            Err(DiskError::RecordingName { name: id.chars().take(80).collect() })
        }
    }

    /// Where the finished file `file` of a recording is.
    pub fn path(&self, id: &str, file: &FileName) -> Result<PathBuf, DiskError> {
        Ok(self.directory(id)?.join(file.as_str()))
    }

    /// Creates the directory of a new recording and opens its writer. It must not exist. Its name is
    /// durable when its first file is synced.
    ///
    /// `label` says what the recording is ([`Spool::label`]). It is written and not synced: the
    /// catalog says the same, durably. No label is written when it is empty.
    pub fn create_recording(&self, id: &str, label: &[u8]) -> Result<SpoolWriter, DiskError> {
        let directory = self.directory(id)?;
        self.disk.create_dir(&directory).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => DiskError::Exists { path: directory.clone() },
            _ => DiskError::Io { action: "creating", path: directory.clone(), source },
        })?;
        if !label.is_empty() {
            let path = directory.join(LABEL);
            let file = self.disk.create_new(&path).map_err(DiskError::io("creating", &path))?;
            write_all(&*file, 0, &mut [IoSlice::new(label)]).map_err(DiskError::io("writing", &path))?;
        }
        Ok(SpoolWriter::new(self.disk.clone(), self.suspects.clone(), directory))
    }

    /// What [`Spool::create_recording`] was told the recording is; `None` when that is not there.
    /// After a power cut it may be torn: the reader has to find out.
    pub fn label(&self, id: &str) -> Result<Option<Vec<u8>>, DiskError> {
        let path = self.existing(id)?.join(LABEL);
        read_small(&*self.disk, &path, LABEL_MAX_BYTES)
    }

    /// A writer for a recording that exists, as after a crash. One at a time per recording.
    ///
    /// A file a sync of which failed stays unusable until [`Spool::renew`].
    pub fn writer(&self, id: &str) -> Result<SpoolWriter, DiskError> {
        Ok(SpoolWriter::new(self.disk.clone(), self.suspects.clone(), self.existing(id)?))
    }

    /// The files of a recording, for salvage and for upload.
    pub fn files(&self, id: &str) -> Result<SpoolFiles, DiskError> {
        Ok(SpoolFiles::new(self.disk.clone(), self.existing(id)?))
    }

    /// Copies each growing file of a recording a sync of which failed, as it can be read now, to a
    /// new file that takes its place and can be trusted once more. Nothing happens to others. For
    /// before a recording is salvaged whose writer is gone; a file may be large.
    ///
    /// After an error, as on a disk that goes on failing, it can be tried again.
    pub fn renew(&self, id: &str) -> Result<(), DiskError> {
        let directory = self.directory(id)?;
        let suspects: Vec<PathBuf> =
            self.suspects.locked().iter().filter(|path| path.starts_with(&directory)).cloned().collect();
        for path in suspects {
            let Some(name) = path.file_name() else { continue };
            let mut copied = OsString::from(".");
            copied.push(name);
            copied.push(TEMPORARY);
            let copy = directory.join(copied);
            match self.disk.unlink(&copy) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(DiskError::io("removing", &copy))?,
            }
            copy_new(&*self.disk, &path, &copy)?;
            self.disk.rename_over(&copy, &path).map_err(DiskError::io("renaming", &copy))?;
            self.disk.sync_dir(&directory).map_err(DiskError::io("syncing", &directory))?;
            self.suspects.locked().remove(&path);
        }
        Ok(())
    }

    /// Whether the recording has a directory.
    pub fn contains(&self, id: &str) -> Result<bool, DiskError> {
        let directory = self.directory(id)?;
        let stat = self.disk.stat(&directory).map_err(DiskError::io("looking at", &directory))?;
        Ok(stat.is_some())
    }

    /// Everything in the spool.
    pub fn list(&self) -> Result<SpoolListing, DiskError> {
        let entries = self.disk.list_dir(&self.spool).map_err(DiskError::io("listing", &self.spool))?;
        let mut listing = SpoolListing::default();
        for entry in entries {
            match entry.name.to_str() {
                Some(name) if entry.kind == EntryKind::Directory && is_recording_name(name) => {
                    listing.recordings.push(name.to_owned());
                }
                _ => listing.unknown.push(entry.name),
            }
        }
        Ok(listing)
    }

    /// Removes a recording and all its files, durably. Nothing happens when it is not there.
    ///
    /// For what is safe elsewhere, or holds nothing. A directory within the recording is not a
    /// recording's and stops this with an error before anything is removed.
    pub fn remove(&self, id: &str) -> Result<(), DiskError> {
        if !self.contains(id)? {
            return Ok(());
        }
        let directory = self.existing(id)?;
        let entries = self.disk.list_dir(&directory).map_err(DiskError::io("listing", &directory))?;
        if let Some(entry) = entries.iter().find(|entry| entry.kind == EntryKind::Directory) {
            return Err(DiskError::WrongKind { path: directory.join(&entry.name), wanted: "a file" });
        }
        for entry in entries {
            let path = directory.join(entry.name);
            self.disk.unlink(&path).map_err(DiskError::io("removing", &path))?;
        }
        self.disk.remove_dir(&directory).map_err(DiskError::io("removing", &directory))?;
        self.suspects.locked().retain(|path| !path.starts_with(&directory));
        self.disk.sync_dir(&self.spool).map_err(DiskError::io("syncing", &self.spool))
    }

    /// Moves whatever is called `name` in the spool to the quarantine, durably, and says where it
    /// is now.
    pub fn quarantine(&self, name: &OsStr) -> Result<PathBuf, DiskError> {
        self.set_aside(&self.spool, name, name)
    }

    /// Moves whatever is called `name` in a recording's directory to the quarantine, durably, and
    /// says where it is now: `RECORDING.NAME`.
    pub fn quarantine_file(&self, id: &str, name: &OsStr) -> Result<PathBuf, DiskError> {
        let directory = self.existing(id)?;
        let mut named = OsString::from(id);
        named.push(".");
        named.push(name);
        self.set_aside(&directory, name, &named)
    }

    /// How much room the spool's filesystem has.
    pub fn space(&self) -> Result<Space, DiskError> {
        self.disk.space(&self.spool).map_err(DiskError::io("measuring the free space of", &self.spool))
    }

    fn existing(&self, id: &str) -> Result<PathBuf, DiskError> {
        let directory = self.directory(id)?;
        match self.disk.stat(&directory).map_err(DiskError::io("looking at", &directory))? {
            Some(stat) if stat.kind == EntryKind::Directory => Ok(directory),
            Some(_) => Err(DiskError::WrongKind { path: directory, wanted: "a directory" }),
            None => Err(DiskError::Io { action: "opening", path: directory, source: io::ErrorKind::NotFound.into() }),
        }
    }

    fn set_aside(&self, directory: &Path, name: &OsStr, as_name: &OsStr) -> Result<PathBuf, DiskError> {
        let mut components = Path::new(name).components();
        let plain = matches!(components.next(), Some(std::path::Component::Normal(part)) if part == name)
            && components.next().is_none();
        if !plain {
            return Err(DiskError::RecordingName { name: name.to_string_lossy().chars().take(80).collect() });
        }
        let from = directory.join(name);
        let bytes = as_name.as_bytes();
        let stem = OsStr::from_bytes(bytes.get(..QUARANTINE_STEM_BYTES).unwrap_or(bytes));
        for number in 0u32.. {
            let mut candidate = stem.to_owned();
            if number > 0 {
                candidate.push(format!(".{number}"));
            }
            let to = self.quarantine.join(candidate);
            match self.disk.rename_new(&from, &to) {
                Ok(()) => {
                    for path in [&self.quarantine, directory] as [&Path; 2] {
                        self.disk.sync_dir(path).map_err(DiskError::io("syncing", path))?;
                    }
                    return Ok(to);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100_000 => {}
                Err(source) => return Err(DiskError::Io { action: "moving to the quarantine", path: from, source }),
            }
        }
        Err(DiskError::Exists { path: self.quarantine.clone() })
    }
}

/// Creates `path` unless it is there; whether it was created.
fn ensure_dir(disk: &dyn Disk, path: &Path) -> Result<bool, DiskError> {
    match disk.stat(path).map_err(DiskError::io("looking at", path))? {
        Some(stat) if stat.kind == EntryKind::Directory => Ok(false),
        Some(_) => Err(DiskError::WrongKind { path: path.to_owned(), wanted: "a directory" }),
        None => {
            disk.create_dir(path).map_err(DiskError::io("creating", path))?;
            Ok(true)
        }
    }
}

/// Whether a directory of the spool is named like a recording's id.
fn is_recording_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= 80 && name.strip_prefix("rec_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(allowed))
}
