//! `[quality]`: what is told of the quality of what publishers send.

use livetape_record::QualityLimits;
use serde::{Deserialize, Serialize};

use super::Period;

/// From when on something is told. A zero, or `false`, turns a kind off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualitySettings {
    /// Jumps of a publisher's clock.
    pub jumps: bool,
    /// Changes of a codec, its configuration or the size of pictures.
    pub changes: bool,
    /// Timestamps of a track that repeat, or run back, in a second.
    pub moved_timestamps: u32,
    /// Between two frames of a track, when that is far longer than usual.
    pub gap: Period,
    /// How far pictures and sound that come together may be apart ...
    pub apart: Period,
    /// ... for how long.
    pub apart_for: Period,
    /// How much of one track may come without the other.
    pub missing_track: Period,
    /// Between two key frames.
    pub gop_max: Period,
    /// How many times longer or shorter than those before a group of pictures may be.
    pub gop_ratio: u32,
}

impl Default for QualitySettings {
    fn default() -> Self {
        let limits = QualityLimits::default();
        Self {
            jumps: limits.jumps,
            changes: limits.changes,
            moved_timestamps: limits.moved,
            gap: Period::from_millis(500),
            apart: Period::from_secs(1),
            apart_for: Period::from_secs(5),
            missing_track: Period::from_secs(10),
            gop_max: Period::from_secs(15),
            gop_ratio: limits.gop_ratio,
        }
    }
}

impl QualitySettings {
    /// The same for those who watch.
    pub fn limits(&self) -> QualityLimits {
        QualityLimits {
            jumps: self.jumps,
            changes: self.changes,
            moved: self.moved_timestamps,
            gap: self.gap.duration(),
            apart: self.apart.duration(),
            apart_for: self.apart_for.duration(),
            missing: self.missing_track.duration(),
            gop: self.gop_max.duration(),
            gop_ratio: self.gop_ratio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_defaults_are_the_same() {
        assert_eq!(QualitySettings::default().limits(), QualityLimits::default());
    }
}
