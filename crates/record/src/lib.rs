//! One output of one session: when a recording opens, is cut, and ends; ids and names.
//!
//! Contract: items and times in, effects out; the same calls give the same effects. No I/O, no
//! clock, no randomness.

mod effect;
mod id;
mod name;
mod reason;
mod recorder;
mod splice;
mod tail;

pub use effect::{Abandoning, Closing, Discarding, Effect, Gap, Opening, Pausing, Resuming};
pub use id::{RecordingId, SessionId, StreamPath};
pub use name::{COMPONENT_MAX_BYTES, NameFields, NameTemplate, TemplateError};
pub use reason::{CutReason, StartReason, StopReason};
pub use recorder::{Policy, Recorder};
pub use splice::{GapRule, Join, Splice, Spliced};
pub use tail::Tail;
