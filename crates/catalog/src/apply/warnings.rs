//! Warnings within sessions, findings of quality among them.

use livetape_media::{Phase, TrackKind, WallTime};
use livetape_record::{Finding, RecordingId, SessionId};
use rusqlite::OptionalExtension;
use serde::Serialize;

use super::outbox::{Told, recording_event_id, session_event_id};
use super::{MAX_TEXT_BYTES, Work};
use crate::columns::bounded;
use crate::{Applied, CatalogError};

/// Warnings kept of one recording; a publisher can cause them at will.
const MAX_OF_RECORDING: i64 = 100;
/// Those of one session, which may last for months.
const MAX_OF_SESSION: i64 = 2_000;

#[derive(Serialize)]
struct WarningData<'a> {
    #[serde(serialize_with = "crate::view::optional_text")]
    recording_id: Option<RecordingId>,
    #[serde(serialize_with = "crate::view::text")]
    session_id: SessionId,
    app: &'a str,
    stream: &'a str,
    format: Option<&'static str>,
    kind: &'a str,
    track: Option<&'static str>,
    phase: &'static str,
    count: u64,
    detail: &'a str,
}

/// What a warning says.
struct Words<'a> {
    kind: &'a str,
    track: Option<TrackKind>,
    phase: Phase,
    count: u64,
    detail: &'a str,
}

impl Work<'_> {
    pub(super) fn warning(
        &self,
        session: &SessionId,
        recording: Option<&RecordingId>,
        kind: &str,
        detail: &str,
        at: WallTime,
    ) -> Result<Applied, CatalogError> {
        self.warn(session, recording, &Words { kind, track: None, phase: Phase::Once, count: 1, detail }, at)
    }

    pub(super) fn finding(
        &self,
        session: &SessionId,
        finding: &Finding,
        at: WallTime,
    ) -> Result<Applied, CatalogError> {
        let Finding { kind, track, phase, count, detail } = finding;
        let words = Words { kind: kind.name(), track: *track, phase: *phase, count: *count, detail };
        self.warn(session, None, &words, at)
    }

    fn warn(
        &self,
        session: &SessionId,
        recording: Option<&RecordingId>,
        words: &Words<'_>,
        at: WallTime,
    ) -> Result<Applied, CatalogError> {
        let row = self.session(session)?.ok_or(CatalogError::UnknownSession(*session))?;
        let (counted, most) = match recording {
            Some(id) if id.session != *session => return Err(CatalogError::UnknownRecording(*id)),
            Some(id) => (self.count_for_recording(id)?, MAX_OF_RECORDING),
            None => {
                let sql = "UPDATE sessions SET warnings = warnings + 1 WHERE id = ?1 RETURNING warnings";
                (self.count(sql, &session.to_string())?, MAX_OF_SESSION)
            }
        };
        let number = match (counted, recording) {
            (Some(number), _) => number,
            (None, Some(id)) => return Err(CatalogError::UnknownRecording(*id)),
            (None, None) => return Err(CatalogError::UnknownSession(*session)),
        };
        if number > most {
            return Ok(Applied::Suppressed);
        }
        let verb = format!("warning_{number}");
        let id = recording.map_or_else(|| session_event_id(session, &verb), |id| recording_event_id(id, &verb));
        let (app, stream) = (row.app.clone(), row.stream.clone());
        let data = WarningData {
            recording_id: recording.copied(),
            session_id: *session,
            app: &app,
            stream: &stream,
            format: recording.map(|id| id.format.name()),
            kind: words.kind,
            track: words.track.map(TrackKind::name),
            phase: words.phase.name(),
            count: words.count,
            detail: bounded(words.detail, MAX_TEXT_BYTES),
        };
        self.emit(row, None, Told { id: &id, kind: "recording.warning", at, data })?;
        Ok(Applied::Done)
    }

    /// A number for what is told of a recording and has no other; none when it is not there.
    pub(super) fn count_for_recording(&self, id: &RecordingId) -> Result<Option<i64>, CatalogError> {
        self.count("UPDATE recordings SET warnings = warnings + 1 WHERE id = ?1 RETURNING warnings", &id.to_string())
    }

    fn count(&self, sql: &str, id: &str) -> Result<Option<i64>, CatalogError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut update| update.query_row([id], |row| row.get(0)).optional())
            .map_err(CatalogError::sqlite("counting a warning"))
    }
}
