//! A disk that does what the real one does, notes every effect, and fails where told.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, RealDisk, Space, Stat};
use rustix::io::Errno;

/// What goes wrong, and how often.
#[derive(Default)]
pub struct Plan {
    /// A write takes at most this many bytes.
    pub write_limit: Option<usize>,
    /// Bytes that still fit; writes then fail with ENOSPC.
    pub room: Option<u64>,
    /// Effects whose description begins with this fail with the error.
    pub failing: Vec<(&'static str, Errno)>,
    /// Every other write is interrupted by a signal.
    pub interrupts: bool,
    interrupted: bool,
    /// What was done, oldest first: `write NAME`, `sync NAME`, `sync-dir NAME` ...
    pub log: Vec<String>,
}

#[derive(Default)]
pub struct Faulty(Arc<Mutex<Plan>>);

impl Faulty {
    pub fn new() -> (Arc<Self>, Arc<Mutex<Plan>>) {
        let plan = Arc::new(Mutex::new(Plan::default()));
        (Arc::new(Self(Arc::clone(&plan))), plan)
    }

    fn note(&self, effect: &str, path: &Path) -> io::Result<()> {
        note(&self.0, effect, path)
    }

    fn file(&self, inner: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { inner, path: path.to_owned(), plan: Arc::clone(&self.0) })
    }
}

fn note(plan: &Mutex<Plan>, effect: &str, path: &Path) -> io::Result<()> {
    let mut plan = plan.lock().unwrap();
    let line = format!("{effect} {}", path.file_name().unwrap_or_default().to_string_lossy());
    let failure = plan.failing.iter().find(|(start, _)| line.starts_with(start)).map(|(_, error)| *error);
    plan.log.push(line);
    failure.map_or(Ok(()), |error| Err(error.into()))
}

struct FaultyFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    plan: Arc<Mutex<Plan>>,
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        note(&self.plan, "write", &self.path)?;
        let mut plan = self.plan.lock().unwrap();
        if plan.interrupts {
            plan.interrupted = !plan.interrupted;
            if plan.interrupted {
                return Err(Errno::INTR.into());
            }
        }
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        bytes.truncate(plan.write_limit.unwrap_or(usize::MAX));
        if let Some(room) = plan.room {
            if room == 0 && !bytes.is_empty() {
                return Err(Errno::NOSPC.into());
            }
            bytes.truncate(room as usize);
            plan.room = Some(room - bytes.len() as u64);
        }
        self.inner.write_at(offset, &[IoSlice::new(&bytes)])
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        note(&self.plan, "read", &self.path)?;
        let limit = self.plan.lock().unwrap().write_limit.unwrap_or(usize::MAX).min(buffer.len());
        self.inner.read_at(offset, &mut buffer[..limit])
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        note(&self.plan, "set-len", &self.path)?;
        self.inner.set_len(len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        note(&self.plan, "punch", &self.path)?;
        self.inner.punch_hole(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        note(&self.plan, "sync", &self.path)?;
        self.inner.sync_data()
    }
}

impl Disk for Faulty {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.note("create", path)?;
        Ok(self.file(RealDisk.create_new(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.note("open", path)?;
        Ok(self.file(RealDisk.open(path)?, path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.note("open-read", path)?;
        Ok(self.file(RealDisk.open_read(path)?, path))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        RealDisk.stat(path)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename-over", from)?;
        RealDisk.rename_over(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename-new", from)?;
        RealDisk.rename_new(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("link", from)?;
        RealDisk.hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.note("unlink", path)?;
        RealDisk.unlink(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.note("create-dir", path)?;
        RealDisk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.note("remove-dir", path)?;
        RealDisk.remove_dir(path)
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note("sync-dir", path)?;
        RealDisk.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        RealDisk.space(path)
    }

    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        RealDisk.try_lock(path, holder)
    }
}
