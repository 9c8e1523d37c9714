//! A store in memory with a script.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use livetape_disk::{Disk, read_exact};
use livetape_store::{
    ContentType, Listed, Listing, ObjectKey, ObjectStore, Part, PartRules, PartStore, Pending, PutFile, StoreError,
    Stored, Upload, Uploads,
};

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

/// What a simulated store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoreImage {
    /// Objects, by key.
    pub objects: BTreeMap<String, Bytes>,
    /// Uploads under way, by their ids.
    pub uploads: BTreeMap<String, SimUpload>,
    /// Uploads that were ever begun.
    pub begun: u64,
}

/// An upload under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimUpload {
    /// Of which object.
    pub key: String,
    /// Its parts, by number.
    pub parts: BTreeMap<u32, Bytes>,
}

impl StoreImage {
    /// Does what `effect` did to the store.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Put { key, data } => drop(self.objects.insert(key.clone(), data.clone())),
            Effect::Begun { id, key } => {
                self.begun += 1;
                self.uploads.insert(id.clone(), SimUpload { key: key.clone(), ..SimUpload::default() });
            }
            Effect::PartPut { id, number, data } => {
                if let Some(upload) = self.uploads.get_mut(id) {
                    upload.parts.insert(*number, data.clone());
                }
            }
            Effect::Completed { id, data } => {
                if let Some(upload) = self.uploads.remove(id) {
                    self.objects.insert(upload.key, data.clone());
                }
            }
            Effect::Aborted { id } => drop(self.uploads.remove(id)),
            _ => {}
        }
    }
}

/// An object store in memory: each object is there whole or not at all, and stays. Cheap to clone.
#[derive(Clone)]
pub struct SimStore(Arc<Shared>);

struct Shared {
    disk: Arc<dyn Disk>,
    journal: Journal,
    script: Vec<StoreAct>,
    /// How it takes objects in parts, if it does.
    rules: Option<PartRules>,
    state: Mutex<State>,
}

struct State {
    image: StoreImage,
    calls: usize,
}

impl SimStore {
    /// A store that holds `image`, reads the files it is given from `disk`, and meets its puts as
    /// `script` says; when that is over, every put goes well. With `rules` it takes objects in parts.
    pub fn new(
        image: StoreImage,
        disk: Arc<dyn Disk>,
        journal: Journal,
        script: Vec<StoreAct>,
        rules: Option<PartRules>,
    ) -> Self {
        Self(Arc::new(Shared { disk, journal, script, rules, state: Mutex::new(State { image, calls: 0 }) }))
    }

    /// What it holds.
    pub fn image(&self) -> StoreImage {
        self.lock().image.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Does one thing, as the script has it.
    async fn act<T>(&self, doing: String, act: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let next = {
            let mut state = self.lock();
            let next = self.0.script.get(state.calls).copied().unwrap_or(StoreAct::Take);
            state.calls += 1;
            next
        };
        let failed = |problem: &str, kind: io::ErrorKind| {
            Err(StoreError::Unavailable { doing, source: io::Error::new(kind, problem.to_owned()) })
        };
        match next {
            StoreAct::Take => act(self),
            StoreAct::Refuse => failed("503 Slow Down", io::ErrorKind::Other),
            StoreAct::TakeAndSayNothing => {
                act(self)?;
                std::future::pending().await
            }
            StoreAct::Slow(time) => {
                tokio::time::sleep(time).await;
                act(self)
            }
            StoreAct::Reset => failed("connection reset", io::ErrorKind::ConnectionReset),
        }
    }

    async fn put(&self, key: &ObjectKey, data: io::Result<Bytes>, path: PathBuf) -> Result<Stored, StoreError> {
        let data = data.map_err(|source| StoreError::Source { path, source })?;
        self.act(format!("putting {key}"), |store| store.keep(key, data)).await
    }

    fn keep(&self, key: &ObjectKey, data: Bytes) -> Result<Stored, StoreError> {
        let size_bytes = data.len() as u64;
        let state = self.lock();
        let there = state.image.objects.get(key.as_str()).filter(|there| **there != data);
        if let Some(there) = there.filter(|_| ContentType::of_key(key) != ContentType::Playlist) {
            let existing_bytes = there.len() as u64;
            return Err(StoreError::Taken { key: key.clone(), existing_bytes, new_bytes: size_bytes });
        }
        drop(state);
        self.happen(Effect::Put { key: key.to_string(), data });
        Ok(Stored { size_bytes })
    }

    fn happen(&self, effect: Effect) {
        let mut state = self.lock();
        state.image.apply(&effect);
        self.0.journal.push(effect);
    }

    fn upload(&self, upload: &Upload) -> Result<SimUpload, StoreError> {
        let found = self.lock().image.uploads.get(&upload.id).cloned();
        found.ok_or_else(|| StoreError::UploadGone { key: upload.key.clone() })
    }

    fn finish(&self, upload: &Upload, parts: &[Part]) -> Result<Stored, StoreError> {
        let size_bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
        let Ok(found) = self.upload(upload) else {
            // As S3 does, where the caller looks at the object.
            let gone = StoreError::UploadGone { key: upload.key.clone() };
            let state = self.lock();
            let there = state.image.objects.get(upload.key.as_str()).ok_or(gone)?;
            let mut at = 0;
            let same = parts.iter().all(|part| {
                let piece = there.get(at..at + usize::try_from(part.size_bytes).unwrap());
                at += usize::try_from(part.size_bytes).unwrap();
                piece.is_some_and(|piece| tag(piece) == part.tag)
            });
            let whole = same && there.len() as u64 == size_bytes;
            return if whole {
                Ok(Stored { size_bytes })
            } else {
                Err(StoreError::UploadGone { key: upload.key.clone() })
            };
        };
        let mut data = Vec::new();
        for part in parts {
            let there = found.parts.get(&part.number).filter(|there| tag(there) == part.tag);
            let there = there.ok_or_else(|| StoreError::ContentsDiffer {
                key: upload.key.clone(),
                detail: format!("part {} is not what it was said to be", part.number),
            })?;
            data.extend_from_slice(there);
        }
        let size_bytes = data.len() as u64;
        self.happen(Effect::Completed { id: upload.id.clone(), data: data.into() });
        Ok(Stored { size_bytes })
    }

    fn read(&self, file: &PutFile) -> io::Result<Bytes> {
        let opened = self.0.disk.open_read(&file.path)?;
        let mut data = vec![0; usize::try_from(opened.size()?).unwrap()];
        read_exact(&*opened, 0, &mut data)?;
        Ok(data.into())
    }
}

/// What the store calls `data`.
fn tag(data: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
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
        let found = self.lock().image.objects.get(key.as_str()).map(|data| Stored { size_bytes: data.len() as u64 });
        Box::pin(std::future::ready(Ok(found)))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        Box::pin(std::future::ready(Ok(self.lock().image.objects.remove(key.as_str()).is_some())))
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        let state = self.lock();
        let after = after.unwrap_or_default();
        let wanted = state.image.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let listed =
            |(key, data): (&String, &Bytes)| Listed { key: key.parse().unwrap(), size_bytes: data.len() as u64 };
        let objects = wanted.map(listed).collect();
        Box::pin(std::future::ready(Ok(Listing { objects, unknown: Vec::new(), next: None })))
    }

