//! Frames in = frames out.

use std::collections::BTreeMap;

use livetape_media::Format;

use super::{Cost, History, Reference};
use crate::marker::Marker;
use crate::publisher::{PICTURE_MS, Script};
use crate::read::Content;

/// A moment in a recording may differ from the publisher's by this much.
pub(super) const TOLERANCE_MS: f64 = 2.0;

/// What rows may say less than is missing: the pulse is a quarter of a second old, and one track may have
/// come further than the other.
pub(super) const LESS_MS: u32 = 250 + 150;
/// What they may say less besides, where a torn MP4 came further than FLV: the pictures of its last fragment are
/// there, and the sounds behind them are not.
pub(super) const TORN_MS: u32 = 400 - 150;
/// What rows may say more.
pub(super) const MORE_MS: u32 = 50;

/// Holds what the recordings of one format hold, in order, against what was pushed of each stream.
///
/// # Errors
/// What does not hold.
pub(super) fn check(
    format: Format,
    recordings: &[&Content],
    history: &History,
    reference: &Reference,
    told: &BTreeMap<u8, u32>,
) -> Result<Cost, String> {
    for content in recordings {
        check_times(content)?;
    }
    let tracks = tracks(format, recordings.iter().copied(), history)?;
    let mut cost = Cost { lost_ms: 0, damaged: recordings.iter().map(|content| content.damaged()).sum() };
    for ((stream, video), numbers) in &tracks {
        let last =
            numbers.last().map(|number| Script::timestamp(Marker { stream: *stream, video: *video, number: *number }));
        if last > history.pushed.get(stream).copied() {
            return Err(format!("{format} of stream {stream} holds a frame that was not pushed, at {last:?} ms"));
        }
    }
    for (stream, last_ms) in &history.pushed {
        let wanted = reference.wanted.get(&(*stream, format)).into_iter().flatten();
        let pushed = wanted.filter(|marker| Script::timestamp(**marker) <= *last_ms);
        let missing: Vec<&Marker> = pushed
            .filter(|marker| {
                let numbers = tracks.get(&(*stream, marker.video));
                numbers.is_none_or(|numbers| numbers.binary_search(&marker.number).is_err())
            })
            .collect();
        let told_ms = told.get(stream).copied().unwrap_or_default();
        if missing.is_empty() && told_ms > MORE_MS && history.tells {
            return Err(format!(
                "{format} of stream {stream} lacks nothing, and its rows say that {told_ms} ms are lost"
            ));
        }
        let Some(first) = missing.iter().min_by_key(|marker| Script::timestamp(***marker)) else { continue };
        let loss = last_ms - Script::timestamp(**first);
        let less_ms = LESS_MS + if history.over { TORN_MS } else { 0 };
        if history.tells && !(loss.saturating_sub(less_ms)..=loss + MORE_MS).contains(&told_ms) {
            return Err(format!("{format} of stream {stream} lacks {loss} ms, and its rows say {told_ms} ms are lost"));
        }
        // Behind what is missing nothing may follow.
        let hole = |marker: &Marker| {
            let numbers = tracks.get(&(*stream, marker.video)).map_or(&[][..], Vec::as_slice);
            numbers.last().is_some_and(|last| *last > marker.number)
        };
        if let Some(marker) = missing.iter().find(|marker| hole(marker)).filter(|_| !history.gaps && !history.damage) {
            return Err(format!("{format}: {marker:?} is missing, and later frames are there"));
        }
        if loss > history.bound_ms && !history.gaps {
            return Err(format!(
                "{format} of stream {stream} lacks the last {loss} ms of {last_ms}, from {first:?} on; allowed are {} ms",
                history.bound_ms
            ));
        }
        let pictures = missing.iter().filter(|marker| marker.video).count();
        let missing_ms = u32::try_from(pictures).unwrap() * PICTURE_MS;
        if history.gaps && missing_ms > history.bound_ms {
            return Err(format!(
                "{format} of stream {stream} lacks {missing_ms} ms of pictures, from {first:?} on; allowed are {} ms",
                history.bound_ms
            ));
        }
        cost.lost_ms = cost.lost_ms.max(if history.gaps { missing_ms } else { loss });
    }
    Ok(cost)
}

/// The numbers of the frames of each track of each stream, in the order they stand in the recordings of one format.
///
/// # Errors
/// When one is not behind the one before it, or is damaged where it may not be.
pub(super) fn tracks<'a>(
    format: Format,
    recordings: impl Iterator<Item = &'a Content>,
    history: &History,
) -> Result<BTreeMap<(u8, bool), Vec<u32>>, String> {
    let mut tracks: BTreeMap<(u8, bool), Vec<u32>> = BTreeMap::new();
    for content in recordings {
        if content.damaged() > 0 && !history.damage {
            return Err(format!("a recording in {format} holds {} damaged frames", content.damaged()));
        }
        for marker in content.frames() {
            tracks.entry((marker.stream, marker.video)).or_default().push(marker.number);
        }
    }
    for ((stream, video), numbers) in &tracks {
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("{format} of stream {stream}, video {video}: frame {} follows {}", pair[1], pair[0]));
        }
    }
    Ok(tracks)
}

/// Each frame of a part is as far from the track's first as the publisher sent it.
fn check_times(content: &Content) -> Result<(), String> {
    for part in &content.parts {
        for video in [true, false] {
            let whole = part.iter().filter_map(|(marker, at)| Some((marker.as_ref()?, at)));
            let mut track = whole.filter(|(marker, _)| marker.video == video);
            let Some((first, begun)) = track.next() else { continue };
            for (marker, at) in track {
                let sent = f64::from(Script::timestamp(*marker)) - f64::from(Script::timestamp(*first));
                if (at - begun - sent).abs() > TOLERANCE_MS {
                    return Err(format!(
                        "{marker:?} is {} ms behind {first:?}, and was sent {sent} ms behind",
                        at - begun
                    ));
                }
            }
        }
    }
    Ok(())
}
