//! The real disk, of which some files can be made to hang, and whose free space can be told.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, RealDisk, Space, Stat};

/// Hangs at every write and sync of a file whose path has one of the parts it was told, and, told
/// `finish:RECORDING`, only when a file of that recording is given its final name.
#[derive(Clone, Default)]
pub(crate) struct SlowDisk(Arc<Inner>);

#[derive(Default)]
struct Inner {
    hanging: Mutex<BTreeSet<String>>,
    healed: Condvar,
    free_bytes: Mutex<Option<u64>>,
}

impl SlowDisk {
    /// Files with `part` in their path hang from now on.
    pub(crate) fn hang(&self, part: &str) {
        self.0.hanging.lock().unwrap().insert(part.to_owned());
    }

    /// Nothing hangs any more.
    pub(crate) fn heal(&self) {
        self.0.hanging.lock().unwrap().clear();
        self.0.healed.notify_all();
    }

    /// So much space is free.
    pub(crate) fn free(&self, bytes: u64) {
        *self.0.free_bytes.lock().unwrap() = Some(bytes);
    }

    fn pass(&self, path: &Path) {
        let path = path.to_string_lossy();
        let hangs = |parts: &mut BTreeSet<String>| parts.iter().any(|part| path.contains(part));
        drop(self.0.healed.wait_while(self.0.hanging.lock().unwrap(), hangs).unwrap());
    }

    fn file(&self, file: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        Box::new(SlowFile { file, disk: self.clone(), path: path.to_owned() })
    }
}

impl Disk for SlowDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.create_new(path)?, path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path)?, path))
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_read(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        RealDisk.stat(path)
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename_over(from, to)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let recording = from.parent().and_then(Path::file_name).unwrap_or_default();
        self.pass(Path::new(&format!("finish:{}", recording.to_string_lossy())));
        RealDisk.rename_new(from, to)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.hard_link(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        RealDisk.unlink(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.pass(path);
        RealDisk.create_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.pass(path);
        RealDisk.sync_dir(path)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        let real = RealDisk.space(path)?;
        let free_bytes = self.0.free_bytes.lock().unwrap().unwrap_or(real.free_bytes);
        Ok(Space { free_bytes, ..real })
    }
    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        RealDisk.try_lock(path, holder)
    }
}

struct SlowFile {
    file: Box<dyn DiskFile>,
    disk: SlowDisk,
    path: PathBuf,
}

impl DiskFile for SlowFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.disk.pass(&self.path);
        self.file.write_at(offset, slices)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.file.punch_hole(offset, len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.pass(&self.path);
        self.file.sync_data()
    }
}
