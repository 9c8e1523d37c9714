//! Events and their deliveries as callers read them.

use livetape_media::WallTime;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::DeliveryState;

/// An event. Serialized, it is its body: `{"id", "type", "timestamp", "data"}`.
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
}

/// The delivery of one event to one endpoint, and its last attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryView {
    /// The event's id.
    pub event: String,
    /// The endpoint.
    pub endpoint: String,
    /// How far it has come.
    #[serde(serialize_with = "crate::view::text")]
    pub state: DeliveryState,
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
    /// When.
    #[serde(serialize_with = "crate::view::text")]
    pub at: WallTime,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong; null when it was delivered.
    pub error: Option<String>,
}
