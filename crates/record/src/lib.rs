//! One output of one session: when a recording opens, is cut, and ends; ids and names.
//!
//! Contract: items and times in, effects out; the same calls give the same effects. No I/O, no
//! clock, no randomness.

mod id;
mod reason;

pub use id::{RecordingId, SessionId, StreamPath};
pub use reason::{CutReason, StartReason, StopReason};
