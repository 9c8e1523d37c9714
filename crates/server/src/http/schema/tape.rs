//! The shapes of the answers to Tencent's older calls.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeAnswer {
    /// 0, or what is wrong: 1 the signature, 2 it is past, 3 the interface, 4 a parameter, 5 the task, 6 a fault of
    /// the server.
    pub ret: i32,
    /// The same in words.
    pub message: String,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TapeOutput>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum TapeOutput {
    /// Of `Live_Tape_GetFilelist`.
    Files(TapeFiles),
    /// Of `Live_Tape_Start`.
    Task(TapeTask),
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeTask {
    /// Its number: what `Live_Tape_Stop` and callbacks call it.
    pub task_id: u64,
}

/// Files of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeFiles {
    /// How many there are in all.
    pub all_count: u64,
    /// Those of this page.
    pub file_list: Vec<TapeFile>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeFile {
    /// The recording's id.
    pub vid: String,
    /// When it began, UTC+8.
    pub start_time: String,
    /// When it ended, UTC+8.
    pub end_time: String,
    /// The recording's id.
    pub file_id: String,
    /// Where it can be fetched.
    pub record_file_url: String,
}
