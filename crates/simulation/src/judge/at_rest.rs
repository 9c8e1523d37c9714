//! What must hold when a world has come to rest: everything is in the store and told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use livetape_catalog::{EventRow, RecordingRow, RecordingState};
use livetape_media::Format;
use livetape_record::RecordingId;

use super::{Cost, History, Reference, frames, objects_at, objects_of, returning};
use crate::journal::Delivery;
use crate::known::ready_event;
use crate::moment::deliveries;
use crate::read::{Content, Objects, Readings};
use crate::world::{ALIEN_BYTES, DATA, ENDPOINTS, Life};

/// Checks a life's end; says what is missing at worst.
///
/// # Errors
/// What does not hold.
pub fn at_rest(life: &Life, history: &History, reference: &Reference, readings: &Readings) -> Result<Cost, String> {
    if let Some(undone) = &life.undone {
        return Err(format!("it does not come to rest: {undone}"));
    }
    if life.open_sessions > 0 {
        return Err(format!("{} sessions have not ended", life.open_sessions));
    }
    if let Some((id, upload)) = life.store.uploads.first_key_value() {
        return Err(format!("{id} of {} is still under way", upload.key));
    }
    let objects = objects_of(life);
    check_rows(life, history, &objects)?;
    check_disk(life, history)?;
    check_events(life, history)?;
    let mut contents = BTreeMap::new();
    for row in life.rows.iter().filter(|row| row.state == RecordingState::Ready) {
        let read = readings.read(row.id.format, &row.key, &objects);
        let content = read.as_ref().as_ref().map_err(String::clone)?;
        check_facts(row, content)?;
        contents.insert(row.id, read);
    }
    for (id, kept) in &history.kept {
        match contents.get(id).map(|read| read.as_ref()) {
            Some(Ok(content)) if content == kept.as_ref() => {}
            Some(Ok(content)) => {
                let lost: Vec<_> =
                    kept.frames().filter(|frame| content.frames().all(|other| other != *frame)).collect();
                return Err(format!(
                    "{id} was finished, and has changed: it lacks {} frames, {:?} ...",
                    lost.len(),
                    lost.first()
                ));
            }
            _ => return Err(format!("{id} was finished, and is not ready")),
        }
    }
    let mut cost = Cost::default();
    for format in Format::ALL {
        // By session and sequence, which is the order they were made in.
        let of_format = contents.iter().filter(|(id, _)| id.format == format);
        let recordings: Vec<(RecordingId, &Content)> =
            of_format.filter_map(|(id, read)| Some((*id, read.as_ref().as_ref().ok()?))).collect();
        let told = told_lost(life, format);
        let of_format = match history.returning {
            Some(rule) => returning::check(format, &recordings, life, history, rule, &told)?,
            None => {
                let recordings: Vec<&Content> = recordings.into_iter().map(|(_, content)| content).collect();
                frames::check(format, &recordings, history, reference, &told)?
            }
        };
        cost.lost_ms = cost.lost_ms.max(of_format.lost_ms);
        cost.damaged += of_format.damaged;
    }
    Ok(cost)
}

/// How much media, in milliseconds, the rows of one format say is lost of each stream.
fn told_lost(life: &Life, format: Format) -> BTreeMap<u8, u32> {
    let mut lost = BTreeMap::new();
    for row in life.rows.iter().filter(|row| row.id.format == format) {
        // A session has the number of its stream.
        let stream = row.id.session.0.as_bytes()[15];
        *lost.entry(stream).or_default() += u32::try_from(row.lost.unwrap_or_default().as_millis()).unwrap();
    }
    lost
}

