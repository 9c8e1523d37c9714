//! The object of an MP4 or FLV recording, in parts.
//!
//! Part 1 is put twice: early, with the head of a growing file, and last of all, with the final head.
//! Whatever is missing at the moment, the parts that are there make a file that plays.

use std::collections::BTreeMap;

use bytes::Bytes;
use livetape_catalog::Change;
use livetape_disk::{DiskError, OpenFile};
use livetape_mux::object::{self, Fit, ObjectLayout, OneFile};
use livetape_mux::{FileName, SalvageError, hls};
use livetape_store::{ContentType, Part, PartRules, PartStore, StoreError, Upload};

use super::plan::Plan;
use super::way::confirm;
use super::{Carried, Way};
use crate::FinalizeError;
use crate::environment::blocking;

/// A completion moves nothing, and may take as long as moving so much: a service puts the parts together first.
pub(super) const COMPLETION_BYTES: u64 = 192 << 20;
/// Parts of a finished recording that are on their way at once.
const AT_ONCE: usize = 2;

/// The way of one MP4 or FLV.
pub(crate) struct FileWay<'a> {
    way: &'a Way,
    store: &'a dyn PartStore,
    rules: PartRules,
    format: OneFile,
    file: FileName,
}

impl<'a> FileWay<'a> {
    /// `None` where this is no such recording, or the store takes no parts.
    pub(crate) fn new(way: &'a Way) -> Option<Self> {
        let (store, format) = (way.parts()?, OneFile::of(way.id.format)?);
        let file = match format {
            OneFile::Mp4 => FileName::mp4(),
            OneFile::Flv => FileName::flv(),
        };
        Some(Self { way, store, rules: store.rules(), format, file })
    }

    /// While it grows: puts the next part if it is full, and says whether it was.
    pub(crate) async fn put_full(&self, carried: &mut Carried) -> Result<bool, FinalizeError> {
        let Some(layout) = self.layout(|format, file, fit| object::growing(format, file, fit)).await? else {
            return Ok(false);
        };
        let plan = Plan::new(&layout, self.rules)?;
        let number = u32::try_from(carried.parts.len() + 1).unwrap_or(u32::MAX);
        if !plan.is_full(number) {
            return Ok(false);
        }
        let upload = self.begun(carried).await?;
        let part = self.put_part(&upload, &plan, &layout, number).await?;
        carried.parts.insert(number, part);
        Ok(true)
    }

    /// While it grows: goes on with the upload `id` of an earlier process, behind the parts in it that hold what the
    /// file holds now. It may have been cut since they were put.
    pub(crate) async fn take_up(&self, id: &str, carried: &mut Carried) -> Result<(), FinalizeError> {
        let upload = Upload { key: self.way.key.clone(), id: id.to_owned() };
        let Some(listed) = self.way.within(0, self.store.parts(&upload)).await? else { return Ok(()) };
        carried.forget_parts();
        if let Some(layout) = self.layout(|format, file, fit| object::growing(format, file, fit)).await? {
            let plan = Plan::new(&layout, self.rules)?;
            let listed: BTreeMap<u32, Part> = listed.into_iter().map(|part| (part.number, part)).collect();
            for number in (1..).take_while(|number| plan.is_full(*number)) {
                let Some(part) = listed.get(&number).filter(|part| part.size_bytes == plan.part_bytes(number)) else {
                    break;
                };
                if self.tag(&plan, &layout, number).await? != part.tag {
                    break;
                }
                carried.parts.insert(number, part.clone());
            }
        }
        carried.upload = Some(upload);
        Ok(())
    }

