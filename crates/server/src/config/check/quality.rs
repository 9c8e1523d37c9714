//! What types cannot say of `[quality]`.

use super::{Findings, HOUR, Period};
use crate::config::QualitySettings;

pub(super) fn quality(quality: &QualitySettings, findings: &mut Findings<'_>) {
    let off = Period::from_millis(0);
    findings.count("quality.moved_timestamps", quality.moved_timestamps, 0..=1_000_000);
    for (setting, value) in [
        ("quality.gap", quality.gap),
        ("quality.apart", quality.apart),
        ("quality.apart_for", quality.apart_for),
        ("quality.missing_track", quality.missing_track),
        ("quality.gop_max", quality.gop_max),
    ] {
        findings.period(setting, value, off..=HOUR);
    }
    findings.count("quality.gop_ratio", quality.gop_ratio, 0..=1_000);
    if quality.gop_ratio == 1 {
        findings
            .problem("quality.gop_ratio", "no two groups of pictures are of the same length; 2 at least, or 0 for off");
    }
}
