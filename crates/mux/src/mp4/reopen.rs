//! Going on with a growing file. What is not a whole fragment is cut; a file whose end had begun, or that holds
//! anything else than whole fragments, is not gone on with.

use livetape_media::{MediaTime, Track};

use super::Mp4Muxer;
use super::layout::MDAT_HEADER;
use super::salvage::{self, Walk, over};
use super::start::{FileReader, Start};
use crate::bmff::{FragmentLimits, Fragmenter, Origin, TrackEntry, TrackIndex};
use crate::flushed::Flushed;
use crate::hls::over::init_file;
use crate::hls::{END, GROWING, INDEX, WHOLE};
use crate::{FileName, Files, Op, Reopened, SalvageError, Torn};

/// See [`crate::reopen()`].
pub(crate) fn reopen(files: &dyn Files, torn: &Torn) -> Result<Option<Reopened>, SalvageError> {
    let file = FileName::mp4();
    let list = files.list().map_err(SalvageError::List)?;
    if !list.contains(&(file.clone(), true)) {
        return Ok(None);
    }
    let source = files.open(&file).map_err(|source| SalvageError::Read { file: file.clone(), source })?;
    let reader = FileReader { file: &file, source: source.as_ref() };
    let Some(start) = Start::read(&reader)? else { return Ok(None) };
    let mut mdat = Vec::new();
    reader.read(start.head.mdat_start(), MDAT_HEADER, &mut mdat)?;
    if start.flipped || mdat.iter().any(|byte| *byte != 0) {
        return Ok(None);
    }
    let mut found = salvage::Torn::new(start);
    found.walk = Walk::WholeFragments;
    found.over = over(files, &list, &found.init)?;
    let playlist = list.iter().find(|(name, _)| name.as_str() == GROWING);
    let grown = playlist.map(|(name, _)| salvage::read(files, name)).transpose()?;
    let ended = playlist.is_some_and(|(_, growing)| !growing)
        || grown.as_ref().is_some_and(|text| text.ends_with(END.as_bytes()))
        || list.iter().any(|(name, _)| name.as_str() == WHOLE);
    let wanted = playlist.is_some() || list.iter().any(|(name, _)| *name == init_file());
    if ended || (wanted && found.over.is_none()) {
        return Ok(None);
    }
    found.read_fragments(&reader)?;
    let empty = found.indexes.iter().all(|index| index.samples() == 0);
    if empty || !found.is_plain() {
        return Ok(None);
    }

    let mut ops = Vec::new();
    if found.cut_bytes > 0 {
        ops.push(Op::Truncate { file: file.clone(), len: found.media_end });
    }
    if let Some(over) = &mut found.over {
        let index = list.iter().any(|(name, _)| name.as_str() == INDEX);
        over.reopen(grown.as_deref(), index, &mut ops);
    }
    let zero = found.init.zero;
    let tracks = found.init.tracks.clone();
    let ends = tracks.iter().zip(&found.indexes).filter_map(|(track, index)| Some(zero + track.moment(index.ends()?)));
    let ends = ends.max().unwrap_or(zero);
    let pictures = tracks.iter().zip(&found.indexes).find(|(track, index)| track.is_video() && index.samples() > 0);
    let delay = pictures.map_or(MediaTime::ZERO, |(track, index)| track.moment(i64::from(index.first_composition())));
    let limits = FragmentLimits { duration: torn.layout.fragment, bytes: torn.layout.fragment_max_bytes };
    let mut fragmenter = Fragmenter::new(&tracks, Origin::At(zero), limits);
    fragmenter.go_on_behind(found.indexes.iter().map(TrackIndex::last_dts));
    let muxer = Mp4Muxer {
        file,
        wall_start: found.init.wall_start,
        start: torn.start,
        index_bytes: 0,
        flushed: flushed(&tracks, &found.indexes, zero),
        tracks,
        indexes: found.indexes,
        fragmenter,
        head: Some(found.head),
        len: found.media_end,
        sequence: found.fragments,
        until: ends,
        resumed: None,
        stamp: None,
        over: found.over,
    };
    let known = |entry: &TrackEntry| Some(Track { id: entry.id, config: entry.config.clone()? });
    let tracks = muxer.tracks.iter().filter_map(known).collect();
    Ok(Some(Reopened { muxer: Box::new(muxer), ops, tracks, cut_bytes: found.cut_bytes, ends, delay }))
}

fn flushed(tracks: &[TrackEntry], indexes: &[TrackIndex], zero: MediaTime) -> Flushed {
    let mut flushed = Flushed::default();
    for (track, index) in tracks.iter().zip(indexes) {
        if let Some(last) = index.last_dts() {
            flushed.reached(track.id.kind, zero + track.moment(i64::try_from(last).unwrap_or(i64::MAX)));
        }
    }
    flushed
}
