//! Rows as the API and events show them. The field order is the JSON's.

use std::fmt::{Display, Write as _};

use livetape_media::{Format, MediaTime, WallTime};
use livetape_record::{RecordingId, SessionId, TaskId};
use serde::{Serialize, Serializer};

use crate::{
    AudioFacts, DeletionReason, GapView, Hold, RecordingRow, RecordingState, SessionRow, StoreRole, VideoFacts,
};

/// A recording as the API and events show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingView {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub id: RecordingId,
    /// Its session.
    #[serde(serialize_with = "text")]
    pub session_id: SessionId,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// Its format.
    #[serde(serialize_with = "text")]
    pub format: Format,
    /// How far it has come.
    #[serde(serialize_with = "text")]
    pub state: ShownState,
    /// Where it is, or will be, in the store.
    pub key: String,
    /// Where it can be fetched, also while it grows; nothing once it is discarded, has failed, or is
    /// being deleted.
    pub url: Option<String>,
    /// Which store has it, once it is ready.
    #[serde(serialize_with = "optional_text")]
    pub store: Option<StoreRole>,
    /// Bytes over all its files, once finished.
    pub size_bytes: Option<u64>,
    /// How long it plays, once finished.
    pub duration_ms: Option<u64>,
    /// The calendar's time at its start.
    #[serde(serialize_with = "text")]
    pub started_at: WallTime,
    /// The calendar's time at its end.
    #[serde(serialize_with = "optional_text")]
    pub ended_at: Option<WallTime>,
    /// Why it began.
    pub start_reason: String,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Its video track.
    pub video: Option<VideoFacts>,
    /// Its audio track.
    pub audio: Option<AudioFacts>,
    /// Which of its session's recordings in its format, from 1.
    pub sequence: u32,
    /// It was completed after a crash.
    pub recovered: bool,
    /// Media, in milliseconds, that arrived directly after what it holds and is in no recording of its
    /// format; null when none is known of.
    pub lost_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Bits a second over its whole length.
    pub bit_rate: Option<u64>,
    /// Why it is being deleted, or was.
    #[serde(serialize_with = "optional_text")]
    pub deletion_reason: Option<DeletionReason>,
    /// Who holds it, so that it is not deleted. Events do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// HLS over an MP4: the recording that has its media.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub media_of: Option<RecordingId>,
    /// Until when it waits for its publisher to come back, while it does.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<WallTime>,
    /// Stretches of the calendar's time of which it holds nothing since its publisher was gone, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapView>,
    /// The task it is for; left out when it is recorded by a template.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// How long it is kept once it is ready, 0 for ever; left out when its template does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// When that is over, once it is ready.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WallTime>,
}

/// A recording's state as the API and events show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownState {
    /// That of its row.
    Row(RecordingState),
    /// It has no row any more: only the event that says so shows this.
    Deleted,
}

impl Display for ShownState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Row(state) => state.fmt(f),
            Self::Deleted => f.write_str("deleted"),
        }
    }
}

impl PartialEq<RecordingState> for ShownState {
    fn eq(&self, other: &RecordingState) -> bool {
        *self == Self::Row(*other)
    }
}

impl RecordingView {
    /// What `row` shows, where things are reached at `addresses`.
    pub fn new(row: RecordingRow, addresses: &Addresses) -> Self {
        let duration_ms = row.duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let lost_ms = row.lost.map(|lost| u64::try_from(lost.as_millis()).unwrap_or(u64::MAX));
        let bit_rate = row
            .size_bytes
            .zip(duration_ms)
            .filter(|(_, ms)| *ms > 0)
            .map(|(bytes, ms)| u64::try_from(u128::from(bytes) * 8_000 / u128::from(ms)).unwrap_or(u64::MAX));
        let expires_at = row.expires_at();
        Self {
            id: row.id,
            session_id: row.id.session,
            format: row.id.format,
            sequence: row.id.sequence,
            url: is_fetchable(&row).then(|| addresses.url(&row)),
            app: row.app,
            stream: row.stream,
            state: ShownState::Row(row.state),
            key: row.key,
            store: (row.state == RecordingState::Ready).then_some(row.store),
            size_bytes: row.size_bytes,
            duration_ms,
            started_at: row.started_at,
            ended_at: row.ended_at,
            start_reason: row.start_reason,
            end_reason: row.end_reason,
            video: row.video,
            audio: row.audio,
            recovered: row.recovered,
            lost_ms,
            error: row.error,
            bit_rate,
            deletion_reason: row.deleting,
            hold: row.hold,
            media_of: row.media_of,
            waiting_until: row.waiting_until,
            gaps: GapView::all(&row.gaps),
            task_id: row.task,
            retention_ms: row.keep.as_millis(),
            expires_at,
        }
    }

