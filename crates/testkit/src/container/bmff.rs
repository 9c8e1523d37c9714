//! MP4 (ISO/IEC 14496-12): a file with its index, and fragments.
//!
//! ```text
//! file:      ftyp ... moov ... mdat     boxes fill it to the last byte, the index before the media
//! moov:      trak { mdia { mdhd, hdlr, minf { stbl { stts, stsc, stsz, stco | co64 }}}}
//! fragment:  moof { traf { tfhd, tfdt, trun }} mdat
//! ```

use std::ops::Range;

use super::Sample;
use crate::flv::Kind;

/// A box: its name and its payload's place.
type Part = ([u8; 4], Range<usize>);

/// The boxes that fill `range` exactly.
fn parts(bytes: &[u8], range: Range<usize>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let head = bytes.get(at..at + 8).ok_or_else(|| format!("half a box at {at}"))?;
        let name = [head[4], head[5], head[6], head[7]];
        let (size, skip) = match number(head, 0, 4)? {
            1 => (number(bytes, at + 8, 8)? as usize, 16),
            size => (size as usize, 8),
        };
        let end = at.checked_add(size).filter(|end| size >= skip && *end <= range.end);
        let end = end.ok_or_else(|| {
            format!("{} at {at} has {size} bytes, {} are there", String::from_utf8_lossy(&name), range.end - at)
        })?;
        parts.push((name, at + skip..end));
        at = end;
    }
    Ok(parts)
}

fn child(bytes: &[u8], parent: &Range<usize>, name: &[u8; 4]) -> Result<Range<usize>, String> {
    let found = parts(bytes, parent.clone())?.into_iter().find(|(found, _)| found == name);
    found.map(|(_, range)| range).ok_or_else(|| format!("no {} in a box at {}", text(name), parent.start))
}

fn descend(bytes: &[u8], from: &Range<usize>, path: &[&[u8; 4]]) -> Result<Range<usize>, String> {
    path.iter().try_fold(from.clone(), |range, name| child(bytes, &range, name))
}

