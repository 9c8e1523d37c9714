//! Cutting by the calendar's clock.

use std::time::Duration;

use livetape_media::WallTime;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// The shortest period.
const MIN_MS: i64 = 10_000;

/// A recording ends at the first key frame at or after each multiple of a period, counted from midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Align {
    period_ms: i64,
    offset: UtcOffset,
}

/// How far a place's clocks are ahead of UTC: `UTC`, `+08:00`, `-03:30`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UtcOffset {
    minutes: i64,
}

/// A period or an offset that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlignError {
    /// The period does not divide a day.
    #[error("a day must be a whole number of these periods, each 10 s or longer, such as \"15min\", \"1h\" or \"1d\"")]
    Period,
    /// The offset is none.
    #[error("'{0}' is no offset from UTC; write \"UTC\", \"+08:00\" or \"-03:30\"")]
    Offset(String),
}

impl Align {
    /// By multiples of `period` where clocks are `offset` ahead of UTC.
    ///
    /// # Errors
    /// When a day is not a whole number of periods, or they are shorter than 10 s.
    pub fn new(period: Duration, offset: UtcOffset) -> Result<Self, AlignError> {
        let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let good = period.subsec_nanos().is_multiple_of(1_000_000) && (MIN_MS..=DAY_MS).contains(&period_ms);
        if good && DAY_MS % period_ms == 0 { Ok(Self { period_ms, offset }) } else { Err(AlignError::Period) }
    }

    /// The first moment after `moment` at which recordings are cut.
    pub fn next_after(&self, moment: WallTime) -> WallTime {
        let local = moment.as_unix_millis().saturating_add(self.offset.minutes * MINUTE_MS);
        moment.plus_millis(self.period_ms - local.rem_euclid(self.period_ms))
    }
}

impl std::str::FromStr for UtcOffset {
    type Err = AlignError;

    fn from_str(text: &str) -> Result<Self, AlignError> {
        if matches!(text, "UTC" | "Z") {
            return Ok(Self::default());
        }
        let number = |digits: &str| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i64>().ok().filter(|_| plain)
        };
        let parse = || {
            let ahead = text.strip_prefix('+').map(|rest| (1, rest));
            let (sign, rest) = ahead.or_else(|| text.strip_prefix('-').map(|rest| (-1, rest)))?;
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            (hours <= 14 && minutes < 60).then_some(Self { minutes: sign * (hours * 60 + minutes) })
        };
        parse().ok_or_else(|| AlignError::Offset(text.chars().take(20).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(period_s: u64, offset: &str, moment: &str) -> String {
        let align = Align::new(Duration::from_secs(period_s), offset.parse().unwrap()).unwrap();
        align.next_after(moment.parse().unwrap()).to_string()
    }

    #[test]
    fn the_next_moment_is_a_multiple_of_the_period_of_the_places_day() {
        assert_eq!(next(3600, "UTC", "2026-11-22T21:07:00.123Z"), "2026-11-22T22:00:00.000Z");
        assert_eq!(next(3600, "UTC", "2026-11-22T22:00:00Z"), "2026-11-22T23:00:00.000Z");
        assert_eq!(next(900, "UTC", "2026-11-22T21:59:59.999Z"), "2026-11-22T22:00:00.000Z");
        assert_eq!(next(86_400, "UTC", "2026-11-22T21:07:00Z"), "2026-11-23T00:00:00.000Z");
        assert_eq!(next(86_400, "+08:00", "2026-11-22T21:07:00Z"), "2026-11-23T16:00:00.000Z");
        assert_eq!(next(3600, "-03:30", "2026-11-22T21:07:00Z"), "2026-11-22T21:30:00.000Z");
        assert_eq!(next(3600, "UTC", "1969-12-31T23:10:00Z"), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn periods_that_do_not_divide_a_day_and_offsets_that_are_none_are_refused() {
        for seconds in [0, 9, 11, 7 * 60, 86_401, 2 * 86_400] {
            assert_eq!(Align::new(Duration::from_secs(seconds), UtcOffset::default()), Err(AlignError::Period));
        }
        assert!(Align::new(Duration::from_millis(10_800), UtcOffset::default()).is_ok());
        for bad in ["", "8", "+8:00", "+08:60", "+15:00", "+0a:00", "08:00", "+-8:00"] {
            assert!(bad.parse::<UtcOffset>().is_err(), "{bad}");
        }
    }
}
