//! What a damaged catalog owed and says no more: recordings of which only their event is left, events
//! of which only the recording is left, deliveries.

use std::cell::Cell;
use std::time::Duration;

use livetape_media::WallTime;
use livetape_record::{Gap, RecordingId};
use rusqlite::params;
use rusqlite::types::Value;
use serde_json::Value as Json;

use super::fill::Filling;
use crate::apply::{Work, recording_event_id};
use crate::{Addresses, CatalogError, StoreRole};

/// How long before the newest event one may still be on its way to an endpoint: deliveries are tried
/// for three days.
const OWED_MS: i64 = 3 * 24 * 3600 * 1000;

impl Filling<'_> {
    /// Takes away the rows of recordings that were deleted: former versions of them, on pages that are not
    /// in use any more.
    pub(super) fn forget_deleted(&self) -> Result<(), CatalogError> {
        self.connection
            .execute(
                "DELETE FROM recordings WHERE id IN \
                 (SELECT json_extract(body, '$.data.id') FROM events WHERE type = 'recording.deleted')",
                [],
            )
            .map_err(CatalogError::sqlite("forgetting recordings that were deleted"))?;
        Ok(())
    }

    /// Makes the rows of recordings that are over and of which only the event that says so is left.
    pub(super) fn infer_recordings(&mut self) -> Result<(), CatalogError> {
        let failed = || CatalogError::sqlite("looking for recordings in events");
        let lost: Vec<(String, i64, String)> = self
            .connection
            .prepare(
                "SELECT type, timestamp_ms, body FROM events \
                 WHERE type IN ('recording.ready', 'recording.failed', 'recording.discarded') AND NOT EXISTS \
                 (SELECT 1 FROM recordings WHERE recordings.id = json_extract(events.body, '$.data.id')) \
                 AND json_extract(body, '$.data.id') NOT IN \
                 (SELECT json_extract(body, '$.data.id') FROM events WHERE type = 'recording.deleted' \
                  AND json_extract(body, '$.data.id') IS NOT NULL) \
                 ORDER BY sequence DESC",
            )
            .and_then(|mut select| select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
            .map_err(failed())?;
        let node: String = self.connection.query_row("SELECT node FROM meta", [], |row| row.get(0)).map_err(failed())?;
        for (kind, at_ms, body) in lost {
            let Some(values) = recording(&kind, at_ms, &body, &node) else { continue };
            self.session_of(&values)?;
            if self.insert_recording(&values)? {
                self.found.recordings_inferred += 1;
            }
        }
        Ok(())
    }

    /// Orders the queues, and puts into them what is owed and was lost.
    pub(super) fn settle_debts(&mut self) -> Result<(), CatalogError> {
        let failed = || CatalogError::sqlite("finding out what is owed");
        let execute =
            |sql: &str, params: &[&dyn rusqlite::ToSql]| self.connection.execute(sql, params).map_err(failed());
        // No number is given twice: readers go on from the last one they saw.
        execute("DELETE FROM sqlite_sequence WHERE name = 'events'", &[])?;
        execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?1)", &[&self.sequence])?;
        let deliveries_again = execute(
            "INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) \
             SELECT endpoints.id, events.sequence, events.subject, 'waiting', events.timestamp_ms, 0 \
             FROM endpoints CROSS JOIN events WHERE endpoints.configured = 1 AND endpoints.disabled_ms IS NULL \
             AND events.timestamp_ms >= (SELECT max(timestamp_ms) FROM events) - ?1 \
             AND NOT EXISTS (SELECT 1 FROM deliveries \
              WHERE deliveries.endpoint = endpoints.id AND deliveries.event = events.sequence)",
            &[&OWED_MS],
        )?;
        execute(
            "UPDATE deliveries SET state = 'head' WHERE state = 'waiting' AND event = (SELECT min(event) \
             FROM deliveries AS other INDEXED BY deliveries_waiting WHERE other.state = 'waiting' \
             AND other.endpoint = deliveries.endpoint AND other.subject = deliveries.subject)",
            &[],
        )?;
        execute("UPDATE deliveries SET next_ms = 0 WHERE state = 'waiting'", &[])?;
        self.found.deliveries_again = deliveries_again;
        self.tell_again()
    }

    /// Tells of every recording that is ready and has no event any more.
    fn tell_again(&mut self) -> Result<(), CatalogError> {
        let failed = || CatalogError::sqlite("finding out what is owed");
        // Of what happened before events were pruned none need be there.
        let ready: Vec<(String, i64)> = self
            .connection
            .prepare(
                "SELECT id, ready_ms FROM recordings WHERE state = 'ready' AND NOT EXISTS \
                 (SELECT 1 FROM pruned WHERE pruned.subject = recordings.subject AND pruned.at_ms >= recordings.ready_ms) \
                 ORDER BY ready_ms, id",
            )
            .and_then(|mut select| select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map_err(failed())?;
        let addresses = Addresses::new(self.public_base().map_err(failed())?);
        let node = self.node.clone().unwrap_or_default();
        let work = Work {
            connection: self.connection,
            node: &node,
            addresses: &addresses,
            deliveries_due: Cell::new(false),
            fills_gaps: true,
        };
        for (id, ready_ms) in ready {
            let Ok(id) = id.parse::<RecordingId>() else { continue };
            let told: bool = self
                .connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1)")
                .and_then(|mut select| select.query_row([recording_event_id(&id, "ready")], |row| row.get(0)))
                .map_err(failed())?;
            if !told {
                work.recording_event(&id, "ready", WallTime::from_unix_millis(ready_ms))?;
                self.found.events_again += 1;
            }
        }
        Ok(())
    }

    /// The address the API was reached at, as the last event with one says.
    fn public_base(&self) -> rusqlite::Result<String> {
        let mut select = self.connection.prepare(
            "SELECT json_extract(body, '$.data.url') FROM events WHERE type LIKE 'recording.%' \
             AND json_extract(body, '$.data.url') LIKE '%/media/%' ORDER BY sequence DESC LIMIT 1",
        )?;
        let mut rows = select.query(params![])?;
        let url: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
        Ok(url.and_then(|url| url.split_once("/media/").map(|(base, _)| base.to_owned())).unwrap_or_default())
    }
}

