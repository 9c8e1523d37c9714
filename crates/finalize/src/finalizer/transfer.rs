//! One recording's way into the store.

use std::time::Duration;

use livetape_catalog::{Applied, CatalogError, Change, RecordingRow, RecordingState};
use livetape_media::EndReason;
use livetape_record::RecordingId;
use livetape_store::{PutFile, StoreError};
use tracing::info;

use super::files::{Outbound, Outgoing};
use super::queue::Task;
use super::{FinalizerOptions, Parts};
use crate::FinalizeError;
use crate::complete::{conclude, following, salvage_files};
use crate::environment::blocking;
use crate::evict::{evict, set_aside};
use crate::strangers::set_strangers_aside;

/// Files that one call to the store is given at most: a segment every six seconds for a week is a
/// hundred thousand.
const BATCH_FILES: usize = 4096;
/// Why a recording ended whose writing failed: as [`livetape_record::CutReason::DiskTrouble`] has it.
const BROKEN: &str = livetape_record::CutReason::DiskTrouble.name();

/// One attempt to bring a recording into the store.
pub(super) struct Transfer<'a> {
    pub(super) parts: &'a Parts,
    pub(super) options: FinalizerOptions,
    pub(super) id: RecordingId,
}

impl Transfer<'_> {
    /// Does what is left to do, whatever was done before.
    pub(super) async fn run(&self, task: Task) -> Result<(), FinalizeError> {
        let mut row = self.row().await?;
        if row.state == RecordingState::Recording
            && let Task::Complete { received } = task
        {
            let parts = self.parts.clone();
            blocking::<_, FinalizeError, _>(move || {
                // Left over by recovery, it is the crash that cut it off.
                let session = parts.catalog.session(&row.id.session)?;
                let crash = EndReason::Crash.name();
                let crashed = session.is_some_and(|session| session.end_reason.as_deref() == Some(crash));
                let reason = if crashed { crash } else { BROKEN };
                let salvaged = salvage_files(&parts.spool, &row)?;
                let siblings = parts.catalog.recordings_of(&row.id.session)?;
                let arrived = following(&siblings, row.id).or(received);
                conclude(&parts.catalog, &parts.spool, &parts.wall, &row, reason, salvaged, arrived)
            })
            .await?;
            row = self.row().await?;
        }
        match row.state {
            RecordingState::Finished | RecordingState::Uploading => {
                self.upload(&row).await?;
                self.evict().await
            }
            // The attempt before this one came as far as this.
            RecordingState::Ready => self.evict().await,
            RecordingState::Discarded if matches!(task, Task::Complete { .. }) => {
                let (parts, id) = (self.parts.clone(), self.id);
                blocking(move || evict(&parts.catalog, &parts.spool, id)).await
            }
            RecordingState::Failed => {
                let (parts, id) = (self.parts.clone(), self.id);
                blocking(move || set_aside(&parts.catalog, &parts.spool, id)).await
            }
            state => Err(FinalizeError::NotFinished { id: self.id, state: state.name() }),
        }
    }

    async fn row(&self) -> Result<RecordingRow, FinalizeError> {
        let (catalog, id) = (self.parts.catalog.clone(), self.id);
        let row = blocking::<_, FinalizeError, _>(move || Ok(catalog.recording_row(&id)?)).await?;
        row.ok_or(FinalizeError::NotFinished { id, state: "unknown to the catalog" })
    }

    async fn change(&self, change: Change) -> Result<Applied, FinalizeError> {
        let catalog = self.parts.catalog.clone();
        blocking(move || Ok(catalog.apply(change)?)).await
    }

    async fn upload(&self, row: &RecordingRow) -> Result<(), FinalizeError> {
        self.change(Change::UploadStarted { id: self.id }).await?;
        let (spool, owned) = (self.parts.spool.clone(), row.clone());
        let outbound = blocking::<_, FinalizeError, _>(move || {
            // Nobody asked for somebody's notes in the store.
            set_strangers_aside(&spool, owned.id)?;
            Outbound::find(&spool, &owned)
        });
        let outbound = outbound.await?;
        for batch in outbound.stages.iter().flat_map(|stage| stage.chunks(BATCH_FILES)) {
            self.put(batch).await?;
        }
        let size_bytes = outbound.size_bytes();
        self.change(Change::RecordingReady { id: self.id, at: (self.parts.wall)(), size_bytes }).await?;
        self.parts.counters.ready(row.duration.unwrap_or_default());
        info!(recording = %self.id, key = row.key, size_bytes, "recording ready");
        Ok(())
    }

    /// Puts some files, which may be in the store already, and confirms their sizes.
    async fn put(&self, batch: &[Outgoing]) -> Result<(), FinalizeError> {
        let puts: Vec<PutFile> = batch.iter().map(|file| file.put.clone()).collect();
        let bytes: u64 = batch.iter().map(|file| file.size_bytes).sum();
        let by_rate = Duration::from_secs(bytes / self.options.rate_min_bytes.max(1));
        let limit = self.options.call_timeout_min.max(by_rate);
        let stored = tokio::time::timeout(limit, self.parts.store.put_files(&puts))
            .await
            .map_err(|_| FinalizeError::StoreTimeout(limit))??;
        for (index, file) in batch.iter().enumerate() {
            // A store that answers for fewer files than it was given has not stored the rest.
            let found_bytes = stored.get(index).map_or(0, |stored| stored.size_bytes);
            if found_bytes != file.size_bytes || index >= stored.len() {
                let (key, expected_bytes) = (file.put.key.clone(), file.size_bytes);
                return Err(StoreError::SizeDiffers { key, expected_bytes, found_bytes }.into());
            }
        }
        self.parts.counters.stored(bytes);
        Ok(())
    }

    async fn evict(&self) -> Result<(), FinalizeError> {
        let (parts, id) = (self.parts.clone(), self.id);
        blocking::<_, FinalizeError, _>(move || evict(&parts.catalog, &parts.spool, id)).await?;
        self.parts.counters.evicted();
        Ok(())
    }
}

/// Records that the recording cannot be completed, and moves its files aside. Blocks.
pub(super) fn fail(parts: &Parts, id: RecordingId, error: &str) -> Result<(), FinalizeError> {
    let error = format!("{error}; what is left of its files is kept in the quarantine");
    match parts.catalog.apply(Change::RecordingFailed { id, at: (parts.wall)(), error }) {
        Ok(Applied::Done) => parts.counters.failed(),
        // Failed before, perhaps in other words.
        Ok(_) | Err(CatalogError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    set_aside(&parts.catalog, &parts.spool, id)
}
