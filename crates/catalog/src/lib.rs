//! The only code that touches the index: sessions, recordings, events, deliveries.
mod change;
mod error;
mod event;
mod filter;
mod row;
mod state;
mod view;

pub use change::{Applied, Change, EndpointId, NewRecording, NewSession};
pub use error::CatalogError;
pub use event::{AttemptView, DeliveryView, DueDelivery, EventRow};
pub use filter::{DEFAULT_LIMIT, MAX_LIMIT, Page, RecordingFilter};
pub use row::{AudioFacts, Facts, RecordingRow, SessionRow, VideoFacts};
pub use state::{DeliveryState, RecordingState};
pub use view::{RecordingView, SessionView, media_url};
