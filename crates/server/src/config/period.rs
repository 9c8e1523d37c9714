//! Lengths of time as people write them: `400ms`, `10s`, `30min`, `12h`, `7d`, `1h 30min`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(u64);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Period {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// So many minutes.
    pub const fn from_mins(minutes: u64) -> Self {
        Self(minutes.saturating_mul(60_000))
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Period {
    /// The largest units first, each at most once: `1h 30min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        let mut separator = "";
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{separator}{}{unit}", rest / millis)?;
                rest %= millis;
                separator = " ";
            }
        }
        Ok(())
    }
}

/// The text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a length of time; write a number and a unit (ms, s, min, h, d), such as \"400ms\", \"30min\" or \"1h 30min\""
)]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        parse(text).map(Self).ok_or_else(|| PeriodError(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: Option<u64> = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit = match unit {
            "m" | "mins" | "minute" | "minutes" => "min",
            "sec" | "secs" | "second" | "seconds" => "s",
            "hour" | "hours" => "h",
            "day" | "days" => "d",
            other => other,
        };
        let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        total = Some(total.unwrap_or(0).checked_add(part)?);
        rest = tail.trim_start();
    }
    total
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time in quotes, such as \"10s\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_lengths_of_time_in_many_ways() {
        for (text, millis) in [
            ("400ms", 400),
            ("10s", 10_000),
            ("30min", 1_800_000),
            ("30m", 1_800_000),
            ("12h", 43_200_000),
            ("7 days", 604_800_000),
            ("1h 30min", 5_400_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Period::from_millis(millis)), "{text}");
        }
        for bad in ["", " ", "10", "s", "-1s", "1.5h", "10 parsecs", "99999999999999999999s", "18446744073709551615d"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(millis: u64) {
            let period = Period::from_millis(millis);
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Period>();
        }
    }
}