fn text(name: &[u8; 4]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64, String> {
    let taken = bytes.get(at..at + size).ok_or_else(|| format!("the file ends before {}", at + size))?;
    Ok(taken.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A table of `width`-byte entries behind its version, flags and count.
fn table(bytes: &[u8], range: &Range<usize>, width: usize) -> Result<Vec<u64>, String> {
    let count = number(bytes, range.start + 4, 4)? as usize;
    if range.len() < 8 + count * width {
        return Err(format!("a table at {} is cut short", range.start));
    }
    (0..count).map(|entry| number(bytes, range.start + 8 + entry * width, width)).collect()
}

/// A track of an index.
pub(super) struct Track {
    id: u64,
    kind: Kind,
    timescale: i64,
    range: Range<usize>,
}

/// The audio and video tracks of the `moov` box.
pub(super) fn tracks(bytes: &[u8]) -> Result<Vec<Track>, String> {
    let moov = child(bytes, &(0..bytes.len()), b"moov")?;
    let mut tracks = Vec::new();
    for (_, trak) in parts(bytes, moov)?.into_iter().filter(|(name, _)| name == b"trak") {
        let tkhd = child(bytes, &trak, b"tkhd")?;
        let id = number(bytes, tkhd.start + if bytes[tkhd.start] == 1 { 20 } else { 12 }, 4)?;
        let mdhd = descend(bytes, &trak, &[b"mdia", b"mdhd"])?;
        let timescale = number(bytes, mdhd.start + if bytes[mdhd.start] == 1 { 20 } else { 12 }, 4)? as i64;
        let hdlr = descend(bytes, &trak, &[b"mdia", b"hdlr"])?;
        let kind = match &bytes[hdlr.start + 8..hdlr.start + 12] {
            b"vide" => Kind::Video,
            b"soun" => Kind::Audio,
            _ => continue,
        };
        tracks.push(Track { id, kind, timescale, range: trak });
    }
    Ok(tracks)
}

/// Every frame of a finished file.
pub(super) fn movie(bytes: &[u8]) -> Result<Vec<Sample>, String> {
    let top = parts(bytes, 0..bytes.len())?;
    let names: Vec<String> = top.iter().map(|(name, _)| text(name)).collect();
    let place = |name: &str| names.iter().position(|found| found == name);
    if place("ftyp") != Some(0) || place("moof").is_some() {
        return Err(format!("it is no finished file: {names:?}"));
    }
    if place("moov").is_none_or(|moov| place("mdat").is_none_or(|mdat| moov > mdat)) {
        return Err(format!("the index is not before the media: {names:?}"));
    }
    media(bytes)
}

/// Every frame that the file's index has, wherever that is.
pub(super) fn media(bytes: &[u8]) -> Result<Vec<Sample>, String> {
    let top = parts(bytes, 0..bytes.len())?;
    let media: Vec<&Range<usize>> = top.iter().filter(|(name, _)| name == b"mdat").map(|(_, range)| range).collect();
    let mut samples = Vec::new();
    let mut taken: Vec<Range<usize>> = Vec::new();
    for track in tracks(bytes)? {
        let shift = edit(bytes, &track)?;
        for (dts, place) in indexed(bytes, &track)? {
            if !media.iter().any(|mdat| mdat.start <= place.start && place.end <= mdat.end) {
                return Err(format!("a frame at {place:?} is not within the media"));
            }
            samples.push(Sample { kind: track.kind, dts: dts + shift, data: bytes[place.clone()].to_vec() });
            taken.push(place);
        }
    }
    taken.sort_by_key(|place| place.start);
    match taken.windows(2).find(|pair| pair[0].end > pair[1].start) {
        Some(pair) => Err(format!("frames share bytes: {pair:?}")),
        None => Ok(samples),
    }
}

/// By how much the track's edit list moves its frames, in microseconds.
fn edit(bytes: &[u8], track: &Track) -> Result<i64, String> {
    let Ok(elst) = descend(bytes, &track.range, &[b"edts", b"elst"]) else { return Ok(0) };
    let mvhd = descend(bytes, &(0..bytes.len()), &[b"moov", b"mvhd"])?;
    let movie_scale = number(bytes, mvhd.start + if bytes[mvhd.start] == 1 { 20 } else { 12 }, 4)? as i64;
    let width = if bytes[elst.start] == 1 { 8 } else { 4 };
    let mut shift = 0;
    for entry in 0..number(bytes, elst.start + 4, 4)? as usize {
        // How long, from which of the track's moments on, and how fast.
        let at = elst.start + 8 + entry * (2 * width + 4);
        let (lasts, from) = (number(bytes, at, width)? as i64, number(bytes, at + width, width)?);
        if from == u64::MAX >> (64 - 8 * width) {
            shift += micros(lasts, movie_scale);
        } else {
            return Ok(shift - micros(from as i64, track.timescale));
        }
    }
    Ok(shift)
}

/// When each frame of a track is decoded and where it is.
fn indexed(bytes: &[u8], track: &Track) -> Result<Vec<(i64, Range<usize>)>, String> {
    let stbl = descend(bytes, &track.range, &[b"mdia", b"minf", b"stbl"])?;
    let stsz = child(bytes, &stbl, b"stsz")?;
    let (fixed, count) = (number(bytes, stsz.start + 4, 4)? as usize, number(bytes, stsz.start + 8, 4)? as usize);
    let size = |sample: usize| match fixed {
        0 => number(bytes, stsz.start + 12 + sample * 4, 4).map(|size| size as usize),
        fixed => Ok(fixed),
    };
    let offsets = match child(bytes, &stbl, b"stco") {
        Ok(range) => table(bytes, &range, 4)?,
        Err(_) => table(bytes, &child(bytes, &stbl, b"co64")?, 8)?,
    };
    // Runs of chunks with the same number of samples: first chunk, samples, description.
    let stsc = child(bytes, &stbl, b"stsc")?;
    let runs = number(bytes, stsc.start + 4, 4)? as usize;
    let entry = |run: usize, field: usize| number(bytes, stsc.start + 8 + run * 12 + field * 4, 4);
    let mut places = Vec::with_capacity(count);
    for run in 0..runs {
        let last = if run + 1 < runs { entry(run + 1, 0)? } else { offsets.len() as u64 + 1 };
        for chunk in entry(run, 0)?..last {
            let offset = offsets.get(chunk as usize - 1).ok_or("a chunk without an offset")?;
            let mut at = *offset as usize;
            for _ in 0..entry(run, 1)? {
                let size = size(places.len())?;
                places.push(at..at + size);
                at += size;
            }
        }
    }
    let stts = child(bytes, &stbl, b"stts")?;
    let mut times = Vec::with_capacity(count);
    let mut dts = 0;
    for pair in table(bytes, &stts, 8)? {
        for _ in 0..pair >> 32 {
            times.push(micros(dts, track.timescale));
            dts += (pair & 0xffff_ffff) as i64;
        }
    }
    if places.len() != count || times.len() != count {
        return Err(format!("{count} frames, {} places, {} times", places.len(), times.len()));
    }
    Ok(times.into_iter().zip(places).collect())
}

/// Every frame of one segment, whose index is `tracks`.
pub(super) fn segment(bytes: &[u8], tracks: &[Track]) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    let mut moof = None;
    for (name, range) in parts(bytes, 0..bytes.len())? {
        match &name {
            b"moof" => moof = Some(range),
            b"mdat" => fragment(bytes, &moof.take().ok_or("media without a moof")?, &range, tracks, &mut samples)?,
            _ => {}
        }
    }
    if moof.is_some() { Err("a moof without media".to_owned()) } else { Ok(samples) }
}

fn fragment(
    bytes: &[u8],
    moof: &Range<usize>,
    mdat: &Range<usize>,
    tracks: &[Track],
    samples: &mut Vec<Sample>,
) -> Result<(), String> {
    for (_, traf) in parts(bytes, moof.clone())?.into_iter().filter(|(name, _)| name == b"traf") {
        let tfhd = child(bytes, &traf, b"tfhd")?;
        let flags = number(bytes, tfhd.start + 1, 3)?;
        let id = number(bytes, tfhd.start + 4, 4)?;
        let track = tracks.iter().find(|track| track.id == id).ok_or("a fragment of no track")?;
        // base data offset 8 bytes, description 4, duration 4, size 4, flags 4: each if its bit is set.
        let mut at = tfhd.start + 8 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
        let mut optional = |bit: u64| -> Result<Option<u64>, String> {
            if flags & bit == 0 {
                return Ok(None);
            }
            at += 4;
            number(bytes, at - 4, 4).map(Some)
        };
        let (duration, size) = (optional(8)?, optional(16)?);
        let tfdt = child(bytes, &traf, b"tfdt")?;
        let wide = bytes[tfdt.start] == 1;
        let mut dts = number(bytes, tfdt.start + 4, if wide { 8 } else { 4 })? as i64;
        for (_, trun) in parts(bytes, traf)?.into_iter().filter(|(name, _)| name == b"trun") {
            let flags = number(bytes, trun.start + 1, 3)?;
            let count = number(bytes, trun.start + 4, 4)?;
            let mut at = trun.start + 8;
            // Counted from the first byte of the moof, eight before its payload.
            let mut place = mdat.start;
            if flags & 1 != 0 {
                place = moof.start - 8 + number(bytes, at, 4)? as usize;
                at += 4;
            }
            at += if flags & 4 != 0 { 4 } else { 0 };
            for _ in 0..count {
                let mut field = |bit: u64| -> Result<Option<u64>, String> {
                    if flags & bit == 0 {
                        return Ok(None);
                    }
                    at += 4;
                    number(bytes, at - 4, 4).map(Some)
                };
                let (lasts, holds) = (field(0x100)?.or(duration), field(0x200)?.or(size));
                field(0x400)?;
                field(0x800)?;
                let end = place + holds.ok_or("a frame without a size")? as usize;
                if place < mdat.start || end > mdat.end {
                    return Err(format!("a frame at {place} is not within the media"));
                }
                samples.push(Sample {
                    kind: track.kind,
                    dts: micros(dts, track.timescale),
                    data: bytes[place..end].to_vec(),
                });
                place = end;
                dts += lasts.ok_or("a frame without a duration")? as i64;
            }
        }
    }
    Ok(())
}

fn micros(ticks: i64, timescale: i64) -> i64 {
    (i128::from(ticks) * 1_000_000 / i128::from(timescale)) as i64
}
