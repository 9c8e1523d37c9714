//! The objects of an HLS recording.
//!
//! While it grows, the growing playlist says what is finished: what it lists is put, in its order, and then
//! the playlist itself as far as all that it lists is there. A long playlist is put less often, so that what
//! a recording sends does not grow with the square of its length.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use livetape_mux::hls::{GROWING, INDEX, listed};
use livetape_mux::{FileName, ReadAt};
use livetape_store::{ContentType, ObjectKey, PartStore, Upload};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::file::COMPLETION_BYTES;
use super::{Carried, Way};
use crate::FinalizeError;
use crate::finalizer::{Outbound, Outgoing};

/// What is read of the growing playlist at a time: far more than one entry.
const READ_BYTES: u64 = 64 << 10;
/// A playlist up to this size is put after every segment.
const SMALL_PLAYLIST_BYTES: u64 = 64 << 10;
/// How long a larger one waits, for each [`SMALL_PLAYLIST_BYTES`] of it.
const PLAYLIST_INTERVAL: Duration = Duration::from_secs(6);

/// The way of one HLS recording.
#[derive(Clone)]
pub(crate) struct PlaylistWay {
    way: Way,
}

impl PlaylistWay {
    /// The way of an HLS recording into a store that takes objects from memory.
    pub(crate) fn new(way: Way) -> Self {
        Self { way }
    }

    /// While it grows: puts the next file that the playlist lists, and says whether there was one; when there
    /// is none, the playlist, if it is time.
    pub(crate) async fn put_listed(&self, carried: &mut Carried) -> Result<bool, FinalizeError> {
        let Some(entry) = self.entry(carried.listed_bytes).await? else {
            self.put_playlist(carried).await?;
            return Ok(false);
        };
        // What is too short to be kept is not put.
        if carried.listed_bytes == 0 && self.listed_so_far().await? < self.way.options.min_duration {
            return Ok(false);
        }
        for name in listed(&entry) {
            self.put_named(name).await?;
        }
        carried.listed_bytes += entry.len() as u64;
        Ok(true)
    }

    /// While it grows: passes over what an earlier process has put of what the playlist lists. A file that is listed
    /// never changes.
    pub(crate) async fn take_up(&self, carried: &mut Carried) -> Result<(), FinalizeError> {
        carried.listed_bytes = 0;
        let there = self.there(carried).await?;
        while let Some(entry) = self.entry(carried.listed_bytes).await? {
            for name in listed(&entry) {
                let file = self.name(name)?;
                let size_bytes = self.way.with_file(&file, |file| Ok(file.len())).await?;
                if there.get(name).is_none_or(|size| *size != Some(size_bytes)) {
                    return Ok(());
                }
            }
            carried.listed_bytes += entry.len() as u64;
        }
        Ok(())
    }

    /// Once it is finished: puts what is missing, in stages; returns the size of all objects.
    pub(crate) async fn complete(&self, outbound: Outbound, carried: &Carried) -> Result<u64, FinalizeError> {
        let size_bytes = outbound.size_bytes();
        let there = self.there(carried).await?;
        for (stage, files) in outbound.stages.into_iter().enumerate() {
            let is_there = |file: &Outgoing| {
                // A playlist may have been put in an earlier form.
                stage == 0
                    && there
                        .get(file.put.key.name())
                        .is_some_and(|size| size.is_none_or(|size| size == file.size_bytes))
            };
            self.put_all(files.into_iter().filter(|file| !is_there(file)).collect()).await?;
        }
        Ok(size_bytes)
    }

    /// Puts several files, some at once.
    async fn put_all(&self, files: Vec<Outgoing>) -> Result<(), FinalizeError> {
        let mut waiting = files.into_iter();
        let mut puts = JoinSet::new();
        loop {
            while puts.len() < self.way.options.transfers.max(1)
                && let Some(file) = waiting.next()
            {
                let this = self.clone();
                puts.spawn(async move { this.put_file(&file.put.key, file.size_bytes).await });
            }
            match puts.join_next().await {
                Some(Ok(result)) => result?,
                Some(Err(error)) => return Err(crate::environment::Stopped::of(&error).into()),
                None => return Ok(()),
            }
        }
    }

