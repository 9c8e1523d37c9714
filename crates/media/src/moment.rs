//! Moments: on a session's media timeline, and of the machine.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::WallTime;

/// A moment, or a signed distance, on a session's own unwrapped media timeline, in nanoseconds.
///
/// Not wall clock: zero is wherever the publisher's timestamps begin. All arithmetic saturates, so
/// that no timestamp a publisher invents can overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The origin of the timeline; as a distance, nothing.
    pub const ZERO: Self = Self(0);
    /// Later than every other moment.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds, the unit of RTMP and FLV timestamps.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From ticks of a clock of `timescale` ticks a second, rounded to the nearest nanosecond.
    ///
    /// A `timescale` of zero counts as one tick a second.
    pub fn from_ticks(ticks: i64, timescale: u32) -> Self {
        Self(rescale(ticks, 1_000_000_000, i64::from(timescale.max(1))))
    }

    /// In nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// In milliseconds, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// In ticks of a clock of `timescale` ticks a second, rounded to the nearest tick.
    pub fn to_ticks(self, timescale: u32) -> i64 {
        rescale(self.0, i64::from(timescale), 1_000_000_000)
    }

    /// This much later.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self + Self::from(duration)
    }

    /// As a length of time; nothing when negative.
    pub fn to_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

/// `value * numerator / denominator`, rounded to the nearest, halves away from zero; saturating. Of numerator and
/// denominator, both positive, one is below 2^32 and the other a billion at most, so that what is left of their
/// product with a remainder fits: every sample's times pass here, and a division of 128 bits costs ten of 64.
fn rescale(value: i64, numerator: i64, denominator: i64) -> i64 {
    let (whole, rest) = (value / denominator, value % denominator);
    let (product, half) = (rest * numerator, denominator / 2);
    let rounded = if value >= 0 { product + half } else { product - half } / denominator;
    whole.saturating_mul(numerator).saturating_add(rounded)
}

impl From<Duration> for MediaTime {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = self.0.unsigned_abs() / 1_000_000;
        write!(f, "{sign}{}.{:03} s", millis / 1000, millis % 1000)
    }
}

/// What the shell's clocks show when it calls into the pure crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since an arbitrary origin; never steps. Time-outs are measured on it.
    pub mono: Duration,
    /// The calendar's time; may step. Only for names, playlists and rows.
    pub wall: WallTime,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn milliseconds_survive_a_90_khz_clock_exactly() {
        for ms in [0, 1, 33, 67, 12 * 3_600_000 + 1] {
            let time = MediaTime::from_millis(ms);
            assert_eq!(time.to_ticks(90_000), ms * 90);
            assert_eq!(MediaTime::from_ticks(ms * 90, 90_000), time);
        }
    }

    #[test]
    fn negative_moments_round_down_to_milliseconds() {
        assert_eq!(MediaTime::from_nanos(-1).as_millis(), -1);
        assert_eq!(MediaTime::from_millis(-5).to_string(), "-0.005 s");
    }

    proptest! {
        #[test]
        fn ticks_round_trip(ticks in -1_000_000_000_000i64..1_000_000_000_000, scale in 1_000u32..200_000) {
            // So many ticks of less than 110 to the second are more than 292 years, where time saturates.
            prop_assert_eq!(MediaTime::from_ticks(ticks, scale).to_ticks(scale), ticks);
        }

        #[test]
        fn ticks_are_those_of_exact_arithmetic(nanos: i64, scale: u32) {
            let exact = |value: i64, numerator: i128, denominator: i128| {
                let product = i128::from(value) * numerator;
                let half = if product >= 0 { denominator / 2 } else { -(denominator / 2) };
                let rounded = (product + half) / denominator;
                rounded.clamp(i64::MIN.into(), i64::MAX.into())
            };
            let time = MediaTime::from_nanos(nanos);
            prop_assert_eq!(i128::from(time.to_ticks(scale)), exact(nanos, scale.into(), 1_000_000_000));
            let back = MediaTime::from_ticks(nanos, scale).as_nanos();
            prop_assert_eq!(i128::from(back), exact(nanos, 1_000_000_000, scale.max(1).into()));
        }

        #[test]
        fn no_input_panics(a: i64, b: i64, scale: u32) {
            let (a, b) = (MediaTime::from_nanos(a), MediaTime::from_nanos(b));
            let _ = (a + b, a - b, a.to_ticks(scale), MediaTime::from_ticks(b.as_nanos(), scale), a.to_duration());
        }
    }
}
