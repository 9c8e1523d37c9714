//! The files of a recording, to be read.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use livetape_mux::{FileName, Files, ReadAt};

use super::{GROWING, LABEL, TEMPORARY};
use crate::copy::read_exact;
use crate::{Disk, DiskFile, EntryKind};

/// The files of one recording, for salvage and for upload.
pub struct SpoolFiles {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

impl SpoolFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self { disk, directory }
    }

    /// Opens the finished file, or the growing one when it is not finished.
    pub fn open_file(&self, file: &FileName) -> io::Result<OpenFile> {
        let path = self.directory.join(file.as_str());
        let opened = match self.disk.open_read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It may be finished between the two looks.
                match self.disk.open_read(&self.directory.join(format!("{file}{GROWING}"))) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk.open_read(&path)?,
                    result => result?,
                }
            }
            result => result?,
        };
        OpenFile::new(opened)
    }

    /// Names in the recording's directory that no muxer makes, in order: something else put them
    /// there. The label and left-over temporary files of [`livetape_mux::Op::Whole`] are not among them.
    pub fn unknown(&self) -> io::Result<Vec<OsString>> {
        self.strangers(|_| true)
    }

    /// Names in the recording's directory that are not the recording's, in order: those that are
    /// [`SpoolFiles::unknown`] and those of files that were not `made` by its muxer.
    pub fn strangers(&self, made: impl Fn(&FileName) -> bool) -> io::Result<Vec<OsString>> {
        let entries = self.disk.list_dir(&self.directory)?;
        let ours = |name: &str| {
            let stem = name.strip_prefix('.').and_then(|name| name.strip_suffix(TEMPORARY)).unwrap_or(name);
            // A growing file that is being renewed has both.
            let stem = stem.strip_suffix(GROWING).unwrap_or(stem);
            name == LABEL || FileName::new(stem).is_some_and(|file| made(&file))
        };
        Ok(entries
            .into_iter()
            .filter(|entry| entry.kind != EntryKind::File || !entry.name.to_str().is_some_and(ours))
            .map(|entry| entry.name)
            .collect())
    }
}

impl Files for SpoolFiles {
    /// The label, unknown names and left-over temporary files are left out.
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        let mut files: Vec<(FileName, bool)> = Vec::new();
        for entry in self.disk.list_dir(&self.directory)? {
            let Some(name) = entry.name.to_str().filter(|_| entry.kind == EntryKind::File) else { continue };
            let (name, growing) = name.strip_suffix(GROWING).map_or((name, false), |stem| (stem, true));
            let Some(file) = FileName::new(name) else { continue };
            files.push((file, growing));
        }
        files.sort();
        if let Some(((file, _), _)) = files.iter().zip(files.iter().skip(1)).find(|((a, _), (b, _))| a == b) {
            let problem = format!("both {file} and {file}{GROWING} are in {}", self.directory.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Ok(files)
    }

    /// Opens the finished file, or the growing one when it is not finished.
    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        Ok(Box::new(self.open_file(file)?))
    }
}

/// A file to be read, of the length that it had when it was opened.
pub struct OpenFile {
    file: Box<dyn DiskFile>,
    len: u64,
}

impl OpenFile {
    /// Measures `file`.
    pub fn new(file: Box<dyn DiskFile>) -> io::Result<Self> {
        let len = file.size()?;
        Ok(Self { file, len })
    }

    /// Says that a range that has been read will not be read again soon: [`DiskFile::release`].
    pub fn release(&self, offset: u64, len: u64) {
        self.file.release(offset, len);
    }
}

impl ReadAt for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact(&*self.file, offset, buffer)
    }
}
