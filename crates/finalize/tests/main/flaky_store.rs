//! An object store that does what a script says.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use livetape_store::{ContentType, Listing, ObjectKey, ObjectStore, Pending, PutFile, StoreError, Stored};

/// What becomes of one put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Works,
    /// It takes a second.
    Slow,
    /// The store is down.
    Fails,
    /// The store does not let us.
    Denied,
    /// It never answers, and nothing is stored.
    Hangs,
    /// The object is stored, but no answer comes.
    HangsAfter,
    /// The answer tells another size.
    TellsOtherSize,
    /// The task that puts dies.
    Panics,
}

type Script = Box<dyn Fn(&str, usize) -> Put + Send + Sync>;

/// A real store behind a script, which is asked with the key and the number of the put, from 0.
pub(crate) struct FlakyStore {
    inner: Arc<dyn ObjectStore>,
    script: Script,
    puts: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    pub(crate) most_under_way: AtomicUsize,
}

impl FlakyStore {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        script: impl Fn(&str, usize) -> Put + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            script: Box::new(script),
            puts: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        })
    }

    /// Names of the objects put, in order, attempts that failed as well.
    pub(crate) fn puts(&self) -> Vec<String> {
        self.puts.lock().unwrap().clone()
    }
}

impl ObjectStore for FlakyStore {
    fn describe(&self) -> String {
        "flaky".into()
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        Box::pin(async move {
            let number = {
                let mut puts = self.puts.lock().unwrap();
                puts.push(file.key.name().to_owned());
                puts.len() - 1
            };
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
            let _gauge = Gauge(&self.under_way);
            let doing = || format!("putting {}", file.key);
            match (self.script)(file.key.as_str(), number) {
                Put::Works => self.inner.put_file(file).await,
                Put::Slow => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.inner.put_file(file).await
                }
                Put::Fails => {
                    Err(StoreError::Unavailable { doing: doing(), source: io::ErrorKind::ConnectionReset.into() })
                }
                Put::Denied => {
                    Err(StoreError::Denied { doing: doing(), source: io::ErrorKind::PermissionDenied.into() })
                }
                Put::Hangs => std::future::pending().await,
                Put::HangsAfter => {
                    self.inner.put_file(file).await?;
                    std::future::pending().await
                }
                Put::TellsOtherSize => Ok(Stored { size_bytes: self.inner.put_file(file).await?.size_bytes + 1 }),
                Put::Panics => panic!("as the script says"),
            }
        })
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored> {
        self.inner.put_bytes(key, data, content_type)
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        self.inner.head(key)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        self.inner.delete(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        self.inner.list(prefix, after)
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.inner.local_path(key)
    }
}

struct Gauge<'a>(&'a AtomicUsize);

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
