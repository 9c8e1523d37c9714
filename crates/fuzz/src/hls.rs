//! What must hold of the playlists of a complete recording.

use livetape_mux::hls::listed;

use crate::directory::Directory;

/// The playlists list every segment there is, once, in order, and nothing that is not there; another
/// reader finds the same.
pub fn complete(directory: &Directory) {
    let segments: Vec<&str> =
        directory.entries().map(|(file, _)| file.as_str()).filter(|name| name.starts_with("segment-")).collect();
    assert!(directory.entry("index.m3u8").is_some(), "there is no multivariant playlist");
    for (file, entry) in directory.entries().filter(|(file, _)| file.as_str().ends_with(".m3u8")) {
        let text = std::str::from_utf8(&entry.bytes).expect("playlists are text");
        for name in listed(text) {
            assert!(directory.entry(name).is_some(), "{file} lists {name}, which is not there");
        }
        if file.as_str() == "index.m3u8" {
            assert!(m3u8_rs::parse_master_playlist_res(&entry.bytes).is_ok(), "another reader cannot read {file}");
            continue;
        }
        let found: Vec<&str> = listed(text).filter(|name| name.starts_with("segment-")).collect();
        assert_eq!(found, segments, "what {file} lists");
        assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{file} does not end");
        let read = m3u8_rs::parse_media_playlist_res(&entry.bytes).expect("another reader can read it");
        let others: Vec<&str> = read.segments.iter().map(|segment| segment.uri.as_str()).collect();
        assert_eq!(others, segments, "what another reader finds in {file}");
        let target = read.target_duration;
        let longest = read.segments.iter().map(|segment| segment.duration.round() as u64).max().unwrap_or(0);
        assert!(longest <= target, "a segment of {longest} s; the target is {target} s");
    }
}
