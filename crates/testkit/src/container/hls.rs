//! HLS: a multivariant playlist, its media playlist, and the segments that lists (fMP4, files or parts of an MP4; those
//! of others may be MPEG-TS).

use std::collections::BTreeSet;
use std::path::Path;

use super::{Sample, bmff, bytes, ts};
use crate::livetape::names_in;

/// Every frame of the recording whose multivariant playlist this is.
pub(super) fn playlist(file: &Path) -> Result<Vec<Sample>, String> {
    let directory = file.parent().ok_or("no directory")?;
    let media = lines(file)?.into_iter().find(|line| !line.starts_with('#')).ok_or("it lists no playlist")?;
    let listed = lines(&directory.join(&media))?;
    if listed.first().map(String::as_str) != Some("#EXTM3U")
        || listed.last().map(String::as_str) != Some("#EXT-X-ENDLIST")
    {
        return Err(format!("{media} is not whole"));
    }
    let mut known: BTreeSet<String> = ["index.m3u8", "media.m3u8", "vod.m3u8"].map(str::to_owned).into();
    let (mut samples, mut tracks, mut range) = (Vec::new(), Vec::new(), None);
    for line in &listed {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            let name = map.split('"').next().unwrap_or_default();
            tracks = bmff::tracks(&bytes(&directory.join(name))?).map_err(|problem| format!("{name}: {problem}"))?;
            known.insert(name.to_owned());
        } else if let Some(listed) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            range = Some(listed.to_owned());
        } else if !line.starts_with('#') {
            let (file, range) = (bytes(&directory.join(line))?, range.take());
            let segment = match &range {
                Some(range) => part(&file, range).ok_or_else(|| format!("{line} has no bytes {range}"))?,
                None => &file,
            };
            samples.extend(bmff::segment(segment, &tracks).map_err(|problem| format!("{line}: {problem}"))?);
            let name = range.map_or(line.clone(), |range| format!("{line} {range}"));
            if !known.insert(name) {
                return Err(format!("{line} is listed twice"));
            }
        }
    }
    match names_in(directory).into_iter().find(|name| !known.contains(name)) {
        Some(stray) => Err(format!("{stray} is in no playlist")),
        None => Ok(samples),
    }
}

/// Every frame of the segments that a media playlist lists.
pub(super) fn media(file: &Path) -> Result<Vec<Sample>, String> {
    let directory = file.parent().ok_or("no directory")?;
    let (mut samples, mut tracks) = (Vec::new(), Vec::new());
    for line in lines(file)? {
        let map = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split('"').next());
        let name = map.or((!line.starts_with('#')).then_some(&line));
        let Some(name) = name else { continue };
        let content = bytes(&directory.join(name))?;
        let in_it = |problem: String| format!("{name}: {problem}");
        if map.is_some() {
            tracks = bmff::tracks(&content).map_err(in_it)?;
        } else if name.ends_with(".ts") {
            samples.extend(ts::segment(&content).map_err(in_it)?);
        } else {
            samples.extend(bmff::segment(&content, &tracks).map_err(in_it)?);
        }
    }
    Ok(samples)
}

/// The part of a file that `LENGTH@OFFSET` means.
fn part<'a>(file: &'a [u8], range: &str) -> Option<&'a [u8]> {
    let (len, at) = range.split_once('@')?;
    let (len, at): (usize, usize) = (len.parse().ok()?, at.parse().ok()?);
    file.get(at..at.checked_add(len)?)
}

fn lines(file: &Path) -> Result<Vec<String>, String> {
    let text = String::from_utf8(bytes(file)?).map_err(|error| error.to_string())?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
