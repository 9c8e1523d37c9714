//! What must hold at every moment, before anything is recovered.

use livetape_media::Format;

use super::{objects, objects_at};
use crate::journal::{Delivery, Effect};
use crate::known::{Known, ready_event};
use crate::moment::Moment;
use crate::read::hls::{listed, resolved};
use crate::world::{DATA, Life};

/// Checks a moment of a life, as a kill would leave it. `known` is what the catalog says then.
///
/// # Errors
/// What does not hold.
pub fn at_moment(moment: &Moment, known: &Known, life: &Life) -> Result<(), String> {
    let objects = objects(&moment.volume, &moment.store.objects);
    for (id, row) in &known.recordings {
        let event = known.events.contains_key(&ready_event(id));
        if event != (row.state == "ready") {
            return Err(format!("{id} is {} and its event is there: {event}", row.state));
        }
        if row.state == "ready" && !row.deleting {
            let stored: u64 = objects_at(&objects, id.format, &row.key).map(|(_, data)| data.len() as u64).sum();
            if Some(stored) != row.size_bytes {
                return Err(format!("{id} is ready and {stored} bytes of {:?} are in the store", row.size_bytes));
            }
        }
        if matches!(row.state.as_str(), "finished" | "uploading") {
            let directory = format!("{DATA}/spool/{}", row.media_of.unwrap_or(*id));
            let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
            // Of an MP4 and the playlists over it each has its own.
            let belongs = |name: &str| match name {
                "recording.mp4" | "recording.mp4.part" => row.media_of.is_none(),
                _ => id.format != Format::Mp4,
            };
            let mut files = moment.volume.files(directory.as_ref());
            files.retain(|(path, _)| belongs(&name(path)));
            let sized = files.iter().filter(|(path, _)| {
                let name = name(path);
                !name.starts_with('.') && (id.format != Format::Hls || !name.ends_with(".m3u8"))
            });
            let size: u64 = sized.map(|(_, bytes)| bytes.len() as u64).sum();
            let whole: u64 =
                files.iter().filter(|(path, _)| !name(path).starts_with('.')).map(|(_, b)| b.len() as u64).sum();
            let growing = files.iter().any(|(path, _)| name(path).ends_with(".part"));
            if growing || row.size_bytes.is_none_or(|expected| expected != size && expected != whole) {
                return Err(format!(
                    "{id} is {} with {:?} bytes; in the spool are {size}, growing: {growing}",
                    row.state, row.size_bytes
                ));
            }
        }
    }
    for (key, data) in objects.iter().filter(|(key, _)| key.ends_with(".m3u8")) {
        let directory = key.rsplit_once('/').map_or("", |(directory, _)| directory);
        for name in listed(data).map_err(|problem| format!("{key}: {problem}"))? {
            if !objects.contains_key(&resolved(directory, &name)) {
                return Err(format!("{key} lists {name}, which is not in the store"));
            }
        }
    }
    // What has just been told must be so.
    let told = life.entries[..moment.at].iter().rev().find(|entry| entry.is_effect());
    if let Some(Effect::Delivered(Delivery { event, .. })) = told
        && !known.events.contains_key(event)
    {
        return Err(format!("{event} was delivered and is not in the catalog"));
    }
    Ok(())
}
