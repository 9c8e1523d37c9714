//! A directory as an object store: the object at a key is the file at that path below the root.
//!
//! A file is put by a hard link when the spool and the store share a file system: no media is
//! copied. Otherwise it is copied to `ROOT/.incoming`, checked, synced and renamed. What an
//! interrupted copy leaves there is removed when the store is opened next. Where another file
//! system is mounted within the store, the copy is made beside the target instead, as `.put-` and
//! 16 digits that follow from the key; the next put of that key removes a leftover.
//!
//! With its last object a directory goes too, but never the root.
//!
//! Everything goes through a [`Disk`], one effect at a time.

mod listing;
mod place;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use livetape_disk::Disk;
use tokio::sync::Semaphore;

use self::place::Source;
use self::tree::Tree;
use crate::{ContentType, Listing, ObjectKey, ObjectStore, Pending, PutFile, StoreError, Stored};

/// How many calls may be on the blocking pool at once. A hung disk then holds this many threads
/// and no more, however often callers give up and try again.
const CALLS_MAX: usize = 8;

/// A directory as an object store. Cheap to clone.
#[derive(Clone)]
pub struct DirectoryStore {
    tree: Arc<Tree>,
    calls: Arc<Semaphore>,
}

impl DirectoryStore {
    /// Opens the store below `root`, which is created if it does not exist, and removes what
    /// interrupted copies left. `root` itself must be no symbolic link. Blocks.
    ///
    /// # Errors
    /// When `root` cannot be created or is not a directory.
    pub fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, StoreError> {
        Ok(Self::of(Tree::open(disk, root)?))
    }

    /// The store below `root` as it is: changes nothing before something is put or deleted. For
    /// looking at a store that another process may be using. Blocks.
    ///
    /// # Errors
    /// When `root` is not a directory.
    pub fn existing(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, StoreError> {
        Ok(Self::of(Tree::existing(disk, root)?))
    }

    fn of(tree: Tree) -> Self {
        Self { tree: Arc::new(tree), calls: Arc::new(Semaphore::new(CALLS_MAX)) }
    }

    /// Runs `call` on the blocking pool, a bounded number at once.
    fn blocking<'a, T, F>(&'a self, call: F) -> Pending<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(async move {
            let stopped = |problem: String| StoreError::Unavailable {
                doing: problem,
                source: std::io::ErrorKind::Interrupted.into(),
            };
            let permit = Arc::clone(&self.calls)
                .acquire_owned()
                .await
                .map_err(|_| stopped("waiting for a turn; the store is closed".into()))?;
            let tree = Arc::clone(&self.tree);
            // The permit goes with the call, not with the future: a caller that gives up does not
            // make room for another call while its own still holds a thread.
            let task = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                call(&tree)
            });
            task.await.unwrap_or_else(|error| Err(stopped(format!("the call was stopped: {error}"))))
        })
    }
}

impl ObjectStore for DirectoryStore {
    fn describe(&self) -> String {
        format!("directory {}", self.tree.root().display())
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        let file = file.clone();
        self.blocking(move |tree| {
            let (stored, directory) = tree.put(&file.key, &Source::file(tree, &file.path)?)?;
            tree.sync(&directory)?;
            Ok(stored)
        })
    }

    fn put_files<'a>(&'a self, files: &'a [PutFile]) -> Pending<'a, Vec<Stored>> {
        let files = files.to_vec();
        self.blocking(move |tree| {
            let mut stored = Vec::with_capacity(files.len());
            let mut directories = Vec::new();
            for file in &files {
                let (one, directory) = tree.put(&file.key, &Source::file(tree, &file.path)?)?;
                stored.push(one);
                if directories.last() != Some(&directory) {
                    directories.push(directory);
                }
            }
            // One sync makes all new names of a directory durable.
            directories.sort();
            directories.dedup();
            directories.iter().try_for_each(|directory| tree.sync(directory))?;
            Ok(stored)
        })
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, _: ContentType) -> Pending<'a, Stored> {
        let key = key.clone();
        self.blocking(move |tree| {
            let (stored, directory) = tree.put(&key, &Source::Bytes(data))?;
            tree.sync(&directory)?;
            Ok(stored)
        })
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        let key = key.clone();
        self.blocking(move |tree| Ok(tree.find(&key)?.map(|(_, size_bytes)| Stored { size_bytes })))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        let key = key.clone();
        self.blocking(move |tree| {
            let removed = tree.remove(&key)?;
            let directories: Vec<PathBuf> = removed.into_iter().collect();
            tree.settle_removals(&directories)?;
            Ok(!directories.is_empty())
        })
    }

    fn delete_all<'a>(&'a self, keys: &'a [ObjectKey]) -> Pending<'a, ()> {
        let keys = keys.to_vec();
        self.blocking(move |tree| {
            let mut directories = Vec::new();
            for key in &keys {
                directories.extend(tree.remove(key)?);
            }
            directories.sort();
            directories.dedup();
            tree.settle_removals(&directories)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.blocking(move |tree| tree.list(&prefix, &after))
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.tree.find(key).ok().flatten().map(|(path, _)| path)
    }
}
