//! FLV and Enhanced RTMP tag bodies to items and back; FLV file bytes.
//!
//! Contract: bytes and times in, items out. Every buffer is bounded, hostile input is an error or a
//! warning, never a panic.

mod amf;
pub mod amf0;
pub mod amf3;
mod annexb;
mod body;
mod demux;
mod outline;
pub mod tag;
pub mod write;

pub use amf::{AmfError, Limits};
pub use demux::{Counters, DemuxLimits, Demuxer};
pub use outline::{OUTLINE_BYTES, Outline, configuration, outline};
pub use tag::{Tag, TagError, TagHeader, TagKind, Tags};
