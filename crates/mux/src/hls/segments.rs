//! The segments of a recording, in four bytes each: what its playlists are made of.

use livetape_media::WallTime;

/// The finished segments of a recording, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentList {
    /// Of each segment, how long it lasts in milliseconds.
    durations_ms: Vec<u32>,
    /// Segments that playlists say more of, in order.
    marks: Vec<Mark>,
    total_ms: u64,
    longest_ms: u32,
}

/// What playlists say before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The segment's number.
    pub(super) number: u32,
    /// The stream does not go on seamlessly from the segment before.
    pub(super) discontinuity: bool,
    /// The wall clock where it begins.
    pub(super) wall: WallTime,
    /// The initialisation section from there on; none for transport streams.
    pub(super) map: Option<u32>,
}

impl SegmentList {
    /// One more segment; `mark` bears its number if there is one.
    pub(super) fn push(&mut self, duration_ms: u32, mark: Option<Mark>) {
        self.durations_ms.push(duration_ms);
        self.marks.extend(mark);
        self.total_ms += u64::from(duration_ms);
        self.longest_ms = self.longest_ms.max(duration_ms);
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.durations_ms.len()).unwrap_or(u32::MAX)
    }

    /// How long they last together, in milliseconds.
    pub(super) fn total_ms(&self) -> u64 {
        self.total_ms
    }

    /// What TARGETDURATION must be for them: the longest, rounded to whole seconds (RFC 8216,
    /// 4.3.3.1), at least 1.
    pub(super) fn target_duration(&self) -> u32 {
        rounded_seconds(self.longest_ms).max(1)
    }

    /// Every segment: its number, its duration in milliseconds, and its mark.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32, Option<&Mark>)> {
        let mut marks = self.marks.iter().peekable();
        (0..)
            .zip(&self.durations_ms)
            .map(move |(number, duration_ms)| (number, *duration_ms, marks.next_if(|mark| mark.number == number)))
    }

    /// Segments that playlists say more of.
    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }
}

/// To the nearest whole second, as playlists compare durations with TARGETDURATION.
pub(super) fn rounded_seconds(millis: u32) -> u32 {
    millis.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_duration_is_the_longest_segment_rounded() {
        let mut list = SegmentList::default();
        assert_eq!(list.target_duration(), 1);
        list.push(6_499, None);
        assert_eq!(list.target_duration(), 6);
        list.push(6_500, None);
        list.push(2_000, None);
        assert_eq!((list.target_duration(), list.total_ms()), (7, 14_999));
    }

    #[test]
    fn marks_stand_before_their_segments() {
        let mark = |number| Mark { number, discontinuity: number > 0, wall: WallTime::default(), map: None };
        let mut list = SegmentList::default();
        list.push(1, Some(mark(0)));
        list.push(2, None);
        list.push(3, Some(mark(2)));
        let seen: Vec<_> = list.iter().map(|(number, ms, mark)| (number, ms, mark.map(|mark| mark.number))).collect();
        assert_eq!(seen, [(0, 1, Some(0)), (1, 2, None), (2, 3, Some(2))]);
    }
}
