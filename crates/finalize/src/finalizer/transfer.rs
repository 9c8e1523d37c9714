//! One recording's way into the store.

use std::time::Duration;

use livetape_catalog::{Applied, CatalogError, Change, RecordingRow, RecordingState, StoreRole};
use livetape_media::EndReason;
use livetape_record::RecordingId;
use livetape_store::{PutFile, StoreError, Upload};
use tracing::{info, warn};

use super::files::{Outbound, Outgoing};
use super::queue::{Job, Task};
use super::{FinalizerOptions, Shared, Tools};
use crate::complete::{conclude, following, salvage_files};
use crate::environment::blocking;
use crate::evict::{evict, set_aside};
use crate::strangers::set_strangers_aside;
use crate::upload::{Carried, FileWay, PlaylistWay, Urgency};
use crate::{FinalizeError, Target};

/// Files that one call to the store is given at most: a segment every six seconds for a week is a
/// hundred thousand.
const BATCH_FILES: usize = 4096;
/// Why a recording ended whose writing failed: as [`livetape_record::CutReason::DiskTrouble`] has it.
const BROKEN: &str = livetape_record::CutReason::DiskTrouble.name();

/// One attempt to bring a recording into the store.
pub(super) struct Transfer<'a> {
    pub(super) shared: &'a Shared,
    pub(super) tools: &'a Tools,
    pub(super) options: FinalizerOptions,
    pub(super) id: RecordingId,
}

