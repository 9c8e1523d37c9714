//! The directories of the store: made durable, never left by a symbolic link.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use livetape_disk::{Disk, EntryKind, Stat};

use crate::{ObjectKey, StoreError};

/// Directories whose own names are known to be durable; forgotten all at once when there are more.
const DURABLE_MAX: usize = 4096;

/// Where copies are made. No key begins with a dot.
pub(super) const INCOMING: &str = ".incoming";

/// The tree of directories and files that is the store.
pub(super) struct Tree {
    pub(super) disk: Arc<dyn Disk>,
    root: PathBuf,
    durable: Mutex<Durable>,
    /// Held while a temporary file is written, by the temporary file's number.
    pub(super) writing: [Mutex<()>; 16],
}

/// What is known of directories.
#[derive(Default)]
struct Durable {
    /// Those whose own names are durable.
    names: HashSet<PathBuf>,
    /// How many were taken away since the store was opened: counted with the removal, under one lock.
    pruned: u64,
}

impl Tree {
    /// Makes `root` where it is missing, durably, and removes what interrupted copies left.
    pub(super) fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, StoreError> {
        make_root(&*disk, root)?;
        let tree = Self::existing(disk, root)?;
        tree.clear_incoming()?;
        Ok(tree)
    }

    /// The tree as it is.
    pub(super) fn existing(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, StoreError> {
        let found = disk.stat(root).map_err(|error| StoreError::from_io(|| opening(root), error))?;
        if !is_directory(found) {
            let what = if found.is_some() { "is not a directory" } else { "does not exist" };
            return Err(StoreError::Configuration { problem: format!("{} {what}", root.display()) });
        }
        Ok(Self { disk, root: root.to_owned(), durable: Mutex::default(), writing: Default::default() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join(INCOMING)
    }

    /// The directory of `key`, created if need be, with every name on the way to it durable.
    pub(super) fn directory_for(&self, key: &ObjectKey) -> Result<PathBuf, StoreError> {
        let pruned = self.pruned();
        let mut directory = self.root.join(key.as_str());
        directory.pop();
        let known = self.durable.lock().unwrap_or_else(PoisonError::into_inner).names.contains(&directory);
        if known && is_directory(self.look(&directory)?) {
            return Ok(directory);
        }
        let below: Vec<&Path> =
            directory.ancestors().take_while(|path| *path != self.root && path.starts_with(&self.root)).collect();
        for path in below.iter().rev() {
            self.make_directory(path)?;
        }
        // Which of them are new is not asked: one that a crash interrupted exists and is not
        // durable. Top down, so that no durable name hangs below one that is not.
        for path in below.iter().rev() {
            if let Some(parent) = path.parent() {
                self.sync(parent)?;
            }
        }
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.names.len() >= DURABLE_MAX {
            durable.names.clear();
        }
        // One that was taken away meanwhile is made by the next put, and is not durable then.
        if durable.pruned == pruned {
            durable.names.insert(directory.clone());
        }
        Ok(directory)
    }

    fn make_directory(&self, path: &Path) -> Result<(), StoreError> {
        match self.look(path)? {
            None => match self.disk.create_dir(path) {
                // Another put needs it as well.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.make_directory(path),
                result => result.map_err(|error| StoreError::from_io(|| format!("creating {}", path.display()), error)),
            },
            found => self.must_be_directory(path, found),
        }
    }

    /// Makes the names in `directory` durable.
    pub(super) fn sync(&self, directory: &Path) -> Result<(), StoreError> {
        sync_directory(&*self.disk, directory)
    }

    /// The regular file at `key`, if there is one.
    pub(super) fn find(&self, key: &ObjectKey) -> Result<Option<(PathBuf, u64)>, StoreError> {
        let path = self.root.join(key.as_str());
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|path| *path != self.root).collect();
        for directory in above.into_iter().rev() {
            match self.look(directory)? {
                None | Some(Stat { kind: EntryKind::File, .. }) => return Ok(None),
                found => self.must_be_directory(directory, found)?,
            }
        }
        let found = self.look(&path)?.filter(|stat| stat.kind == EntryKind::File);
        Ok(found.map(|stat| (path, stat.size_bytes)))
    }

    /// Removes what is at `key`; the directory it was in, if anything was. Its going is not durable yet.
    pub(super) fn remove(&self, key: &ObjectKey) -> Result<Option<PathBuf>, StoreError> {
        let Some((path, _)) = self.find(key)? else {
            // What is not mounted has not been removed.
            return match self.look(&self.root)? {
                Some(_) => Ok(None),
                None => Err(StoreError::Configuration {
                    problem: format!(
                        "the store's directory {} is not there; is its disk mounted?",
                        self.root.display()
                    ),
                }),
            };
        };
        match self.disk.unlink(&path) {
            Ok(()) => Ok(path.parent().map(Path::to_owned)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::from_io(|| format!("removing {}", path.display()), error)),
        }
    }

    /// Makes it durable that names are gone from these directories, and takes those away that are empty now.
    pub(super) fn settle_removals(&self, directories: &[PathBuf]) -> Result<(), StoreError> {
        directories.iter().try_for_each(|directory| self.sync_nearest(directory))?;
        directories.iter().for_each(|directory| self.prune(directory));
        Ok(())
    }

    /// Syncs `directory`, or where it was, if another removal has taken it away.
    fn sync_nearest(&self, directory: &Path) -> Result<(), StoreError> {
        for path in directory.ancestors().take_while(|path| path.starts_with(&self.root)) {
            let pruned = self.pruned();
            if *path == *self.root || self.look(path)?.is_some() {
                match self.sync(path) {
                    Err(_) if *path != *self.root && self.pruned() != pruned => {}
                    result => return result,
                }
            }
        }
        Ok(())
    }

    /// Takes `directory` away, and those above it, as far as nothing is in them. One that a power cut brings
    /// back is in nobody's way.
    fn prune(&self, directory: &Path) {
        let below = directory.ancestors().take_while(|path| *path != self.root && path.starts_with(&self.root));
        for path in below {
            let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
            if self.disk.remove_dir(path).is_err() {
                return;
            }
            durable.pruned += 1;
            durable.names.remove(path);
        }
    }

    /// Changes when a directory was taken away.
    pub(super) fn pruned(&self) -> u64 {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).pruned
    }

    /// What stands at `path`.
    pub(super) fn look(&self, path: &Path) -> Result<Option<Stat>, StoreError> {
        match self.disk.stat(path) {
            // Something on the way is a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            result => result.map_err(|error| StoreError::from_io(|| format!("looking at {}", path.display()), error)),
        }
    }

    fn must_be_directory(&self, path: &Path, found: Option<Stat>) -> Result<(), StoreError> {
        if is_directory(found) {
            return Ok(());
        }
        let problem = format!(
            "{} is not a directory; symbolic links are not followed below {}: make that the link, or mount the other \
             place there",
            path.display(),
            self.root.display()
        );
        Err(StoreError::Configuration { problem })
    }

    /// Removes the copies that were being made when the last process, or the machine, stopped.
    fn clear_incoming(&self) -> Result<(), StoreError> {
        let incoming = self.incoming();
        match self.look(&incoming)? {
            None => return Ok(()),
            found => self.must_be_directory(&incoming, found)?,
        }
        let failed = |error| StoreError::from_io(|| format!("clearing {}", incoming.display()), error);
        for entry in self.disk.list_dir(&incoming).map_err(failed)? {
            if entry.kind == EntryKind::File {
                let path = incoming.join(entry.name);
                match self.disk.unlink(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    // It takes room and nothing else; the next start tries again.
                    Err(error) => tracing::warn!(path = %path.display(), "an interrupted copy stays: {error}"),
                    Ok(()) => tracing::info!(path = %path.display(), "an interrupted copy was removed"),
                }
            }
        }
        Ok(())
    }
}

fn is_directory(found: Option<Stat>) -> bool {
    found.is_some_and(|stat| stat.kind == EntryKind::Directory)
}

fn opening(root: &Path) -> String {
    format!("opening the directory {}", root.display())
}

/// Creates `root` and what is missing above it, durably.
fn make_root(disk: &dyn Disk, root: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_io(|| opening(root), error);
    let mut missing = Vec::new();
    for path in root.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        if disk.stat(path).map_err(failed)?.is_some() {
            break;
        }
        missing.push(path);
    }
    for path in missing.iter().rev() {
        match disk.create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(failed)?,
        }
    }
    // Top down; the root's own name even when it is not new, since a crash may have come between.
    let made = missing.iter().rev().filter(|path| **path != root).chain(std::iter::once(&root));
    made.map(|path| path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
        .try_for_each(|parent| sync_directory(disk, parent))
}

fn sync_directory(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    match disk.sync_dir(path) {
        // Some network file systems have no such operation: their names are as durable as they get.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|error| StoreError::from_io(|| format!("syncing {}", path.display()), error)),
    }
}
