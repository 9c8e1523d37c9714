//! The gaps of a recording as its row has them, and as the API and events show them.

use std::time::Duration;

use livetape_media::WallTime;
use livetape_record::Gap;
use serde::Serialize;

/// A gap as the API and events show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GapView {
    /// The calendar's time where the media before it ends.
    #[serde(serialize_with = "crate::view::text")]
    pub from: WallTime,
    /// The calendar's time where the media behind it begins.
    #[serde(serialize_with = "crate::view::text")]
    pub to: WallTime,
    /// Where in the recording it is, in the time of a player.
    pub at_ms: u64,
    /// How long a player takes to pass it.
    pub length_ms: u64,
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self { from: gap.from, to: gap.to, at_ms: millis(gap.at), length_ms: millis(gap.length) }
    }
}

/// `[from, to, at, length, apart]` of each, in milliseconds.
pub(crate) fn write(gaps: &[Gap]) -> String {
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let numbers = gaps.iter().map(|gap| {
        let (from, to) = (gap.from.as_unix_millis(), gap.to.as_unix_millis());
        serde_json::Value::from(vec![from, to, millis(gap.at), millis(gap.length), millis(gap.apart)])
    });
    serde_json::Value::from_iter(numbers).to_string()
}

/// What [`write()`] wrote.
pub(crate) fn read(text: &str) -> Result<Vec<Gap>, serde_json::Error> {
    let numbers: Vec<(i64, i64, u64, u64, u64)> = serde_json::from_str(text)?;
    let gap = |(from, to, at, length, apart)| Gap {
        from: WallTime::from_unix_millis(from),
        to: WallTime::from_unix_millis(to),
        at: Duration::from_millis(at),
        length: Duration::from_millis(length),
        apart: Duration::from_millis(apart),
    };
    Ok(numbers.into_iter().map(gap).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_come_back() {
        let gap = |at, length, apart| Gap {
            from: WallTime::from_unix_millis(1_795_000_000_123),
            to: WallTime::from_unix_millis(1_795_000_009_456),
            at: Duration::from_millis(at),
            length: Duration::from_millis(length),
            apart: Duration::from_millis(apart),
        };
        let gaps = [gap(0, 0, 0), gap(7_000, 9_333, 9_333), gap(u64::MAX >> 1, 1, 2)];
        assert_eq!(read(&write(&gaps)).unwrap(), gaps);
        assert_eq!(read(&write(&[])).unwrap(), []);
        assert!(read("[[1,2,3]]").is_err() && read("[[1,2,-3,4,5]]").is_err());
    }
}
