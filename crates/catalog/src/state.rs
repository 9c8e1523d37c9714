//! How far a recording, and a delivery, has come.

use std::fmt;

/// How far a recording has come.
///
/// ```text
///   recording --> finished --> uploading --> ready
///     |  |            |  \_______________/     ^
///     |  |            |          `-------------'
///     |  `-> failed <-+----------'
///     `----> discarded
/// ```
///
/// One that is ready may be deleted: its row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordingState {
    /// It grows.
    Recording,
    /// It will never change again on disk.
    Finished,
    /// It is on its way to the store.
    Uploading,
    /// It is whole in the store, and its event is owed.
    Ready,
    /// It cannot be completed.
    Failed,
    /// It was too short, or held nothing, and was dropped.
    Discarded,
}

impl RecordingState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Recording, Self::Finished, Self::Uploading, Self::Ready, Self::Failed, Self::Discarded];

    /// Its name in the API, in rows and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Finished => "finished",
            Self::Uploading => "uploading",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

livetape_media::named!(RecordingState, "a state", "the states");

/// Which of the configured stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreRole {
    /// Where recordings go.
    #[default]
    Primary,
    /// Where they go when the first could not take them for long.
    Fallback,
}

impl StoreRole {
    /// Its name in the API and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Fallback => "fallback",
        }
    }
}

impl fmt::Display for StoreRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a recording is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeletionReason {
    /// Its time is over.
    Retention,
    /// There is more than may be stored, and it was the oldest.
    Quota,
    /// The store's disk is low, and it was the oldest.
    LowSpace,
    /// Somebody asked for it.
    Request,
}

impl DeletionReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Retention, Self::Quota, Self::LowSpace, Self::Request];

    /// Its name in the API, in rows and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Quota => "quota",
            Self::LowSpace => "low_space",
            Self::Request => "request",
        }
    }
}

livetape_media::named!(DeletionReason, "a reason to delete", "the reasons");

/// How far the delivery of one event to one endpoint has come.
///
/// ```text
///   waiting --> head --> delivered
///                | \---> given_up
///                v
///              aside --> delivered, given_up
///   waiting, head, aside --> dropped, given_up
///   delivered, given_up, dropped --> aside      when it is asked for again
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// Behind another event of the same stream.
    Waiting,
    /// First of its stream's queue: tried when its time has come.
    Head,
    /// Stepped aside after ten minutes, so that those behind it go on; still tried.
    Aside,
    /// The endpoint took it.
    Delivered,
    /// The endpoint does not want events like it: it was not sent. In rows: `delivered`, without an attempt.
    Filtered,
    /// Tried for as long as configured.
    GivenUp,
    /// The endpoint was disabled or is not configured any more.
    Dropped,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Waiting, Self::Head, Self::Aside, Self::Delivered, Self::Filtered, Self::GivenUp, Self::Dropped];

    /// Its name in the API, in rows and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Head => "head",
            Self::Aside => "aside",
            Self::Delivered => "delivered",
            Self::Filtered => "filtered",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }

    /// Whether the event is still owed.
    pub const fn pending(self) -> bool {
        matches!(self, Self::Waiting | Self::Head | Self::Aside)
    }
}

livetape_media::named!(DeliveryState, "a state of a delivery", "the states");
