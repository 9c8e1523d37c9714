//! One output of one session: when a recording opens, is cut, and ends; ids and names; what its
//! quality is.
//!
//! Contract: items and times in, effects out; the same calls give the same effects. No I/O, no
//! clock, no randomness.

mod align;
mod effect;
mod id;
mod keep;
mod measure;
mod name;
mod numbers;
pub mod plan;
mod policy;
mod quality;
mod reason;
mod recorder;
pub mod report;
mod splice;
mod tail;

pub use align::{Align, AlignError, UtcOffset};
pub use effect::{Abandoning, Closing, Discarding, Effect, Gap, Opening, Pausing, Resuming};
pub use id::{RecordingId, SessionId, StreamPath, TaskId};
pub use keep::Keep;
pub use name::{COMPONENT_MAX_BYTES, NameFields, NameTemplate, TemplateError};
pub use numbers::Numbers;
pub use policy::Policy;
pub use quality::{Finding, Quality, QualityLimits};
pub use reason::{CutReason, StartReason, StopReason};
pub use recorder::{Recorder, Rejoined, Reopening};
pub use report::Report;
pub use splice::{GapRule, Join, Splice, Spliced};
pub use tail::Tail;