    /// Once it is finished: puts what is missing, and makes the object. `noted` is the upload that its row
    /// speaks of. Returns the object's size.
    pub(crate) async fn complete(&self, noted: Option<&str>, carried: &mut Carried) -> Result<u64, FinalizeError> {
        let layout = self
            .layout(|format, file, fit| object::finished(format, file, fit).map(Some))
            .await?
            .ok_or_else(|| FinalizeError::Damaged("it is empty".to_owned()))?;
        let plan = Plan::new(&layout, self.rules)?;
        if carried.upload.is_none()
            && let Some(id) = noted
            && self.resume(id, &plan, &layout, carried).await?
        {
            return Ok(plan.object_bytes());
        }
        if carried.upload.is_none() && plan.is_single() {
            let _permit = self.way.permit().await?;
            let data = self.way.read(&self.file, layout.head.clone(), layout.body.clone()).await?;
            return Ok(self.way.put(&self.way.key, data).await?.size_bytes);
        }
        let upload = self.begun(carried).await?;
        let is_there =
            |number: &u32| carried.parts.get(number).is_some_and(|part| part.size_bytes == plan.part_bytes(*number));
        let missing: Vec<u32> = plan.numbers().skip(1).filter(|number| !is_there(number)).collect();
        for numbers in missing.chunks(AT_ONCE) {
            let put = |number| self.put_part(&upload, &plan, &layout, number);
            let parts = match *numbers {
                [one, other] => <[Part; 2]>::from(tokio::try_join!(put(one), put(other))?).to_vec(),
                [one, ..] => vec![put(one).await?],
                [] => Vec::new(),
            };
            carried.parts.extend(parts.into_iter().map(|part| (part.number, part)));
        }
        let first = self.put_part(&upload, &plan, &layout, 1).await?;
        let later = plan.numbers().skip(1).filter_map(|number| carried.parts.get(&number).cloned());
        let parts: Vec<Part> = std::iter::once(first).chain(later).collect();
        let made =
            self.way.within(COMPLETION_BYTES.max(plan.object_bytes()), self.store.complete(&upload, &parts)).await?;
        confirm(&self.way.key, plan.object_bytes(), made)?;
        Ok(made.size_bytes)
    }

    /// Finds out what an earlier process has brought into the store, by holding it against the file. Whether
    /// the object is made already.
    async fn resume(
        &self,
        id: &str,
        plan: &Plan,
        layout: &ObjectLayout,
        carried: &mut Carried,
    ) -> Result<bool, FinalizeError> {
        let upload = Upload { key: self.way.key.clone(), id: id.to_owned() };
        match self.way.within(0, self.store.parts(&upload)).await? {
            Some(listed) => {
                let listed: BTreeMap<u32, Part> = listed.into_iter().map(|part| (part.number, part)).collect();
                for number in plan.numbers().skip(1) {
                    let Some(part) = listed.get(&number).filter(|part| part.size_bytes == plan.part_bytes(number))
                    else {
                        continue;
                    };
                    if self.tag(plan, layout, number).await? == part.tag {
                        carried.parts.insert(number, part.clone());
                    }
                }
                carried.upload = Some(upload);
                Ok(false)
            }
            None => {
                let there = self.way.within(0, self.way.target.store.head(&self.way.key)).await?;
                if there.is_some_and(|there| there.size_bytes == plan.object_bytes())
                    && self.is_made(&upload, plan, layout).await?
                {
                    return Ok(true);
                }
                self.way.change(Change::UploadNoted { id: self.way.id, upload: None }).await?;
                Ok(false)
            }
        }
    }

