//! The real disk, with eyes on what is removed, and with a last effect.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, RealDisk, Space, Stat};

type Watch = Arc<dyn Fn(&Path) + Send + Sync>;

pub(crate) struct WatchedDisk {
    /// So many more calls of `unlink` fail.
    pub(crate) failures: AtomicUsize,
    /// Calls of `unlink`.
    pub(crate) unlinks: AtomicUsize,
    /// So many more changes are made; all others fail as this error.
    changes: Arc<Changes>,
    watch: Mutex<Option<Watch>>,
}

struct Changes {
    left: AtomicUsize,
    errno: i32,
}

impl Changes {
    fn one(&self) -> io::Result<()> {
        let take = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from_raw_os_error(self.errno)),
        }
    }
}

impl Default for WatchedDisk {
    fn default() -> Self {
        Self::with_changes(usize::MAX, 5)
    }
}

impl WatchedDisk {
    /// Makes so many changes; all that follow fail as `errno`.
    pub(crate) fn with_changes(left: usize, errno: i32) -> Self {
        let changes = Arc::new(Changes { left: AtomicUsize::new(left), errno });
        Self { failures: AtomicUsize::new(0), unlinks: AtomicUsize::new(0), changes, watch: Mutex::default() }
    }

    /// From now on so many more changes are made.
    pub(crate) fn allow(&self, changes: usize) {
        self.changes.left.store(changes, Ordering::SeqCst);
    }

    /// Whether a change failed for want of more.
    pub(crate) fn ran_out(&self) -> bool {
        self.changes.left.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn before_unlink(&self, watch: impl Fn(&Path) + Send + Sync + 'static) {
        *self.watch.lock().unwrap() = Some(Arc::new(watch));
    }

    fn watched(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(WatchedFile { file, changes: self.changes.clone() })
    }
}

impl Disk for WatchedDisk {
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.unlinks.fetch_add(1, Ordering::SeqCst);
        let watch = self.watch.lock().unwrap().clone();
        if let Some(watch) = watch {
            watch(path);
        }
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(5));
        }
        self.changes.one()?;
        RealDisk.unlink(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.changes.one()?;
        Ok(self.watched(RealDisk.create_new(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.watched(RealDisk.open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_read(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        RealDisk.stat(path)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes.one()?;
        RealDisk.rename_over(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes.one()?;
        RealDisk.rename_new(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changes.one()?;
        RealDisk.hard_link(from, to)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.changes.one()?;
        RealDisk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.changes.one()?;
        RealDisk.remove_dir(path)
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.changes.one()?;
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
    file: Box<dyn DiskFile>,
    changes: Arc<Changes>,
}

impl DiskFile for WatchedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.changes.one()?;
        self.file.write_at(offset, slices)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changes.one()?;
        self.file.set_len(len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.changes.one()?;
        self.file.punch_hole(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.changes.one()?;
        self.file.sync_data()
    }
}
