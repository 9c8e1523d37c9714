//! Deletions by filter: some recordings are begun, deleted the ordinary way, and then the next.

use livetape_catalog::{Change, DeletionRow, Looked, RecordingRow, StoreRole};

use super::choice::Standing;
use super::{BATCH, Shared};
use crate::FinalizeError;
use crate::environment::blocking;

/// The next of what was asked for first, and the last one that was looked at.
type Next = (DeletionRow, Vec<RecordingRow>, Option<Looked>);

impl Shared {
    /// Begins the deletion of the next [`BATCH`] at most of what somebody asked for; whether there was anything to do.
    ///
    /// Nothing is begun while a store has none of them: it is not the right one then. What is in a store that is not
    /// configured any more is passed by.
    pub(super) async fn begin_some(&self) -> Result<bool, FinalizeError> {
        let Some((deletion, mut rows, place)) = self.next_requested().await? else { return Ok(false) };
        for role in [StoreRole::Primary, StoreRole::Fallback] {
            let there: Vec<RecordingRow> = rows.iter().filter(|row| row.store == role).cloned().collect();
            if there.is_empty() {
                continue;
            }
            match self.standing(role, &there).await? {
                Standing::Right => {}
                Standing::Wrong => return Err(FinalizeError::WrongStore(role)),
                Standing::NotConfigured => rows.retain(|row| row.store != role),
            }
        }
        let (catalog, at) = (self.tools.catalog.clone(), (self.tools.wall)());
        let (deletion, ids, over) = (deletion.id, rows.iter().map(|row| row.id).collect(), place.is_none());
        blocking::<_, FinalizeError, _>(move || {
            Ok(catalog.apply(Change::DeletionAdvanced { deletion, ids, place, at })?)
        })
        .await?;
        if over {
            tracing::info!(deletion, "all recordings of a deletion are being deleted");
        }
        Ok(true)
    }

    async fn next_requested(&self) -> Result<Option<Next>, FinalizeError> {
        let catalog = self.tools.catalog.clone();
        blocking(move || {
            let Some(deletion) = catalog.deletion_open()? else { return Ok(None) };
            let (rows, place) = catalog.deletion_next(&deletion, BATCH)?;
            Ok(Some((deletion, rows, place)))
        })
        .await
    }
}
