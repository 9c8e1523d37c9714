//! The shapes of what is said of holds and of deletions by filter.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Format, State};

/// That somebody holds a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Hold {
    /// Since when (RFC 3339).
    pub at: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Some recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SomeRecordings {
    /// How many.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// The ids of the first 20, newest first.
    pub first: Vec<String>,
}

/// What a deletion would delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DryRun {
    /// Of when this is (RFC 3339). What becomes ready later is not part of it.
    pub as_of: String,
    /// How many recordings would be deleted; with an MP4, the playlists over it.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// The ids of the first 20, newest first.
    pub first: Vec<String>,
    /// Those that stay because somebody holds them.
    pub held: SomeRecordings,
    /// Those that are being deleted already.
    pub being_deleted: SomeRecordings,
    /// Those that stay because they are not ready.
    pub not_ready: SomeRecordings,
    /// What the deletion is asked for with.
    pub token: String,
    /// Until when that is good.
    pub expires_at: String,
}

/// How far a deletion by filter has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum DeletionState {
    /// Of some recordings the deletion has not begun.
    Choosing,
    /// It has begun of all that may go.
    Deleting,
    /// All are gone.
    Done,
}

/// Which recordings. Null: whatever they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Conditions {
    /// Exactly this application.
    #[schema(required)]
    pub app: Option<String>,
    /// Exactly this stream name.
    #[schema(required)]
    pub stream: Option<String>,
    /// `APP/STREAM` begins with this.
    #[schema(required)]
    pub prefix: Option<String>,
    /// This format.
    #[schema(required)]
    pub format: Option<Format>,
    /// This state.
    #[schema(required)]
    pub state: Option<State>,
    /// Held by somebody, or by nobody.
    #[schema(required)]
    pub held: Option<bool>,
    /// Still running at or after this time.
    #[schema(required)]
    pub from: Option<String>,
    /// Begun before this time.
    #[schema(required)]
    pub to: Option<String>,
}

/// A deletion by filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Deletion {
    /// Its id.
    pub id: String,
    /// How far it has come.
    pub state: DeletionState,
    /// Which recordings.
    pub filter: Conditions,
    /// When the dry run was. What was not ready then, or was held, is not part of it.
    pub as_of: String,
    /// When it was asked for.
    pub asked_at: String,
    /// The name of the token it was asked for with; `unknown` where none is needed.
    pub asked_by: String,
    /// How many recordings the dry run showed.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Of how many the deletion has begun. Fewer than `recordings` in the end when some were held, or deleted by
    /// somebody else, since it was asked for.
    pub begun: u64,
    /// How many are gone.
    pub deleted: u64,
    /// When the last was gone.
    #[schema(required)]
    pub ended_at: Option<String>,
}

/// One page of deletions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeletionList {
    /// The deletions, newest first.
    pub items: Vec<Deletion>,
    /// The `cursor` of the next page; null when this is the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}
