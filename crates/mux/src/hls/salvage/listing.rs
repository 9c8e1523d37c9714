//! Reading the growing playlist back, as far as it is whole.

use livetape_media::WallTime;

use super::super::playlist::{END, extension};
use super::super::segments::{Mark, SegmentList};
use crate::SegmentType;

/// No recording has a segment of so many seconds; milliseconds of them fit in 32 bits.
const LONGEST_TARGET: u32 = 1_000_000;

/// What a growing playlist lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::hls) struct Listing {
    /// Its segments.
    pub(in crate::hls) segments: SegmentList,
    /// Where the last whole segment entry ends (or the header, without any); 0 without a header.
    pub(in crate::hls) whole_len: usize,
    /// TARGETDURATION; none without a whole header.
    pub(in crate::hls) target_duration: Option<u32>,
    /// It says that it will not grow.
    pub(in crate::hls) ended: bool,
}

impl Listing {
    /// Reads a playlist of segments of one kind, as this crate writes it, of which only entries of
    /// the first `exist` segments count. Reading ends at the first line that does not fit.
    pub(super) fn parse(text: &[u8], segments: SegmentType, exist: u32) -> Self {
        let mut listing = Self::default();
        let mut entry = Entry::default();
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let Some(line) = line.strip_suffix(b"\n").and_then(|line| str::from_utf8(line).ok()) else { break };
            if line == END.trim_end() {
                listing.ended = entry == Entry::default();
                break;
            }
            let in_header = listing.whole_len == 0;
            if in_header && let Some(seconds) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                listing.target_duration = seconds.parse().ok().filter(|seconds| *seconds <= LONGEST_TARGET);
            } else if in_header && line.starts_with("#EXT-X-PLAYLIST-TYPE:") {
                // The last line of the header.
                listing.whole_len = at;
            } else if line.starts_with('#') {
                if !in_header && !entry.tag(line) {
                    break;
                }
            } else {
                let number = listing.segments.len();
                let named = segment_number(line, segments) == Some(number);
                let (Some(duration_ms), true) = (entry.duration_ms, named && number < exist) else { break };
                listing.segments.push(duration_ms, entry.mark(number));
                listing.whole_len = at;
                entry = Entry::default();
            }
        }
        if listing.whole_len == 0 || listing.target_duration.is_none() {
            return Self::default();
        }
        listing
    }
}

/// The tags before a segment's name.
#[derive(Default, PartialEq, Eq)]
struct Entry {
    discontinuity: bool,
    wall: Option<WallTime>,
    map: Option<u32>,
    duration_ms: Option<u32>,
}

impl Entry {
    /// Reads a tag; false when it is none of an entry, or cannot be understood.
    fn tag(&mut self, line: &str) -> bool {
        if line == "#EXT-X-DISCONTINUITY" {
            self.discontinuity = true;
        } else if let Some(text) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
            self.wall = text.parse().ok();
            return self.wall.is_some();
        } else if let Some(text) = line.strip_prefix("#EXT-X-MAP:URI=\"init-") {
            self.map = text.strip_suffix(".mp4\"").and_then(|number| number.parse().ok());
            return self.map.is_some();
        } else if let Some(text) = line.strip_prefix("#EXTINF:") {
            self.duration_ms = text.strip_suffix(',').and_then(millis);
            return self.duration_ms.is_some();
        } else {
            return false;
        }
        true
    }

    fn mark(&self, number: u32) -> Option<Mark> {
        let wall = self.wall?;
        Some(Mark { number, discontinuity: self.discontinuity, wall, map: self.map })
    }
}

/// `12.345` as milliseconds.
fn millis(text: &str) -> Option<u32> {
    let (seconds, fraction) = text.split_once('.')?;
    let fraction = Some(fraction).filter(|fraction| fraction.len() == 3)?;
    seconds.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(fraction.parse().ok()?)
}

