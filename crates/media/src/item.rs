//! What ingest says.

use crate::{Frame, MediaTime, Track, TrackId, Value};

/// One thing a publisher's bytes turned out to mean, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A track begins, or goes on with another configuration. Comes before its frames; a repeat of
    /// the same configuration is not reported.
    Track(Track),
    /// A frame of a track that has been introduced.
    Frame(Frame),
    /// The publisher's description of the stream (`onMetaData`).
    Metadata(Metadata),
    /// The publisher's clock jumped. The timeline goes on without the jump: `at` is where.
    Jump {
        /// The first moment after the jump, on the session's timeline.
        at: MediaTime,
        /// How far the publisher's clock went beyond where it was expected.
        by: MediaTime,
        /// Which way.
        direction: JumpDirection,
    },
    /// The next frame's time repeats that of its track's last one, or is before it, and was moved to keep order.
    Moved {
        /// The frame's track.
        track: TrackId,
        /// How far before its track's last frame it was; zero: at the same time.
        back: MediaTime,
    },
    /// Something an operator should hear of; costs nothing else.
    Warning(Warning),
    /// The session is over. Nothing follows.
    End(EndReason),
}

/// Which way a publisher's clock jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JumpDirection {
    /// Into the future.
    Forward,
    /// Into the past, as when an encoder restarts.
    Backward,
}

/// A publisher's own description of its stream; order is kept. None of it is trusted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Names and values.
    pub entries: Vec<(String, Value)>,
}

impl Metadata {
    /// The value called `key`.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// Something an operator should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind of thing.
    pub kind: WarningKind,
    /// The track it is about, if it is about one.
    pub track: Option<TrackId>,
    /// In words: what happened, to what. Bounded, safe to log.
    pub detail: String,
}

/// Kinds of [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// The publisher's clock jumped.
    TimestampJump,
    /// Timestamps ran back a little and were moved to keep order.
    TimestampRepaired,
    /// Timestamps stood still and were moved to keep order.
    TimestampsStuck,
    /// Nothing of a track for far longer than between its frames: frames are missing.
    TimestampGap,
    /// Pictures and sound that arrive together are far apart in time.
    AudioVideoApart,
    /// Pictures come without the sound that was announced, or came before.
    NoAudio,
    /// Sound comes without the pictures that were announced, or came before.
    NoVideo,
    /// The pictures' size changed in the middle.
    ResolutionChanged,
    /// Key frames come too rarely, or at wildly changing distances.
    GopIrregular,
    /// A codec that cannot be recorded, or not in this format.
    UnsupportedCodec,
    /// A further track of a multitrack publisher, which is not recorded.
    UnsupportedTrack,
    /// A codec configuration or frame that could not be understood and was left out.
    MediaUnreadable,
    /// Frames before the codec configuration or before the first key frame were left out.
    FramesSkipped,
    /// The configuration of a track changed in the middle.
    CodecChanged,
    /// No key frame came where one was needed, so the cut is not at one.
    KeyFrameMissing,
    /// The disk could not keep up or failed.
    DiskTrouble,
    /// Frames that could have been recorded were dropped: the disk was too slow.
    FramesDropped,
    /// Media arrives and nothing of it has reached the disk for long.
    RecordingStalled,
    /// What had stalled grows again.
    RecordingResumed,
    /// A publisher is connected and has sent no media for long.
    StreamSilent,
    /// What was silent sends again.
    StreamResumed,
    /// No recording begins: there is too little space.
    DiskLow,
    /// Recordings begin again.
    DiskRecovered,
    /// The push asked for something that is not understood or not granted.
    RequestIgnored,
}

impl WarningKind {
    /// Its name in events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimestampJump => "timestamp_jump",
            Self::TimestampRepaired => "timestamp_repaired",
            Self::TimestampsStuck => "timestamps_stuck",
            Self::TimestampGap => "timestamp_gap",
            Self::AudioVideoApart => "audio_video_apart",
            Self::NoAudio => "no_audio",
            Self::NoVideo => "no_video",
            Self::ResolutionChanged => "resolution_changed",
            Self::GopIrregular => "gop_irregular",
            Self::UnsupportedCodec => "unsupported_codec",
            Self::UnsupportedTrack => "unsupported_track",
            Self::MediaUnreadable => "media_unreadable",
            Self::FramesSkipped => "frames_skipped",
            Self::CodecChanged => "codec_changed",
            Self::KeyFrameMissing => "key_frame_missing",
            Self::DiskTrouble => "disk_trouble",
            Self::FramesDropped => "frames_dropped",
            Self::RecordingStalled => "recording_stalled",
            Self::RecordingResumed => "recording_resumed",
            Self::StreamSilent => "stream_silent",
            Self::StreamResumed => "stream_resumed",
            Self::DiskLow => "disk_low",
            Self::DiskRecovered => "disk_recovered",
            Self::RequestIgnored => "request_ignored",
        }
    }
}

/// Which part of a trouble a warning tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// All of it: it is over as soon as it has happened.
    #[default]
    Once,
    /// It has begun.
    Began,
    /// It goes on, as was told before.
    GoesOn,
    /// It is over.
    Ended,
}

impl Phase {
    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Began => "began",
            Self::GoesOn => "goes_on",
            Self::Ended => "ended",
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// The publisher said it is done.
    Unpublish,
    /// The connection went away without a word.
    Drop,
    /// Nothing came for longer than the idle time-out.
    IdleTimeout,
    /// A new push of the same stream took over.
    Takeover,
    /// The publisher broke the protocol or a limit.
    ProtocolError,
    /// An operator disconnected it.
    Disconnect,
    /// The service is stopping.
    Shutdown,
    /// The service died and was started again.
    Crash,
}

impl EndReason {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        use EndReason as Reason;
        let all = [Reason::Unpublish, Reason::Drop, Reason::IdleTimeout, Reason::Takeover, Reason::ProtocolError];
        let all = all.into_iter().chain([Reason::Disconnect, Reason::Shutdown, Reason::Crash]);
        all.into_iter().find(|reason| reason.name() == name)
    }

    /// Its name in rows, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unpublish => "unpublish",
            Self::Drop => "drop",
            Self::IdleTimeout => "idle_timeout",
            Self::Takeover => "takeover",
            Self::ProtocolError => "protocol_error",
            Self::Disconnect => "disconnect",
            Self::Shutdown => "shutdown",
            Self::Crash => "crash",
        }
    }
}
