//! Measuring the frame rate of a video track from its decoding times.

use livetape_media::MediaTime;

/// A longer interval between pictures is a pause of the publisher and says nothing of the rate.
const PAUSE: MediaTime = MediaTime::from_millis(5_000);

/// A shorter one is none, however quick the pictures were.
const LEAST_PAUSE: MediaTime = MediaTime::from_millis(500);
/// So many times the mean interval.
const PAUSE_RATIO: u64 = 4;

/// Measures a frame rate. Plain numbers, so that a measurement can be kept and gone on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RateMeter {
    last: Option<MediaTime>,
    /// Intervals measured.
    pub(crate) intervals: u64,
    /// Their sum, in nanoseconds.
    pub(crate) span_nanos: u64,
}

impl RateMeter {
    /// A measurement that goes on from these numbers.
    pub(crate) fn resume(intervals: u64, span_nanos: u64) -> Self {
        Self { last: None, intervals, span_nanos }
    }

    /// One more picture, decoded at `dts`.
    pub(crate) fn frame(&mut self, dts: MediaTime) {
        if let Some(last) = self.last.replace(dts) {
            let interval = dts - last;
            if interval > MediaTime::ZERO && interval <= PAUSE {
                self.intervals += 1;
                self.span_nanos = self.span_nanos.saturating_add(interval.as_nanos().unsigned_abs());
            }
        }
    }

    /// Whether a picture decoded at `dts` comes so much later than others that its publisher was gone in between: for
    /// files that do not say where that was.
    pub(crate) fn pauses_before(&self, dts: MediaTime) -> bool {
        let Some(interval) = self.last.map(|last| dts - last).filter(|interval| *interval > LEAST_PAUSE) else {
            return false;
        };
        let mean = self.span_nanos.checked_div(self.intervals);
        mean.is_some_and(|mean| interval.as_nanos().unsigned_abs() > mean.saturating_mul(PAUSE_RATIO))
    }

    /// The next picture does not follow the last one.
    pub(crate) fn interrupt(&mut self) {
        self.last = None;
    }

    /// Adds what another measurement, of other pictures, found.
    pub(crate) fn add(&mut self, other: &Self) {
        self.intervals += other.intervals;
        self.span_nanos = self.span_nanos.saturating_add(other.span_nanos);
    }

    /// Frames a second; 0 when there were not two frames to tell it from.
    pub(crate) fn frames_per_second(&self) -> f64 {
        if self.span_nanos == 0 { 0.0 } else { self.intervals as f64 * 1e9 / self.span_nanos as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(times_ms: &[i64]) -> f64 {
        let mut meter = RateMeter::default();
        times_ms.iter().for_each(|ms| meter.frame(MediaTime::from_millis(*ms)));
        meter.frames_per_second()
    }

    #[test]
    fn the_rate_is_intervals_over_time() {
        assert_eq!(measure(&[]), 0.0);
        assert_eq!(measure(&[40]), 0.0);
        assert_eq!(measure(&[0, 40, 80, 120]), 25.0);
        assert!((measure(&[0, 33, 67, 100]) - 30.0).abs() < 1e-9);
    }

    #[test]
    fn a_pause_does_not_lower_the_rate() {
        assert_eq!(measure(&[0, 40, 80, 60_080, 60_120]), 25.0);
    }
}
