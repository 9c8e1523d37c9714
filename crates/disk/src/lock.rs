//! One process at a time has a data directory.

use std::any::Any;
use std::path::Path;

use crate::{Disk, DiskError, LockAttempt};

/// The data directory is ours until this is dropped, or the process ends however it does.
pub struct LockGuard {
    _held: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockGuard")
    }
}

/// Takes `ROOT/lock`, where `root` is the data directory, which must exist.
///
/// [`DiskError::Locked`] when another process, or another guard in this one, has it.
pub fn lock(disk: &dyn Disk, root: &Path) -> Result<LockGuard, DiskError> {
    let path = root.join("lock");
    let holder = format!("{}\n", std::process::id());
    match disk.try_lock(&path, &holder).map_err(DiskError::io("locking", &path))? {
        LockAttempt::Held(held) => Ok(LockGuard { _held: held }),
        LockAttempt::Taken(text) => Err(DiskError::Locked { path, pid: text.trim().parse().ok() }),
    }
}
