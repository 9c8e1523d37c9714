//! What an inspection finds.

use serde::Serialize;

/// Something that is not as it should be, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    #[serde(serialize_with = "name")]
    pub what: What,
    /// What it concerns: a recording's id, a key, a path, an event's id.
    pub subject: String,
    /// What is the matter, in words.
    pub detail: String,
    /// What becomes of it: what the next start does, or what an operator can do.
    pub remedy: String,
}

fn name<S: serde::Serializer>(what: &What, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(what.name())
}

impl Finding {
    pub(super) fn new(what: What, subject: impl Into<String>, detail: impl Into<String>, remedy: &str) -> Self {
        Self { what, subject: subject.into(), detail: detail.into(), remedy: remedy.to_owned() }
    }

    /// Whether it is for information only.
    pub fn is_note(&self) -> bool {
        self.what.is_note()
    }
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A row of the catalog cannot be read as what it should be.
    RowUnreadable,
    /// A session has neither ended nor is it live.
    SessionCutOff,
    /// A recording grew when its process ended.
    RecordingTorn,
    /// A recording's files should be in the spool and are not there.
    SpoolMissing,
    /// A recording's files in the spool are not what its row says.
    SpoolDamaged,
    /// A recording is over, and its files are still in the spool.
    SpoolLeftover,
    /// A recording in the spool has no row.
    SpoolWithoutRow,
    /// Something in the spool is no recording, and no recording's.
    SpoolUnknown,
    /// A temporary file in the spool or the data directory.
    Temporary,
    /// An object is not in the store though its row says so.
    ObjectMissing,
    /// An object has not the size its row says.
    ObjectSize,
    /// An object is not a whole recording.
    ObjectDamaged,
    /// An object has no row.
    ObjectWithoutRow,
    /// A playlist in the store lists what is not there.
    PlaylistDangling,
    /// What an interrupted copy left in the store.
    StoreTemporary,
    /// A recording is ready, and no event says so.
    EventMissing,
    /// An event says that a recording is ready which is not.
    EventUnfounded,
    /// An event about a recording that is ready has not the id such an event has.
    EventForged,
    /// Something could not be looked at.
    Unreadable,
    /// Note: a finished recording waits to be put into the store.
    Waiting,
    /// Note: a recording is being deleted.
    Deleting,
    /// Note: the quarantine holds something.
    Quarantine,
    /// Note: something in the store is no object.
    StoreUnknown,
}

impl What {
    /// Its name in reports for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowUnreadable => "row_unreadable",
            Self::SessionCutOff => "session_cut_off",
            Self::RecordingTorn => "recording_torn",
            Self::SpoolMissing => "spool_missing",
            Self::SpoolDamaged => "spool_damaged",
            Self::SpoolLeftover => "spool_leftover",
            Self::SpoolWithoutRow => "spool_without_row",
            Self::SpoolUnknown => "spool_unknown",
            Self::Temporary => "temporary",
            Self::ObjectMissing => "object_missing",
            Self::ObjectSize => "object_size",
            Self::ObjectDamaged => "object_damaged",
            Self::ObjectWithoutRow => "object_without_row",
            Self::PlaylistDangling => "playlist_dangling",
            Self::StoreTemporary => "store_temporary",
            Self::EventMissing => "event_missing",
            Self::EventUnfounded => "event_unfounded",
            Self::EventForged => "event_forged",
            Self::Unreadable => "unreadable",
            Self::Waiting => "waiting",
            Self::Deleting => "deleting",
            Self::Quarantine => "quarantine",
            Self::StoreUnknown => "store_unknown",
        }
    }

    /// Whether it is for information only.
    pub const fn is_note(self) -> bool {
        matches!(self, Self::Waiting | Self::Deleting | Self::Quarantine | Self::StoreUnknown)
    }
}
