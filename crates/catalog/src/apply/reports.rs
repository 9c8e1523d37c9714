//! How a recording has done: pauses while it grows, and what is said of its integrity at its end.

use livetape_media::WallTime;
use livetape_record::{RecordingId, Report};
use rusqlite::params;
use serde::Serialize;

use super::Work;
use crate::{Applied, CatalogError, GapView, RecordingState};

/// A report as it is kept and shown.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(serialize_with = "crate::view::text")]
    recording_id: RecordingId,
    /// While its publisher was gone. Its row knows them, whoever says the rest.
    gaps: Vec<GapView>,
    #[serde(flatten)]
    report: &'a Report,
}

impl Work<'_> {
    pub(super) fn reported(&self, id: &RecordingId, report: &Report) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        if row.state != RecordingState::Recording {
            return Ok(Applied::Already);
        }
        let gaps = GapView::all(&row.gaps);
        let body = serde_json::to_string(&Body { recording_id: *id, gaps, report })
            .map_err(|error| CatalogError::Conflict { what: id.to_string(), detail: error.to_string() })?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO reports (recording, body) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![id.to_string(), body]))
            .map_err(CatalogError::sqlite("writing a report"))?;
        Ok(Applied::Done)
    }

    /// A recording is paused, or resumed.
    pub(super) fn recording_pauses(&self, id: &RecordingId, verb: &str, at: WallTime) -> Result<Applied, CatalogError> {
        if self.known(id)?.state != RecordingState::Recording {
            return Ok(Applied::Already);
        }
        // It can happen again: it is numbered like a warning.
        let number = self.count_for_recording(id)?.ok_or(CatalogError::UnknownRecording(*id))?;
        let row = self.known(id)?;
        let (start, data) = (row.start, crate::RecordingView::new(row, self.addresses));
        self.tell(id, &format!("{verb}_{number}"), verb, at, start, data)?;
        Ok(Applied::Done)
    }
}
