//! The seam: what an object store must do.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::{ContentType, ObjectKey, PartStore, StoreError};

/// A call under way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One file to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutFile {
    /// Where it shall be in the store.
    pub key: ObjectKey,
    /// Where it is on the disk. Its contents are durable, and never change again.
    pub path: PathBuf,
    /// What it is.
    pub content_type: ContentType,
}

/// An object that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size.
    pub size_bytes: u64,
}

/// A page of what a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Objects, in the order of their keys' bytes.
    pub objects: Vec<Listed>,
    /// Names in the store that are no objects, in the same order: left over from an interrupted
    /// put, or put there by somebody else. Where a name is no text, what can be shown of it.
    pub unknown: Vec<String>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<String>,
}

/// An object in a [`Listing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub key: ObjectKey,
    /// Its size.
    pub size_bytes: u64,
}

/// A store of objects.
///
/// Every call can be repeated: after a time-out, a dropped future or a crash, the same call has
/// the same result. When a put returns, the object is whole, has the size of what was put, and is
/// durable.
pub trait ObjectStore: Send + Sync {
    /// What it is, for logs: never a secret.
    fn describe(&self) -> String;

    /// Puts a file. Success when the same object is there already; [`StoreError::Taken`] when
    /// another one is, unless it is a playlist, which is replaced at one stroke.
    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored>;

    /// Puts several files, and returns what each became, in the same order. No order among them
    /// is promised on the way. A store that can make many objects durable at once does so here.
    fn put_files<'a>(&'a self, files: &'a [PutFile]) -> Pending<'a, Vec<Stored>> {
        Box::pin(async move {
            let mut stored = Vec::with_capacity(files.len());
            for file in files {
                stored.push(self.put_file(file).await?);
            }
            Ok(stored)
        })
    }

    /// Puts bytes, with the same rules.
    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored>;

    /// What is at `key`.
    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>>;

    /// Removes what is at `key`; returns whether anything was.
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool>;

    /// Removes what is at each of `keys`, in no particular order. After an error some of it may be gone. A
    /// store that can make many removals durable at once does so here.
    fn delete_all<'a>(&'a self, keys: &'a [ObjectKey]) -> Pending<'a, ()> {
        Box::pin(async move {
            for key in keys {
                self.delete(key).await?;
            }
            Ok(())
        })
    }

    /// A page of what is in the store under keys that begin with `prefix`, which may be empty and
    /// need not end at a `/`: what comes after `after`, the [`Listing::next`] of the page before.
    /// A page holds a few thousand names at most. What is put or deleted meanwhile may be missed.
    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing>;

    /// The file that is the object, for serving ranges of it, where objects are files; `None` when
    /// there is no such object or objects are not files. Looks at the disk (a few metadata reads).
    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf>;

    /// The contents of an object of at most `max_bytes`; an error when it is larger, `None` when there is none.
    /// For small objects: they are in memory.
    fn read<'a>(&'a self, key: &'a ObjectKey, max_bytes: u64) -> Pending<'a, Option<Bytes>> {
        let path = self.local_path(key);
        Box::pin(async move {
            let Some(path) = path else { return Ok(None) };
            let failed = |source| StoreError::from_io(|| format!("reading {}", path.display()), source);
            match tokio::fs::metadata(&path).await {
                Ok(found) if found.len() > max_bytes => return Err(failed(std::io::ErrorKind::FileTooLarge.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
                Ok(_) => {}
            }
            match tokio::fs::read(&path).await {
                Ok(data) => Ok(Some(data.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(error)),
            }
        })
    }

    /// The store as one that takes objects in parts, if it does. Its objects are then put from memory
    /// ([`ObjectStore::put_bytes`], up to the size of a part) and in parts, not as files.
    fn parts(&self) -> Option<&dyn PartStore> {
        None
    }

    /// An address at which anybody can fetch the object for as long as `expires`, where the store
    /// gives such addresses. It is a secret until then.
    fn presigned<'a>(&'a self, key: &'a ObjectKey, expires: Duration) -> Pending<'a, Option<String>> {
        let _ = (key, expires);
        Box::pin(std::future::ready(Ok(None)))
    }
}
