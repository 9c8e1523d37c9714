//! FLV and Enhanced RTMP tag bodies to items and back; FLV file bytes.
//!
//! Contract: bytes and times in, items out. Every buffer is bounded, hostile input is an error or a
//! warning, never a panic.

mod amf;
pub mod amf0;
pub mod amf3;
mod demux;

pub use amf::{AmfError, Limits};
pub use demux::{DemuxLimits, Demuxer};
