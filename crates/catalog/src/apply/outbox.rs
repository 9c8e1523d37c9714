//! Events and what they owe each endpoint.

use livetape_media::{MediaTime, WallTime};
use livetape_record::{RecordingId, SessionId};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::Work;
use crate::{CatalogError, PushView, SessionRow};

/// How long an event that is not taken holds up those behind it.
pub(super) const HEAD_PATIENCE_MS: i64 = 10 * 60 * 1000;

#[derive(Serialize)]
struct Envelope<'a, T> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(serialize_with = "crate::view::text")]
    timestamp: WallTime,
    seq: i64,
    data: T,
    push: PushView,
}

/// What an event is about, and what it says.
pub(super) struct Told<'a, T> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its type.
    pub(super) kind: &'a str,
    /// When what it tells of happened.
    pub(super) at: WallTime,
    /// What it says.
    pub(super) data: T,
}

/// The id of an event of a recording; a function of the recording, so that it is the same after
/// any crash.
pub(crate) fn recording_event_id(id: &RecordingId, verb: &str) -> String {
    let (uuid, format, sequence) = (id.session.0.simple(), id.format, id.sequence);
    format!("evt_{uuid}_{format}_{sequence}_{verb}")
}

/// The id of an event of a session.
pub(super) fn session_event_id(id: &SessionId, verb: &str) -> String {
    format!("evt_{}_{verb}", id.0.simple())
}

impl Work<'_> {
    /// Writes an event of the session's stream, and a delivery of it for every endpoint that takes events;
    /// `start` is that of the recording it tells of. Nothing happens when there is one with this id, as in a
    /// catalog that lost the row it tells of and not the event: it is owed already.
    pub(super) fn emit(
        &self,
        session: SessionRow,
        start: Option<MediaTime>,
        told: Told<'_, impl Serialize>,
    ) -> Result<(), CatalogError> {
        let Told { id, kind, at, data } = told;
        let failed = CatalogError::sqlite;
        let subject = &format!("{}/{}", session.app, session.stream);
        let seq = self.next_seq(subject).map_err(failed("numbering an event"))?;
        let push = PushView::new(session, start);
        let body = serde_json::to_string(&Envelope { id, kind, timestamp: at, seq, data, push })
            .map_err(|error| CatalogError::Conflict { what: id.to_owned(), detail: error.to_string() })?;
        let written = self
            .connection
            .prepare_cached(
                "INSERT INTO events (id, type, subject, timestamp_ms, body, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (id) DO NOTHING",
            )
            .and_then(|mut insert| insert.execute(params![id, kind, subject, at.as_unix_millis(), body, seq]))
            .map_err(failed("writing an event"))?;
        if written == 0 {
            return self.is_there(id, kind);
        }
        self.deliveries_due.set(true);
        let sequence = self.connection.last_insert_rowid();
        let endpoints: Vec<String> = self
            .connection
            .prepare_cached("SELECT id FROM endpoints WHERE configured = 1 AND disabled_ms IS NULL ORDER BY id")
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .map_err(failed("listing endpoints"))?;
        for endpoint in endpoints {
            self.enqueue(&endpoint, sequence, subject, at).map_err(failed("queueing a delivery"))?;
        }
        Ok(())
    }

    /// The number of the stream's next event.
    fn next_seq(&self, subject: &str) -> rusqlite::Result<i64> {
        let last: i64 = self
            .connection
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM events WHERE subject = ?1")?
            .query_row([subject], |row| row.get(0))?;
        // Numbers go on where those stopped that were pruned.
        let pruned: i64 = match last > 0 && !self.fills_gaps {
            true => 0,
            false => self
                .connection
                .prepare_cached("SELECT seq FROM pruned WHERE subject = ?1")?
                .query_row([subject], |row| row.get(0))
                .optional()?
                .unwrap_or(0),
        };
        let last = last.max(pruned);
        if !self.fills_gaps {
            return Ok(last + 1);
        }
        let missing = "SELECT coalesce(min(before.seq + 1), ?2 + 1) FROM \
             (SELECT ?3 AS seq UNION ALL SELECT seq FROM events WHERE subject = ?1 AND seq IS NOT NULL) AS before \
             WHERE NOT EXISTS (SELECT 1 FROM events WHERE subject = ?1 AND seq = before.seq + 1)";
        self.connection.prepare_cached(missing)?.query_row(params![subject, last, pruned], |row| row.get(0))
    }

    /// Whether the event that is there already tells of the same thing.
    fn is_there(&self, id: &str, kind: &str) -> Result<(), CatalogError> {
        let found: String = self
            .connection
            .prepare_cached("SELECT type FROM events WHERE id = ?1")
            .and_then(|mut select| select.query_row([id], |row| row.get(0)))
            .map_err(CatalogError::sqlite("looking at an event"))?;
        if found == kind {
            return Ok(());
        }
        Err(CatalogError::Conflict { what: format!("the event {id}"), detail: format!("it is of type {found}") })
    }

    /// Puts the event at the end of its stream's queue for `endpoint`.
    fn enqueue(&self, endpoint: &str, sequence: i64, subject: &str, at: WallTime) -> rusqlite::Result<()> {
        let behind: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ?1 AND subject = ?2 AND state = 'head')",
            )?
            .query_row(params![endpoint, subject], |row| row.get(0))?;
        let (state, next_ms) = if behind { ("waiting", 0) } else { ("head", self.not_before(endpoint, subject)?) };
        self.connection
            .prepare_cached(
                "INSERT INTO deliveries (endpoint, event, subject, state, created_ms, next_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![endpoint, sequence, subject, state, at.as_unix_millis(), next_ms])?;
        Ok(())
    }

    /// When the head of a queue may be tried at the earliest: an event that stepped aside because
    /// its next attempt is far off still has its ten minutes. 0: at once.
    pub(super) fn not_before(&self, endpoint: &str, subject: &str) -> rusqlite::Result<i64> {
        let youngest: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT created_ms FROM deliveries WHERE endpoint = ?1 AND subject = ?2 AND state = 'aside' \
                 ORDER BY created_ms DESC LIMIT 1",
            )?
            .query_row(params![endpoint, subject], |row| row.get(0))
            .optional()?;
        Ok(youngest.map_or(0, |created| created.saturating_add(HEAD_PATIENCE_MS).max(0)))
    }

    /// Makes the first of those that wait in a queue its head. The queue has none.
    pub(super) fn promote(&self, endpoint: &str, subject: &str) -> rusqlite::Result<()> {
        let next_ms = self.not_before(endpoint, subject)?;
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET state = 'head', next_ms = ?3 WHERE endpoint = ?1 AND event = \
                 (SELECT event FROM deliveries WHERE endpoint = ?1 AND subject = ?2 AND state = 'waiting' \
                  ORDER BY event LIMIT 1)",
            )?
            .execute(params![endpoint, subject, next_ms])?;
        self.deliveries_due.set(true);
        Ok(())
    }
}
