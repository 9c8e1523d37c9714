//! The directories of the store: made durable, never left by a symbolic link.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::{ObjectKey, StoreError};

/// Directories whose own names are known to be durable; forgotten all at once when there are more.
const DURABLE_MAX: usize = 4096;

/// The tree of directories and files that is the store.
pub(super) struct Tree {
    root: PathBuf,
    durable: Mutex<HashSet<PathBuf>>,
    /// Held while a temporary file is written, by the temporary file's number.
    pub(super) writing: [Mutex<()>; 16],
}

impl Tree {
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from_io(|| format!("opening the directory {}", root.display()), error);
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        if let Some(parent) = root.parent() {
            sync_directory(parent)?;
        }
        Ok(Self { root, durable: Mutex::default(), writing: Default::default() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of `key`, created if need be, with every name on the way to it durable.
    pub(super) fn directory_for(&self, key: &ObjectKey) -> Result<PathBuf, StoreError> {
        let mut path = self.root.join(key.as_str());
        path.pop();
        if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(&path) && path.is_dir() {
            return Ok(path);
        }
        let failed = |path: &Path, error| StoreError::from_io(|| format!("creating {}", path.display()), error);
        fs::create_dir_all(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                StoreError::Configuration { problem: format!("{} is not a directory", path.display()) }
            }
            _ => failed(&path, error),
        })?;
        self.check_inside(&path, &fs::canonicalize(&path).map_err(|error| failed(&path, error))?)?;
        // Which of them are new is not asked: one that a crash interrupted exists and is not
        // durable. Top down, so that no durable name hangs below one that is not.
        let ancestors: Vec<&Path> = path.ancestors().skip(1).take_while(|one| one.starts_with(&self.root)).collect();
        for ancestor in ancestors.into_iter().rev() {
            sync_directory(ancestor)?;
        }
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.len() >= DURABLE_MAX {
            durable.clear();
        }
        durable.insert(path.clone());
        Ok(path)
    }

    /// Makes the names in `directory` durable.
    pub(super) fn sync(&self, directory: &Path) -> Result<(), StoreError> {
        sync_directory(directory)
    }

    /// The regular file at `key` and its size, if there is one.
    pub(super) fn find(&self, key: &ObjectKey) -> Result<Option<(PathBuf, u64)>, StoreError> {
        let path = self.root.join(key.as_str());
        let looking = |error| StoreError::from_io(|| format!("looking at {}", path.display()), error);
        let absent = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(looking(error)),
        };
        let resolved = fs::canonicalize(&path).map_err(looking)?;
        self.check_inside(&path, &resolved)?;
        Ok(Some((resolved, metadata.len())))
    }

    pub(super) fn delete(&self, key: &ObjectKey) -> Result<bool, StoreError> {
        let Some((path, _)) = self.find(key)? else { return Ok(false) };
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::from_io(|| format!("removing {}", path.display()), error)),
        }
        if let Some(directory) = path.parent() {
            sync_directory(directory)?;
        }
        Ok(true)
    }

    /// A symbolic link within the store may lead elsewhere within it, never out of it.
    fn check_inside(&self, path: &Path, resolved: &Path) -> Result<(), StoreError> {
        if resolved.starts_with(&self.root) {
            return Ok(());
        }
        let problem = format!(
            "{} leads out of the store by a symbolic link; make the store's root the link, or mount the other place there",
            path.display()
        );
        Err(StoreError::Configuration { problem })
    }
}

fn sync_directory(path: &Path) -> Result<(), StoreError> {
    match File::open(path).and_then(|directory| directory.sync_all()) {
        // Some network file systems have no such operation: their names are as durable as they get.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|error| StoreError::from_io(|| format!("syncing {}", path.display()), error)),
    }
}
