//! The gaps of a recording as its row has them, and as the API and events show them.

use std::time::Duration;

use livetape_media::WallTime;
use livetape_record::Gap;
use serde::{Deserialize, Serialize};

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
    /// Media that had come behind `from` and that a crash cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_ms: Option<u64>,
}

impl GapView {
    /// Those of a recording.
    pub(crate) fn all(gaps: &[Gap]) -> Vec<Self> {
        gaps.iter().filter(|gap| !gap.is_nothing()).copied().map(Self::from).collect()
    }
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let lost_ms = Some(millis(gap.lost)).filter(|lost| *lost > 0);
        Self { from: gap.from, to: gap.to, at_ms: millis(gap.at), length_ms: millis(gap.length), lost_ms }
    }
}

/// `[from, to, at, length, apart]` of each, in milliseconds; and `lost`, where there is some.
pub(crate) fn write(gaps: &[Gap]) -> String {
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let numbers = gaps.iter().map(|gap| {
        let (from, to) = (gap.from.as_unix_millis(), gap.to.as_unix_millis());
        let lost = Some(millis(gap.lost)).filter(|lost| *lost > 0);
        let numbers = [from, to, millis(gap.at), millis(gap.length), millis(gap.apart)].into_iter().chain(lost);
        numbers.collect::<serde_json::Value>()
    });
    serde_json::Value::from_iter(numbers).to_string()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Lost(i64, i64, u64, u64, u64, u64),
    Whole(i64, i64, u64, u64, u64),
}

/// What [`write()`] wrote.
pub(crate) fn read(text: &str) -> Result<Vec<Gap>, serde_json::Error> {
    let numbers: Vec<Numbers> = serde_json::from_str(text)?;
    let gap = |numbers| {
        let (from, to, at, length, apart, lost) = match numbers {
            Numbers::Lost(from, to, at, length, apart, lost) => (from, to, at, length, apart, lost),
            Numbers::Whole(from, to, at, length, apart) => (from, to, at, length, apart, 0),
        };
        Gap {
            from: WallTime::from_unix_millis(from),
            to: WallTime::from_unix_millis(to),
            at: Duration::from_millis(at),
            length: Duration::from_millis(length),
            apart: Duration::from_millis(apart),
            lost: Duration::from_millis(lost),
        }
    };
    Ok(numbers.into_iter().map(gap).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_come_back() {
        let gap = |at, length, apart, lost| Gap {
            from: WallTime::from_unix_millis(1_795_000_000_123),
            to: WallTime::from_unix_millis(1_795_000_009_456),
            at: Duration::from_millis(at),
            length: Duration::from_millis(length),
            apart: Duration::from_millis(apart),
            lost: Duration::from_millis(lost),
        };
        let gaps = [gap(0, 0, 0, 0), gap(7_000, 9_333, 9_333, 350), gap(u64::MAX >> 1, 1, 2, 0)];
        assert_eq!(read(&write(&gaps)).unwrap(), gaps);
        assert_eq!(read(&write(&[])).unwrap(), []);
        assert_eq!(read("[[1,2,3,4,5]]").unwrap()[0].lost, Duration::ZERO);
        assert!(read("[[1,2,3]]").is_err() && read("[[1,2,-3,4,5]]").is_err());
    }
}
