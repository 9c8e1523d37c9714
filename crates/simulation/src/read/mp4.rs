//! MP4, by `re_mp4`.

use super::Found;
use crate::marker::Marker;

/// The frames of a finished, progressive file.
pub(super) fn finished(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let found = samples(bytes)?;
    let mut position = 0;
    let mut kinds = Vec::new();
    while position < bytes.len() {
        let head = bytes.get(position..position + 16).ok_or(format!("{} bytes at its end", bytes.len() - position))?;
        let size = match u32::from_be_bytes(head[..4].try_into().unwrap()) {
            1 => usize::try_from(u64::from_be_bytes(head[8..].try_into().unwrap())).unwrap(),
            size => size as usize,
        };
        kinds.push(String::from_utf8_lossy(&head[4..8]).into_owned());
        position += size.max(8);
    }
    if position != bytes.len() || kinds.iter().any(|kind| kind == "moof") || kinds.last().is_none() {
        return Err(format!("its boxes are {kinds:?}, to byte {position} of {}", bytes.len()));
    }
    Ok(found)
}

/// The frames of a file, finished or in fragments.
pub(super) fn samples(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let file = re_mp4::Mp4::read_bytes(bytes).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for track in file.tracks().values() {
        for sample in &track.samples {
            let data = bytes.get(sample.byte_range()).ok_or("a sample beyond the end")?;
            found.push((Marker::of(data), sample.decode_timestamp as f64 * 1000.0 / sample.timescale as f64));
        }
    }
    Ok(found)
}
