//! Media playlists (RFC 8216, 4.3.2 and 4.3.3), formatted so that they can be written by appending.
//!
//! ```text
//! #EXTM3U
//! #EXT-X-VERSION:7                          3 for transport streams
//! #EXT-X-TARGETDURATION:9                   never changes once it is written
//! #EXT-X-MEDIA-SEQUENCE:0
//! #EXT-X-PLAYLIST-TYPE:EVENT                VOD when written whole, at the end
//! #EXT-X-PROGRAM-DATE-TIME:...Z             before the first segment and behind each discontinuity
//! #EXT-X-MAP:URI="init-0.mp4"               likewise
//! #EXTINF:6.000,
//! segment-000000.m4s
//! ...
//! #EXT-X-DISCONTINUITY
//! ...
//! #EXT-X-ENDLIST
//! ```

use std::fmt::Write;
use std::ops::Range;

use super::segments::{Mark, SegmentList};
use crate::{FileName, SegmentType};

/// The last line of a playlist that will not grow.
pub(crate) const END: &str = "#EXT-X-ENDLIST\n";
/// The playlist that grows with the recording.
pub const GROWING: &str = "media.m3u8";
/// The playlist of the whole recording.
pub const WHOLE: &str = "vod.m3u8";
/// The multivariant playlist.
pub const INDEX: &str = "index.m3u8";

/// Whether a playlist grows or is written whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaylistType {
    /// Only appended to.
    Event,
    /// Never changed. Says whether every segment begins with a key frame.
    Vod { independent: bool },
}

/// What comes before the first segment.
pub(super) fn header(segments: SegmentType, kind: PlaylistType, target_duration: u32) -> String {
    let version = match segments {
        SegmentType::Fmp4 => 7,
        SegmentType::Ts => 3,
    };
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n");
    if kind == (PlaylistType::Vod { independent: true }) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    let name = if kind == PlaylistType::Event { "EVENT" } else { "VOD" };
    push(&mut text, format_args!("#EXT-X-TARGETDURATION:{target_duration}\n#EXT-X-MEDIA-SEQUENCE:0\n"));
    push(&mut text, format_args!("#EXT-X-PLAYLIST-TYPE:{name}\n"));
    text
}

/// Appends the lines of one segment.
pub(super) fn entry(text: &mut String, segments: SegmentType, number: u32, duration_ms: u32, mark: Option<&Mark>) {
    duration(text, duration_ms, mark);
    push(text, format_args!("segment-{number:06}{}\n", extension(segments)));
}

/// Appends the lines of one segment but that which says where it is.
pub(super) fn duration(text: &mut String, duration_ms: u32, mark: Option<&Mark>) {
    if let Some(mark) = mark {
        if mark.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        push(text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}\n", mark.wall));
        if let Some(map) = mark.map {
            push(text, format_args!("#EXT-X-MAP:URI=\"init-{map}.mp4\"\n"));
        }
    }
    let (seconds, millis) = (duration_ms / 1000, duration_ms % 1000);
    push(text, format_args!("#EXTINF:{seconds}.{millis:03},\n"));
}

/// The playlist of a whole recording.
pub(super) fn whole(segments: SegmentType, list: &SegmentList, independent: bool) -> String {
    let mut text = header(segments, PlaylistType::Vod { independent }, list.target_duration());
    text.reserve(list.len() as usize * 36 + list.marks().len() * 100 + END.len());
    for (number, duration_ms, mark) in list.iter() {
        entry(&mut text, segments, number, duration_ms, mark);
    }
    text.push_str(END);
    text
}

/// The files a playlist names: its lines that are no tags, and the sections its maps are in. Reads any
/// text.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| match line.strip_prefix("#EXT-X-MAP:") {
        Some(attributes) => attributes.split_once("URI=\"")?.1.split_once('"').map(|(uri, _)| uri),
        None => Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#')),
    })
}

