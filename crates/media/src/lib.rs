//! What a frame, a track, a codec configuration and a moment are.
//!
//! Everything else in Livetape speaks in these types. This crate does no I/O, reads no clock and
//! starts no task: bytes and times come in as arguments, values come out.

pub mod codec;
mod format;
mod item;
mod moment;
mod named;
mod timeline;
mod track;
mod value;
mod wall;

pub use codec::{Codec, CodecConfig, CodecError};
pub use format::Format;
pub use item::{EndReason, Item, JumpDirection, Metadata, Phase, Warning, WarningKind};
pub use moment::{MediaTime, Now};
pub use named::unnamed;
pub use timeline::{Placed, Timeline, TimelineLimits};
pub use track::{AudioFormat, Frame, FrameRate, Track, TrackId, TrackKind, VideoFormat};
pub use value::Value;
pub use wall::{WallTime, WallTimeError};
