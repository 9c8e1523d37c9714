//! Counting recordings that became ready, failed or were deleted, from the events that say so.
//!
//! Contract: each event is counted once, however often and from how many sides
//! [`EventTail::catch_up`] is called. Events from before the start are not counted: counters begin
//! at zero with the process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use livetape_catalog::{Catalog, CatalogError, DeletionReason};
use livetape_media::{Format, WallTime};
use serde::Deserialize;

use crate::live::Live;
use crate::metrics;

/// Events read at a time.
const BATCH: usize = 500;

/// How far the events have been counted.
#[derive(Debug)]
pub struct EventTail {
    sequence: Mutex<i64>,
}

/// What is read of a recording's event.
#[derive(Deserialize)]
struct Body {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: Option<String>,
    format: Option<String>,
    size_bytes: Option<u64>,
    duration_ms: Option<u64>,
    ended_at: Option<String>,
    #[serde(default)]
    recovered: bool,
    deletion_reason: Option<String>,
}

impl EventTail {
    /// Counts events from now on. Call before recovery, whose recordings count too.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn new(catalog: &Catalog) -> Result<Self, CatalogError> {
        let events = catalog.counts()?.events;
        Ok(Self { sequence: Mutex::new(i64::try_from(events).unwrap_or(i64::MAX)) })
    }

    /// Counts what has come since the last call, and tells the live sessions.
    ///
    /// # Errors
    /// When the catalog cannot be read; what is left is counted by the next call.
    pub fn catch_up(&self, catalog: &Catalog, live: &Live) -> Result<(), CatalogError> {
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let rows = catalog.events_after(*sequence, BATCH)?;
            for row in &rows {
                *sequence = row.sequence;
                count(&row.kind, &row.body, row.timestamp, live);
            }
            if rows.len() < BATCH {
                return Ok(());
            }
        }
    }
}

fn count(kind: &str, body: &str, at: WallTime, live: &Live) {
    if !matches!(kind, "recording.ready" | "recording.failed" | "recording.deleted") {
        return;
    }
    let Ok(Body { data }) = serde_json::from_str::<Body>(body) else { return };
    if kind == "recording.deleted" {
        if let Some(reason) = data.deletion_reason.and_then(|reason| reason.parse::<DeletionReason>().ok()) {
            metrics::recordings_deleted(reason, 1, data.size_bytes.unwrap_or(0));
        }
        return;
    }
    let Some(format) = data.format.as_deref().and_then(|name| name.parse::<Format>().ok()) else { return };
    if kind == "recording.failed" {
        metrics::recording_failed(format);
        return;
    }
    let ended: Option<WallTime> = data.ended_at.as_deref().and_then(|text| text.parse().ok());
    let took = ended.and_then(|ended| u64::try_from(at.as_unix_millis() - ended.as_unix_millis()).ok());
    let duration = Duration::from_millis(data.duration_ms.unwrap_or(0));
    let took = took.filter(|_| !data.recovered).map(Duration::from_millis);
    if let Some(id) = data.id.and_then(|id| id.parse().ok()) {
        live.stored(&id, duration);
    }
    metrics::recording_stored(format, data.size_bytes.unwrap_or(0), duration, took);
    if data.recovered {
        metrics::recording_recovered(format);
    }
}
