//! The shapes of the API's answers, for its description. Tests hold them against real answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) use deletions::{Deletion, DeletionList, DryRun, Hold};
pub(super) use deliveries::{Delivery, DeliveryList, SentAgain, Webhook, WebhookList};
pub(super) use plan::{Rule, RuleList, Split, Task, TaskList, Template, TemplateList};
pub(super) use report::Report;
pub(super) use tape::TapeAnswer;

mod deletions;
mod deliveries;
mod plan;
mod report;
mod tape;

/// A recording's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One MP4 file.
    Mp4,
    /// A playlist and its segments.
    Hls,
    /// One FLV file.
    Flv,
}

/// How far a recording has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It grows.
    Recording,
    /// It will never change again.
    Finished,
    /// It is on its way to the store.
    Uploading,
    /// It is whole in the store, and announced.
    Ready,
    /// It could not be completed.
    Failed,
    /// It was too short, or empty.
    Discarded,
}

/// Why a recording is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeletionReason {
    /// Its time is over (`store.retention`).
    Retention,
    /// There is more than may be stored (`store.max_size`).
    Quota,
    /// The store's disk is low (`store.min_free`).
    LowSpace,
    /// Somebody asked for it.
    Request,
}

/// One of the configured stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Store {
    /// Where recordings go.
    Primary,
    /// Where they go when the first could not take them for long.
    Fallback,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recording {
    /// Its id.
    pub id: String,
    /// The session it was made in.
    pub session_id: String,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// Its format.
    pub format: Format,
    /// How far it has come.
    pub state: State,
    /// Where it is, or will be, in the store.
    pub key: String,
    /// Which store has it, once it is ready.
    #[schema(required)]
    pub store: Option<Store>,
    /// Where it can be fetched, as far as it has come; for HLS its multivariant playlist. Null when it failed,
    /// was discarded or is being deleted.
    #[schema(required)]
    pub url: Option<String>,
    /// Bytes over all its files.
    #[schema(required)]
    pub size_bytes: Option<u64>,
    /// How long it plays.
    #[schema(required)]
    pub duration_ms: Option<u64>,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// When it ended.
    #[schema(required)]
    pub ended_at: Option<String>,
    /// Why it began.
    pub start_reason: String,
    /// Why it ended.
    #[schema(required)]
    pub end_reason: Option<String>,
    /// Its video track.
    #[schema(required)]
    pub video: Option<Video>,
    /// Its audio track.
    #[schema(required)]
    pub audio: Option<Audio>,
    /// Which of its session's recordings in its format, from 1.
    pub sequence: u32,
    /// It was completed after a crash.
    pub recovered: bool,
    /// Media, in milliseconds, that arrived directly after what it holds and is in no recording of its format.
    /// Null when none is known of.
    #[schema(required)]
    pub lost_ms: Option<u64>,
    /// Why it failed.
    #[schema(required)]
    pub error: Option<String>,
    /// Bits a second over its whole length.
    #[schema(required)]
    pub bit_rate: Option<u64>,
    /// Why it is being deleted, or was. Null when it is not.
    #[schema(required)]
    pub deletion_reason: Option<DeletionReason>,
    /// Who holds it, so that it is not deleted. Missing when nobody does, and in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// HLS with `record.hls_source = "mp4"`: the recording whose file has its media. It is deleted with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_of: Option<String>,
    /// Until when it waits for its publisher to come back (RFC 3339); absent while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<String>,
    /// Stretches of the calendar's time of which it holds nothing since its publisher was gone, oldest first;
    /// absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// The task it is for; left out when it is recorded by a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// How long it is kept once it is ready, 0 for ever. Left out when its template did not say when it began: then
    /// `store.retention` holds, as it is at any moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// When that is over (RFC 3339), once it is ready. It goes within two minutes, unless somebody holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A stretch of the calendar's time of which a recording holds nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gap {
    /// Where the media before it ends (RFC 3339).
    pub from: String,
    /// Where the media behind it begins (RFC 3339).
    pub to: String,
    /// Where in the recording it is, in the time of a player.
    pub at_ms: u64,
    /// How long a player takes to pass it; 0 in HLS, and where gaps are closed.
    pub length_ms: u64,
    /// Media that had come behind `from` and that a crash of the service cost; left out when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_ms: Option<u64>,
}

/// A video track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Video {
    /// Its codec, such as `h264`.
    pub codec: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second.
    #[schema(required)]
    pub frame_rate: Option<f64>,
    /// Frames.
    pub frames: u64,
}

