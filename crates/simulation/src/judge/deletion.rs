//! What must hold while recordings are deleted, and when all of them are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use livetape_catalog::RecordingState;
use livetape_record::RecordingId;

use super::{objects_at, objects_of};
use crate::known::{Known, deleted_event, ready_event};
use crate::read::{Content, Readings};
use crate::world::Life;

/// Each of `recordings`, which all were ready, has its row or the event that says it is gone, and not both.
///
/// # Errors
/// What does not hold.
pub fn none_forgotten(recordings: &[RecordingId], known: &Known) -> Result<(), String> {
    for id in recordings {
        let (row, told) = (known.recordings.contains_key(id), known.events.contains_key(&deleted_event(id)));
        if row == told {
            return Err(format!("{id} has a row: {row}; an event says that it is deleted: {told}"));
        }
    }
    Ok(())
}

/// What somebody holds is ready, and not being deleted.
///
/// # Errors
/// What does not hold.
pub fn held_kept(held: &BTreeSet<RecordingId>, known: &Known) -> Result<(), String> {
    for id in held {
        let row = known.recordings.get(id).ok_or_else(|| format!("{id} was held, and is gone"))?;
        if row.state != "ready" || row.deleting || !row.held {
            return Err(format!("{id} was held, and is {row:?}"));
        }
    }
    Ok(())
}

/// What of `recordings` is not `held` is gone at the end of a life, but for what was told of it; what is held is there
/// as it was.
///
/// # Errors
/// What does not hold.
pub fn all_deleted_but(
    held: &BTreeSet<RecordingId>,
    recordings: &BTreeMap<RecordingId, Arc<Content>>,
    life: &Life,
    readings: &Readings,
) -> Result<(), String> {
    if let Some(undone) = &life.undone {
        return Err(format!("it does not come to rest: {undone}"));
    }
    let left = life.rows.iter().filter(|row| row.state != RecordingState::Discarded);
    let left: BTreeSet<RecordingId> = left.map(|row| row.id).collect();
    if let Some(id) = left.symmetric_difference(held).next() {
        return Err(format!("{id} has a row: {}, is held: {}", left.contains(id), held.contains(id)));
    }
    let objects = objects_of(life);
    let mut owned = BTreeSet::new();
    for row in life.rows.iter().filter(|row| held.contains(&row.id)) {
        let read = readings.read(row.id.format, &row.key, &objects);
        let content = read.as_ref().as_ref().map_err(|problem| format!("{} was held: {problem}", row.id))?;
        if recordings.get(&row.id).map(AsRef::as_ref) != Some(content) {
            return Err(format!("{} was held, and has changed", row.id));
        }
        owned.extend(objects_at(&objects, row.id.format, &row.key).map(|(key, _)| key.clone()));
    }
    if let Some(key) = objects.keys().find(|key| !owned.contains(*key)) {
        return Err(format!("{key} is in the store still"));
    }
    for id in recordings.keys() {
        let wanted = [(ready_event(id), 1), (deleted_event(id), usize::from(!held.contains(id)))];
        for (event, times) in wanted {
            let told = life.events.iter().filter(|found| found.id == event).count();
            if told != times {
                return Err(format!("{event} is there {told} times"));
            }
        }
    }
    Ok(())
}
