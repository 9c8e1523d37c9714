//! The files of a recording in the store, where objects are files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use livetape_disk::{Disk, DiskFile, read_exact};
use livetape_mux::{FileName, Files, ReadAt};

/// Files by their names within a recording.
pub(super) struct StoredFiles {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) paths: BTreeMap<FileName, PathBuf>,
}

impl Files for StoredFiles {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.paths.keys().map(|name| (name.clone(), false)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let path = self.paths.get(file).ok_or(io::ErrorKind::NotFound)?;
        let file = self.disk.open_read(path)?;
        let len = file.size()?;
        Ok(Box::new(OpenFile { file, len }))
    }
}

struct OpenFile {
    file: Box<dyn DiskFile>,
    len: u64,
}

impl ReadAt for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact(&*self.file, offset, buffer)
    }
}
