//! What a template may say.

use std::ops::RangeInclusive;
use std::time::Duration;

use livetape_media::Format;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The smallest recording that a size may cut.
const MIN_BYTES: u64 = 1 << 20;

/// A value that is beyond what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A recording's length.
    #[error("an {format} recording must be allowed to last between {min} and {max}")]
    MaxDuration {
        /// Its format, as it is read out.
        format: &'static str,
        /// The shortest.
        min: &'static str,
        /// The longest.
        max: &'static str,
    },
    /// A segment's length.
    #[error("an HLS segment must last between 2s and 30s")]
    Segment,
    /// A recording's size.
    #[error("a recording must be allowed 1MiB or more")]
    MaxBytes,
    /// A name.
    #[error("a name must be 1 to 64 letters, digits, '-' and '_'")]
    Name,
}

/// Whether recordings in `format` may become so long.
///
/// # Errors
/// When they may not, with what they may.
pub fn check_max_duration(format: Format, most: Duration) -> Result<(), LimitError> {
    let (allowed, name, min, max): (RangeInclusive<u64>, _, _, _) = match format {
        Format::Mp4 => (MINUTE..=12 * HOUR, "MP4", "1min", "12h"),
        Format::Flv => (MINUTE..=12 * HOUR, "FLV", "1min", "12h"),
        Format::Hls => (10 * MINUTE..=7 * DAY, "HLS", "10min", "7d"),
    };
    let within = Duration::from_secs(*allowed.start())..=Duration::from_secs(*allowed.end());
    if within.contains(&most) { Ok(()) } else { Err(LimitError::MaxDuration { format: name, min, max }) }
}

/// Whether HLS segments may last so long.
///
/// # Errors
/// When they may not.
pub fn check_segment(length: Duration) -> Result<(), LimitError> {
    let good = (Duration::from_secs(2)..=Duration::from_secs(30)).contains(&length);
    if good { Ok(()) } else { Err(LimitError::Segment) }
}

/// Whether recordings may be cut when they have so many bytes.
///
/// # Errors
/// When that is too few.
pub fn check_max_bytes(bytes: u64) -> Result<(), LimitError> {
    if bytes >= MIN_BYTES { Ok(()) } else { Err(LimitError::MaxBytes) }
}

/// Whether a template or a rule may be called so.
///
/// # Errors
/// When it may not.
pub fn check_name(name: &str) -> Result<(), LimitError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if plain && (1..=64).contains(&name.len()) { Ok(()) } else { Err(LimitError::Name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded_for_each_format() {
        for (format, min, max) in [(Format::Mp4, 60, 43_200), (Format::Flv, 60, 43_200), (Format::Hls, 600, 604_800)] {
            for (seconds, good) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
                let result = check_max_duration(format, Duration::from_secs(seconds));
                assert_eq!(result.is_ok(), good, "{format} {seconds}: {result:?}");
            }
        }
        let error = check_max_duration(Format::Hls, Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "an HLS recording must be allowed to last between 10min and 7d");
    }

    #[test]
    fn segments_sizes_and_names_are_bounded() {
        for (seconds, good) in [(1, false), (2, true), (30, true), (31, false)] {
            assert_eq!(check_segment(Duration::from_secs(seconds)).is_ok(), good);
        }
        assert_eq!((check_max_bytes(1 << 20), check_max_bytes(1)), (Ok(()), Err(LimitError::MaxBytes)));
        assert_eq!(check_name("court-3_b"), Ok(()));
        for bad in ["", "a b", "é", "a/b", &"x".repeat(65)] {
            assert_eq!(check_name(bad), Err(LimitError::Name), "{bad}");
        }
    }
}
