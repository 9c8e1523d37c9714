//! Streams to measure with, and what to count.
//!
//! `cargo bench -p livetape-benches` times the parts of the frame path and counts allocations.
//! `cargo run --release -p livetape-benches --bin finish` measures what finishing costs by length.
//! The tests hold allocations and instructions of the frame path to figures that are written down.

mod figures;
mod path;
mod stream;
mod wire;

pub use figures::{Figure, hold};
pub use path::{Path, Stage};
pub use stream::Stream;
pub use wire::{Wire, session_of};

use std::time::Duration;

use livetape_media::{Format, Now, WallTime};
use livetape_mux::Layout;
use livetape_record::{NameTemplate, Policy};

/// What the clocks show after `mono`.
pub fn now_at(mono: Duration) -> Now {
    let millis = i64::try_from(mono.as_millis()).unwrap_or(0);
    Now { mono, wall: WallTime::from_unix_millis(1_700_000_000_000).plus_millis(millis) }
}

/// The default policy of a format, with recordings as long as they like.
pub fn policy(format: Format) -> Policy {
    Policy {
        format,
        layout: Layout::default(),
        max_duration: Duration::from_secs(24 * 3600),
        align: None,
        max_bytes: None,
        min_duration: Duration::from_secs(1),
        track_wait: Duration::from_secs(1),
        names: NameTemplate::default(),
        playlists: false,
        keep: livetape_record::Keep::default(),
    }
}