/// The ranges of bytes that a playlist lists. Reads any text.
pub fn ranges(text: &str) -> impl Iterator<Item = Range<u64>> {
    text.lines().filter_map(|line| {
        let (len, at) = line.strip_prefix("#EXT-X-BYTERANGE:")?.trim_end().split_once('@')?;
        let (len, at) = (len.parse::<u64>().ok()?, at.parse::<u64>().ok()?);
        Some(at..at.checked_add(len)?)
    })
}

/// Whether a file of this name is a segment, or an initialisation section of some.
pub fn is_media(name: &str) -> bool {
    let numbered = |prefix, suffix| {
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        number.is_some_and(|digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    numbered("init-", ".mp4")
        || [SegmentType::Fmp4, SegmentType::Ts].into_iter().any(|kind| numbered("segment-", extension(kind)))
}

/// The name of a segment's file.
pub(super) fn segment_name(segments: SegmentType, number: u32) -> FileName {
    FileName::made(format!("segment-{number:06}{}", extension(segments)))
}

/// The name of an initialisation section's file.
pub(super) fn init_name(number: u32) -> FileName {
    FileName::made(format!("init-{number}.mp4"))
}

/// What a segment's name ends with.
pub(super) fn extension(segments: SegmentType) -> &'static str {
    match segments {
        SegmentType::Fmp4 => ".m4s",
        SegmentType::Ts => ".ts",
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use livetape_media::WallTime;

    use super::*;

    #[test]
    fn a_playlist_is_formatted_as_drawn() {
        let mut list = SegmentList::default();
        let mark = |number, map| Mark {
            number,
            discontinuity: number > 0,
            wall: WallTime::from_unix_millis(1_795_000_000_000 + i64::from(number)),
            map,
        };
        list.push(6_000, Some(mark(0, Some(0))));
        list.push(5_007, None);
        list.push(40, Some(mark(2, Some(1))));
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:6\n\
            #EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-PROGRAM-DATE-TIME:2026-11-18T11:06:40.000Z\n#EXT-X-MAP:URI=\"init-0.mp4\"\n\
            #EXTINF:6.000,\nsegment-000000.m4s\n#EXTINF:5.007,\nsegment-000001.m4s\n\
            #EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-18T11:06:40.002Z\n\
            #EXT-X-MAP:URI=\"init-1.mp4\"\n#EXTINF:0.040,\nsegment-000002.m4s\n#EXT-X-ENDLIST\n";
        assert_eq!(whole(SegmentType::Fmp4, &list, true), expected);
    }

    #[test]
    fn a_playlist_names_segments_maps_and_other_playlists() {
        let text = "#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1@0\",URI=\"init-0.mp4\"\n#EXTINF:6,\nsegment-000000.m4s\n\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1\r\nmedia.m3u8\r\n#EXT-X-MAP:URI=broken\n";
        assert_eq!(listed(text).collect::<Vec<_>>(), ["init-0.mp4", "segment-000000.m4s", "media.m3u8"]);
    }

    #[test]
    fn ranges_are_read_of_any_text() {
        let text = "#EXT-X-BYTERANGE:70@4096\r\nx.mp4\n#EXT-X-BYTERANGE:5\n#EXT-X-BYTERANGE:2@18446744073709551615\n\
                    #EXT-X-BYTERANGE:4@4166\n";
        assert_eq!(ranges(text).collect::<Vec<_>>(), [4096..4166, 4166..4170]);
    }

    #[test]
    fn a_week_of_segments_keeps_its_names() {
        for kind in [SegmentType::Ts, SegmentType::Fmp4] {
            assert!(is_media(segment_name(kind, 7).as_str()) && is_media(init_name(0).as_str()));
        }
        for name in ["index.m3u8", "init-.mp4", "init-a.mp4", "segment-1.mp4", "recording.mp4", "segment-000000.m4s.x"]
        {
            assert!(!is_media(name), "{name}");
        }
        assert_eq!(segment_name(SegmentType::Ts, 302_399).as_str(), "segment-302399.ts");
        assert_eq!(segment_name(SegmentType::Fmp4, 1_234_567).as_str(), "segment-1234567.m4s");
    }
}
