//! Going on with a growing file. What is not a whole tag is cut; a file whose values have been filled in was ending,
//! and is not gone on with.

use livetape_media::{MediaTime, Track, TrackId, TrackKind};

use super::ledger::Ledger;
use super::salvage::{Window, read_head, walk_tag};
use super::{FlvMuxer, Lane};
use crate::flushed::Flushed;
use crate::{FileName, Files, Op, Reopened, SalvageError, Torn};

/// See [`crate::reopen()`].
pub(crate) fn reopen(files: &dyn Files, torn: &Torn) -> Result<Option<Reopened>, SalvageError> {
    let file = FileName::flv();
    let listed = files.list().map_err(SalvageError::List)?;
    if !listed.contains(&(file.clone(), true)) {
        return Ok(None);
    }
    let read = |source| SalvageError::Read { file: file.clone(), source };
    let opened = files.open(&file).map_err(read)?;
    let mut window = Window::new(&*opened);
    let whole = opened.len();
    let Some((head, start)) = read_head(&mut window)? else { return Ok(None) };
    let empty = head.changing(&Ledger::new(), MediaTime::ZERO);
    if window.take(head.changing_at(), empty.len()).map_err(read)? != empty {
        return Ok(None);
    }
    let mut ledger = Ledger::new();
    ledger.size = head.end();
    ledger.index.room = head.index_entries();
    while walk_tag(&mut window, &mut ledger).map_err(read)? {}
    let Some(first_ms) = ledger.first_shown_ms() else { return Ok(None) };

    let cut_bytes = whole - ledger.size;
    let ops = if cut_bytes > 0 { vec![Op::Truncate { file: file.clone(), len: ledger.size }] } else { Vec::new() };
    // The recording begins where its first picture, or sound, is shown.
    let zero = start - MediaTime::from_millis(first_ms);
    let mut flushed = Flushed::default();
    let mut lane = |kind, id| {
        let Some(track) = ledger.of(kind) else { return Lane::default() };
        let last_ms = (track.frames > 0).then_some(track.last_ms);
        if let Some(last) = last_ms {
            flushed.reached(kind, zero + MediaTime::from_millis(last));
        }
        let last_ms = last_ms.and_then(|last| u32::try_from(last).ok());
        let track = Track { id, config: track.config.clone() };
        Lane { track: Some(track), first: None, seen: last_ms.is_some(), last_ms }
    };
    let (video, audio) = (lane(TrackKind::Video, TrackId::VIDEO), lane(TrackKind::Audio, TrackId::AUDIO));
    let tracks = [&video, &audio].into_iter().filter_map(|lane| lane.track.clone()).collect();
    let ends = zero + ledger.end(None);
    let delay = MediaTime::from_millis(ledger.first_delay_ms());
    let muxer = FlvMuxer {
        layout: torn.layout.clone(),
        start,
        head,
        ledger,
        zero: Some(zero),
        frames: Vec::new(),
        frames_bytes: 0,
        video,
        audio,
        repaired: 0,
        flushed,
    };
    Ok(Some(Reopened { muxer: Box::new(muxer), ops, tracks, cut_bytes, ends, delay }))
}