/// The columns of a recording's row, as its event `kind` says.
fn recording(kind: &str, at_ms: i64, body: &str, node: &str) -> Option<Vec<Value>> {
    let body: Json = serde_json::from_str(body).ok()?;
    let data = body.get("data")?;
    let state = kind.strip_prefix("recording.")?;
    let id: RecordingId = data.get("id")?.as_str()?.parse().ok()?;
    let text = |key: &str| Some(Value::Text(data.get(key)?.as_str()?.to_owned()));
    let column = |data: &Json, key: &str| match data.get(key) {
        Some(Json::String(text)) => Value::Text(text.clone()),
        Some(Json::Bool(is)) => Value::Integer((*is).into()),
        Some(Json::Number(number)) => {
            number.as_i64().map_or_else(|| number.as_f64().map_or(Value::Null, Value::Real), Value::Integer)
        }
        _ => Value::Null,
    };
    let time = |key: &str| {
        let time: WallTime = data.get(key)?.as_str()?.parse().ok()?;
        Some(Value::Integer(time.as_unix_millis()))
    };
    let track = |kind: &str, key: &str| data.get(kind).map_or(Value::Null, |track| column(track, key));
    let (app, stream) = (data.get("app")?.as_str()?, data.get("stream")?.as_str()?);
    let ended = time("ended_at").or((state != "ready").then_some(Value::Integer(at_ms)))?;
    Some(vec![
        Value::Text(id.to_string()),
        Value::Text(id.session.to_string()),
        Value::Text(node.to_owned()),
        Value::Text(app.to_owned()),
        Value::Text(stream.to_owned()),
        Value::Text(format!("{app}/{stream}")),
        Value::Text(id.format.name().to_owned()),
        Value::Text(state.to_owned()),
        text("key")?,
        time("started_at")?,
        ended,
        text("start_reason")?,
        column(data, "end_reason"),
        column(data, "size_bytes"),
        column(data, "duration_ms"),
        track("video", "codec"),
        track("video", "width"),
        track("video", "height"),
        track("video", "frame_rate"),
        track("video", "frames"),
        track("audio", "codec"),
        track("audio", "sample_rate"),
        track("audio", "channels"),
        track("audio", "frames"),
        column(data, "recovered"),
        column(data, "error"),
        if state == "ready" { Value::Integer(at_ms) } else { Value::Null },
        // Recovery looks whether something of it is in the spool.
        Value::Integer(0),
        // Behind every number a warning of it can have had.
        Value::Integer(100),
        Value::Null,
        column(data, "lost_ms"),
        // An upload that is still under way is found by its key.
        Value::Null,
        match data.get("store").and_then(Json::as_str) {
            Some(store) if store == StoreRole::Fallback.name() => Value::Text(store.to_owned()),
            _ => Value::Null,
        },
        Value::Null,
        column(data, "media_of"),
        // Nobody holds it, as far as events say.
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        column(data, "task_id"),
        Value::Null,
        gaps(data).map_or(Value::Null, |gaps| Value::Text(crate::gaps::write(&gaps))),
        column(data, "retention_ms"),
    ])
}

/// The gaps that the event shows. How far apart the sessions are it does not say: as the calendar does.
fn gaps(data: &Json) -> Option<Vec<Gap>> {
    let gap = |shown: &Json| {
        let time = |key: &str| shown.get(key)?.as_str()?.parse::<WallTime>().ok();
        let length = |key: &str| shown.get(key)?.as_u64().map(Duration::from_millis);
        let (from, to) = (time("from")?, time("to")?);
        let passed = u64::try_from(to.as_unix_millis().saturating_sub(from.as_unix_millis())).unwrap_or(0);
        let apart = Duration::from_millis(passed);
        let lost = length("lost_ms").unwrap_or_default();
        Some(Gap { from, to, at: length("at_ms")?, length: length("length_ms")?, apart, lost })
    };
    data.get("gaps")?.as_array()?.iter().map(gap).collect()
}
