//! Of what is in the stores: how much, and what was deleted.

use ::metrics::{counter, gauge};
use livetape_catalog::DeletionReason;

use super::{as_f64, ready};

/// So many bytes of ready recordings are in the stores, and so many of them are held.
pub fn stored(bytes: u64, held: u64) {
    ready();
    gauge!("livetape_store_bytes").set(as_f64(bytes));
    gauge!("livetape_store_held_bytes").set(as_f64(held));
}

/// So many bytes of recordings that nobody holds may be in the stores; 0: no bound.
pub fn store_limit(bytes: u64) {
    ready();
    gauge!("livetape_store_limit_bytes").set(as_f64(bytes));
}

/// So many recordings were deleted, of so many bytes together.
pub fn recordings_deleted(reason: DeletionReason, count: u64, bytes: u64) {
    ready();
    counter!("livetape_deleted_total", "reason" => reason.name()).increment(count);
    counter!("livetape_deleted_bytes_total", "reason" => reason.name()).increment(bytes);
}
