//! The audio grid: sound whose frames are all equally long stands at equal steps, although the
//! publisher's timestamps are rounded to milliseconds.
//!
//! Contract: no frame is moved by a millisecond or more. Within that, frames follow each other at
//! exactly their length, so that the duration table has one entry and players hear no seams. Where a
//! timestamp is further off (a gap, an overlap, a clock that drifts), the grid begins anew.

use livetape_media::MediaTime;

/// A frame closer to the grid than this stands on it.
const TOLERANCE: MediaTime = MediaTime::from_nanos(900_000);
/// Up to here the grid is drawn halfway towards the frame: rounding, or a drifting clock. From here
/// on there is a gap or an overlap.
const STEER: MediaTime = MediaTime::from_nanos(1_800_000);
/// Timestamps rounded to milliseconds, however they were rounded, lie this close together around the
/// grid.
const ROUNDING: MediaTime = MediaTime::from_nanos(1_000_000);

/// Where the frames of one audio track stand.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    step: u32,
    timescale: u32,
    /// Where the grid begins, and how many frames stand on it.
    anchor: Option<(MediaTime, u64)>,
}

impl Grid {
    /// Frames `step` ticks long on a clock of `timescale` ticks a second.
    pub(super) fn new(step: u32, timescale: u32) -> Self {
        Self { step, timescale, anchor: None }
    }

    /// Begins the grid so that all of the first `times` lie around it, not only after it: with
    /// timestamps rounded down, the first is as likely to be off as any other.
    pub(super) fn begin(&mut self, times: impl Iterator<Item = MediaTime>) {
        let mut first = None;
        let (mut low, mut high) = (MediaTime::ZERO, MediaTime::ZERO);
        for (count, time) in (0u64..).zip(times) {
            let start = *first.get_or_insert(time);
            let off = time - start - self.offset(count);
            let (lower, higher) = (low.min(off), high.max(off));
            if higher - lower > ROUNDING {
                break;
            }
            (low, high) = (lower, higher);
        }
        self.anchor = first.map(|start| (start + half(low + high), 0));
    }

    /// Where the grid begins, if it has.
    pub(super) fn start(&self) -> Option<MediaTime> {
        self.anchor.map(|(start, _)| start)
    }

    /// Where the next frame, stamped `time`, stands: in ticks since `origin`.
    pub(super) fn place(&mut self, time: MediaTime, origin: MediaTime) -> i64 {
        let (start, count) = self.anchor.unwrap_or((time, 0));
        let expected = start + self.offset(count);
        let off = time - expected;
        let distance = MediaTime::from_nanos(off.as_nanos().saturating_abs());
        let (start, count) = if distance < TOLERANCE {
            (start, count)
        } else if distance < STEER {
            (expected + half(off), 0)
        } else {
            (time, 0)
        };
        self.anchor = Some((start, count + 1));
        (start - origin).to_ticks(self.timescale).saturating_add(self.ticks(count))
    }

    fn ticks(&self, count: u64) -> i64 {
        i64::try_from(count.saturating_mul(u64::from(self.step))).unwrap_or(i64::MAX)
    }

    fn offset(&self, count: u64) -> MediaTime {
        MediaTime::from_ticks(self.ticks(count), self.timescale)
    }
}

fn half(time: MediaTime) -> MediaTime {
    MediaTime::from_nanos(time.as_nanos() / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Places frames as they come from a fragmenter: the first `together` are known at once.
    fn place(timescale: u32, together: usize, times: &[MediaTime]) -> Vec<i64> {
        let mut grid = Grid::new(1024, timescale);
        grid.begin(times.iter().copied().take(together));
        times.iter().map(|time| grid.place(*time, MediaTime::ZERO)).collect()
    }

    fn steps(ticks: &[i64]) -> Vec<i64> {
        ticks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    fn stamps(timescale: u32, first_ns: i64, frames: i64) -> Vec<MediaTime> {
        (0..frames)
            .map(|n| MediaTime::from_nanos(first_ns) + MediaTime::from_ticks(n * 1024, timescale))
            .map(|time| MediaTime::from_millis(time.as_millis()))
            .collect()
    }

    #[test]
    fn timestamps_rounded_to_milliseconds_give_one_step_for_hours() {
        for timescale in [44_100, 48_000, 22_050, 24_000, 32_000] {
            for first in [0, 300_000, 999_000] {
                let times = stamps(timescale, first, 200_000);
                let steps = steps(&place(timescale, 17, &times));
                assert!(steps.iter().all(|step| *step == 1024), "{timescale} Hz from {first} ns");
            }
        }
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let mut times = stamps(48_000, 0, 100);
        for time in &mut times[50..] {
            *time = *time + MediaTime::from_millis(500);
        }
        let steps = steps(&place(48_000, 17, &times));
        assert_eq!(steps.iter().filter(|step| **step != 1024).count(), 1);
        assert!((steps[49] - 1024 - 24_000).abs() < 48, "{}", steps[49]);
    }

    proptest! {
        #[test]
        fn no_frame_moves_by_a_millisecond(
            timescale in prop::sample::select(vec![8_000u32, 11_025, 22_050, 24_000, 44_100, 48_000, 96_000]),
            together in 1usize..30,
            steps in proptest::collection::vec(1i64..60, 1..400),
        ) {
            let mut now = 0;
            let times: Vec<_> = steps.iter().map(|ms| { now += ms; MediaTime::from_millis(now) }).collect();
            for (time, ticks) in times.iter().zip(place(timescale, together, &times)) {
                let moved = (MediaTime::from_ticks(ticks, timescale) - *time).as_nanos().abs();
                prop_assert!(moved < 1_000_000, "{} ns", moved);
            }
        }

        #[test]
        fn a_drifting_clock_is_followed(ppm in -2000i64..2000) {
            let times: Vec<_> = (0..20_000i64)
                .map(|n| MediaTime::from_ticks(n * 1024, 48_000).as_nanos())
                .map(|ns| MediaTime::from_millis((ns + ns / 1_000_000 * ppm) / 1_000_000))
                .collect();
            for (time, ticks) in times.iter().zip(place(48_000, 17, &times)) {
                let moved = (MediaTime::from_ticks(ticks, 48_000) - *time).as_nanos().abs();
                prop_assert!(moved < 1_000_000, "{} ns", moved);
            }
        }
    }
}
