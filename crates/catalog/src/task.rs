//! Tasks, templates and rules as the catalog holds them.

use livetape_media::WallTime;
use livetape_record::TaskId;

/// What an entry of the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanKind {
    /// A way of recording.
    Template,
    /// Which streams are recorded so.
    Rule,
}

impl PlanKind {
    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Rule => "rule",
        }
    }
}

/// A template or a rule that was made by [`crate::Change::PlanSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPlan {
    /// What it is called.
    pub name: String,
    /// Its settings, as they were given.
    pub settings: String,
}

/// A stream that is recorded on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// The application of the stream.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// How it is recorded, as it was given.
    pub settings: String,
    /// When it was made.
    pub created_at: WallTime,
    /// From when on it records.
    pub start_at: WallTime,
    /// Until when; `None`: until somebody says so.
    pub stop_at: Option<WallTime>,
    /// It records nothing for now.
    pub paused: bool,
    /// When it was over, if it is.
    pub ended_at: Option<WallTime>,
    /// Why it was over.
    pub end_reason: Option<String>,
}
