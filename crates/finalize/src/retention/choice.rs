//! Which recordings are over: too old, too many, or in the way of new ones. Always those that ended first.

use livetape_catalog::{Catalog, Change, DeletionReason, RecordingRow, StoreRole};
use livetape_media::WallTime;

use super::{PAGE, Policy};
use crate::FinalizeError;

/// Begins the deletion of what `policy` wants gone, so that no more than `most` are being deleted; the rows
/// of those. By age, only what was over at `now`, of which the calendar has to be sure. Blocks.
pub(super) fn choose(
    catalog: &Catalog,
    policy: &Policy,
    now: Option<WallTime>,
    most: usize,
) -> Result<Vec<RecordingRow>, FinalizeError> {
    let under_way = catalog.being_deleted("", PAGE)?;
    let mut choice = Choice { catalog, left: most.saturating_sub(under_way.len()), chosen: Vec::new() };
    if let (Some(keep), Some(now)) = (policy.keep, now) {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let over = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(keep_ms));
        choice.take(DeletionReason::Retention, Some(over), None, u64::MAX)?;
    }
    if let Some(max_bytes) = policy.max_bytes {
        let excess = catalog.stored_bytes()?.saturating_sub(max_bytes);
        choice.take(DeletionReason::Quota, None, None, excess)?;
    }
    if let Some(room) = &policy.room {
        // What is on its way out will be free.
        let rows = under_way.iter().chain(&choice.chosen).filter(|row| row.store == StoreRole::Primary);
        let awaited: u64 = rows.filter_map(|row| row.size_bytes).sum();
        let missing = room.min_free_bytes.saturating_sub((room.free)()?.saturating_add(awaited));
        choice.take(DeletionReason::LowSpace, None, Some(StoreRole::Primary), missing)?;
    }
    Ok(choice.chosen)
}

struct Choice<'a> {
    catalog: &'a Catalog,
    /// How many more may be chosen.
    left: usize,
    chosen: Vec<RecordingRow>,
}

impl Choice<'_> {
    /// Chooses recordings of at least so many bytes together.
    fn take(
        &mut self,
        reason: DeletionReason,
        before: Option<WallTime>,
        store: Option<StoreRole>,
        bytes: u64,
    ) -> Result<(), FinalizeError> {
        if bytes == 0 || self.left == 0 {
            return Ok(());
        }
        let mut missing = bytes;
        for row in self.catalog.oldest_stored(before, store, self.left)? {
            if missing == 0 {
                break;
            }
            match self.catalog.apply(Change::DeletionStarted { id: row.id, reason }) {
                Ok(_) => {}
                // Somebody asked for it at this moment.
                Err(error) if error.is_refusal() => continue,
                Err(error) => return Err(error.into()),
            }
            missing = missing.saturating_sub(row.size_bytes.unwrap_or(0));
            self.left -= 1;
            self.chosen.push(RecordingRow { deleting: Some(reason), ..row });
        }
        Ok(())
    }
}
