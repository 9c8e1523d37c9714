//! What a recording holds so far, counted as frames come.

use livetape_media::{Frame, Track, TrackKind};

use crate::rate::RateMeter;
use crate::{AudioSummary, Summary, VideoSummary};

/// Counts of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Pictures taken.
    pub(super) pictures: u64,
    /// Sounds taken.
    pub(super) sounds: u64,
    /// The rate of the pictures.
    pub(super) rate: RateMeter,
    /// Bytes of finished segments and of initialisation sections.
    pub(super) bytes: u64,
    /// The peak bit rate of finished segments.
    pub(super) peak: Peak,
    /// A finished segment did not begin with a key frame.
    pub(super) dependent: bool,
}

impl Totals {
    /// One more frame.
    pub(super) fn took(&mut self, frame: &Frame) {
        match frame.track.kind {
            TrackKind::Video => {
                self.pictures += 1;
                self.rate.frame(frame.dts);
            }
            TrackKind::Audio => self.sounds += 1,
        }
    }

    /// Fills in the tracks of a summary. Each is described as it was first.
    pub(super) fn describe(&self, video: Option<&Track>, audio: Option<&Track>, summary: &mut Summary) {
        summary.video = video.and_then(|track| {
            Some(VideoSummary {
                codec: track.config.codec(),
                codec_string: track.config.rfc6381(),
                format: track.config.video()?,
                frames: self.pictures,
                frame_rate: self.rate.frames_per_second(),
            })
        });
        summary.audio = audio.and_then(|track| {
            Some(AudioSummary {
                codec: track.config.codec(),
                codec_string: track.config.rfc6381(),
                format: track.config.audio()?,
                frames: self.sounds,
            })
        });
    }
}

/// The greatest bit rate of any segment. Shorter ones than a second are taken together with those
/// that follow: a lone key frame says nothing of what a player must be able to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peak {
    /// Bits a second.
    pub(super) bit_rate: u64,
    short_ms: u64,
    short_bytes: u64,
}

impl Peak {
    /// A measurement that goes on.
    pub(super) fn resume(bit_rate: u64) -> Self {
        Self { bit_rate, ..Self::default() }
    }

    /// One more segment.
    pub(super) fn segment(&mut self, duration_ms: u32, bytes: u64) {
        self.short_ms += u64::from(duration_ms);
        self.short_bytes = self.short_bytes.saturating_add(bytes);
        if self.short_ms >= 1000 {
            let alone = if duration_ms >= 1000 { bit_rate(bytes, u64::from(duration_ms)) } else { 0 };
            self.bit_rate = self.bit_rate.max(bit_rate(self.short_bytes, self.short_ms)).max(alone);
            (self.short_ms, self.short_bytes) = (0, 0);
        }
    }
}

/// Bits a second; 0 of no time.
pub(super) fn bit_rate(bytes: u64, duration_ms: u64) -> u64 {
    bytes.saturating_mul(8000).checked_div(duration_ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_segments_count_with_those_that_follow() {
        let mut peak = Peak::default();
        peak.segment(40, 100_000);
        assert_eq!(peak.bit_rate, 0);
        peak.segment(1960, 400_000);
        assert_eq!(peak.bit_rate, 2_000_000);
        peak.segment(2000, 600_000);
        assert_eq!(peak.bit_rate, 2_400_000);
        peak.segment(500, 1);
        peak.segment(1000, 400_000);
        assert_eq!(peak.bit_rate, 3_200_000);
    }
}
