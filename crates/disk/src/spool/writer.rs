//! Performing the operations of one recording.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use livetape_mux::{FileName, Op};

use super::{GROWING, Suspects, TEMPORARY};
use crate::copy::write_all;
use crate::{Disk, DiskError, DiskFile};

/// Performs the operations of one recording, in order. Holds a descriptor for each growing file
/// it has touched, and for no other.
pub struct SpoolWriter {
    disk: Arc<dyn Disk>,
    suspects: Arc<Suspects>,
    directory: PathBuf,
    growing: BTreeMap<FileName, Growing>,
    /// Names that may not be durable yet: in the recording's directory, and its own.
    new_names: bool,
    new_directory: bool,
}

/// A growing file that is open.
struct Growing {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    len: u64,
    /// Something was written since the last sync.
    dirty: bool,
    /// Why it takes no further operation.
    broken: Option<&'static str>,
}

const SUSPECT: &str = "a sync of it failed, so what of it is on the disk is not known";
const TORN: &str = "a failed append could not be undone";

impl SpoolWriter {
    /// For a directory just made, or one of which is not known what a former process synced.
    pub(super) fn new(disk: Arc<dyn Disk>, suspects: Arc<Suspects>, directory: PathBuf) -> Self {
        Self { disk, suspects, directory, growing: BTreeMap::new(), new_names: true, new_directory: true }
    }

    /// The recording's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Performs `ops` in order. On an error those before the failing one are performed, those
    /// after it are not.
    pub fn perform(&mut self, ops: &[Op]) -> Result<(), DiskError> {
        ops.iter().try_for_each(|op| self.perform_one(op))
    }

    /// Makes what has been written to growing files durable, and their names. Files without news are
    /// left alone; so are those whose earlier sync failed, which were reported then.
    ///
    /// Every file is tried; the first error is returned.
    pub fn sync_growing(&mut self) -> Result<(), DiskError> {
        let mut result = Ok(());
        for file in self.growing.values_mut().filter(|file| file.dirty && file.broken.is_none()) {
            result = result.and(file.sync(&self.suspects));
        }
        result.and(if self.new_names { self.sync_names() } else { Ok(()) })
    }

    fn perform_one(&mut self, op: &Op) -> Result<(), DiskError> {
        match op {
            Op::Create { file } => self.create(file),
            Op::Append { file, slices } => self.open(file, "appending to the end")?.append(slices),
            Op::Patch { file, offset, data } => self.open(file, "overwriting")?.patch(*offset, data),
            Op::Reserve { file, len } => self.open(file, "extension")?.reserve(*len),
            Op::PunchHole { file, offset, len } => self.open(file, "punching a hole")?.punch_hole(*offset, *len),
            Op::Truncate { file, len } => self.open(file, "truncation")?.truncate(*len),
            Op::Sync { file } => {
                let suspects = self.suspects.clone();
                self.open(file, "sync")?.sync(&suspects)?;
                if self.new_names { self.sync_names() } else { Ok(()) }
            }
            Op::Finish { file } => self.finish(file),
            Op::Whole { file, data } => self.whole(file, data),
            Op::Remove { file } => self.remove(file),
        }
    }

