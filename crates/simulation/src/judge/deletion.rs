//! What must hold while recordings are deleted, and when all of them are.

use livetape_catalog::RecordingState;
use livetape_record::RecordingId;

use super::objects_of;
use crate::known::{Known, deleted_event, ready_event};
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

/// Nothing of `recordings` is left at the end of a life but what was told of them.
///
/// # Errors
/// What does not hold.
pub fn all_deleted(recordings: &[RecordingId], life: &Life) -> Result<(), String> {
    if let Some(undone) = &life.undone {
        return Err(format!("it does not come to rest: {undone}"));
    }
    if let Some(row) = life.rows.iter().find(|row| row.state != RecordingState::Discarded) {
        return Err(format!("{} is {} still", row.id, row.state));
    }
    if let Some((key, _)) = objects_of(life).first_key_value() {
        return Err(format!("{key} is in the store still"));
    }
    for id in recordings {
        for event in [ready_event(id), deleted_event(id)] {
            let told = life.events.iter().filter(|found| found.id == event).count();
            if told != 1 {
                return Err(format!("{event} is there {told} times"));
            }
        }
    }
    Ok(())
}
