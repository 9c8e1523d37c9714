//! A store in memory with a script.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use livetape_disk::{Disk, read_exact};
use livetape_store::{ContentType, Listed, Listing, ObjectKey, ObjectStore, Pending, PutFile, StoreError, Stored};

use crate::journal::{Effect, Journal};

/// What becomes of one put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAct {
    /// It goes well.
    Take,
    /// HTTP 503: nothing is stored.
    Refuse,
    /// The object is stored, and no answer comes.
    TakeAndSayNothing,
    /// It goes well, but takes this long.
    Slow(Duration),
    /// The connection breaks half way: nothing is stored.
    Reset,
}

/// An object store in memory: each object is there whole or not at all, and stays. Cheap to clone.
#[derive(Clone)]
pub struct SimStore(Arc<Shared>);

struct Shared {
    disk: Arc<dyn Disk>,
    journal: Journal,
    script: Vec<StoreAct>,
    state: Mutex<State>,
}

struct State {
    objects: BTreeMap<String, Bytes>,
    calls: usize,
}

impl SimStore {
    /// A store that holds `objects`, reads the files it is given from `disk`, and meets its puts as
    /// `script` says; when that is over, every put goes well.
    pub fn new(objects: BTreeMap<String, Bytes>, disk: Arc<dyn Disk>, journal: Journal, script: Vec<StoreAct>) -> Self {
        Self(Arc::new(Shared { disk, journal, script, state: Mutex::new(State { objects, calls: 0 }) }))
    }

    /// What it holds.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.lock().objects.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    async fn put(&self, key: &ObjectKey, data: io::Result<Bytes>, path: PathBuf) -> Result<Stored, StoreError> {
        let data = data.map_err(|source| StoreError::Source { path, source })?;
        let act = {
            let mut state = self.lock();
            let act = self.0.script.get(state.calls).copied().unwrap_or(StoreAct::Take);
            state.calls += 1;
            act
        };
        let failed = |problem: &str, kind: io::ErrorKind| {
            let source = io::Error::new(kind, problem.to_owned());
            Err(StoreError::Unavailable { doing: format!("putting {key}"), source })
        };
        match act {
            StoreAct::Take => self.keep(key, data),
            StoreAct::Refuse => failed("503 Slow Down", io::ErrorKind::Other),
            StoreAct::TakeAndSayNothing => {
                self.keep(key, data)?;
                std::future::pending().await
            }
            StoreAct::Slow(time) => {
                tokio::time::sleep(time).await;
                self.keep(key, data)
            }
            StoreAct::Reset => failed("connection reset", io::ErrorKind::ConnectionReset),
        }
    }

    fn keep(&self, key: &ObjectKey, data: Bytes) -> Result<Stored, StoreError> {
        let mut state = self.lock();
        let size_bytes = data.len() as u64;
        let there = state.objects.get(key.as_str()).filter(|there| **there != data);
        if let Some(there) = there.filter(|_| ContentType::of_key(key) != ContentType::Playlist) {
            let existing_bytes = there.len() as u64;
            return Err(StoreError::Taken { key: key.clone(), existing_bytes, new_bytes: size_bytes });
        }
        state.objects.insert(key.to_string(), data.clone());
        self.0.journal.push(Effect::Put { key: key.to_string(), data });
        Ok(Stored { size_bytes })
    }

    fn read(&self, file: &PutFile) -> io::Result<Bytes> {
        let opened = self.0.disk.open_read(&file.path)?;
        let mut data = vec![0; usize::try_from(opened.size()?).unwrap()];
        read_exact(&*opened, 0, &mut data)?;
        Ok(data.into())
    }
}

impl ObjectStore for SimStore {
    fn describe(&self) -> String {
        "simulated store".into()
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        Box::pin(self.put(&file.key, self.read(file), file.path.clone()))
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, _: ContentType) -> Pending<'a, Stored> {
        Box::pin(self.put(key, Ok(data), PathBuf::new()))
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        let found = self.lock().objects.get(key.as_str()).map(|data| Stored { size_bytes: data.len() as u64 });
        Box::pin(std::future::ready(Ok(found)))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        Box::pin(std::future::ready(Ok(self.lock().objects.remove(key.as_str()).is_some())))
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        let state = self.lock();
        let after = after.unwrap_or_default();
        let wanted = state.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let listed =
            |(key, data): (&String, &Bytes)| Listed { key: key.parse().unwrap(), size_bytes: data.len() as u64 };
        let objects = wanted.map(listed).collect();
        Box::pin(std::future::ready(Ok(Listing { objects, unknown: Vec::new(), next: None })))
    }

    fn local_path(&self, _: &ObjectKey) -> Option<PathBuf> {
        None
    }
}
