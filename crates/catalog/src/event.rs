//! Events and their deliveries as callers read them.

use livetape_media::WallTime;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::DeliveryState;

/// An event. Serialized, it is its body: `{"id", "type", "timestamp", "seq", "data", "push"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place among all events of this node; increases in the order of commits.
    pub sequence: i64,
    /// Its id; the same after any crash. No dots.
    pub id: String,
    /// Its type: `recording.ready` ...
    pub kind: String,
    /// When what it tells of happened.
    pub timestamp: WallTime,
    /// The stream it belongs to: `APP/STREAM`. Deliveries are in order within it.
    pub subject: String,
    /// The JSON that is sent, byte for byte.
    pub body: String,
    /// Which of its stream's events it is, from 1, without a gap; `None` of one from before they were counted.
    pub seq: Option<i64>,
}

impl Serialize for EventRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body: &RawValue = serde_json::from_str(&self.body).map_err(serde::ser::Error::custom)?;
        body.serialize(serializer)
    }
}

/// An event whose time to be tried has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The event.
    pub event: EventRow,
    /// Attempts made so far; the next is this plus one.
    pub attempts: u32,
    /// Those of them that count for when the next one is due: the ones since it was owed, or asked for again.
    pub tries: u32,
    /// Since when it is owed: since it happened, or was asked for again.
    pub owed_since: WallTime,
}

/// The delivery of one event to one endpoint, and its last attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryView {
    /// `EVENT.ENDPOINT`.
    pub id: String,
    /// The event's id.
    pub event: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's place among all events.
    pub sequence: i64,
    /// The stream it belongs to: `APP/STREAM`.
    pub stream: String,
    /// The endpoint.
    #[serde(rename = "webhook")]
    pub endpoint: String,
    /// How far it has come.
    #[serde(serialize_with = "crate::view::text")]
    pub state: DeliveryState,
    /// When the event happened.
    #[serde(serialize_with = "crate::view::text")]
    pub timestamp: WallTime,
    /// When somebody asked for it to be sent again.
    #[serde(serialize_with = "crate::view::optional_text")]
    pub again_at: Option<WallTime>,
    /// Attempts made so far.
    pub attempts: u32,
    /// When it is tried next, while it is pending.
    #[serde(serialize_with = "crate::view::optional_text")]
    pub next_at: Option<WallTime>,
    /// The last attempts (at most 20), oldest first.
    pub log: Vec<AttemptView>,
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    /// Which, from 1.
    pub attempt: u32,
    /// When it was over.
    #[serde(serialize_with = "crate::view::text")]
    pub at: WallTime,
    /// How long it took, in milliseconds; unknown of those from before it was noted.
    pub took_ms: Option<u64>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The beginning of the answer, if there was one.
    pub answer: Option<String>,
    /// What went wrong; null when it was delivered.
    pub error: Option<String>,
}