fn check_rows(life: &Life, history: &History, objects: &Objects<'_>) -> Result<(), String> {
    let mut owned = BTreeSet::new();
    for row in &life.rows {
        match row.state {
            RecordingState::Ready => {
                let found: Vec<_> = objects_at(objects, row.id.format, &row.key).collect();
                let size: u64 = found.iter().map(|(_, data)| data.len() as u64).sum();
                if row.size_bytes != Some(size) {
                    return Err(format!(
                        "{} has {size} bytes in the store, and {:?} in its row",
                        row.id, row.size_bytes
                    ));
                }
                owned.extend(found.into_iter().map(|(key, _)| key.clone()));
            }
            RecordingState::Discarded => {}
            RecordingState::Failed if history.failures => {}
            state => return Err(format!("{} is {state}: {:?}", row.id, row.error)),
        }
        if !row.spool_evicted {
            return Err(format!("{} is {} and not evicted", row.id, row.state));
        }
    }
    match objects.keys().find(|key| !owned.contains(*key)) {
        Some(key) if !history.failures => {
            Err(format!("{key} is in the store and belongs to no recording that is ready"))
        }
        _ => Ok(()),
    }
}

fn check_disk(life: &Life, history: &History) -> Result<(), String> {
    let names = |below: &str| -> Vec<String> {
        let inode = life.volume.find(Path::new(&format!("{DATA}/{below}"))).unwrap();
        life.volume.entries(inode).unwrap().keys().map(|name| name.to_string_lossy().into_owned()).collect()
    };
    let left = names("spool");
    if !left.is_empty() {
        return Err(format!("in the spool are {left:?}"));
    }
    let aside: Vec<String> =
        names("quarantine").into_iter().filter(|name| !name.starts_with(crate::world::ALIEN)).collect();
    let failed = |name: &String| {
        let failed = life.rows.iter().filter(|row| row.state == RecordingState::Failed);
        failed.map(|row| row.id.to_string()).any(|id| name.starts_with(&id))
    };
    if !aside.iter().all(failed) || !aside.is_empty() && !history.failures {
        return Err(format!("in the quarantine are {aside:?}"));
    }
    let alien = life.volume.files(Path::new(DATA)).into_iter().any(|(_, bytes)| bytes == ALIEN_BYTES);
    if alien { Ok(()) } else { Err("somebody's file is gone".into()) }
}

fn check_facts(row: &RecordingRow, content: &Content) -> Result<(), String> {
    let (pictures, sounds) = (content.numbers(true).len() as u64, content.numbers(false).len() as u64);
    let said = (row.video.as_ref().map_or(0, |video| video.frames), row.audio.as_ref().map_or(0, |audio| audio.frames));
    if said != (pictures, sounds) && content.damaged() == 0 {
        return Err(format!("{} holds {pictures} pictures and {sounds} sounds; its row says {said:?}", row.id));
    }
    Ok(())
}

fn check_events(life: &Life, history: &History) -> Result<(), String> {
    let by_id: BTreeMap<&str, &EventRow> = life.events.iter().map(|event| (event.id.as_str(), event)).collect();
    let ready: BTreeSet<String> =
        life.rows.iter().filter(|row| row.state == RecordingState::Ready).map(|row| ready_event(&row.id)).collect();
    let told: BTreeSet<String> =
        life.events.iter().filter(|event| event.kind == "recording.ready").map(|event| event.id.clone()).collect();
    if ready != told {
        let differ: Vec<_> = ready.symmetric_difference(&told).collect();
        return Err(format!("recordings that are ready, and events that say so, differ: {differ:?}"));
    }
    for endpoint in ENDPOINTS {
        let mut first: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let made = deliveries(life);
        let all: Vec<&Delivery> =
            history.delivered.iter().chain(&made).filter(|delivery| delivery.endpoint == endpoint).collect();
        for delivery in all {
            let Some(event) = by_id.get(delivery.event.as_str()) else {
                return Err(format!("{} was delivered to {endpoint}, and there is no such event", delivery.event));
            };
            if delivery.body != event.body.as_bytes() {
                return Err(format!("{} was delivered to {endpoint} with other words than the catalog's", event.id));
            }
            if seen.insert(event.id.as_str()) {
                first.entry(event.subject.as_str()).or_default().push(event.sequence);
            }
        }
        if let Some(event) = life.events.iter().find(|event| !seen.contains(event.id.as_str())) {
            return Err(format!("{} was never delivered to {endpoint}", event.id));
        }
        if let Some((stream, order)) = first.iter().find(|(_, order)| !order.is_sorted()) {
            return Err(format!("events of {stream} reached {endpoint} in the order {order:?}"));
        }
    }
    Ok(())
}