    /// Names that are in the store, with their sizes where they are not known to be right.
    async fn there(&self, carried: &Carried) -> Result<BTreeMap<String, Option<u64>>, FinalizeError> {
        if carried.listed_bytes > 0 {
            let playlist = self.playlist(carried.listed_bytes).await?;
            let text = String::from_utf8_lossy(&playlist);
            return Ok(listed(&text).map(|name| (name.to_owned(), None)).collect());
        }
        let directory = self.way.key.as_str().strip_suffix(self.way.key.name()).unwrap_or_default().to_owned();
        let mut there = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.way.within(0, self.way.target.store.list(&directory, after.as_deref())).await?;
            there
                .extend(page.objects.into_iter().map(|object| (object.key.name().to_owned(), Some(object.size_bytes))));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(there),
            }
        }
    }

    async fn put_named(&self, name: &str) -> Result<(), FinalizeError> {
        let file =
            FileName::new(name).ok_or_else(|| FinalizeError::Damaged(format!("a playlist lists '{name:.80}'")))?;
        let size_bytes = self.way.with_file(&file, |file| Ok(file.len())).await?;
        self.put_file(&self.way.key.sibling(name)?, size_bytes).await
    }

    /// Puts the file that belongs at `key`.
    async fn put_file(&self, key: &ObjectKey, size_bytes: u64) -> Result<(), FinalizeError> {
        let file = FileName::new(key.name()).ok_or_else(|| FinalizeError::Damaged(format!("{key} is no file's")))?;
        match self.way.parts() {
            Some(store) if size_bytes > store.rules().part_bytes => self.put_large(store, key, &file, size_bytes).await,
            _ => {
                let _permit = self.way.permit().await?;
                let data = self.way.read(&file, Bytes::new(), 0..size_bytes).await?;
                self.way.put(key, data).await.map(drop)
            }
        }
    }

    /// Puts a file that is larger than a part.
    async fn put_large(
        &self,
        store: &dyn PartStore,
        key: &ObjectKey,
        file: &FileName,
        size_bytes: u64,
    ) -> Result<(), FinalizeError> {
        let upload = self.way.within(0, store.begin(key, ContentType::of_key(key))).await?;
        let result = self.put_large_parts(store, &upload, file, size_bytes).await;
        if result.is_err() {
            // It is begun anew. What cannot be given up now is swept.
            drop(self.way.within(0, store.abort(&upload)).await);
        }
        result
    }

    async fn put_large_parts(
        &self,
        store: &dyn PartStore,
        upload: &Upload,
        file: &FileName,
        size_bytes: u64,
    ) -> Result<(), FinalizeError> {
        let (step, mut at, mut parts) = (store.rules().part_bytes, 0, Vec::new());
        for number in 1.. {
            let _permit = self.way.permit().await?;
            let end = size_bytes.min(at + step);
            let data = self.way.read(file, Bytes::new(), at..end).await?;
            parts.push(self.way.within(end - at, store.put_part(upload, number, data)).await?);
            self.way.tools.counters.stored(end - at);
            at = end;
            if at == size_bytes {
                break;
            }
        }
        let made = self.way.within(COMPLETION_BYTES.max(size_bytes), store.complete(upload, &parts)).await?;
        Ok(super::way::confirm(&upload.key, size_bytes, made)?)
    }

    /// Puts the growing playlist, as far as all it lists is there, when that is due; and the multivariant
    /// one when it has changed.
    async fn put_playlist(&self, carried: &mut Carried) -> Result<(), FinalizeError> {
        let (bytes, now) = (carried.listed_bytes, Instant::now());
        let due = match carried.playlist {
            _ if bytes == 0 => false,
            None => true,
            Some((put_bytes, _)) if bytes <= SMALL_PLAYLIST_BYTES => put_bytes < bytes,
            Some((put_bytes, at)) => {
                let steps = u32::try_from(bytes / SMALL_PLAYLIST_BYTES).unwrap_or(u32::MAX);
                put_bytes < bytes && now.duration_since(at) >= PLAYLIST_INTERVAL * steps
            }
        };
        if !due {
            return Ok(());
        }
        let _permit = self.way.permit().await?;
        let playlist = self.playlist(bytes).await?;
        self.way.put(&self.way.key.sibling(GROWING)?, playlist).await?;
        carried.playlist = Some((bytes, now));
        // The final one lists a playlist that is not there yet: it comes last.
        let of_growing = |variant: &Bytes| listed(&String::from_utf8_lossy(variant)).all(|name| name == GROWING);
        let variant = self.variant().await?.filter(of_growing);
        if let Some(variant) = variant.filter(|variant| carried.variant.as_ref() != Some(variant)) {
            self.way.put(&self.way.key, variant.clone()).await?;
            carried.variant = Some(variant);
        }
        Ok(())
    }

    /// The lines of the growing playlist from byte `at` on, up to the next file; `None` when there is no
    /// such file yet.
    async fn entry(&self, at: u64) -> Result<Option<String>, FinalizeError> {
        let Some(bytes) = self.growing(at, READ_BYTES).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let mut end = 0;
        for line in text.split_inclusive('\n').take_while(|line| line.ends_with('\n')) {
            end += line.len();
            if !line.starts_with('#') && !line.trim().is_empty() {
                return Ok(text.get(..end).map(str::to_owned));
            }
        }
        Ok(None)
    }

    /// How much media the growing playlist lists, looking no further than needed.
    async fn listed_so_far(&self) -> Result<Duration, FinalizeError> {
        let Some(bytes) = self.growing(0, READ_BYTES).await? else { return Ok(Duration::ZERO) };
        let text = String::from_utf8_lossy(&bytes);
        let seconds = |line: &str| line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse::<f64>().ok();
        Ok(Duration::try_from_secs_f64(text.lines().filter_map(seconds).sum()).unwrap_or(Duration::MAX))
    }

    async fn playlist(&self, bytes: u64) -> Result<Bytes, FinalizeError> {
        self.way.read(&self.name(GROWING)?, Bytes::new(), 0..bytes).await
    }

    async fn variant(&self) -> Result<Option<Bytes>, FinalizeError> {
        self.small(INDEX, 0, READ_BYTES).await
    }

    async fn growing(&self, at: u64, most: u64) -> Result<Option<Bytes>, FinalizeError> {
        self.small(GROWING, at, most).await
    }

    /// Up to `most` bytes of a playlist from `at` on; `None` when it is not there, or has no more.
    async fn small(&self, name: &str, at: u64, most: u64) -> Result<Option<Bytes>, FinalizeError> {
        let file = self.name(name)?;
        let read = self.way.with_file(&file, move |file| {
            let len = file.len().saturating_sub(at).min(most);
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            file.read_exact_at(at, &mut bytes)?;
            Ok(bytes)
        });
        match read.await {
            Ok(bytes) => Ok((!bytes.is_empty()).then(|| bytes.into())),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn name(&self, name: &str) -> Result<FileName, FinalizeError> {
        FileName::new(name).ok_or_else(|| FinalizeError::Damaged(format!("{name} is no file's name")))
    }
}
