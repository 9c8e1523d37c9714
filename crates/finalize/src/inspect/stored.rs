//! The files of a recording in the store, where objects are files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use livetape_disk::{Disk, OpenFile};
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
        Ok(Box::new(OpenFile::new(self.disk.open_read(path)?)?))
    }
}
