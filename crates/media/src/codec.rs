//! Codec configurations: what a decoder must know before the first frame.
//!
//! Each configuration keeps the publisher's record byte for byte, since containers carry it as it
//! came, and beside it what was read from it. One file per codec.

mod aac;
mod ac3;
mod av1;
mod avc;
mod bits;
mod flac;
mod hevc;
mod mp3;
mod nal;
mod opus;
#[cfg(test)]
mod test_bits;
mod vp9;

pub use aac::AacConfig;
pub use ac3::Ac3Config;
pub use av1::Av1Config;
pub use avc::AvcConfig;
pub use flac::FlacConfig;
pub use hevc::HevcConfig;
pub use mp3::Mp3Config;
pub use opus::OpusConfig;
pub use vp9::Vp9Config;

use std::fmt;

use bytes::Bytes;

use crate::{AudioFormat, TrackKind, VideoFormat};

/// The codecs Livetape knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// H.264 (ISO/IEC 14496-10).
    Avc,
    /// H.265 (ISO/IEC 23008-2).
    Hevc,
    /// AV1.
    Av1,
    /// VP9.
    Vp9,
    /// AAC, LC and HE (ISO/IEC 14496-3).
    Aac,
    /// MPEG-1/2 audio layer III.
    Mp3,
    /// Opus (RFC 6716).
    Opus,
    /// FLAC (RFC 9639).
    Flac,
    /// AC-3 (ETSI TS 102 366).
    Ac3,
    /// Enhanced AC-3 (ETSI TS 102 366, annex E).
    Eac3,
}

impl Codec {
    /// Its name in the API, in events and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avc => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Flac => "flac",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
        }
    }

    /// Pictures or sound.
    pub const fn kind(self) -> TrackKind {
        match self {
            Self::Avc | Self::Hevc | Self::Av1 | Self::Vp9 => TrackKind::Video,
            _ => TrackKind::Audio,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How to decode a track.
#[derive(Clone, Debug, PartialEq)]
pub enum CodecConfig {
    /// H.264.
    Avc(AvcConfig),
    /// H.265.
    Hevc(HevcConfig),
    /// AV1.
    Av1(Av1Config),
    /// VP9.
    Vp9(Vp9Config),
    /// AAC.
    Aac(AacConfig),
    /// MP3.
    Mp3(Mp3Config),
    /// Opus.
    Opus(OpusConfig),
    /// FLAC.
    Flac(FlacConfig),
    /// AC-3 or Enhanced AC-3.
    Ac3(Ac3Config),
}

impl CodecConfig {
    /// Which codec.
    pub fn codec(&self) -> Codec {
        match self {
            Self::Avc(_) => Codec::Avc,
            Self::Hevc(_) => Codec::Hevc,
            Self::Av1(_) => Codec::Av1,
            Self::Vp9(_) => Codec::Vp9,
            Self::Aac(_) => Codec::Aac,
            Self::Mp3(_) => Codec::Mp3,
            Self::Opus(_) => Codec::Opus,
            Self::Flac(_) => Codec::Flac,
            Self::Ac3(config) if config.enhanced => Codec::Eac3,
            Self::Ac3(_) => Codec::Ac3,
        }
    }

    /// The publisher's configuration record, byte for byte; empty for codecs that have none (MP3,
    /// AC-3), whose frames describe themselves.
    pub fn record(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            Self::Avc(config) => &config.record,
            Self::Hevc(config) => &config.record,
            Self::Av1(config) => &config.record,
            Self::Vp9(config) => &config.record,
            Self::Aac(config) => &config.record,
            Self::Opus(config) => &config.record,
            Self::Flac(config) => &config.record,
            Self::Mp3(_) | Self::Ac3(_) => &NONE,
        }
    }

    /// What is known of the pictures, of a video codec.
    pub fn video(&self) -> Option<VideoFormat> {
        match self {
            Self::Avc(config) => Some(config.format),
            Self::Hevc(config) => Some(config.format),
            Self::Av1(config) => Some(config.format),
            Self::Vp9(config) => Some(config.format),
            _ => None,
        }
    }

    /// What is known of the sound, of an audio codec.
    pub fn audio(&self) -> Option<AudioFormat> {
        match self {
            Self::Aac(config) => Some(config.format),
            Self::Mp3(config) => Some(config.format),
            Self::Opus(config) => Some(config.format),
            Self::Flac(config) => Some(config.format),
            Self::Ac3(config) => Some(config.format),
            _ => None,
        }
    }

    /// The codec and its profile as RFC 6381 writes them: `avc1.64001f`, `mp4a.40.2`.
    pub fn rfc6381(&self) -> String {
        match self {
            Self::Avc(config) => config.rfc6381(),
            Self::Hevc(config) => config.rfc6381(),
            Self::Av1(config) => config.rfc6381(),
            Self::Vp9(config) => config.rfc6381(),
            Self::Aac(config) => config.rfc6381(),
            Self::Mp3(_) => "mp4a.40.34".to_owned(),
            Self::Opus(_) => "Opus".to_owned(),
            Self::Flac(_) => "fLaC".to_owned(),
            Self::Ac3(config) if config.enhanced => "ec-3".to_owned(),
            Self::Ac3(_) => "ac-3".to_owned(),
        }
    }
}

/// A codec configuration that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The record ends too early.
    #[error("{what} ends at byte {at}, in the middle of {field}")]
    Truncated {
        /// The record.
        what: &'static str,
        /// What was being read.
        field: &'static str,
        /// Where, from the record's start.
        at: usize,
    },
    /// The record says something impossible or unsupported.
    #[error("{what}: {problem}")]
    Invalid {
        /// The record.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}