    /// Whether the object in the store is what `upload`, which is gone, was to become.
    async fn is_made(&self, upload: &Upload, plan: &Plan, layout: &ObjectLayout) -> Result<bool, FinalizeError> {
        let mut parts = Vec::new();
        for number in plan.numbers() {
            let tag = self.tag(plan, layout, number).await?;
            parts.push(Part { number, size_bytes: plan.part_bytes(number), tag });
        }
        match self.way.within(COMPLETION_BYTES, self.store.complete(upload, &parts)).await {
            Ok(_) => Ok(true),
            Err(FinalizeError::Store(StoreError::UploadGone { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the store calls a part that holds what the file holds.
    async fn tag(&self, plan: &Plan, layout: &ObjectLayout, number: u32) -> Result<String, FinalizeError> {
        let _permit = self.way.permit().await?;
        let data = self.data(plan, layout, number).await?;
        let store = self.way.target.store.clone();
        blocking(move || Ok(store.parts().map(|store| store.tag(&data)).unwrap_or_default())).await
    }

    async fn begun(&self, carried: &mut Carried) -> Result<Upload, FinalizeError> {
        if let Some(upload) = &carried.upload {
            return Ok(upload.clone());
        }
        carried.forget_parts();
        let key = &self.way.key;
        let upload = self.way.within(0, self.store.begin(key, ContentType::of_key(key))).await?;
        self.way.change(Change::UploadNoted { id: self.way.id, upload: Some(self.way.note(&upload.id)) }).await?;
        Ok(carried.upload.insert(upload).clone())
    }

    async fn put_part(
        &self,
        upload: &Upload,
        plan: &Plan,
        layout: &ObjectLayout,
        number: u32,
    ) -> Result<Part, FinalizeError> {
        let _permit = self.way.permit().await?;
        let data = self.data(plan, layout, number).await?;
        let expected_bytes = data.len() as u64;
        let part = self.way.within(expected_bytes, self.store.put_part(upload, number, data)).await?;
        if part.number != number || part.size_bytes != expected_bytes {
            let (key, found_bytes) = (self.way.key.clone(), part.size_bytes);
            return Err(StoreError::SizeDiffers { key, expected_bytes, found_bytes }.into());
        }
        self.way.tools.counters.stored(expected_bytes);
        Ok(part)
    }

    async fn data(&self, plan: &Plan, layout: &ObjectLayout, number: u32) -> Result<Bytes, FinalizeError> {
        let head = if number == 1 { layout.head.clone() } else { Bytes::new() };
        self.way.read(&self.file, head, plan.part(number)).await
    }

    async fn layout(
        &self,
        of: impl Fn(OneFile, &OpenFile, Fit) -> Result<Option<ObjectLayout>, SalvageError> + Copy + Send + 'static,
    ) -> Result<Option<ObjectLayout>, FinalizeError> {
        // What playlists over it list are places in the file: the object has to be the file.
        let same = self.rules.equal || self.has_playlists().await?;
        let layout = self.layout_as(if same { Fit::Same } else { Fit::Exact }, of).await?;
        // They are announced before there is any media: having seen some, it is known.
        if same || layout.is_none() || !self.has_playlists().await? {
            return Ok(layout);
        }
        self.layout_as(Fit::Same, of).await
    }

    async fn layout_as(
        &self,
        fit: Fit,
        of: impl FnOnce(OneFile, &OpenFile, Fit) -> Result<Option<ObjectLayout>, SalvageError> + Send + 'static,
    ) -> Result<Option<ObjectLayout>, FinalizeError> {
        let format = self.format;
        match self.way.with_file(&self.file, move |file| Ok(of(format, file, fit))).await? {
            Ok(layout) => Ok(layout),
            Err(SalvageError::Read { file, source }) => {
                Err(DiskError::Io { action: "reading", path: file.as_str().into(), source }.into())
            }
            Err(error) => Err(FinalizeError::Damaged(error.to_string())),
        }
    }

    /// Whether there are playlists over it, or will be.
    async fn has_playlists(&self) -> Result<bool, FinalizeError> {
        let (spool, id) = (self.way.tools.spool.clone(), self.way.id);
        if self.format != OneFile::Mp4 {
            return Ok(false);
        }
        blocking(move || {
            let path = spool.path(&id.to_string(), &hls::over_init())?;
            let found = spool.disk().stat(&path);
            Ok(found.map_err(|source| DiskError::Io { action: "looking at", path, source })?.is_some())
        })
        .await
    }
}
