//! Uploads that nobody will complete: begun by a process that died before it could note them, or replaced.
//! They cost room in the store, and do not show in its listings.
//!
//! Contract: only uploads of keys that a recording in this catalog has are given up, never anybody else's; and
//! only those that the recording does not need, twice in a row, so that one that has just begun is left alone. The
//! upload of a recording that failed is kept: it may hold what is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::{Catalog, RecordingState, StoreRole};
use livetape_store::{ObjectKey, ObjectStore, PartStore, Upload};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::way::noted;
use crate::FinalizeError;
use crate::environment::blocking;

/// How long after the first look the second follows, and each further one.
const SECOND: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(3600);
/// No call to the store takes longer.
const CALL: Duration = Duration::from_secs(60);

/// Looks for uploads of this catalog's recordings that are not needed.
pub(crate) struct Sweeper {
    pub(crate) catalog: Catalog,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) role: StoreRole,
}

impl Sweeper {
    /// Looks now, and from time to time, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(store) = self.store.parts() else { return };
        let mut suspects = BTreeSet::new();
        let mut pause = SECOND;
        loop {
            match self.look(store, &mut suspects).await {
                Ok(0) => {}
                Ok(given_up) => info!(given_up, "uploads that no recording needs were given up"),
                Err(error) => warn!("the store's uploads could not be looked through: {error}"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = LATER,
            }
        }
    }

    /// Gives up what was a suspect before and still is; how many.
    async fn look(&self, store: &dyn PartStore, suspects: &mut BTreeSet<String>) -> Result<u64, FinalizeError> {
        let (mut found, mut given_up, mut after) = (BTreeSet::new(), 0, None::<String>);
        loop {
            let page = bounded(store.uploads("", after.as_deref())).await?;
            for upload in page.uploads {
                if self.is_needed(&upload).await? {
                    continue;
                }
                if suspects.contains(&upload.id) {
                    bounded(store.abort(&upload)).await?;
                    given_up += 1;
                } else {
                    found.insert(upload.id);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        *suspects = found;
        Ok(given_up)
    }

    /// Whether a recording needs this upload, or it is not of one of ours.
    async fn is_needed(&self, upload: &Upload) -> Result<bool, FinalizeError> {
        let (catalog, role, upload) = (self.catalog.clone(), self.role, upload.clone());
        blocking(move || {
            let row = match catalog.recording_by_key(upload.key.as_str())? {
                Some(row) => Some(row),
                None => match upload.key.sibling("index.m3u8").map(|key: ObjectKey| key.to_string()) {
                    Ok(index) => catalog.recording_by_key(&index)?,
                    Err(_) => None,
                },
            };
            Ok(row.is_none_or(|row| match row.state {
                RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading => {
                    row.upload.as_deref().and_then(|note| noted(role, note)) == Some(upload.id.as_str())
                }
                RecordingState::Failed => true,
                RecordingState::Ready | RecordingState::Discarded => false,
            }))
        })
        .await
    }
}

async fn bounded<T>(call: livetape_store::Pending<'_, T>) -> Result<T, FinalizeError> {
    Ok(tokio::time::timeout(CALL, call).await.map_err(|_| FinalizeError::StoreTimeout(CALL))??)
}
