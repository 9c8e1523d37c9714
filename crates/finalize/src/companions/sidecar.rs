//! `KEY.json`: what a recording is.

use bytes::Bytes;
use livetape_catalog::{Catalog, RecordingRow, RecordingView};
use livetape_store::ObjectKey;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::FinalizeError;

/// Behind the recording's key.
pub(super) const SUFFIX: &str = ".json";
/// What it says is laid out like this.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Sidecar {
    version: u32,
    /// As the event `recording.ready` shows it.
    recording: RecordingView,
    /// As `/v1/recordings/{id}/report` shows it.
    report: Option<Box<RawValue>>,
}

/// Where it is; nowhere when that would be no key.
pub(super) fn key(recording: &str) -> Option<ObjectKey> {
    format!("{recording}{SUFFIX}").parse().ok()
}

/// Of a recording, whose row is this when it is ready. Blocks.
pub(super) fn of(catalog: &Catalog, row: RecordingRow) -> Result<Bytes, FinalizeError> {
    let report = catalog.report(&row.id)?.map(RawValue::from_string).transpose()?;
    let recording = RecordingView::new(row, catalog.addresses());
    let mut text = serde_json::to_vec_pretty(&Sidecar { version: VERSION, recording, report })?;
    text.push(b'\n');
    Ok(text.into())
}