/// The number in a segment's name.
pub(super) fn segment_number(name: &str, segments: SegmentType) -> Option<u32> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(extension(segments))?;
    let number = digits.parse().ok()?;
    let canonical = digits.len() == 6 || (digits.len() > 6 && !digits.starts_with('0'));
    (canonical && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::super::playlist::{self, PlaylistType};
    use super::*;

    fn example() -> (SegmentList, String) {
        let mut list = SegmentList::default();
        let mark = |number, map| Mark {
            number,
            discontinuity: number > 0,
            wall: WallTime::from_unix_millis(1_795_000_000_123),
            map: Some(map),
        };
        list.push(6_006, Some(mark(0, 0)));
        list.push(5_999, None);
        list.push(7, Some(mark(2, 1)));
        let mut text = playlist::header(SegmentType::Fmp4, PlaylistType::Event, 9);
        for (number, ms, mark) in list.iter() {
            playlist::entry(&mut text, SegmentType::Fmp4, number, ms, mark);
        }
        (list, text)
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (segments, text) = example();
        let listing = Listing::parse(text.as_bytes(), SegmentType::Fmp4, 3);
        let whole_len = text.len();
        assert_eq!(listing, Listing { segments, whole_len, target_duration: Some(9), ended: false });
        let ended = format!("{text}{END}");
        assert!(Listing::parse(ended.as_bytes(), SegmentType::Fmp4, 3).ended);
    }

    #[test]
    fn every_torn_playlist_reads_as_one_that_had_not_got_so_far() {
        let (_, text) = example();
        let text = format!("{text}{END}");
        let ends: Vec<usize> = text.match_indices(".m4s\n").map(|(at, line)| at + line.len()).collect();
        let header = text.find("#EXT-X-PROGRAM").unwrap();
        for cut in 0..text.len() {
            let listing = Listing::parse(&text.as_bytes()[..cut], SegmentType::Fmp4, 3);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(listing.segments.len() as usize, whole, "cut at {cut}");
            let expected = ends[..whole].last().copied().unwrap_or(if cut >= header { header } else { 0 });
            assert_eq!((listing.whole_len, listing.ended), (expected, false), "cut at {cut}");
        }
    }

    #[test]
    fn segments_that_do_not_exist_are_not_listed() {
        let (_, text) = example();
        let listing = Listing::parse(text.as_bytes(), SegmentType::Fmp4, 1);
        assert_eq!(listing.segments.len(), 1);
        assert!(text[..listing.whole_len].ends_with("segment-000000.m4s\n"));
        assert_eq!(Listing::parse(text.as_bytes(), SegmentType::Ts, 3).segments.len(), 0);
    }

    #[test]
    fn a_second_header_or_any_other_tag_ends_the_reading() {
        let (_, text) = example();
        let whole = Listing::parse(text.as_bytes(), SegmentType::Fmp4, 3);
        for tag in ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:EVENT", "# by hand"] {
            let longer = format!("{text}{tag}\n");
            assert_eq!(Listing::parse(longer.as_bytes(), SegmentType::Fmp4, 3), whole, "{tag}");
            let within = text.replacen("#EXTINF", &format!("{tag}\n#EXTINF"), 1);
            let listing = Listing::parse(within.as_bytes(), SegmentType::Fmp4, 3);
            assert_eq!((listing.segments.len(), listing.target_duration), (0, Some(9)), "{tag}");
        }
    }

    #[test]
    fn a_target_that_no_segment_has_is_not_one() {
        let (_, text) = example();
        for (seconds, taken) in [("1000000", Some(1_000_000)), ("1000001", None), ("4294967", None), ("-1", None)] {
            let text = text.replace("TARGETDURATION:9", &format!("TARGETDURATION:{seconds}"));
            let listing = Listing::parse(text.as_bytes(), SegmentType::Fmp4, 3);
            assert_eq!(listing.target_duration, taken, "{seconds}");
            assert_eq!(listing.segments.len() > 0, taken.is_some(), "{seconds}");
        }
    }

    #[test]
    fn names_are_taken_exactly() {
        let number = |name| segment_number(name, SegmentType::Ts);
        assert_eq!(number("segment-000007.ts"), Some(7));
        assert_eq!(number("segment-1000000.ts"), Some(1_000_000));
        for name in ["segment-7.ts", "segment-0000007.ts", "segment-000007.m4s", "segment-+00007.ts", "x"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
