//! `[rtmp]`: who may push, how much, and how long we wait for them.

use livetape_rtmp::Limits;
use serde::{Deserialize, Serialize};

use super::{ByteSize, ListenAddress, Period};

/// The settings of the RTMP side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RtmpSettings {
    /// Where encoders push to.
    pub listen: ListenAddress,
    /// Connections in all.
    pub max_connections: u32,
    /// Connections from one address.
    pub max_connections_per_address: u32,
    /// How long a handshake may take.
    pub handshake_timeout: Period,
    /// How long after the handshake a publish must come.
    pub publish_timeout: Period,
    /// How long a publisher may send nothing.
    pub idle_timeout: Period,
    /// How long what is published gathers before it is read.
    pub gather: Period,
    /// The largest message (one coded frame) accepted.
    pub max_message_size: ByteSize,
    /// Bytes of unfinished messages held for one connection.
    pub max_connection_memory: ByteSize,
    /// Bytes of unfinished messages and fragments held for all connections.
    pub max_total_memory: ByteSize,
    /// Chunk streams one connection may use.
    pub max_chunk_streams: u32,
    /// What happens to a push of a stream that is already live.
    pub on_conflict: OnConflict,
}

impl Default for RtmpSettings {
    fn default() -> Self {
        Self {
            listen: ListenAddress::everywhere(1935),
            max_connections: 2_000,
            max_connections_per_address: 200,
            handshake_timeout: Period::from_secs(5),
            publish_timeout: Period::from_secs(10),
            idle_timeout: Period::from_secs(30),
            gather: Period::from_millis(300),
            max_message_size: ByteSize::from_mib(8),
            max_connection_memory: ByteSize::from_mib(16),
            max_total_memory: ByteSize::from_mib(512),
            max_chunk_streams: 32,
            on_conflict: OnConflict::Takeover,
        }
    }
}

impl RtmpSettings {
    /// Bounds of one connection.
    pub fn limits(&self) -> Limits {
        let usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        // A message's length is a number of 24 bits.
        let media_message_bytes = self.max_message_size.bytes().min(0xff_ffff);
        Limits {
            handshake_timeout: self.handshake_timeout.duration(),
            publish_timeout: self.publish_timeout.duration(),
            idle_timeout: self.idle_timeout.duration(),
            media_message_bytes: u32::try_from(media_message_bytes).unwrap_or(u32::MAX),
            chunk_streams: usize(u64::from(self.max_chunk_streams)),
            unfinished_bytes: usize(self.max_connection_memory.bytes()),
            ..Limits::default()
        }
    }
}

/// What happens to a push of a stream that is already live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The new push takes over and the old one is closed.
    Takeover,
    /// The new push is refused.
    Reject,
}
