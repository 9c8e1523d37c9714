//! Mistakes with the store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use livetape_disk::{Disk, read_exact};
use livetape_store::{ContentType, Listing, ObjectKey, ObjectStore, Pending, PutFile, StoreError, Stored};

/// Says yes, and stores a moment later.
pub struct HastyStore(Inner);

/// Takes files out of the spool, and then stores them.
pub struct EarlyEviction(Inner);

struct Inner {
    store: Arc<dyn ObjectStore>,
    disk: Arc<dyn Disk>,
}

impl HastyStore {
    /// In front of `store`; files are on `disk`.
    pub fn new(store: Arc<dyn ObjectStore>, disk: Arc<dyn Disk>) -> Self {
        Self(Inner { store, disk })
    }
}

impl EarlyEviction {
    /// In front of `store`; files are on `disk`.
    pub fn new(store: Arc<dyn ObjectStore>, disk: Arc<dyn Disk>) -> Self {
        Self(Inner { store, disk })
    }
}

impl Inner {
    fn read(&self, file: &PutFile) -> Result<Bytes, StoreError> {
        let read = || -> io::Result<Bytes> {
            let opened = self.disk.open_read(&file.path)?;
            let mut data = vec![0; usize::try_from(opened.size()?).unwrap()];
            read_exact(&*opened, 0, &mut data)?;
            Ok(data.into())
        };
        read().map_err(|source| StoreError::Source { path: file.path.clone(), source })
    }
}

impl ObjectStore for HastyStore {
    fn describe(&self) -> String {
        self.0.store.describe()
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        Box::pin(async move {
            let data = self.0.read(file)?;
            let size_bytes = data.len() as u64;
            let (store, file) = (self.0.store.clone(), file.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                store.put_bytes(&file.key, data, file.content_type).await
            });
            Ok(Stored { size_bytes })
        })
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored> {
        self.0.store.put_bytes(key, data, content_type)
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        self.0.store.head(key)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        self.0.store.delete(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        self.0.store.list(prefix, after)
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.0.store.local_path(key)
    }
}

impl ObjectStore for EarlyEviction {
    fn describe(&self) -> String {
        self.0.store.describe()
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        Box::pin(async move {
            let data = self.0.read(file)?;
            let failed = |source| StoreError::Source { path: file.path.clone(), source };
            self.0.disk.unlink(&file.path).map_err(failed)?;
            self.0.store.put_bytes(&file.key, data, file.content_type).await
        })
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored> {
        self.0.store.put_bytes(key, data, content_type)
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        self.0.store.head(key)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        self.0.store.delete(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        self.0.store.list(prefix, after)
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.0.store.local_path(key)
    }
}
