//! Taking a recording's objects out of its store, and then its row out of the catalog.
//!
//! ```text
//! mp4, flv   KEY
//! hls        index.m3u8, vod.m3u8, media.m3u8, one by one in this order; then every segment beside them
//! ```
//!
//! What may be beside it ([`crate::companions`]) goes first.
//!
//! So no playlist in the store ever lists what is gone.

use std::time::Duration;

use livetape_catalog::{Catalog, Change, RecordingRow};
use livetape_media::{Format, WallTime};
use livetape_mux::hls;
use livetape_record::RecordingId;
use livetape_store::{ObjectKey, ObjectStore, Pending};

use crate::FinalizeError;
use crate::companions;
use crate::environment::blocking;

/// Objects removed with one call.
const OBJECTS: usize = 64;
/// No call to the store takes longer.
const CALL: Duration = Duration::from_secs(60);

/// Removes everything `store` has of the recording. What is gone already is no error.
pub(super) async fn remove_objects(
    catalog: &Catalog,
    store: &dyn ObjectStore,
    row: &RecordingRow,
) -> Result<(), FinalizeError> {
    let key: ObjectKey = row.key.parse()?;
    bounded(store.delete_all(&companions::keys(&row.key, row.id.format))).await?;
    if row.id.format != Format::Hls {
        bounded(store.delete(&key)).await?;
        return Ok(());
    }
    // Its key is that of the multivariant playlist.
    bounded(store.delete(&key)).await?;
    for name in [hls::WHOLE, hls::GROWING] {
        bounded(store.delete(&key.sibling(name)?)).await?;
    }
    let directory = key.as_str().strip_suffix(key.name()).unwrap_or_default();
    let mut after = None;
    loop {
        let page = bounded(store.list(directory, after.as_deref())).await?;
        let beside = page.objects.into_iter().map(|object| object.key).filter(|key| is_beside(key, directory));
        let segments = of_nobody_else(catalog, beside.collect()).await?;
        for segments in segments.chunks(OBJECTS) {
            bounded(store.delete_all(segments)).await?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Takes the row of a recording away whose objects are gone. Blocks.
pub(super) fn forget(catalog: &Catalog, id: RecordingId, at: WallTime) -> Result<(), FinalizeError> {
    catalog.apply(Change::RecordingDeleted { id, at })?;
    Ok(())
}

/// Whether the object is a media segment, or the beginning of some, right in `directory`.
fn is_beside(key: &ObjectKey, directory: &str) -> bool {
    key.as_str().strip_prefix(directory) == Some(key.name()) && hls::is_media(key.name())
}

/// Those of `keys` that are no recording of their own, however it got such a name.
async fn of_nobody_else(catalog: &Catalog, keys: Vec<ObjectKey>) -> Result<Vec<ObjectKey>, FinalizeError> {
    let catalog = catalog.clone();
    blocking(move || {
        let mut free = Vec::with_capacity(keys.len());
        for key in keys {
            if catalog.recording_by_key(key.as_str())?.is_none() {
                free.push(key);
            }
        }
        Ok(free)
    })
    .await
}

pub(super) async fn bounded<T>(call: Pending<'_, T>) -> Result<T, FinalizeError> {
    Ok(tokio::time::timeout(CALL, call).await.map_err(|_| FinalizeError::StoreTimeout(CALL))??)
}
