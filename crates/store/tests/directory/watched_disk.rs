//! The real disk, with every change noted, and some of them refused.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, RealDisk, Space, Stat};

/// What it does, and what was done.
#[derive(Default)]
pub(crate) struct Plan {
    /// So many more changes are made; all others fail with EIO, as if the program were gone.
    pub left: Option<usize>,
    /// No file can have a second name: the spool is on another file system.
    pub no_links: bool,
    /// Directories with this name, and what is in them, are on another file system.
    pub elsewhere: Option<&'static str>,
    /// `elsewhere` is on a device of its own to look at.
    pub tells_device: bool,
    /// The changes, oldest first: `create NAME`, `sync NAME`, `rename NAME NAME` ...
    pub log: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct WatchedDisk(pub(crate) Arc<Mutex<Plan>>);

impl WatchedDisk {
    fn change(&self, change: String) -> io::Result<()> {
        let mut plan = self.0.lock().unwrap();
        if let Some(left) = &mut plan.left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(5))?;
        }
        plan.log.push(change);
        Ok(())
    }

    fn is_elsewhere(&self, path: &Path) -> bool {
        let elsewhere = self.0.lock().unwrap().elsewhere;
        elsewhere.is_some_and(|name| path.iter().any(|part| part == name))
    }

    fn crosses(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.is_elsewhere(from) == self.is_elsewhere(to) {
            true => Ok(()),
            false => Err(io::ErrorKind::CrossesDevices.into()),
        }
    }

    fn watched(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(WatchedFile { disk: self.clone(), path: path.to_owned(), file })
    }
}

/// A path as the log has it.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Disk for WatchedDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change(format!("create {}", name(path)))?;
        Ok(self.watched(path, RealDisk.create_new(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.watched(path, RealDisk.open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.watched(path, RealDisk.open_read(path)?))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let mut stat = RealDisk.stat(path)?;
        if let Some(stat) = stat.as_mut().filter(|_| self.0.lock().unwrap().tells_device && self.is_elsewhere(path)) {
            stat.identity.device += 1;
        }
        Ok(stat)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.crosses(from, to)?;
        self.change(format!("replace {} {}", name(from), name(to)))?;
        RealDisk.rename_over(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.crosses(from, to)?;
        self.change(format!("rename {} {}", name(from), name(to)))?;
        RealDisk.rename_new(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.crosses(from, to)?;
        if self.0.lock().unwrap().no_links {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        self.change(format!("link {} {}", name(from), name(to)))?;
        RealDisk.hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.change(format!("unlink {}", name(path)))?;
        RealDisk.unlink(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(format!("mkdir {}", name(path)))?;
        RealDisk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change(format!("rmdir {}", name(path)))?;
        RealDisk.remove_dir(path)
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change(format!("sync {}/", name(path)))?;
        RealDisk.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        RealDisk.space(path)
    }

    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        RealDisk.try_lock(path, holder)
    }
}

struct WatchedFile {
    disk: WatchedDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DiskFile for WatchedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.disk.change(format!("write {}", name(&self.path)))?;
        self.file.write_at(offset, slices)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(format!("set-len {}", name(&self.path)))?;
        self.file.set_len(len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.disk.change(format!("punch {}", name(&self.path)))?;
        self.file.punch_hole(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change(format!("sync {}", name(&self.path)))?;
        self.file.sync_data()
    }
}