    fn create(&mut self, name: &FileName) -> Result<(), DiskError> {
        let finished = self.final_path(name)?;
        if self.disk.stat(&finished).map_err(DiskError::io("looking at", &finished))?.is_some() {
            return Err(DiskError::Exists { path: finished });
        }
        let path = self.growing_path(name);
        let file = self.disk.create_new(&path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => DiskError::Exists { path: path.clone() },
            _ => DiskError::Io { action: "creating", path: path.clone(), source },
        })?;
        self.growing.insert(name.clone(), Growing { file, path, len: 0, dirty: false, broken: None });
        // Made durable with the first bytes: media that comes need not wait for the disk.
        self.new_names = true;
        Ok(())
    }

    fn finish(&mut self, name: &FileName) -> Result<(), DiskError> {
        let finished = self.final_path(name)?;
        let suspects = self.suspects.clone();
        let file = self.open(name, "finishing")?;
        file.sync(&suspects)?;
        let growing = file.path.clone();
        self.new_names = true;
        self.disk.rename_new(&growing, &finished).map_err(DiskError::io("finishing (renaming)", &growing))?;
        self.growing.remove(name);
        self.sync_names()
    }

    fn whole(&mut self, name: &FileName, data: &Bytes) -> Result<(), DiskError> {
        let finished = self.final_path(name)?;
        let temporary = self.directory.join(format!(".{name}{TEMPORARY}"));
        let file = match self.disk.create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left over from a crash in the middle of this.
                self.disk.unlink(&temporary).map_err(DiskError::io("removing", &temporary))?;
                self.disk.create_new(&temporary)
            }
            result => result,
        }
        .map_err(DiskError::io("creating", &temporary))?;
        let written = write_all(&*file, 0, &mut [IoSlice::new(data)])
            .map_err(DiskError::io("writing", &temporary))
            .and_then(|_| file.sync_data().map_err(DiskError::io("syncing", &temporary)));
        if let Err(error) = written {
            // Its room may be what the rest of the recording needs; the error to tell is the first.
            let _ = self.disk.unlink(&temporary);
            return Err(error);
        }
        self.new_names = true;
        self.disk.rename_over(&temporary, &finished).map_err(DiskError::io("renaming", &temporary))?;
        self.sync_names()
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.growing.remove(name);
        self.new_names = true;
        for path in [self.growing_path(name), self.final_path(name)?] {
            match self.disk.unlink(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(DiskError::io("removing", &path))?,
            }
        }
        self.sync_names()
    }

    /// The growing file `name`, opened when it is not open yet.
    fn open(&mut self, name: &FileName, operation: &'static str) -> Result<&mut Growing, DiskError> {
        if !self.growing.contains_key(name) {
            let growing = self.open_again(name, operation)?;
            self.growing.insert(name.clone(), growing);
        }
        let Some(growing) = self.growing.get_mut(name) else {
            return Err(DiskError::FileName { file: name.clone() });
        };
        match growing.broken {
            Some(reason) => Err(DiskError::Unusable { path: growing.path.clone(), reason }),
            None => Ok(growing),
        }
    }

    /// A growing file that a former process made.
    fn open_again(&self, name: &FileName, operation: &'static str) -> Result<Growing, DiskError> {
        let finished = self.final_path(name)?;
        let path = self.growing_path(name);
        let file = self.disk.open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => DiskError::NotGrowing { operation, path: finished },
            _ => DiskError::Io { action: "opening", path: path.clone(), source },
        })?;
        let len = file.size().map_err(DiskError::io("measuring", &path))?;
        let broken = self.suspects.locked().contains(&path).then_some(SUSPECT);
        // What a former process wrote may not be on the disk yet.
        Ok(Growing { file, path, len, dirty: true, broken })
    }

    /// Makes the names in the directory durable, and its own.
    fn sync_names(&mut self) -> Result<(), DiskError> {
        self.disk.sync_dir(&self.directory).map_err(DiskError::io("syncing", &self.directory))?;
        self.new_names = false;
        if let Some(spool) = self.directory.parent().filter(|_| self.new_directory) {
            self.disk.sync_dir(spool).map_err(DiskError::io("syncing", spool))?;
            self.new_directory = false;
        }
        Ok(())
    }

    fn final_path(&self, name: &FileName) -> Result<PathBuf, DiskError> {
        if name.as_str().ends_with(GROWING) {
            return Err(DiskError::FileName { file: name.clone() });
        }
        Ok(self.directory.join(name.as_str()))
    }

    fn growing_path(&self, name: &FileName) -> PathBuf {
        self.directory.join(format!("{name}{GROWING}"))
    }
}

impl Growing {
    fn append(&mut self, slices: &[Bytes]) -> Result<(), DiskError> {
        let mut views: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        self.dirty = true;
        match write_all(&*self.file, self.len, &mut views) {
            Ok(written) => {
                self.len += written;
                Ok(())
            }
            Err(source) => {
                let wanted = slices.iter().map(|slice| slice.len() as u64).sum();
                let (path, whole) = (self.path.clone(), self.len);
                Err(match self.file.set_len(whole) {
                    Ok(()) => DiskError::AppendUndone { path, wanted, whole, source },
                    Err(cut) => {
                        self.broken = Some(TORN);
                        DiskError::AppendTorn { path, wanted, whole, source, cut }
                    }
                })
            }
        }
    }

    fn patch(&mut self, offset: u64, data: &Bytes) -> Result<(), DiskError> {
        self.within("overwriting", offset, data.len() as u64)?;
        self.dirty = true;
        write_all(&*self.file, offset, &mut [IoSlice::new(data)]).map_err(DiskError::io("overwriting", &self.path))?;
        Ok(())
    }

    fn reserve(&mut self, len: u64) -> Result<(), DiskError> {
        let extended = self.within_u64("extension", len)?;
        self.dirty = true;
        self.file.set_len(extended).map_err(DiskError::io("extending", &self.path))?;
        self.len = extended;
        Ok(())
    }

    fn punch_hole(&mut self, offset: u64, len: u64) -> Result<(), DiskError> {
        self.within("punching a hole", offset, len)?;
        if len > 0 {
            self.dirty = true;
            self.file.punch_hole(offset, len).map_err(DiskError::io("punching a hole in", &self.path))?;
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> Result<(), DiskError> {
        self.within("truncation", len, 0)?;
        self.dirty = true;
        self.file.set_len(len).map_err(DiskError::io("truncating", &self.path))?;
        self.len = len;
        Ok(())
    }

    fn sync(&mut self, suspects: &Suspects) -> Result<(), DiskError> {
        if let Err(source) = self.file.sync_data() {
            self.broken = Some(SUSPECT);
            suspects.locked().insert(self.path.clone());
            return Err(DiskError::Io { action: "syncing", path: self.path.clone(), source });
        }
        self.dirty = false;
        Ok(())
    }

    fn within(&self, operation: &'static str, offset: u64, len: u64) -> Result<(), DiskError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            end => Err(DiskError::OutOfRange {
                operation,
                path: self.path.clone(),
                offset,
                end: end.unwrap_or(u64::MAX),
                len: self.len,
            }),
        }
    }

    /// The length after `more` bytes.
    fn within_u64(&self, operation: &'static str, more: u64) -> Result<u64, DiskError> {
        self.len.checked_add(more).ok_or_else(|| DiskError::OutOfRange {
            operation,
            path: self.path.clone(),
            offset: self.len,
            end: u64::MAX,
            len: self.len,
        })
    }
}
