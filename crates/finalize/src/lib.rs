//! From a recorder's effects to files and rows, and on to objects and events.
//!
//! - [`Writer`] carries out what a recorder wants done, on the disk and in the catalog.
//! - [`Finalizer`] puts finished recordings into the store and takes them out of the spool.
//! - [`Retention`] deletes recordings that are over.
//! - [`Announcer`] delivers the events the catalog owes, to every [`sink::EventSink`] in order.
//! - [`inspect()`] looks at all of it and says what is not as it should be.
//! - [`recover()`] brings what a crash left back onto that path, before anything else begins.
//!
//! Contract: the catalog is the queue. Memory holds nothing that it does not hold too, so that every
//! task may be dropped at any point and begun again: the same objects, the same rows, the same
//! event ids. An event `recording.ready` exists if and only if the whole recording is in the store.

mod adopt;
mod announce;
mod companions;
mod complete;
mod counters;
pub mod dialect;
mod environment;
mod error;
mod evict;
mod facts;
mod finalizer;
mod inspect;
mod label;
mod recover;
mod retention;
pub mod schedule;
pub mod signature;
pub mod sink;
mod steady;
mod strangers;
mod target;
mod upload;
pub mod webhook;
mod writer;

pub use adopt::{Adopted, adopt};
pub use announce::{Announcer, Endpoint};
pub use companions::Companions;
pub use counters::{Counters, Snapshot};
pub use environment::{Stopped, WallClock, system_clock};
pub use error::{FinalizeError, Trouble};
pub use facts::facts;
pub use finalizer::{Finalizer, FinalizerOptions, Tools};
pub use inspect::{Finding, InspectOptions, Inspected, Place, What, inspect};
pub use label::{Label, LabelError};
pub use recover::{Keep, Kept, KeptRecording, Recovered, recover, recover_keeping, recover_with};
pub use retention::{FreeSpace, Policy, Retention, Room};
pub use target::{Fallback, Target};
pub use upload::PlanError;
pub use writer::{Destination, Refusal, Report, Writer};
