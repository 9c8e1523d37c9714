//! The real disk, with eyes on what is removed.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use livetape_disk::{Disk, DiskFile, Entry, LockAttempt, RealDisk, Space, Stat};

type Watch = Arc<dyn Fn(&Path) + Send + Sync>;

#[derive(Default)]
pub(crate) struct WatchedDisk {
    /// So many more calls of `unlink` fail.
    pub(crate) failures: AtomicUsize,
    /// Calls of `unlink`.
    pub(crate) unlinks: AtomicUsize,
    watch: Mutex<Option<Watch>>,
}

impl WatchedDisk {
    pub(crate) fn before_unlink(&self, watch: impl Fn(&Path) + Send + Sync + 'static) {
        *self.watch.lock().unwrap() = Some(Arc::new(watch));
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
        RealDisk.unlink(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create_new(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
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
        RealDisk.rename_new(from, to)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.hard_link(from, to)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        RealDisk.space(path)
    }
    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        RealDisk.try_lock(path, holder)
    }
}
