//! The shapes of the answers to Tencent's older calls.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeAnswer {
    /// 0, or what is wrong: 1 the signature, 2 it is past, 3 the interface, 4 a parameter.
    pub ret: i32,
    /// The same in words.
    pub message: String,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TapeOutput>,
}

/// Files of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TapeOutput {
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
