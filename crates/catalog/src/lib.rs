//! The only code that touches the index: sessions, recordings, events and what is owed to webhook
//! endpoints, in one SQLite file.
//!
//! Contract:
//! - A [`Change`] is durable when its answer comes: it outlasts a power cut. A state change, the
//!   event that tells of it and a delivery of that event for every endpoint are one transaction, so
//!   that `recording.ready` is owed if and only if the row says `ready`.
//! - Repeating a change changes nothing ([`Applied::Already`]). What a recording's state does not
//!   allow is an error.
//! - One thread writes; changes that wait together are committed together. A few connections read,
//!   and never wait for the writer.
//! - Ids of events are functions of what they tell of: the same after any crash.
//! - A file that is damaged, of a later version or another program's is refused, and left as it is.
//!
//! The schema is in `schema/N.sql`, a step from each version to the next, with a comment on every column. Rows carry the node they were
//! made on, for a view over many nodes.

mod apply;
mod catalog;
mod change;
mod columns;
mod cursor;
mod database;
mod error;
mod event;
mod filter;
mod gaps;
mod inspect;
mod query;
mod readers;
mod rebuild;
mod row;
mod sound;
mod state;
mod task;
mod token;
mod view;
mod writer;

pub use catalog::{Catalog, Gate, Options, WriterStats};
pub use change::{Applied, Attempt, Change, EndpointId, NewDeletion, NewRecording, NewSession};
pub use error::CatalogError;
pub use event::{AttemptView, DeliveryView, DueDelivery, EventRow};
pub use filter::{DEFAULT_LIMIT, MAX_LIMIT, Page, RecordingFilter};
pub use gaps::GapView;
pub use inspect::{FoundRow, Inspection, ReadyEvent, Use, ready_event_id};
pub use query::{
    Counts, Deletable, DeletionPlan, DeletionRow, DeliveryFilter, EndpointCounts, Found, Looked, Selected, StoredBytes,
    StoredEndpoint, TapeFilter, TaskFilter,
};
pub use rebuild::{Rebuilt, rebuild};
pub use row::{AudioFacts, Facts, Hold, PlaylistFacts, RecordingRow, SessionRow, VideoFacts};
pub use state::{DeletionReason, DeliveryState, RecordingState, StoreRole};
pub use task::{PlanKind, StoredPlan, TaskRow};
pub use token::{TokenBook, TokenRow, TokenScope};
pub use view::{Addresses, PushView, RecordingView, SessionView, ShownState, object_url};
