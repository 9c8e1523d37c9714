//! Mistakes with the disk.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, Space, Stat};

use super::Mistake;

/// A disk used with one mistake.
pub struct Careless {
    inner: Arc<dyn Disk>,
    mistake: Mistake,
    late: Arc<Late>,
}

/// A sync that was asked for and waits: it is made after the next call if that is the file's rename, else
/// before it.
#[derive(Default)]
struct Late(Mutex<Option<(PathBuf, Arc<dyn DiskFile>)>>);

impl Late {
    fn make(&self) -> io::Result<()> {
        let waiting = self.0.lock().unwrap().take();
        waiting.map_or(Ok(()), |(_, file)| file.sync_data())
    }
}

struct CarelessFile {
    inner: Arc<dyn DiskFile>,
    path: PathBuf,
    mistake: Mistake,
    late: Arc<Late>,
}

impl Careless {
    /// `inner`, used with `mistake`.
    pub fn new(inner: Arc<dyn Disk>, mistake: Mistake) -> Self {
        Self { inner, mistake, late: Arc::default() }
    }

    fn file(&self, path: &Path, opened: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        let (path, mistake, late) = (path.to_owned(), self.mistake, self.late.clone());
        Ok(Box::new(CarelessFile { inner: Arc::from(opened?), path, mistake, late }))
    }
}

impl Disk for Careless {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.late.make()?;
        self.file(path, self.inner.create_new(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(path, self.inner.open(path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(path, self.inner.open_read(path))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.stat(path)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.late.make()?;
        self.inner.rename_over(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let deletes = self.mistake == Mistake::UnknownDeleted && to.parent().is_some_and(|p| p.ends_with("quarantine"));
        if deletes && self.inner.list_dir(from).is_err() {
            return self.inner.unlink(from);
        }
        let waits = self.late.0.lock().unwrap().as_ref().is_some_and(|(path, _)| path == from);
        if !waits {
            self.late.make()?;
        }
        self.inner.rename_new(from, to)?;
        self.late.make()
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.late.make()?;
        self.inner.hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.late.make()?;
        self.inner.unlink(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.late.make()?;
        self.inner.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.late.make()?;
        self.inner.remove_dir(path)
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.inner.list_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.late.make()?;
        if self.mistake == Mistake::NoDirectorySync { Ok(()) } else { self.inner.sync_dir(path) }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }

    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        self.inner.try_lock(path, holder)
    }
}

impl DiskFile for CarelessFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.late.make()?;
        self.inner.write_at(offset, slices)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.late.make()?;
        if self.mistake == Mistake::NoTruncation && len < self.inner.size()? { Ok(()) } else { self.inner.set_len(len) }
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.late.make()?;
        self.inner.punch_hole(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.late.make()?;
        match self.mistake {
            Mistake::NoSync => Ok(()),
            Mistake::RenameBeforeSync => {
                *self.late.0.lock().unwrap() = Some((self.path.clone(), self.inner.clone()));
                Ok(())
            }
            Mistake::FailedSyncBelieved => self.inner.sync_data().or_else(|_| self.inner.sync_data()),
            _ => self.inner.sync_data(),
        }
    }
}
