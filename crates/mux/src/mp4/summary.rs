//! What a finished file holds.

use livetape_media::{AudioFormat, Codec, FrameRate, MediaTime, VideoFormat};

use super::layout::Completed;
use crate::bmff::{Movie, TrackEntry, TrackIndex};
use crate::{AudioSummary, Summary, VideoSummary};

/// Describes a completed file of `tracks`. `zero` is the moment of the session's timeline that the
/// fragments count from.
pub(super) fn summary(
    tracks: &[(&TrackEntry, &TrackIndex)],
    movie: &Movie,
    zero: MediaTime,
    completed: Completed,
) -> Summary {
    let find = |video| tracks.iter().find(|(entry, _)| entry.is_video() == video);
    Summary {
        size_bytes: completed.size_bytes,
        duration: movie.duration,
        start: zero + movie.start,
        video: find(true).and_then(|(entry, index)| video(entry, index)),
        audio: find(false).and_then(|(entry, index)| audio(entry, index)),
        index_at_end: completed.index_at_end,
        repaired_frames: 0,
        playlists: None,
    }
}

fn video(entry: &TrackEntry, index: &TrackIndex) -> Option<VideoSummary> {
    let config = entry.config.as_ref();
    let (width, height) = entry.size;
    let format = config.and_then(|config| config.video()).unwrap_or(VideoFormat { width, height, frame_rate: None });
    Some(VideoSummary {
        codec: codec(entry)?,
        codec_string: codec_string(entry),
        format,
        frames: index.samples(),
        frame_rate: frame_rate(entry, index, format.frame_rate),
    })
}

fn audio(entry: &TrackEntry, index: &TrackIndex) -> Option<AudioSummary> {
    let unknown = AudioFormat {
        sample_rate: entry.timescale,
        output_sample_rate: entry.timescale,
        channels: 0,
        samples_per_frame: None,
    };
    let format = entry.config.as_ref().and_then(|config| config.audio()).unwrap_or(unknown);
    Some(AudioSummary { codec: codec(entry)?, codec_string: codec_string(entry), format, frames: index.samples() })
}

fn codec(entry: &TrackEntry) -> Option<Codec> {
    let by_name = match entry.fourcc() {
        b"avc1" => Some(Codec::Avc),
        b"hvc1" => Some(Codec::Hevc),
        b"av01" => Some(Codec::Av1),
        b"vp09" => Some(Codec::Vp9),
        b"mp4a" => Some(Codec::Aac),
        b"Opus" => Some(Codec::Opus),
        b"fLaC" => Some(Codec::Flac),
        _ => None,
    };
    entry.config.as_ref().map(|config| config.codec()).or(by_name)
}

fn codec_string(entry: &TrackEntry) -> String {
    match &entry.config {
        Some(config) => config.rfc6381(),
        None => String::from_utf8_lossy(entry.fourcc()).into_owned(),
    }
}

/// Frames a second: intervals over the time they took. Publishers round times to milliseconds; a rate
/// that explains the times to within that rounding, the one the stream declares or a usual one, is
/// taken for the true one. A single picture has the rate the stream declares, or none.
fn frame_rate(entry: &TrackEntry, index: &TrackIndex, declared: Option<FrameRate>) -> f64 {
    let declared = declared.map(FrameRate::as_f64).filter(|rate| (1.0..=1000.0).contains(rate));
    let (intervals, ticks) = index.intervals(u64::from(entry.timescale) * PAUSE_SECONDS);
    if ticks == 0 {
        return declared.unwrap_or(0.0);
    }
    let (intervals, seconds) = (intervals as f64, ticks as f64 / f64::from(entry.timescale));
    let measured = intervals / seconds;
    let explains = |rate: f64| rate > 0.0 && (intervals / rate - seconds).abs() <= ROUNDING_SECONDS;
    let whole = measured.round();
    let rate = declared.into_iter().chain([whole, whole * 1000.0 / 1001.0]).find(|rate| explains(*rate));
    (rate.unwrap_or(measured) * 1000.0).round() / 1000.0
}

/// A longer interval between pictures is a pause and says nothing of the rate.
const PAUSE_SECONDS: u64 = 5;
/// Both ends of the time measured may be off by up to a millisecond.
const ROUNDING_SECONDS: f64 = 0.0011;

#[cfg(test)]
mod tests {
    use livetape_media::{TrackId, TrackKind};

    use super::*;
    use crate::bmff::Sample;

    fn rate(times_ms: &[i64], declared: Option<FrameRate>) -> f64 {
        let entry = TrackEntry::from_file(1, TrackKind::Video, 90_000, Default::default());
        assert_eq!(entry.id, TrackId::VIDEO);
        let mut index = TrackIndex::default();
        let durations = times_ms.windows(2).map(|pair| pair[1] - pair[0]).chain([40]);
        let samples: Vec<_> =
            durations.map(|ms| Sample { duration: ms as u32 * 90, size: 1, composition: 0, sync: true }).collect();
        index.push_samples(0, 0, &samples);
        frame_rate(&entry, &index, declared)
    }

    fn rounded(numerator: i64, denominator: i64, frames: i64) -> Vec<i64> {
        (0..frames).map(|n| n * 1000 * denominator / numerator).collect()
    }

    #[test]
    fn rates_survive_rounding_to_milliseconds() {
        for frames in [30, 60, 300, 100_000] {
            assert_eq!(rate(&rounded(30, 1, frames), None), 30.0, "{frames} frames");
            assert_eq!(rate(&rounded(25, 1, frames), None), 25.0, "{frames} frames");
            assert_eq!(rate(&rounded(60, 1, frames), None), 60.0, "{frames} frames");
        }
        for frames in [60, 300, 100_000] {
            let ntsc = rounded(30_000, 1001, frames);
            let declared = FrameRate { numerator: 30_000, denominator: 1001 };
            assert_eq!(rate(&ntsc, Some(declared)), 29.97, "{frames} frames");
            assert!((rate(&ntsc, None) - 29.97).abs() < 0.04, "{frames} frames");
        }
    }

    #[test]
    fn a_declared_rate_that_is_not_true_is_not_believed() {
        let declared = FrameRate { numerator: 60, denominator: 1 };
        assert_eq!(rate(&rounded(30, 1, 100), Some(declared)), 30.0);
    }

    #[test]
    fn one_picture_has_the_declared_rate_and_a_pause_counts_for_nothing() {
        assert_eq!(rate(&[0], Some(FrameRate { numerator: 50, denominator: 2 })), 25.0);
        assert_eq!(rate(&[0], None), 0.0);
        assert_eq!(rate(&[0, 40, 80, 20_080, 20_120], None), 25.0);
    }
}
