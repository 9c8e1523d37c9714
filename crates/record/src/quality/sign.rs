//! What shows that a stream is not as it should be.

use std::fmt;

use livetape_media::{Codec, JumpDirection, MediaTime, TrackKind, WarningKind};

/// One thing that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The publisher's clock jumped.
    Jump { by: MediaTime, direction: JumpDirection },
    /// Timestamps ran back, the last one so far.
    RanBack { track: TrackKind, by: MediaTime },
    /// Timestamps repeated.
    Stuck { track: TrackKind },
    /// Nothing of a track for so long, and then it went on.
    Gap { track: TrackKind, of: MediaTime },
    /// The pictures are so far ahead of the sound, or behind it.
    Apart { by: MediaTime },
    /// Nothing of a track while so much of the other one came.
    Missing { track: TrackKind, since: MediaTime },
    /// Another codec, or another configuration of the same.
    Codec { track: TrackKind, from: Codec, to: Codec },
    /// Another size, from so many pixels to so many.
    Resolution { from: (u32, u32), to: (u32, u32) },
    /// No key frame for so long.
    NoKeyFrame { since: MediaTime },
    /// A group of pictures of this length after some of that.
    Gop { length: MediaTime, usual: MediaTime },
}

impl Sign {
    /// What kind of trouble it is a sign of.
    pub(super) fn kind(&self) -> WarningKind {
        match self {
            Self::Jump { .. } => WarningKind::TimestampJump,
            Self::RanBack { .. } => WarningKind::TimestampRepaired,
            Self::Stuck { .. } => WarningKind::TimestampsStuck,
            Self::Gap { .. } => WarningKind::TimestampGap,
            Self::Apart { .. } => WarningKind::AudioVideoApart,
            Self::Missing { track: TrackKind::Audio, .. } => WarningKind::NoAudio,
            Self::Missing { track: TrackKind::Video, .. } => WarningKind::NoVideo,
            Self::Codec { .. } => WarningKind::CodecChanged,
            Self::Resolution { .. } => WarningKind::ResolutionChanged,
            Self::NoKeyFrame { .. } | Self::Gop { .. } => WarningKind::GopIrregular,
        }
    }

    /// The track it is about, if it is about one.
    pub(super) fn track(&self) -> Option<TrackKind> {
        match self {
            Self::Jump { .. } | Self::Apart { .. } => None,
            Self::Resolution { .. } | Self::NoKeyFrame { .. } | Self::Gop { .. } => Some(TrackKind::Video),
            Self::RanBack { track, .. }
            | Self::Stuck { track }
            | Self::Gap { track, .. }
            | Self::Missing { track, .. }
            | Self::Codec { track, .. } => Some(*track),
        }
    }

    /// Whether it is over as soon as it has been noticed.
    pub(super) fn is_momentary(&self) -> bool {
        !matches!(self, Self::Apart { .. } | Self::Missing { .. } | Self::NoKeyFrame { .. })
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump { by, direction } => {
                let way = match direction {
                    JumpDirection::Forward => "forward",
                    JumpDirection::Backward => "back",
                };
                write!(f, "the publisher's timestamps jumped {way} by {by}; the recording goes on without the jump")
            }
            Self::RanBack { track, by } => {
                write!(f, "{} timestamps run back, by {by}, and are moved to keep order", track.name())
            }
            Self::Stuck { track } => write!(f, "{} timestamps repeat and are moved to keep order", track.name()),
            Self::Gap { track, of } => write!(f, "{} frames of {of} are missing", track.name()),
            Self::Apart { by } if *by >= MediaTime::ZERO => write!(f, "the pictures are {by} ahead of the sound"),
            Self::Apart { by } => write!(f, "the sound is {} ahead of the pictures", MediaTime::ZERO - *by),
            Self::Missing { track: TrackKind::Audio, since } => {
                write!(f, "pictures come without sound, {since} of them so far")
            }
            Self::Missing { track: TrackKind::Video, since } => {
                write!(f, "sound comes without pictures, {since} of it so far")
            }
            Self::Codec { track, from, to } if from == to => {
                write!(f, "the configuration of the {} codec {to} changed", track.name())
            }
            Self::Codec { track, from, to } => write!(f, "the {} codec changed from {from} to {to}", track.name()),
            Self::Resolution { from, to } => {
                write!(f, "the pictures changed from {}x{} to {}x{}", from.0, from.1, to.0, to.1)
            }
            Self::NoKeyFrame { since } => write!(f, "no key frame has come for {since}"),
            Self::Gop { length, usual } => write!(f, "key frames came {length} apart after {usual} before"),
        }
    }
}
