//! Going on with a growing playlist. Its last segment is finished and listed, as when a publisher goes; a playlist
//! that had ended is not gone on with.

use livetape_media::{Track, TrackId};

use super::container::Container;
use super::cut::Cutter;
use super::publish::Publisher;
use super::salvage::{Found, Growing, append, growing_playlist};
use super::{HlsMuxer, INDEX, Init, Run, WHOLE, playlist};
use crate::flushed::Flushed;
use crate::{Files, Op, Reopened, SalvageError, SegmentType, Torn};

/// See [`crate::reopen()`].
pub(crate) fn reopen(files: &dyn Files, torn: &Torn) -> Result<Option<Reopened>, SalvageError> {
    let list = files.list().map_err(SalvageError::List)?;
    let length = |name: &str| -> Result<Option<u64>, SalvageError> {
        let Some((file, _)) = list.iter().find(|(file, growing)| file.as_str() == name && !growing) else {
            return Ok(None);
        };
        let opened = files.open(file).map_err(|source| SalvageError::Read { file: file.clone(), source })?;
        Ok(Some(opened.len()))
    };
    let Some(mut found) = Found::list(files)? else { return Ok(None) };
    let mut ops = Vec::new();
    let mut cut_bytes = found.finish_growing(&mut ops)?;
    let Some(last) = found.last()? else { return Ok(None) };
    let (listing, present, playlist_len) = found.listing()?;
    if listing.ended || present == Some(Growing::No) || length(WHOLE)?.is_some() {
        return Ok(None);
    }
    let stamp = last.stamp.unwrap_or_default();
    let segments = found.complete(&listing, &last, torn.wall_start)?;
    let mut layout = torn.layout.clone();
    layout.segment_type = found.kind;
    let mut cutter = Cutter::new(layout.segment, layout.segment_overrun);
    let needed = segments.target_duration();
    let declared = listing.target_duration.unwrap_or_else(|| cutter.declaration_for(needed));
    cutter.declared_before(declared);

    let text = found.playlist_text(&listing, &segments, declared);
    let whole_len = listing.whole_len as u64;
    if present.is_none() {
        ops.push(Op::Create { file: growing_playlist() });
    } else if playlist_len > whole_len {
        cut_bytes += playlist_len - whole_len;
        ops.push(Op::Truncate { file: growing_playlist(), len: whole_len });
    }
    let growing_bytes = whole_len + text.len() as u64;
    if !text.is_empty() {
        ops.push(append(text));
    }

    let totals = found.totals(&last, &stamp, &segments)?;
    let mut configurations = found.configurations(&segments, &totals, &stamp)?;
    let mut publisher = Publisher::resume(found.kind, segments, growing_bytes);
    configurations.iter().for_each(|tracks| publisher.configure(tracks));
    match length(INDEX)? {
        Some(bytes) => publisher.index_stands(bytes),
        None => publisher.index_growing(&totals, &mut ops),
    }
    let mut first_tracks: Vec<Track> = Vec::new();
    let mut flushed = Flushed::default();
    for track in configurations.iter().flatten() {
        if !first_tracks.iter().any(|first| first.id == track.id) {
            first_tracks.push(track.clone());
            flushed.reached(track.id.kind, last.ends);
        }
    }
    let mut init = None;
    if let Some(number) = found.newest_init().filter(|_| found.kind == SegmentType::Fmp4) {
        if number > stamp.init {
            // Written for a segment that never came.
            configurations.push(found.init_tracks(number)?);
        }
        init = Some(Init { number, data: found.read(playlist::init_name(number).as_str())?.into() });
    }
    let tracks = latest(found.kind, &configurations);
    let mut container = Container::new(&tracks, &layout, stamp.start);
    container.go_on(&last.writer, &configurations, stamp.repaired);
    cutter.restart(&tracks);
    let muxer = HlsMuxer {
        layout,
        start: stamp.start,
        wall_start: torn.wall_start,
        tracks: tracks.clone(),
        first_tracks,
        container,
        cutter,
        run: Run { anchor: stamp.start, wall: torn.wall_start, fresh: None },
        init,
        open: None,
        publisher,
        totals,
        flushed,
    };
    Ok(Some(Reopened { muxer: Box::new(muxer), ops, tracks, cut_bytes, ends: last.ends, delay: last.delay }))
}

/// The tracks at the end. What a transport stream says of them begins with a key frame, which its last stretch may lack:
/// then they are as they were before.
fn latest(kind: SegmentType, configurations: &[Vec<Track>]) -> Vec<Track> {
    let last = configurations.last().cloned().unwrap_or_default();
    if kind == SegmentType::Fmp4 {
        return last;
    }
    let newest = |id| configurations.iter().rev().flatten().find(|track| track.id == id).cloned();
    [TrackId::VIDEO, TrackId::AUDIO].into_iter().filter_map(newest).collect()
}
