//! Which recordings are over: too old, too many, or in the way of new ones. Always those whose time was over first, or
//! that ended first.
//!
//! How long one is kept says its template, or else what is configured: from when it was ready, so that an outage of the
//! store takes nobody's time to fetch it. That there is too little room knows no difference.
//!
//! A store that has none of what is to be deleted is not the right one: another bucket, a disk that is not
//! mounted. Nothing is chosen of it then.

use std::collections::BTreeMap;

use livetape_catalog::{Change, Deletable, DeletionReason, RecordingRow, StoreRole};
use livetape_media::WallTime;

use super::{PAGE, Policy};
use crate::{FinalizeError, Tools};

/// What a store is to the recordings whose rows name it.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    /// It has some of them.
    Right,
    /// It has none of those it was asked for.
    Wrong,
    NotConfigured,
}

/// What was chosen.
#[derive(Default)]
pub(super) struct Chosen {
    /// The rows, which are being deleted now.
    pub(super) rows: Vec<RecordingRow>,
    /// A store that has none of what was to be deleted.
    pub(super) wrong: Option<StoreRole>,
    /// A store of which nothing was chosen because its standing is not known, and what to ask it for.
    pub(super) unknown: Option<(StoreRole, Vec<RecordingRow>)>,
}

/// Begins the deletion of what `policy` wants gone, so that no more than `most` of each store are being
/// deleted; the rows of those. By age, only what was over at `now`, of which the calendar has to be sure.
/// Blocks.
pub(super) fn choose(
    tools: &Tools,
    policy: &Policy,
    now: Option<WallTime>,
    most: usize,
    known: &BTreeMap<StoreRole, Standing>,
) -> Result<Chosen, FinalizeError> {
    let under_way = tools.catalog.being_deleted("", PAGE)?;
    let mut choice = Choice { tools, most, under_way: &under_way, known, chosen: Chosen::default() };
    let every = [StoreRole::Primary, StoreRole::Fallback];
    if let Some(now) = now {
        choice.take(DeletionReason::Retention, Deletable::ExpiredBefore(now), &every, u64::MAX)?;
    }
    if let (Some(keep), Some(now)) = (policy.keep, now) {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let over = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(keep_ms));
        choice.take(DeletionReason::Retention, Deletable::ReadyBefore(over), &every, u64::MAX)?;
    }
    if let Some(max_bytes) = policy.max_bytes {
        let stored = tools.catalog.stored_bytes()?;
        // What is held comes on top, so that no hold costs another recording.
        let excess = stored.all.saturating_sub(stored.held).saturating_sub(max_bytes);
        choice.take(DeletionReason::Quota, Deletable::Oldest, &every, excess)?;
    }
    if let Some(room) = &policy.room {
        // What is on its way out will be free.
        let rows = under_way.iter().chain(&choice.chosen.rows).filter(|row| row.store == StoreRole::Primary);
        let awaited: u64 = rows.filter_map(|row| row.size_bytes).sum();
        let missing = room.min_free_bytes.saturating_sub((room.free)()?.saturating_add(awaited));
        choice.take(DeletionReason::LowSpace, Deletable::Oldest, &every[..1], missing)?;
    }
    Ok(choice.chosen)
}

struct Choice<'a> {
    tools: &'a Tools,
    /// How many of each store may be being deleted.
    most: usize,
    under_way: &'a [RecordingRow],
    known: &'a BTreeMap<StoreRole, Standing>,
    chosen: Chosen,
}

impl Choice<'_> {
    /// Chooses recordings of at least so many bytes together.
    fn take(
        &mut self,
        reason: DeletionReason,
        which: Deletable,
        stores: &[StoreRole],
        bytes: u64,
    ) -> Result<(), FinalizeError> {
        let mut missing = bytes;
        for store in stores {
            if missing == 0 {
                break;
            }
            for row in self.candidates(which, *store)? {
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
    fn candidates(&mut self, which: Deletable, store: StoreRole) -> Result<Vec<RecordingRow>, FinalizeError> {
        let taken = self.under_way.iter().chain(&self.chosen.rows).filter(|row| row.store == store).count();
        let mut rows = Vec::new();
        let left = self.most.saturating_sub(taken);
        for row in if left > 0 { self.tools.catalog.deletable(which, store, left)? } else { Vec::new() } {
            // Its row says that it is out of the spool before it is.
            if !self.tools.spool.contains(&row.id.to_string())? {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return Ok(rows);
        }
        match self.known.get(&store) {
            Some(Standing::Right) => return Ok(rows),
            Some(Standing::Wrong) => self.chosen.wrong = Some(store),
            Some(Standing::NotConfigured) => {}
            None => self.chosen.unknown = Some((store, rows)),
        }
        Ok(Vec::new())
    }
}