    /// What events show of `row`: who holds it, and why, is nobody's business.
    pub(crate) fn told(row: RecordingRow, addresses: &Addresses) -> Self {
        Self { hold: None, ..Self::new(row, addresses) }
    }

    /// What is shown of a recording whose row, `row`, is gone.
    pub(crate) fn deleted(row: RecordingRow, addresses: &Addresses) -> Self {
        Self { state: ShownState::Deleted, url: None, ..Self::told(row, addresses) }
    }
}

fn is_fetchable(row: &RecordingRow) -> bool {
    row.deleting.is_none() && !matches!(row.state, RecordingState::Discarded | RecordingState::Failed)
}

/// A session as events show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub session_id: SessionId,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The query of the push URL, without secrets.
    pub query: String,
    /// The publisher's address and port.
    pub remote_addr: String,
    /// When it began.
    #[serde(serialize_with = "text")]
    pub started_at: WallTime,
    /// When it ended.
    #[serde(serialize_with = "optional_text")]
    pub ended_at: Option<WallTime>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

impl From<SessionRow> for SessionView {
    fn from(row: SessionRow) -> Self {
        Self {
            session_id: row.id,
            app: row.app,
            stream: row.stream,
            query: row.query,
            remote_addr: row.remote_addr,
            started_at: row.started_at,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
        }
    }
}

/// The push behind an event, for receivers that want to know whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushView {
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
    /// The moment, in milliseconds, of the recording's start on the timeline of the push; null in events of
    /// no recording.
    pub start_ms: Option<i64>,
}

impl PushView {
    /// Of the session `row`, as an event of a recording shows it that began at `start`.
    pub(crate) fn new(row: SessionRow, start: Option<MediaTime>) -> Self {
        Self {
            node: row.node,
            query: row.query,
            remote_addr: row.remote_addr,
            tc_url: row.tc_url,
            encoder: row.encoder,
            start_ms: start.map(MediaTime::as_millis),
        }
    }
}

/// Where things are reached from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The API: `https://tape.example.com`.
    pub api: String,
    /// The objects of the first store, where everybody can fetch them; empty where they cannot.
    pub objects: String,
    /// The same of the store to fall back to.
    pub fallback_objects: String,
}

impl Addresses {
    /// Everything goes through the API at `api`.
    pub fn new(api: impl Into<String>) -> Self {
        Self { api: api.into(), ..Self::default() }
    }

    /// Where the recording can be fetched.
    fn url(&self, row: &RecordingRow) -> String {
        let objects = match row.store {
            StoreRole::Primary => &self.objects,
            StoreRole::Fallback => &self.fallback_objects,
        };
        match row.state == RecordingState::Ready && !objects.is_empty() {
            true => object_url(objects, &row.key),
            false => object_url(&format!("{}/media", self.api.trim_end_matches('/')), &row.key),
        }
    }
}

/// The address of an object below `base`: every component of `key` percent-encoded.
pub fn object_url(base: &str, key: &str) -> String {
    let mut url = base.trim_end_matches('/').to_owned();
    for component in key.split('/') {
        url.push('/');
        for byte in component.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                url.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

pub(crate) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn optional_text<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// To a thousandth: 29.97002997 says no more than 29.97.
pub(crate) fn rounded<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.filter(|value| value.is_finite()).map(|value| (value * 1000.0).round() / 1000.0).serialize(serializer)
}