    fn local_path(&self, _: &ObjectKey) -> Option<PathBuf> {
        None
    }

    fn read<'a>(&'a self, key: &'a ObjectKey, _: u64) -> Pending<'a, Option<Bytes>> {
        Box::pin(std::future::ready(Ok(self.lock().image.objects.get(key.as_str()).cloned())))
    }

    fn parts(&self) -> Option<&dyn PartStore> {
        self.0.rules.map(|_| self as &dyn PartStore)
    }
}

impl PartStore for SimStore {
    fn rules(&self) -> PartRules {
        self.0.rules.unwrap()
    }

    fn begin<'a>(&'a self, key: &'a ObjectKey, _: ContentType) -> Pending<'a, Upload> {
        Box::pin(self.act(format!("beginning {key}"), |store| {
            let id = format!("upload-{}", store.lock().image.begun);
            store.happen(Effect::Begun { id: id.clone(), key: key.to_string() });
            Ok(Upload { key: key.clone(), id })
        }))
    }

    fn put_part<'a>(&'a self, upload: &'a Upload, number: u32, data: Bytes) -> Pending<'a, Part> {
        Box::pin(self.act(format!("putting part {number} of {}", upload.key), move |store| {
            store.upload(upload)?;
            let part = Part { number, size_bytes: data.len() as u64, tag: tag(&data) };
            store.happen(Effect::PartPut { id: upload.id.clone(), number, data });
            Ok(part)
        }))
    }

    fn parts<'a>(&'a self, upload: &'a Upload) -> Pending<'a, Option<Vec<Part>>> {
        let part =
            |(number, data): (&u32, &Bytes)| Part { number: *number, size_bytes: data.len() as u64, tag: tag(data) };
        let found = self.upload(upload).ok().map(|found| found.parts.iter().map(part).collect());
        Box::pin(std::future::ready(Ok(found)))
    }

    fn complete<'a>(&'a self, upload: &'a Upload, parts: &'a [Part]) -> Pending<'a, Stored> {
        Box::pin(self.act(format!("completing {}", upload.key), |store| store.finish(upload, parts)))
    }

    fn abort<'a>(&'a self, upload: &'a Upload) -> Pending<'a, ()> {
        Box::pin(self.act(format!("giving up {}", upload.key), |store| {
            if store.upload(upload).is_ok() {
                store.happen(Effect::Aborted { id: upload.id.clone() });
            }
            Ok(())
        }))
    }

    fn uploads<'a>(&'a self, prefix: &'a str, _: Option<&'a str>) -> Pending<'a, Uploads> {
        let state = self.lock();
        let wanted = state.image.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let uploads = wanted.map(|(id, upload)| Upload { key: upload.key.parse().unwrap(), id: id.clone() }).collect();
        Box::pin(std::future::ready(Ok(Uploads { uploads, next: None })))
    }

    fn tag(&self, data: &[u8]) -> String {
        tag(data)
    }
}