impl Transfer<'_> {
    /// Does what is left to do, whatever was done before; whether that shows that the store works.
    pub(super) async fn run(&self, job: Job) -> Result<bool, FinalizeError> {
        let mut carried = self.shared.followers.take(self.id).await;
        if matches!(job.task, Task::Complete { .. }) {
            // Its files may not be what was read of them: what is in the store is held against them.
            carried = Carried::default();
        }
        let result = self.bring(job, &mut carried).await;
        if result.is_err() {
            self.shared.followers.keep(self.id, carried);
        }
        result
    }

    async fn bring(&self, job: Job, carried: &mut Carried) -> Result<bool, FinalizeError> {
        let task = job.task;
        let mut row = self.row().await?;
        if row.state == RecordingState::Recording
            && let Task::Complete { received } = task
        {
            let tools = self.tools.clone();
            blocking::<_, FinalizeError, _>(move || {
                // Left over by recovery, it is the crash that cut it off.
                let session = tools.catalog.session(&row.id.session)?;
                let crash = EndReason::Crash.name();
                let crashed = session.is_some_and(|session| session.end_reason.as_deref() == Some(crash));
                let reason = if crashed { crash } else { BROKEN };
                let salvaged = salvage_files(&tools.spool, &row)?;
                let siblings = tools.catalog.recordings_of(&row.id.session)?;
                let arrived = following(&siblings, &row).or(received);
                conclude(&tools.catalog, &tools.spool, &tools.wall, &row, reason, salvaged, arrived)
            })
            .await?;
            row = self.row().await?;
        }
        match row.state {
            RecordingState::Finished | RecordingState::Uploading => {
                let role = self.upload(&row, job, carried).await?;
                self.evict().await?;
                return Ok(role == StoreRole::Primary);
            }
            // The attempt before this one came as far as this.
            RecordingState::Ready => self.evict().await,
            RecordingState::Discarded if task != Task::Upload => {
                let (tools, id) = (self.tools.clone(), self.id);
                blocking::<_, FinalizeError, _>(move || evict(&tools.catalog, &tools.spool, id)).await?;
                self.options.companions.discarded(self.tools, &row, self.options.limit(0)).await?;
                self.forget(&row).await
            }
            RecordingState::Failed => {
                let (tools, id) = (self.tools.clone(), self.id);
                blocking::<_, FinalizeError, _>(move || set_aside(&tools.catalog, &tools.spool, id)).await?;
                self.options.companions.failed(self.tools.clone(), self.id, self.options.limit(0)).await;
                Ok(())
            }
            state => Err(FinalizeError::NotFinished { id: self.id, state: state.name() }),
        }?;
        Ok(true)
    }

    async fn row(&self) -> Result<RecordingRow, FinalizeError> {
        let (catalog, id) = (self.tools.catalog.clone(), self.id);
        let row = blocking::<_, FinalizeError, _>(move || Ok(catalog.recording_row(&id)?)).await?;
        row.ok_or(FinalizeError::NotFinished { id, state: "unknown to the catalog" })
    }

    async fn change(&self, change: Change) -> Result<Applied, FinalizeError> {
        let catalog = self.tools.catalog.clone();
        blocking(move || Ok(catalog.apply(change)?)).await
    }

    /// Brings it into a store, and says which.
    async fn upload(&self, row: &RecordingRow, job: Job, carried: &mut Carried) -> Result<StoreRole, FinalizeError> {
        self.change(Change::UploadStarted { id: self.id }).await?;
        let (catalog, spool, owned) = (self.tools.catalog.clone(), self.tools.spool.clone(), row.clone());
        let outbound = blocking::<_, FinalizeError, _>(move || {
            // Nobody asked for somebody's notes in the store.
            set_strangers_aside(&spool, owned.id)?;
            let media = Outbound::find(&spool, &owned)?;
            let over = catalog.playlists_over(&owned.id)?.filter(|over| over.state != RecordingState::Discarded);
            let over = match over {
                Some(over) => Some((Outbound::playlists_over(&spool, owned.id, &over)?, over)),
                None => None,
            };
            Ok((media, over))
        });
        let (outbound, over) = outbound.await?;
        let target = self.target(row, job);
        let store = target.role;
        let size_bytes = match target.store.parts().is_some() {
            true => self.put_in_parts(row, target.clone(), outbound, carried).await?,
            false => self.put_all(&target, &outbound).await?,
        };
        // What the playlists list is there now.
        let listed = over.as_ref().map(|(_, over)| over.clone());
        match over {
            Some((outbound, over)) if target.store.parts().is_some() => {
                let way = self.shared.way(self.id, over.key.parse()?, target.clone(), Urgency::Finished);
                PlaylistWay::new(way).complete(outbound, &Carried::into_store(store)).await?;
            }
            Some((outbound, _)) => drop(self.put_all(&target, &outbound).await?),
            None => {}
        }
        let (companions, limit) = (self.options.companions, self.options.limit(0));
        companions.ready(self.tools, &target, row, size_bytes, limit).await?;
        if let Some(over) = listed {
            companions.ready(self.tools, &target, &over, over.size_bytes.unwrap_or(0), limit).await?;
        }
        self.change(Change::RecordingReady { id: self.id, at: (self.tools.wall)(), size_bytes, store }).await?;
        self.tools.counters.ready(row.duration.unwrap_or_default());
        info!(recording = %self.id, key = row.key, size_bytes, "recording ready");
        Ok(store)
    }

    /// The store that this attempt brings the recording into.
    fn target(&self, row: &RecordingRow, job: Job) -> Target {
        let now_ms = (self.tools.wall)().as_unix_millis();
        let waited_ms = row.ended_at.map_or(0, |ended| now_ms.saturating_sub(ended.as_unix_millis()));
        let waited = Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0));
        match &self.tools.fallback {
            // The first one has been tried, with this recording or another.
            Some(fallback) if (job.attempt > 1 || job.troubled) && waited >= fallback.after => {
                warn!(recording = %self.id, ?waited, "the recording goes to the fallback store");
                Target { role: StoreRole::Fallback, store: fallback.store.clone() }
            }
            _ => Target { role: StoreRole::Primary, store: self.tools.store.clone() },
        }
    }

    /// Brings what is not there yet into a store that takes parts; returns the size of all objects.
    async fn put_in_parts(
        &self,
        row: &RecordingRow,
        target: Target,
        outbound: Outbound,
        carried: &mut Carried,
    ) -> Result<u64, FinalizeError> {
        if carried.role != target.role {
            *carried = Carried::into_store(target.role);
        }
        let way = self.shared.way(self.id, row.key.parse()?, target, Urgency::Finished);
        let Some(file) = FileWay::new(&way) else {
            return PlaylistWay::new(way).complete(outbound, carried).await;
        };
        let result = file.complete(row.upload.as_deref().and_then(|note| way.noted(note)), carried).await;
        if let Err(FinalizeError::Store(error)) = &result
            && matches!(
                error,
                StoreError::UploadGone { .. } | StoreError::ContentsDiffer { .. } | StoreError::SizeDiffers { .. }
            )
        {
            // The store is asked what it has, the next time.
            *carried = Carried::into_store(way.target.role);
        }
        result
    }

    /// Gives up the upload of a recording that was discarded. What is left of it is swept.
    async fn forget(&self, row: &RecordingRow) -> Result<(), FinalizeError> {
        let Some(id) = row.upload.clone() else { return Ok(()) };
        // A recording that grows goes to the first store.
        if let Some(store) = self.tools.store.parts() {
            let limit = self.options.limit(0);
            let upload = Upload { key: row.key.parse()?, id };
            let aborted = tokio::time::timeout(limit, store.abort(&upload)).await;
            aborted.map_err(|_| FinalizeError::StoreTimeout(limit))??;
        }
        Ok(())
    }

    /// Puts all files, in stages; returns their size.
    async fn put_all(&self, target: &Target, outbound: &Outbound) -> Result<u64, FinalizeError> {
        for batch in outbound.stages.iter().flat_map(|stage| stage.chunks(BATCH_FILES)) {
            self.put(target, batch).await?;
        }
        Ok(outbound.size_bytes())
    }

    /// Puts some files, which may be in the store already, and confirms their sizes.
    async fn put(&self, target: &Target, batch: &[Outgoing]) -> Result<(), FinalizeError> {
        let puts: Vec<PutFile> = batch.iter().map(|file| file.put.clone()).collect();
        let bytes: u64 = batch.iter().map(|file| file.size_bytes).sum();
        let limit = self.options.limit(bytes);
        let stored = tokio::time::timeout(limit, target.store.put_files(&puts))
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
        self.tools.counters.stored(bytes);
        Ok(())
    }

    async fn evict(&self) -> Result<(), FinalizeError> {
        let (tools, id) = (self.tools.clone(), self.id);
        blocking::<_, FinalizeError, _>(move || evict(&tools.catalog, &tools.spool, id)).await?;
        self.tools.counters.evicted();
        Ok(())
    }
}

/// Records that the recording cannot be completed, and moves its files aside. Blocks.
pub(super) fn fail(tools: &Tools, id: RecordingId, error: &str) -> Result<(), FinalizeError> {
    let error = format!("{error}; what is left of its files is kept in the quarantine");
    match tools.catalog.apply(Change::RecordingFailed { id, at: (tools.wall)(), error }) {
        Ok(Applied::Done) => tools.counters.failed(),
        // Failed before, perhaps in other words.
        Ok(_) | Err(CatalogError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    set_aside(&tools.catalog, &tools.spool, id)
}
