//! One message, put together from its chunks.

use bytes::Bytes;

/// An RTMP message (RTMP 1.0, section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is: one of [`kind`].
    pub(crate) type_id: u8,
    /// Which message stream it belongs to; 0 is the connection.
    pub(crate) stream_id: u32,
    /// In milliseconds, modulo 2^32.
    pub(crate) timestamp: u32,
    /// Its payload, in a buffer that it may share with others.
    pub(crate) body: Bytes,
}

/// Message type ids.
pub(crate) mod kind {
    pub(crate) const SET_CHUNK_SIZE: u8 = 1;
    pub(crate) const ABORT: u8 = 2;
    pub(crate) const ACKNOWLEDGEMENT: u8 = 3;
    pub(crate) const USER_CONTROL: u8 = 4;
    pub(crate) const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    pub(crate) const SET_PEER_BANDWIDTH: u8 = 6;
    pub(crate) const AUDIO: u8 = 8;
    pub(crate) const VIDEO: u8 = 9;
    pub(crate) const DATA_AMF3: u8 = 15;
    pub(crate) const COMMAND_AMF3: u8 = 17;
    pub(crate) const DATA_AMF0: u8 = 18;
    pub(crate) const COMMAND_AMF0: u8 = 20;
    pub(crate) const AGGREGATE: u8 = 22;
}
