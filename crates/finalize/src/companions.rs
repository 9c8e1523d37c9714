//! Small objects beside a recording's media: what it is, for those who look at the store and ask nobody.
//!
//! ```text
//! KEY.json                                      the recording as its event shows it, with its report
//! DIRECTORY/events/recording-started.json       of HLS, as Amazon's IVS puts them: when it begins,
//! DIRECTORY/events/recording-ended.json         when it is ready,
//! DIRECTORY/events/recording-failed.json        or when it cannot be completed
//! ```
//!
//! Contract: what is said of a recording's end is there before its event. Each is a function of the row: it may be put
//! again at any time, and is deleted with the recording.

mod ivs;
mod sidecar;

use std::time::Duration;

use bytes::Bytes;
use livetape_catalog::{RecordingRow, RecordingState};
use livetape_media::Format;
use livetape_record::RecordingId;
use livetape_store::{ContentType, ObjectKey, ObjectStore, StoreError};
use tracing::{debug, warn};

use crate::environment::blocking;
use crate::finalizer::Tools;
use crate::{FinalizeError, Target};

/// Which are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    /// `KEY.json`.
    pub sidecar: bool,
    /// What IVS puts beside HLS.
    pub ivs_events: bool,
}

impl Companions {
    /// Says in the first store that the recording has begun, and the playlists over it. Without that it is said at its
    /// end.
    pub(crate) async fn begun(self, tools: Tools, id: RecordingId, limit: Duration) {
        if !self.ivs_events {
            return;
        }
        for row in playlists(&tools, id).await {
            if let Err(error) = self.put_event(&tools, tools.store.as_ref(), &row, ivs::Status::Started, limit).await {
                debug!(recording = %row.id, "that it begins is not in the store yet: {error}");
            }
        }
        // It may have been discarded meanwhile, and what was said of it taken back.
        for row in playlists(&tools, id).await.filter(|row| row.state == RecordingState::Discarded) {
            let keys: Vec<ObjectKey> = ivs::keys(&row.key).collect();
            let _ = tokio::time::timeout(limit, tools.store.delete_all(&keys)).await;
        }
    }

    /// Puts everything that is to be beside a recording which is whole in the store of `target` with so many bytes.
    pub(crate) async fn ready(
        self,
        tools: &Tools,
        target: &Target,
        row: &RecordingRow,
        size_bytes: u64,
        limit: Duration,
    ) -> Result<(), FinalizeError> {
        let row = RecordingRow {
            state: RecordingState::Ready,
            store: target.role,
            size_bytes: Some(size_bytes),
            ..row.clone()
        };
        let store = target.store.as_ref();
        if self.sidecar {
            let (catalog, of) = (tools.catalog.clone(), row.clone());
            let data = blocking(move || sidecar::of(&catalog, of)).await?;
            put(store, &row, sidecar::key(&row.key), data, limit).await?;
        }
        if self.ivs_events && row.id.format == Format::Hls {
            for status in [ivs::Status::Started, ivs::Status::Ended] {
                self.put_event(tools, store, &row, status, limit).await?;
            }
        }
        Ok(())
    }

    /// Says that a recording could not be completed, where that is wanted.
    pub(crate) async fn failed(self, tools: Tools, id: RecordingId, limit: Duration) {
        if !self.ivs_events {
            return;
        }
        for row in playlists(&tools, id).await.filter(|row| row.state == RecordingState::Failed) {
            let said = self.put_event(&tools, tools.store.as_ref(), &row, ivs::Status::Failed, limit).await;
            if let Err(error) = said {
                warn!(recording = %row.id, "that it failed is not in the store: {error}");
            }
        }
    }

    /// Takes back what was said of a recording that is not kept.
    pub(crate) async fn discarded(
        self,
        tools: &Tools,
        row: &RecordingRow,
        limit: Duration,
    ) -> Result<(), FinalizeError> {
        if !self.ivs_events {
            return Ok(());
        }
        for row in playlists(tools, row.id).await {
            let keys: Vec<ObjectKey> = ivs::keys(&row.key).collect();
            tokio::time::timeout(limit, tools.store.delete_all(&keys))
                .await
                .map_err(|_| FinalizeError::StoreTimeout(limit))??;
        }
        Ok(())
    }

    async fn put_event(
        self,
        tools: &Tools,
        store: &dyn ObjectStore,
        row: &RecordingRow,
        status: ivs::Status,
        limit: Duration,
    ) -> Result<(), FinalizeError> {
        let data = ivs::body(tools.catalog.node(), row, status)?;
        put(store, row, ivs::key(&row.key, status), data, limit).await
    }
}

/// The rows of an HLS recording, or of the playlists over an MP4, as far as they can be read.
async fn playlists(tools: &Tools, id: RecordingId) -> impl Iterator<Item = RecordingRow> + use<> {
    let catalog = tools.catalog.clone();
    let read = move || Ok::<_, FinalizeError>([catalog.recording_row(&id)?, catalog.playlists_over(&id)?]);
    let rows = blocking(read).await.into_iter().flatten().flatten();
    rows.filter(|row| row.id.format == Format::Hls)
}

/// Everything that may be beside the recording with this key.
pub(crate) fn keys(key: &str, format: Format) -> Vec<ObjectKey> {
    let events = (format == Format::Hls).then(|| ivs::keys(key)).into_iter().flatten();
    sidecar::key(key).into_iter().chain(events).collect()
}

/// The keys of the recordings beside which an object with this name may be; two at most.
pub(crate) fn owners(key: &ObjectKey) -> impl Iterator<Item = String> {
    let beside = key.as_str().strip_suffix(sidecar::SUFFIX).map(str::to_owned);
    beside.into_iter().chain(ivs::owner(key))
}

/// Puts a companion; one that says something else is replaced, as after a change of the configuration.
async fn put(
    store: &dyn ObjectStore,
    row: &RecordingRow,
    key: Option<ObjectKey>,
    data: Bytes,
    limit: Duration,
) -> Result<(), FinalizeError> {
    let Some(key) = key else {
        warn!(recording = %row.id, "its key is too long to put something beside it");
        return Ok(());
    };
    let putting = async {
        match store.put_bytes(&key, data.clone(), ContentType::Json).await {
            Err(StoreError::Taken { .. }) => {
                store.delete(&key).await?;
                store.put_bytes(&key, data, ContentType::Json).await
            }
            result => result,
        }
    };
    match tokio::time::timeout(limit, putting).await.map_err(|_| FinalizeError::StoreTimeout(limit))? {
        // The recording itself is whole.
        Err(error) if !error.retryable() => warn!(recording = %row.id, %key, "it is not put beside it: {error}"),
        result => drop(result?),
    }
    Ok(())
}
