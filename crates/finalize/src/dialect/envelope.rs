//! What dialects read of an event.

use livetape_media::WallTime;
use livetape_record::{SessionId, TaskId};
use serde::{Deserialize, Deserializer, de};

/// An event.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "time")]
    pub(super) timestamp: WallTime,
    #[serde(default)]
    pub(super) seq: i64,
    pub(super) data: Data,
    #[serde(default)]
    pub(super) push: Push,
}

/// What it tells: a session, a recording or a warning; each has some of these.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    pub(super) id: String,
    pub(super) session_id: String,
    pub(super) app: String,
    pub(super) stream: String,
    pub(super) format: Option<String>,
    pub(super) key: String,
    pub(super) url: Option<String>,
    pub(super) store: Option<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) duration_ms: Option<u64>,
    #[serde(deserialize_with = "optional_time")]
    pub(super) started_at: Option<WallTime>,
    #[serde(deserialize_with = "optional_time")]
    pub(super) ended_at: Option<WallTime>,
    pub(super) end_reason: Option<String>,
    pub(super) video: Option<Video>,
    pub(super) sequence: u32,
    pub(super) task_id: Option<String>,
    /// Of a warning: what kind.
    pub(super) kind: String,
    /// Of a warning: the track, which part of a trouble, how often it was noticed.
    pub(super) track: Option<String>,
    pub(super) phase: String,
    pub(super) count: u64,
    /// Of a warning: in words.
    pub(super) detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Video {
    pub(super) codec: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The push behind it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Push {
    pub(super) node: String,
    pub(super) query: String,
    pub(super) remote_addr: String,
    pub(super) tc_url: String,
    pub(super) encoder: String,
    pub(super) start_ms: Option<i64>,
}

impl Envelope {
    /// The push as a number of 62 bits: the same in all events of one push.
    pub(super) fn push_number(&self) -> u64 {
        let id: Option<SessionId> = self.data.session_id.parse().ok();
        // The last 64 bits begin with the variant, which is the same in all.
        id.map_or(0, |id| u64::try_from(id.0.as_u128() & u128::from(u64::MAX >> 2)).unwrap_or(0))
    }

    /// The number of the task it is for, if it is for one.
    pub(super) fn task_number(&self) -> Option<u64> {
        self.data.task_id.as_deref()?.parse().ok().map(TaskId::number)
    }

    /// The host that the publisher pushed to; empty when it is not known.
    pub(super) fn host(&self) -> &str {
        let url = &self.push.tc_url;
        let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
            None => authority.split(':').next().unwrap_or(""),
        }
    }

    /// The publisher's address, without its port.
    pub(super) fn address(&self) -> &str {
        let address = &self.push.remote_addr;
        match address.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or(address, |(host, _)| host),
            None => address.rsplit_once(':').map_or(address, |(host, _)| host),
        }
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WallTime, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WallTime>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
}
