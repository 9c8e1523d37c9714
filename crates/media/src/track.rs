//! Tracks and the frames on them.

use bytes::Bytes;

use crate::{CodecConfig, MediaTime};

/// Which track of a session. 0 is the main video or audio track; others come from multitrack
/// publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    /// Video or audio.
    pub kind: TrackKind,
    /// The publisher's number for it (Enhanced RTMP `trackId`), 0 when there is only one.
    pub index: u8,
}

impl TrackId {
    /// The main video track.
    pub const VIDEO: Self = Self { kind: TrackKind::Video, index: 0 };
    /// The main audio track.
    pub const AUDIO: Self = Self { kind: TrackKind::Audio, index: 0 };
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl TrackKind {
    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// A track and how to decode it.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Which one.
    pub id: TrackId,
    /// How to decode it.
    pub config: CodecConfig,
}

impl Track {
    /// Ticks per second of the track's clock in a container that has one: 90,000 for video (every
    /// millisecond is exact), the sampling rate for audio.
    pub fn timescale(&self) -> u32 {
        match self.config.audio() {
            Some(audio) => audio.sample_rate,
            None => 90_000,
        }
    }
}

/// One coded picture, or one coded block of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The track it is on.
    pub track: TrackId,
    /// When it is decoded. Strictly increasing on each track.
    pub dts: MediaTime,
    /// When it is shown. Equal to `dts` for sound.
    pub pts: MediaTime,
    /// Whether a decoder may start here. True for every frame of sound.
    pub random_access: bool,
    /// Its bytes as the publisher sent them, without container headers: length-prefixed NAL units
    /// for H.264 and HEVC, a raw access unit for AAC, a whole frame with its header for MP3.
    pub data: Bytes,
}

/// What is known of the pictures of a video track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Pixels across, after cropping.
    pub width: u32,
    /// Pixels down, after cropping.
    pub height: u32,
    /// As the bit stream declares it, if it does.
    pub frame_rate: Option<FrameRate>,
}

/// Frames a second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames ...
    pub numerator: u32,
    /// ... in this many seconds; never zero.
    pub denominator: u32,
}

impl FrameRate {
    /// Frames a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator.max(1))
    }
}

/// What is known of the sound of an audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples a second of the coded signal (of the core coder for HE-AAC: the clock its frames are counted on).
    pub sample_rate: u32,
    /// Samples a second of what is heard (twice `sample_rate` for HE-AAC).
    pub output_sample_rate: u32,
    /// Channels of what is heard.
    pub channels: u16,
    /// Samples, at `sample_rate`, that each frame decodes to, where that is constant.
    pub samples_per_frame: Option<u32>,
}
