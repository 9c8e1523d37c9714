//! What one connection may use.

use std::time::Duration;

use livetape_flv::DemuxLimits;

/// Bounds of one connection. The defaults suit encoders in the field; each is meant to be a
/// configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the connection's start to the end of the handshake.
    pub handshake_timeout: Duration,
    /// From the connection's start, or from the end of its last publish, to the next `publish`.
    /// Time spent waiting for the answer to a publish does not count.
    pub publish_timeout: Duration,
    /// Without a single byte received while something is being published. At half of it a ping is
    /// sent, so that an encoder that is paused but alive can say so.
    pub idle_timeout: Duration,
    /// Bytes that may come, after the handshake, before the first publish is accepted.
    pub bytes_before_publish: u64,
    /// Bytes kept unread while a publish waits for its answer. What the caller had already read
    /// when [`wants_input`](crate::Session::wants_input) became false must fit.
    pub held_bytes: usize,
    /// Bytes of a protocol control message (types 1 to 6).
    pub control_message_bytes: u32,
    /// Bytes of a command (types 17 and 20).
    pub command_message_bytes: u32,
    /// Bytes of a data message (types 15 and 18) or of one of unknown type.
    pub data_message_bytes: u32,
    /// Bytes of an audio, video or aggregate message (types 8, 9, 22). The wire allows 16,777,215.
    pub media_message_bytes: u32,
    /// Chunk streams a client may use.
    pub chunk_streams: usize,
    /// Messages that may be unfinished at once.
    pub unfinished_messages: usize,
    /// Bytes reserved for unfinished messages, all together. Reserved as bytes come, not as
    /// lengths are declared.
    pub unfinished_bytes: usize,
    /// Message streams that may exist at once (`createStream`).
    pub message_streams: usize,
    /// Publishes that may be active at once.
    pub publishes: usize,
    /// Bytes of an application's or a stream's name, after decoding.
    pub name_bytes: usize,
    /// Chunks a second that end after less than 128 bytes though their message goes on, or that
    /// carry nothing at all. Five seconds' worth may come at once.
    pub short_chunks_per_second: u32,
    /// Control messages and commands a second. Ten seconds' worth may come at once.
    pub control_messages_per_second: u32,
    /// Bytes that may wait to be sent before the connection is to be closed. The caller enforces
    /// it: the session does not see how fast the peer reads.
    pub unsent_bytes: usize,
    /// How long a write to the peer may take. The caller enforces it.
    pub write_timeout: Duration,
    /// Bounds of each publish's demuxer.
    pub demux: DemuxLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            bytes_before_publish: 64 << 10,
            held_bytes: 256 << 10,
            control_message_bytes: 1 << 10,
            command_message_bytes: 16 << 10,
            data_message_bytes: 256 << 10,
            media_message_bytes: 8 << 20,
            chunk_streams: 32,
            unfinished_messages: 8,
            unfinished_bytes: 16 << 20,
            message_streams: 8,
            publishes: 4,
            name_bytes: 255,
            short_chunks_per_second: 20_000,
            control_messages_per_second: 100,
            unsent_bytes: 256 << 10,
            write_timeout: Duration::from_secs(10),
            demux: DemuxLimits::default(),
        }
    }
}

impl Limits {
    /// The longest message of a type that is taken, in bytes.
    pub(crate) fn message_bytes(&self, type_id: u8) -> u32 {
        match type_id {
            1..=6 => self.control_message_bytes,
            17 | 20 => self.command_message_bytes,
            8 | 9 | 22 => self.media_message_bytes,
            _ => self.data_message_bytes,
        }
    }
}
