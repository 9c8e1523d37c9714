//! HLS: playlists by `m3u8-rs`, segments as fragmented MP4.

use m3u8_rs::{MasterPlaylist, MediaPlaylist, Playlist};

use super::{Found, Objects, mp4};

/// The frames of a finished recording whose multivariant playlist is `index`, one part for each
/// initialisation section.
pub(super) fn playlist(index: &[u8], directory: &str, files: &Objects<'_>) -> Result<Vec<Vec<Found>>, String> {
    let master = parse_master(index)?;
    let [variant] = master.variants.as_slice() else { return Err("it has not one variant".into()) };
    let of = |name: &str| -> Result<&[u8], String> {
        let key = resolved(directory.trim_end_matches('/'), name);
        files.get(&key).copied().ok_or(format!("{name} is listed and not in the store"))
    };
    let media = parse_media(of(&variant.uri)?)?;
    if !media.end_list {
        return Err(format!("{} has no end", variant.uri));
    }
    let other = if variant.uri == "media.m3u8" { "vod.m3u8" } else { "media.m3u8" };
    if files.contains_key(&format!("{directory}{other}")) {
        let uris = |playlist: &MediaPlaylist| {
            playlist.segments.iter().map(|s| (s.uri.clone(), s.byte_range.clone())).collect::<Vec<_>>()
        };
        if uris(&parse_media(of(other)?)?) != uris(&media) {
            return Err("its two playlists list different segments".into());
        }
    }
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for segment in &media.segments {
        if let Some(map) = &segment.map {
            parts.push(of(&map.uri)?.to_vec());
        }
        let mut data = of(&segment.uri)?;
        if let Some(range) = &segment.byte_range {
            let at = usize::try_from(range.offset.ok_or("a range that begins nowhere")?).unwrap();
            let len = usize::try_from(range.length).unwrap();
            data = data.get(at..at + len).ok_or("a range beyond the end")?;
        }
        parts.last_mut().ok_or("a segment before any map")?.extend_from_slice(data);
    }
    parts.iter().map(|part| mp4::samples(part)).collect()
}

/// The key of what a playlist in `directory` calls `name`.
pub fn resolved(directory: &str, name: &str) -> String {
    let (mut directory, mut name) = (directory, name);
    while let Some(rest) = name.strip_prefix("../") {
        (directory, name) = (directory.rsplit_once('/').map_or("", |(above, _)| above), rest);
    }
    format!("{directory}/{name}")
}

/// The names that a playlist lists.
pub fn listed(playlist: &[u8]) -> Result<Vec<String>, String> {
    match m3u8_rs::parse_playlist_res(playlist).map_err(|error| error.to_string())? {
        Playlist::MasterPlaylist(master) => Ok(master.variants.into_iter().map(|variant| variant.uri).collect()),
        Playlist::MediaPlaylist(media) => {
            let maps = media.segments.iter().filter_map(|segment| segment.map.as_ref()).map(|map| map.uri.clone());
            Ok(maps.chain(media.segments.iter().map(|segment| segment.uri.clone())).collect())
        }
    }
}

fn parse_master(bytes: &[u8]) -> Result<MasterPlaylist, String> {
    m3u8_rs::parse_master_playlist_res(bytes).map_err(|error| format!("the multivariant playlist: {error}"))
}

fn parse_media(bytes: &[u8]) -> Result<MediaPlaylist, String> {
    m3u8_rs::parse_media_playlist_res(bytes).map_err(|error| format!("a media playlist: {error}"))
}
