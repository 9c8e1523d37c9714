//! An object store whose deletions do what a script says.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use livetape_store::{ContentType, Listing, ObjectKey, ObjectStore, Pending, PutFile, StoreError, Stored};

/// What becomes of one deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    Works,
    /// The store is down.
    Fails,
    /// It never answers, and the object stays.
    Hangs,
    /// The task that deletes dies.
    Panics,
}

type Script = Box<dyn Fn(&str) -> Delete + Send + Sync>;

/// A real store behind a script, which is asked with the key.
pub(crate) struct DeletingStore {
    inner: Arc<dyn ObjectStore>,
    script: Script,
    deletes: Mutex<Vec<String>>,
}

impl DeletingStore {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        script: impl Fn(&str) -> Delete + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { inner, script: Box::new(script), deletes: Mutex::default() })
    }

    /// Names of the objects deleted, in order, attempts that failed as well.
    pub(crate) fn deletes(&self) -> Vec<String> {
        self.deletes.lock().unwrap().clone()
    }
}

impl ObjectStore for DeletingStore {
    fn describe(&self) -> String {
        "deleting".into()
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        self.inner.put_file(file)
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored> {
        self.inner.put_bytes(key, data, content_type)
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        self.inner.head(key)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        Box::pin(async move {
            self.deletes.lock().unwrap().push(key.name().to_owned());
            match (self.script)(key.as_str()) {
                Delete::Works => self.inner.delete(key).await,
                Delete::Fails => Err(StoreError::Unavailable {
                    doing: format!("deleting {key}"),
                    source: io::ErrorKind::ConnectionReset.into(),
                }),
                Delete::Hangs => std::future::pending().await,
                Delete::Panics => panic!("as the script says"),
            }
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        self.inner.list(prefix, after)
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.inner.local_path(key)
    }
}
