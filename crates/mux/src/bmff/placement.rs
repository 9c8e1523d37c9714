//! From the session's timeline to the ticks of one track's clock.

use livetape_media::MediaTime;

use super::TrackEntry;
use super::grid::Grid;

/// Where the common timeline of all tracks has its zero.
///
/// `tfdt` cannot be negative: whatever would stand before the zero is moved to it (and counted as
/// repaired).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// At this moment of the session's timeline. It must leave room for sound that begins before the
    /// first picture and for pictures decoded before they are shown: 2 s before the first frame is
    /// plenty. A whole number of milliseconds keeps video times exact.
    At(MediaTime),
    /// At the earliest decoding time among the frames of the first fragment, rounded down to a
    /// millisecond; a second earlier when a track has shown no frame by then.
    FirstFragment,
}

/// Places the frames of one track.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    timescale: u32,
    clock: Clock,
    /// Where the last frame was put.
    last: Option<i64>,
    /// Frames that were moved by a millisecond or more.
    pub(super) repaired: u64,
}

#[derive(Clone, Debug)]
enum Clock {
    /// Pictures are decoded this much earlier than the publisher says, so that none is shown before
    /// it is decoded.
    Lowered(MediaTime),
    Grid(Grid),
}

impl Placement {
    pub(super) fn new(entry: &TrackEntry) -> Self {
        let clock = match entry.step {
            Some(step) if !entry.is_video() => Clock::Grid(Grid::new(step, entry.timescale)),
            _ => Clock::Lowered(MediaTime::ZERO),
        };
        Self { timescale: entry.timescale, clock, last: None, repaired: 0 }
    }

    /// Frames have been put up to `last`.
    pub(super) fn go_on_behind(&mut self, last: Option<u64>) {
        self.last = last.map(|last| i64::try_from(last).unwrap_or(i64::MAX));
    }

    /// Learns from the decoding and presentation times of the track's first frames, all that are known
    /// before any is placed, and returns where the first will be decoded.
    pub(super) fn begin(&mut self, times: &[(MediaTime, MediaTime)]) -> Option<MediaTime> {
        let (first, _) = *times.first()?;
        match &mut self.clock {
            Clock::Lowered(by) => {
                *by = times.iter().map(|(dts, pts)| *dts - *pts).max().unwrap_or_default().max(MediaTime::ZERO);
                Some(first - *by)
            }
            Clock::Grid(grid) => {
                grid.begin(times.iter().map(|(dts, _)| *dts));
                grid.start()
            }
        }
    }

    /// Puts the next frame: its decoding time in ticks since `origin`, never negative and always after
    /// the last one's, and the offset from there to its presentation.
    pub(super) fn place(&mut self, dts: MediaTime, pts: MediaTime, origin: MediaTime) -> (i64, i32) {
        let wanted = match &mut self.clock {
            Clock::Lowered(by) => (dts - *by - origin).to_ticks(self.timescale),
            Clock::Grid(grid) => grid.place(dts, origin),
        };
        let ticks = wanted.max(self.last.map_or(0, |last| last.saturating_add(1)));
        if (ticks - wanted).saturating_mul(1000) >= i64::from(self.timescale) {
            self.repaired += 1;
        }
        self.last = Some(ticks);
        let composition = match &self.clock {
            Clock::Lowered(_) => (pts - origin).to_ticks(self.timescale).saturating_sub(ticks),
            Clock::Grid(_) => 0,
        };
        (ticks, composition.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
    }

    /// A moment of the session's timeline as a decoding time of this track.
    pub(super) fn end(&self, moment: MediaTime, origin: MediaTime) -> i64 {
        let lowered = match &self.clock {
            Clock::Lowered(by) => *by,
            Clock::Grid(_) => MediaTime::ZERO,
        };
        (moment - lowered - origin).to_ticks(self.timescale)
    }
}
