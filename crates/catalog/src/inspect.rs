//! A catalog that is looked at and not used: read page by page, nothing written, nobody held up.

use std::path::{Path, PathBuf};

use livetape_record::RecordingId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::apply::recording_event_id;
use crate::database::{check_owner, explain, integrity, open_reader, open_still};
use crate::query::rows;
use crate::sound::{check_files, check_schema};
use crate::{CatalogError, EndpointId, RecordingRow, SessionRow, columns};

/// Who else may be using a catalog that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nobody: the caller has the data directory to itself.
    Nobody,
    /// Another process may write.
    Others,
}

/// A catalog that is looked at.
pub struct Inspection {
    connection: Connection,
    path: PathBuf,
}

/// A row of a recording as it was found.
#[derive(Clone, Debug)]
pub enum FoundRow {
    /// It reads as one.
    Whole(Box<RecordingRow>),
    /// It does not.
    Unreadable {
        /// Its id, whatever that is.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl FoundRow {
    /// Its id as the catalog has it.
    pub fn id(&self) -> String {
        match self {
            Self::Whole(row) => row.id.to_string(),
            Self::Unreadable { id, .. } => id.clone(),
        }
    }
}

/// An event that says a recording is ready, or bears the id of one that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyEvent {
    /// Its place among all events.
    pub sequence: i64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The recording its body tells of, if it tells of one.
    pub recording: Option<String>,
}

impl Inspection {
    /// Opens the catalog at `path`, which must be there, be one, and have this version's schema.
    pub fn open(path: &Path, used_by: Use) -> Result<Self, CatalogError> {
        std::fs::metadata(path).map_err(CatalogError::io("opening", path))?;
        // Under a process at work the log changes while it is read.
        if used_by == Use::Nobody {
            check_files(path)?;
        }
        let connection = match used_by {
            Use::Nobody => open_still(path)?,
            Use::Others => open_reader(path)?,
        };
        check_owner(&connection, path, true)?;
        check_schema(&connection, path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Whether the file is whole: every page where it belongs, and with `deep` every index as well.
    /// [`CatalogError::Damaged`] when it is not.
    pub fn check(&self, deep: bool) -> Result<(), CatalogError> {
        integrity(&self.connection, &self.path, deep)
    }

    /// The rows of the first `limit` recordings whose ids come after `after`, in order. Begin with
    /// an empty text.
    pub fn recordings(&self, after: &str, limit: usize) -> Result<Vec<FoundRow>, CatalogError> {
        let sql = format!("SELECT {} FROM recordings WHERE id > ?1 ORDER BY id LIMIT ?2", columns::RECORDING);
        self.read("reading recordings", |connection| {
            let mut select = connection.prepare_cached(&sql)?;
            let mut found = select.query(params![after, limit_of(limit)])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push(match columns::recording(row) {
                    Ok(row) => FoundRow::Whole(Box::new(row)),
                    Err(error) => FoundRow::Unreadable { id: row.get(0)?, problem: error.to_string() },
                });
            }
            Ok(page)
        })
    }

    /// The recording with this id.
    pub fn recording(&self, id: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        self.read("reading a recording", |connection| {
            connection
                .prepare_cached(&format!("SELECT {} FROM recordings WHERE id = ?1", columns::RECORDING))?
                .query_row([id.to_string()], columns::recording)
                .optional()
        })
    }

    /// Whether a recording's place in the store is `key`.
    pub fn holds_key(&self, key: &str) -> Result<bool, CatalogError> {
        self.read("looking for a key", |connection| {
            let mut select = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM recordings WHERE key = ?1)")?;
            select.query_row([key], |row| row.get(0))
        })
    }

    /// The webhook endpoints that were configured when the catalog was used last.
    pub fn endpoints(&self) -> Result<Vec<EndpointId>, CatalogError> {
        self.read("listing endpoints", |connection| {
            rows(connection, "SELECT id FROM endpoints WHERE configured = 1 ORDER BY id", [], |row| row.get(0))
        })
    }

    /// Sessions that have not ended, oldest first.
    pub fn sessions_open(&self) -> Result<Vec<SessionRow>, CatalogError> {
        let sql = format!("SELECT {} FROM sessions WHERE ended_ms IS NULL ORDER BY started_ms, id", columns::SESSION);
        self.read("listing sessions", |connection| rows(connection, &sql, [], columns::session))
    }

    /// Whether an event says that the recording with this id is ready, and bears the id it should; or may have done so
    /// before it was pruned.
    pub fn announced(&self, id: &RecordingId) -> Result<bool, CatalogError> {
        self.read("looking for an event", |connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1 AND type = 'recording.ready') OR EXISTS \
                     (SELECT 1 FROM recordings JOIN pruned ON pruned.subject = recordings.subject \
                      WHERE recordings.id = ?2 AND recordings.ready_ms <= pruned.at_ms)",
                )?
                .query_row([ready_event_id(id), id.to_string()], |row| row.get(0))
        })
    }

    /// Whether an event says that the recording with this id was deleted.
    pub fn deleted(&self, id: &RecordingId) -> Result<bool, CatalogError> {
        self.read("looking for an event", |connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1 AND type = 'recording.deleted')")?
                .query_row([recording_event_id(id, "deleted")], |row| row.get(0))
        })
    }

    /// Of the `limit` events after `sequence`, those that say a recording is ready or bear the id of
    /// one that does; and the sequence to go on from, `None` at the end. Begin with 0.
    pub fn ready_events(&self, sequence: i64, limit: usize) -> Result<(Vec<ReadyEvent>, Option<i64>), CatalogError> {
        self.read("reading events", |connection| {
            let mut select = connection.prepare_cached(
                "SELECT sequence, id, type, CASE WHEN json_valid(body) THEN json_extract(body, '$.data.id') END \
                 FROM events WHERE sequence > ?1 AND sequence <= ?2 AND (type = 'recording.ready' OR (type LIKE 'recording.%' AND substr(id, -6) = '_ready')) \
                 ORDER BY sequence",
            )?;
            let last: Option<i64> = connection
                .prepare_cached("SELECT max(sequence) FROM (SELECT sequence FROM events WHERE sequence > ?1 \
                                 ORDER BY sequence LIMIT ?2)")?
                .query_row(params![sequence, limit_of(limit)], |row| row.get(0))?;
            let Some(last) = last else { return Ok((Vec::new(), None)) };
            let event = |row: &rusqlite::Row<'_>| {
                let recording = row.get_ref(3)?.as_str().ok().map(str::to_owned);
                Ok(ReadyEvent { sequence: row.get(0)?, id: row.get(1)?, kind: row.get(2)?, recording })
            };
            let events = select.query_map(params![sequence, last], event)?.collect::<rusqlite::Result<_>>()?;
            Ok((events, Some(last)))
        })
    }

    /// The event at this place.
    pub fn ready_event(&self, sequence: i64) -> Result<Option<ReadyEvent>, CatalogError> {
        Ok(self.ready_events(sequence - 1, 1)?.0.into_iter().find(|event| event.sequence == sequence))
    }

    /// Runs `query`, which sees the state of one commit.
    fn read<T>(
        &self,
        action: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        self.connection
            .unchecked_transaction()
            .and_then(|transaction| query(&transaction))
            .map_err(|error| explain(&self.path, action, error))
    }
}

/// The id of the event that says a recording is ready.
pub fn ready_event_id(id: &RecordingId) -> String {
    recording_event_id(id, "ready")
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
