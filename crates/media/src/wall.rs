//! The calendar's time.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

const MIN_MS: i64 = -62_167_219_200_000;
const MAX_MS: i64 = 253_402_300_799_999;

impl WallTime {
    /// From milliseconds since the Unix epoch; what is out of range becomes the nearest in range.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(MIN_MS, MAX_MS))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// This many milliseconds later (earlier when negative).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// As a calendar date and time in UTC.
    pub fn to_utc(self) -> OffsetDateTime {
        let nanos = i128::from(self.0) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC with milliseconds: `2026-11-22T21:07:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.to_utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        )
    }
}

/// The text is not an RFC 3339 date and time within the years 0000 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a date and time as RFC 3339 writes it (2026-11-22T21:07:00Z)")]
pub struct WallTimeError(String);

impl FromStr for WallTime {
    type Err = WallTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || WallTimeError(text.chars().take(64).collect());
        let t = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| fail())?;
        let millis = t.unix_timestamp_nanos().div_euclid(1_000_000);
        let millis = i64::try_from(millis).map_err(|_| fail())?;
        if (MIN_MS..=MAX_MS).contains(&millis) { Ok(Self(millis)) } else { Err(fail()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["2026-11-22T21:07:00.123Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"] {
            let time: WallTime = text.parse().unwrap();
            assert_eq!(time.to_string(), text);
        }
        let offset: WallTime = "2026-11-22T22:07:00+01:00".parse().unwrap();
        assert_eq!(offset.to_string(), "2026-11-22T21:07:00.000Z");
        assert!("yesterday".parse::<WallTime>().is_err());
    }

    #[test]
    fn out_of_range_is_clamped() {
        assert_eq!(WallTime::from_unix_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(WallTime::from_unix_millis(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }
}