/// An audio track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Audio {
    /// Its codec, such as `aac`.
    pub codec: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Frames.
    pub frames: u64,
}

/// One page of recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordingList {
    /// The recordings, newest first.
    pub items: Vec<Recording>,
    /// The `cursor` of the next page; null when this is the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    /// Its place among all events; increases.
    pub sequence: i64,
    /// Its id, the same on every delivery.
    pub id: String,
    /// `stream.started`, `stream.ended`, `recording.started`, `recording.ended`, `recording.ready`,
    /// `recording.paused`, `recording.resumed`, `recording.failed`, `recording.discarded`, `recording.deleted` or `recording.warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened (RFC 3339).
    pub timestamp: String,
    /// Which of its stream's events it is, from 1, without a gap. Missing in events from before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// Of `recording.*`: the recording, whose `state` is `deleted` in `recording.deleted`; of `stream.*`: the
    /// session; of `recording.warning`: what was noticed.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// The push behind it. Missing in events from before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
}

/// The push behind an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Push {
    /// The node that took it.
    pub node: String,
    /// The query of the push URL, without secrets.
    pub query: String,
    /// The publisher's address and port.
    pub remote_addr: String,
    /// The URL the publisher said it connected to, without query and user; empty: unknown.
    pub tc_url: String,
    /// What the publisher called itself; empty: unknown.
    pub encoder: String,
    /// The moment of the recording's start on the timeline of the push, in milliseconds; null in events of no
    /// recording.
    #[schema(required)]
    pub start_ms: Option<i64>,
}

/// One page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventList {
    /// The events, oldest first.
    pub items: Vec<Event>,
    /// The `after` of the next page; null when there is none yet.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A live stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stream {
    /// The session.
    pub session_id: String,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The publisher's address and port.
    pub remote_addr: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// Media time received.
    pub duration_ms: u64,
    /// Media time on the disk, in the format that has least of it.
    pub written_ms: u64,
    /// Media time in the store, in the format that has least of it.
    pub stored_ms: u64,
    /// Media time of which webhooks took the event, of the webhook and the format that have least of
    /// it; null before the first was taken.
    #[schema(required)]
    pub announced_ms: Option<u64>,
    /// Every recorded frame before this moment, counted from the first frame in decoding time, survives
    /// the death of the process, in every format. What was dropped is told by warnings.
    pub durable_until_ms: u64,
    /// The same of a power cut.
    pub synced_until_ms: u64,
    /// How long the oldest media has been here that a power cut would cost.
    pub oldest_unsynced_ms: u64,
    /// It is connected and has sent no media for `record.stall_warning`.
    pub silent: bool,
    /// The template it is recorded by; null: no rule has it recorded.
    #[schema(required)]
    pub template: Option<String>,
    /// Bytes of media received.
    pub received_bytes: u64,
    /// Its main video track.
    #[schema(required)]
    pub video: Option<Video>,
    /// Its main audio track.
    #[schema(required)]
    pub audio: Option<Audio>,
    /// Its publisher is gone, and its recordings wait for it until then (RFC 3339); absent while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<String>,
    /// Its open recordings.
    pub recordings: Vec<OpenRecording>,
}

/// A recording that grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenRecording {
    /// Its id.
    pub id: String,
    /// Its format.
    pub format: Format,
    /// The task it is for; null: it is recorded by the template.
    #[schema(required)]
    pub task_id: Option<String>,
    /// Where it will be in the store; it can be fetched there already.
    pub key: String,
    /// Bytes so far.
    pub size_bytes: u64,
    /// Media time so far.
    pub duration_ms: u64,
    /// Media time from its start that survives the death of the process.
    pub durable_until_ms: u64,
    /// Media time from its start that survives a power cut.
    pub synced_until_ms: u64,
    /// Whether media comes and reaches the disk; judged after `record.stall_warning`.
    pub growing: bool,
}

/// Every live stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamList {
    /// The streams, by name.
    pub items: Vec<Stream>,
    /// Always null: there is one page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The process lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// `ok`.
    pub status: String,
    /// The program's version.
    pub version: String,
}

/// Publishers are welcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Readiness {
    /// `ready`.
    pub status: String,
    /// Streams live.
    pub streams: u64,
    /// Space free on the data directory's disk.
    pub disk_free_bytes: u64,
}
