//! What the steps of one recording's upload have in common.

use std::io;

use bytes::{Bytes, BytesMut};
use livetape_catalog::{Applied, Change, StoreRole};
use livetape_disk::{DiskError, OpenFile};
use livetape_mux::{FileName, ReadAt};
use livetape_record::RecordingId;
use livetape_store::{ContentType, ObjectKey, PartStore, Pending, StoreError, Stored};
use tokio_util::sync::CancellationToken;

use super::permits::{Permit, Urgency};
use crate::environment::blocking;
use crate::finalizer::{FinalizerOptions, Tools};
use crate::upload::Permits;
use crate::{FinalizeError, Target};

/// One recording's way into one store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) tools: Tools,
    pub(crate) options: FinalizerOptions,
    pub(crate) permits: Permits,
    pub(crate) id: RecordingId,
    /// Where it is, or will be.
    pub(crate) key: ObjectKey,
    pub(crate) target: Target,
    pub(crate) urgency: Urgency,
    /// Cancelled when a recording that grew is over.
    pub(crate) stop: CancellationToken,
}

/// What stands before the id of an upload in the store to fall back to. No id holds a space.
const ELSEWHERE: &str = "fallback ";

/// The upload in the store of `role` that a row's note is of.
pub(super) fn noted(role: StoreRole, note: &str) -> Option<&str> {
    match (role, note.strip_prefix(ELSEWHERE)) {
        (StoreRole::Primary, None) => Some(note),
        (StoreRole::Fallback, id) => id,
        (StoreRole::Primary, Some(_)) => None,
    }
}

impl Way {
    /// The store, where it takes parts.
    pub(super) fn parts(&self) -> Option<&dyn PartStore> {
        self.target.store.parts()
    }

    pub(super) async fn change(&self, change: Change) -> Result<Applied, FinalizeError> {
        let catalog = self.tools.catalog.clone();
        blocking(move || Ok(catalog.apply(change)?)).await
    }

    /// Waits for its turn; [`FinalizeError::Over`] when the recording stops growing meanwhile.
    pub(super) async fn permit(&self) -> Result<Permit, FinalizeError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(FinalizeError::Over),
            permit = self.permits.take(self.urgency) => Ok(permit),
        }
    }

    /// How the row speaks of the upload `id` in this store.
    pub(super) fn note(&self, id: &str) -> String {
        match self.target.role {
            StoreRole::Primary => id.to_owned(),
            StoreRole::Fallback => format!("{ELSEWHERE}{id}"),
        }
    }

    /// The upload in this store that the row speaks of.
    pub(crate) fn noted<'a>(&self, note: &'a str) -> Option<&'a str> {
        noted(self.target.role, note)
    }

    /// Waits for a call to the store that moves `bytes`, not for ever.
    pub(super) async fn within<T>(&self, bytes: u64, call: Pending<'_, T>) -> Result<T, FinalizeError> {
        let limit = self.options.backstop(bytes);
        Ok(tokio::time::timeout(limit, call).await.map_err(|_| FinalizeError::StoreTimeout(limit))??)
    }

    /// Puts one object from memory, and confirms its size.
    pub(super) async fn put(&self, key: &ObjectKey, data: Bytes) -> Result<Stored, FinalizeError> {
        let expected_bytes = data.len() as u64;
        let put = self.target.store.put_bytes(key, data, ContentType::of_key(key));
        let stored = self.within(expected_bytes, put).await?;
        confirm(key, expected_bytes, stored)?;
        self.tools.counters.stored(expected_bytes);
        Ok(stored)
    }

    /// Reads `range` of the recording's file `file`, behind `head`.
    pub(super) async fn read(
        &self,
        file: &FileName,
        head: Bytes,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, FinalizeError> {
        self.with_file(file, move |opened| {
            let len =
                usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let mut data = BytesMut::with_capacity(head.len() + len);
            data.extend_from_slice(&head);
            data.resize(head.len() + len, 0);
            let Some(body) = data.get_mut(head.len()..) else { return Ok(data.freeze()) };
            opened.read_exact_at(range.start, body)?;
            opened.release(range.start, len as u64);
            Ok(data.freeze())
        })
        .await
    }

    /// Does something with the recording's file `file`, finished or growing, on the blocking pool.
    pub(super) async fn with_file<T: Send + 'static>(
        &self,
        file: &FileName,
        work: impl FnOnce(&OpenFile) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FinalizeError> {
        let (spool, id, file) = (self.tools.spool.clone(), self.id.to_string(), file.clone());
        blocking(move || {
            let path = spool.path(&id, &file)?;
            let result = spool.files(&id)?.open_file(&file).and_then(|opened| work(&opened));
            Ok(result.map_err(|source| DiskError::Io { action: "reading", path, source })?)
        })
        .await
    }
}

/// An object in the store has the size of what was put.
pub(super) fn confirm(key: &ObjectKey, expected_bytes: u64, stored: Stored) -> Result<(), StoreError> {
    let found_bytes = stored.size_bytes;
    match found_bytes == expected_bytes {
        true => Ok(()),
        false => Err(StoreError::SizeDiffers { key: key.clone(), expected_bytes, found_bytes }),
    }
}
