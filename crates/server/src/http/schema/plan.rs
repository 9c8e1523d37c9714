//! The shapes of what says how streams are recorded.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which recordings end at the next key frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Split {
    /// Their ids.
    pub recordings: Vec<String>,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Template {
    /// `configuration` or `api`: where it is changed.
    pub source: String,
    /// What rules and tasks call it.
    pub name: String,
    /// The formats it records to; empty: those of `[record]`. What is empty below is as `[record]` says, too.
    pub formats: Vec<String>,
    /// The longest an MP4 recording becomes, such as `30min`.
    pub mp4_max_duration: String,
    /// The longest an FLV recording becomes.
    pub flv_max_duration: String,
    /// The longest an HLS recording becomes.
    pub hls_max_duration: String,
    /// The size at which a recording is cut, such as `2GiB`.
    pub max_size: String,
    /// Recordings are cut at multiples of this of the clock, such as `1h`.
    pub align: String,
    /// How far the clock meant is ahead of UTC, such as `+08:00`.
    pub align_offset: String,
    /// A recording shorter than this is discarded, unless a crash cut it off.
    pub min_duration: String,
    /// How long a recording waits for a publisher that went without an end; `0s`: not at all.
    pub resume_window: String,
    /// What an HLS segment should last.
    pub segment_duration: String,
    /// What HLS segments are made of: `fmp4` or `ts`.
    pub segment_type: String,
    /// Where the media of HLS is: `segments` or `mp4`.
    pub hls_source: String,
    /// How recordings are named.
    pub recording_name: String,
    /// How long a recording is kept once it is ready, such as `30d`; `0s`: for ever; empty: as `store.retention` says at
    /// any moment.
    pub retention: String,
}

/// Every template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TemplateList {
    /// The templates.
    pub items: Vec<Template>,
    /// Always null: there is one page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Rule {
    /// What it is called.
    pub name: String,
    /// `configuration` or `api`: where it is changed.
    pub source: String,
    /// Its place among those of the same source: the lowest is asked first.
    pub order: u32,
    /// The streams, `APP/STREAM` with `*` and `?`.
    pub streams: String,
    /// The template they are recorded by.
    pub template: String,
    /// They are not recorded, unless the push asks for it.
    pub off: bool,
    /// The formats that the query of a push may ask for.
    pub from_query: Vec<String>,
}

/// Every rule, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RuleList {
    /// The rules.
    pub items: Vec<Rule>,
    /// Always null: there is one page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

pub(in crate::http) use crate::plans::TaskView as Task;

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TaskList {
    /// The tasks, the newest first.
    pub items: Vec<Task>,
    /// Where the next page begins; null: this was the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}
