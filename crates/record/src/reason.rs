//! Why recordings begin and end.

use livetape_media::EndReason;

/// Why one recording ended and the next began within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CutReason {
    /// It reached its allowed length.
    DurationLimit,
    /// It reached its allowed size.
    SizeLimit,
    /// A codec or a resolution changed.
    CodecChanged,
    /// A further track appeared.
    TrackAdded,
    /// The publisher's clock ran back.
    TimestampJump,
    /// An operator asked for it.
    Split,
    /// Its publisher came back more often than one recording goes on.
    ResumeLimit,
    /// The calendar's clock reached a moment at which recordings are cut.
    Aligned,
    /// Writing failed.
    DiskTrouble,
    /// The disk was too slow, and what came in the meantime was dropped.
    DiskSlow,
}

impl CutReason {
    /// Its name in rows, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DurationLimit => "duration_limit",
            Self::SizeLimit => "size_limit",
            Self::CodecChanged => "codec_changed",
            Self::TrackAdded => "track_added",
            Self::TimestampJump => "timestamp_jump",
            Self::Split => "split",
            Self::ResumeLimit => "resume_limit",
            Self::Aligned => "aligned",
            Self::DiskTrouble => "disk_trouble",
            Self::DiskSlow => "disk_slow",
        }
    }
}

/// Why a recording began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// The session began.
    Publish,
    /// A task began, or went on.
    Task,
    /// The one before it was cut.
    Cut(CutReason),
}

impl StartReason {
    /// Its name in rows, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Task => "task",
            Self::Cut(cut) => cut.name(),
        }
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The session ended.
    End(EndReason),
    /// It was cut.
    Cut(CutReason),
    /// The task it is for was over.
    TaskEnded,
    /// The task it is for was paused.
    TaskPaused,
}

impl StopReason {
    /// Its name in rows, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::End(end) => end.name(),
            Self::Cut(cut) => cut.name(),
            Self::TaskEnded => "task_ended",
            Self::TaskPaused => "task_paused",
        }
    }
}
