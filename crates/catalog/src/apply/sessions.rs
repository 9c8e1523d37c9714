//! Sessions.

use livetape_media::WallTime;
use livetape_record::SessionId;
use rusqlite::{OptionalExtension, params};

use super::Work;
use super::outbox::{Told, session_event_id};
use crate::columns;
use crate::{Applied, CatalogError, NewSession, SessionRow, SessionView};

impl Work<'_> {
    pub(super) fn session_started(&self, new: &NewSession) -> Result<Applied, CatalogError> {
        if let Some(row) = self.session(&new.id)? {
            let same = (&row.app, &row.stream, &row.query, &row.remote_addr, row.started_at)
                == (&new.app, &new.stream, &new.query, &new.remote_addr, new.started_at);
            return if same {
                Ok(Applied::Already)
            } else {
                Err(conflict(&new.id, format!("{}/{} from {}", row.app, row.stream, row.remote_addr)))
            };
        }
        let started_ms = new.started_at.as_unix_millis();
        self.connection
            .prepare_cached(
                "INSERT INTO sessions (id, node, app, stream, query, remote_addr, started_ms, tc_url, encoder) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut insert| {
                let id = new.id.to_string();
                insert.execute(params![
                    id,
                    self.node,
                    new.app,
                    new.stream,
                    new.query,
                    new.remote_addr,
                    started_ms,
                    new.tc_url,
                    new.encoder,
                ])
            })
            .map_err(CatalogError::sqlite("writing a session"))?;
        self.session_event(&new.id, "started", new.started_at)
    }

    pub(super) fn session_ended(&self, id: &SessionId, at: WallTime, reason: &str) -> Result<Applied, CatalogError> {
        let row = self.session(id)?.ok_or(CatalogError::UnknownSession(*id))?;
        match row.end_reason {
            Some(before) if before == reason => return Ok(Applied::Already),
            Some(before) => return Err(conflict(id, format!("it ended with reason {before}, now {reason}"))),
            None => {}
        }
        self.connection
            .prepare_cached("UPDATE sessions SET ended_ms = ?2, end_reason = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.to_string(), at.as_unix_millis(), reason]))
            .map_err(CatalogError::sqlite("ending a session"))?;
        self.session_event(id, "ended", at)
    }

    fn session_event(&self, id: &SessionId, verb: &str, at: WallTime) -> Result<Applied, CatalogError> {
        let row = self.session(id)?.ok_or(CatalogError::UnknownSession(*id))?;
        let (id, kind) = (session_event_id(id, verb), format!("stream.{verb}"));
        let data = SessionView::from(row.clone());
        self.emit(row, None, Told { id: &id, kind: &kind, at, data })?;
        Ok(Applied::Done)
    }

    pub(super) fn session(&self, id: &SessionId) -> Result<Option<SessionRow>, CatalogError> {
        self.connection
            .prepare_cached(&format!("SELECT {} FROM sessions WHERE id = ?1", columns::SESSION))
            .and_then(|mut select| select.query_row([id.to_string()], columns::session).optional())
            .map_err(CatalogError::sqlite("reading a session"))
    }
}

fn conflict(id: &SessionId, detail: String) -> CatalogError {
    CatalogError::Conflict { what: id.to_string(), detail }
}
