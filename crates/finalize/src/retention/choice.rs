//! Which recordings are over: too old, too many, or in the way of new ones. Always those that ended first.
//!
//! A store that has none of what is to be deleted is not the right one: another bucket, a disk that is not
//! mounted. Nothing is chosen of it then.

use livetape_catalog::{Change, DeletionReason, RecordingRow, StoreRole};
use livetape_media::WallTime;

use super::{PAGE, Policy};
use crate::{FinalizeError, Tools};

/// Whether a recording's object is in its store; `None` when that store is not configured.
pub(super) type IsThere<'a> = &'a dyn Fn(&RecordingRow) -> Result<Option<bool>, FinalizeError>;

/// What was chosen.
#[derive(Default)]
pub(super) struct Chosen {
    /// The rows, which are being deleted now.
    pub(super) rows: Vec<RecordingRow>,
    /// A store that has none of what was to be deleted.
    pub(super) wrong: Option<StoreRole>,
}

/// Begins the deletion of what `policy` wants gone, so that no more than `most` of each store are being
/// deleted; the rows of those. By age, only what was over at `now`, of which the calendar has to be sure.
/// Blocks.
pub(super) fn choose(
    tools: &Tools,
    policy: &Policy,
    now: Option<WallTime>,
    most: usize,
    is_there: IsThere<'_>,
) -> Result<Chosen, FinalizeError> {
    let under_way = tools.catalog.being_deleted("", PAGE)?;
    let mut choice = Choice { tools, most, under_way: &under_way, is_there, chosen: Chosen::default() };
    let every = [StoreRole::Primary, StoreRole::Fallback];
    if let (Some(keep), Some(now)) = (policy.keep, now) {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let over = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(keep_ms));
        choice.take(DeletionReason::Retention, Some(over), &every, u64::MAX)?;
    }
    if let Some(max_bytes) = policy.max_bytes {
        let excess = tools.catalog.stored_bytes()?.saturating_sub(max_bytes);
        choice.take(DeletionReason::Quota, None, &every, excess)?;
    }
    if let Some(room) = &policy.room {
        // What is on its way out will be free.
        let rows = under_way.iter().chain(&choice.chosen.rows).filter(|row| row.store == StoreRole::Primary);
        let awaited: u64 = rows.filter_map(|row| row.size_bytes).sum();
        let missing = room.min_free_bytes.saturating_sub((room.free)()?.saturating_add(awaited));
        choice.take(DeletionReason::LowSpace, None, &every[..1], missing)?;
    }
    Ok(choice.chosen)
}

struct Choice<'a> {
    tools: &'a Tools,
    /// How many of each store may be being deleted.
    most: usize,
    under_way: &'a [RecordingRow],
    is_there: IsThere<'a>,
    chosen: Chosen,
}

impl Choice<'_> {
    /// Chooses recordings of at least so many bytes together.
    fn take(
        &mut self,
        reason: DeletionReason,
        before: Option<WallTime>,
        stores: &[StoreRole],
        bytes: u64,
    ) -> Result<(), FinalizeError> {
        let mut missing = bytes;
        for store in stores {
            if missing == 0 {
                break;
            }
            for row in self.candidates(before, *store)? {
                if missing == 0 {
                    break;
                }
                match self.tools.catalog.apply(Change::DeletionStarted { id: row.id, reason }) {
                    Ok(_) => {}
                    // Somebody asked for it at this moment.
                    Err(error) if error.is_refusal() => continue,
                    Err(error) => return Err(error.into()),
                }
                missing = missing.saturating_sub(row.size_bytes.unwrap_or(0));
                self.chosen.rows.push(RecordingRow { deleting: Some(reason), ..row });
            }
        }
        Ok(())
    }

    /// What of one store may be chosen next.
    fn candidates(&mut self, before: Option<WallTime>, store: StoreRole) -> Result<Vec<RecordingRow>, FinalizeError> {
        let taken = self.under_way.iter().chain(&self.chosen.rows).filter(|row| row.store == store).count();
        let mut rows = Vec::new();
        let left = self.most.saturating_sub(taken);
        for row in if left > 0 { self.tools.catalog.oldest_stored(before, Some(store), left)? } else { Vec::new() } {
            // Its row says that it is out of the spool before it is.
            if !self.tools.spool.contains(&row.id.to_string())? {
                rows.push(row);
            }
        }
        for row in &rows {
            match (self.is_there)(row)? {
                Some(true) => return Ok(rows),
                Some(false) => {}
                None => return Ok(Vec::new()),
            }
        }
        if !rows.is_empty() {
            self.chosen.wrong = Some(store);
        }
        Ok(Vec::new())
    }
}
