//! Putting the rows that were found into a new catalog.

use livetape_record::{RecordingId, SessionId};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params, params_from_iter};

use super::Rebuilt;
use super::pages::Pages;
use super::records::{Record, records};
use crate::{CatalogError, RecordingState, columns};

/// What a row is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Meta,
    Pruned,
    Endpoints,
    Plan,
    Tasks,
    Sequence,
    Sessions,
    Recordings,
    Reports,
    Events,
    Deliveries,
    Attempts,
}

/// Passes over all pages; a row of a later one needs rows of those before.
const PASSES: [&[Table]; 6] = [
    &[Table::Meta, Table::Pruned, Table::Endpoints, Table::Plan, Table::Tasks, Table::Sequence],
    &[Table::Sessions],
    &[Table::Recordings],
    &[Table::Events],
    &[Table::Deliveries, Table::Reports],
    &[Table::Attempts],
];
/// Columns of a recording in each version that added some.
const RECORDING_COLUMNS: [usize; 8] = [29, 31, 34, 35, 40, 41, 43, 44];
/// Columns of a session up to version 3, and now.
const SESSION_COLUMNS: [usize; 2] = [10, 12];

/// A new catalog that is being filled.
pub(super) struct Filling<'a> {
    pub(super) connection: &'a Connection,
    pub(super) found: Rebuilt,
    /// The highest number an event is known to have had.
    pub(super) sequence: i64,
    pub(super) node: Option<String>,
}

impl<'a> Filling<'a> {
    /// Fills the catalog, which is new, with what `pages` hold.
    pub(super) fn fill(connection: &'a mut Connection, pages: &Pages) -> Result<Rebuilt, CatalogError> {
        let failed = || CatalogError::sqlite("filling the new catalog");
        // Until it has its name nobody misses it: it is synced once, when it is whole.
        connection
            .execute_batch("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536")
            .and_then(|()| connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(())))
            .map_err(failed())?;
        let transaction = connection.transaction().map_err(failed())?;
        let mut filling = Filling { connection: &transaction, found: Rebuilt::default(), sequence: 0, node: None };
        for pass in PASSES {
            for number in 1..=pages.count {
                for record in records(pages, number) {
                    if let Some(table) = table_of(&record).filter(|table| pass.contains(table)) {
                        filling.take(table, record)?;
                    }
                }
            }
            if pass.contains(&Table::Events) {
                filling.forget_deleted()?;
                filling.infer_recordings()?;
            }
        }
        filling.settle_debts()?;
        filling.count().map_err(failed())?;
        let found = filling.found;
        transaction.commit().map_err(failed())?;
        Ok(found)
    }

    /// One row that was found.
    fn take(&mut self, table: Table, record: Record) -> Result<(), CatalogError> {
        let Some(values) = checked(table, record) else {
            self.found.rejected += 1;
            return Ok(());
        };
        if table == Table::Events && self.was_pruned(&values)? {
            // On a page that is not in use any more.
            return Ok(());
        }
        let known = match table {
            Table::Meta => return self.meta(&values),
            Table::Sequence => {
                self.sequence = self.sequence.max(integer(&values, 1));
                return Ok(());
            }
            Table::Pruned => "SELECT * FROM pruned WHERE subject = ?1",
            Table::Endpoints => "SELECT * FROM endpoints WHERE id = ?1",
            Table::Plan => "SELECT * FROM plan WHERE kind = ?1 AND name = ?2",
            Table::Tasks => "SELECT * FROM tasks WHERE id = ?1",
            Table::Sessions => "SELECT * FROM sessions WHERE id = ?1",
            Table::Recordings => "SELECT * FROM recordings WHERE id = ?1",
            Table::Reports => "SELECT * FROM reports WHERE recording = ?1",
            Table::Events => "SELECT * FROM events WHERE sequence = ?1",
            Table::Deliveries => "SELECT * FROM deliveries WHERE endpoint = ?1 AND event = ?2",
            Table::Attempts => "SELECT * FROM attempts WHERE endpoint = ?1 AND event = ?2 AND attempt = ?3",
        };
        let keys = known.matches('?').count();
        let key = || params_from_iter(values.iter().take(keys));
        let failed = || CatalogError::sqlite("filling the new catalog");
        let before = self
            .connection
            .prepare_cached(known)
            .and_then(|mut select| {
                let columns = select.column_count();
                select
                    .query_row(key(), |row| {
                        (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()
                    })
                    .optional()
            })
            .map_err(failed())?;
        match before {
            // Pages that are not in use any more hold former versions.
            Some(before) if progress(table, &before) >= progress(table, &values) => return Ok(()),
            Some(_) => {
                let delete = known.replacen("SELECT *", "DELETE", 1);
                self.connection
                    .prepare_cached(&delete)
                    .and_then(|mut delete| delete.execute(key()))
                    .map_err(failed())?;
            }
            None => self.prepare_for(table, &values)?,
        }
        if !self.put(table, known, &values)? {
            self.found.rejected += 1;
        }
        Ok(())
    }

    /// Whether an event is among those of its stream that were deleted.
    fn was_pruned(&self, event: &[Value]) -> Result<bool, CatalogError> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM pruned WHERE subject = ?1 AND sequence >= ?2)")
            .and_then(|mut select| select.query_row(params![event.get(3), event.first()], |row| row.get(0)))
            .map_err(CatalogError::sqlite("filling the new catalog"))
    }

    /// Whether the row satisfies the schema and this program, and is in now.
    fn put(&self, table: Table, known: &str, values: &[Value]) -> Result<bool, CatalogError> {
        if !self.insert(table.name(), values)? {
            return Ok(false);
        }
        if self.can_be_read(table, values)? {
            return Ok(true);
        }
        let delete = known.replacen("SELECT *", "DELETE", 1);
        let key = params_from_iter(values.iter().take(known.matches('?').count()));
        self.connection.execute(&delete, key).map_err(CatalogError::sqlite("filling the new catalog"))?;
        Ok(false)
    }

    /// [`Filling::put`] of a recording.
    pub(super) fn insert_recording(&self, values: &[Value]) -> Result<bool, CatalogError> {
        self.put(Table::Recordings, "SELECT * FROM recordings WHERE id = ?1", values)
    }

    /// Whether the row that was put in comes out as one of this program's.
    fn can_be_read(&self, table: Table, values: &[Value]) -> Result<bool, CatalogError> {
        let (columns, condition, read): (_, _, fn(&Row<'_>) -> rusqlite::Result<()>) = match table {
            Table::Sessions => (columns::SESSION, "id = ?1", |row| columns::session(row).map(drop)),
            Table::Recordings => (columns::RECORDING, "id = ?1", |row| columns::recording(row).map(drop)),
            Table::Tasks => (columns::TASK, "id = ?1", |row| columns::task(row).map(drop)),
            Table::Deliveries => ("attempts", "endpoint = ?1 AND event = ?2", |row| row.get::<_, u32>(0).map(drop)),
            Table::Attempts => ("attempt, status", "endpoint = ?1 AND event = ?2 AND attempt = ?3", |row| {
                row.get::<_, u32>(0).and_then(|_| row.get::<_, Option<u16>>(1)).map(drop)
            }),
            _ => return Ok(true),
        };
        let sql = format!("SELECT {columns} FROM {} WHERE {condition}", table.name());
        let key = params_from_iter(values.iter().take(condition.matches('?').count()));
        let row = self.connection.prepare_cached(&sql).and_then(|mut select| select.query_row(key, read));
        match row {
            Ok(()) => Ok(true),
            Err(error) if error.sqlite_error_code().is_none() => Ok(false),
            Err(error) => Err(CatalogError::sqlite("filling the new catalog")(error)),
        }
    }

    /// Makes what the row refers to, when that can be told from the row.
    fn prepare_for(&mut self, table: Table, values: &[Value]) -> Result<(), CatalogError> {
        match table {
            Table::Recordings => self.session_of(values),
            Table::Deliveries => {
                self.sequence = self.sequence.max(integer(values, 1));
                // Whether it is configured will be known when the catalog is opened.
                self.connection
                    .prepare_cached("INSERT OR IGNORE INTO endpoints (id, configured) VALUES (?1, 1)")
                    .and_then(|mut insert| insert.execute([values.first()]))
                    .map_err(CatalogError::sqlite("filling the new catalog"))?;
                Ok(())
            }
            Table::Events => {
                self.sequence = self.sequence.max(integer(values, 0));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Makes the session of a recording unless it is there; recovery ends it.
    pub(super) fn session_of(&mut self, recording: &[Value]) -> Result<(), CatalogError> {
        let column = |at: usize| recording.get(at).unwrap_or(&Value::Null);
        let made = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO sessions (id, node, app, stream, query, remote_addr, started_ms) \
                 VALUES (?1, ?2, ?3, ?4, '', '', ?5)",
            )
            .and_then(|mut insert| insert.execute(params![column(1), column(2), column(3), column(4), column(9)]))
            .map_err(CatalogError::sqlite("filling the new catalog"))?;
        self.found.sessions_inferred += made;
        Ok(())
    }

    /// Whether the row satisfies the schema, and is in now.
    fn insert(&self, table: &str, values: &[Value]) -> Result<bool, CatalogError> {
        let marks = vec!["?"; values.len()].join(", ");
        let inserted = self
            .connection
            .prepare_cached(&format!("INSERT INTO {table} VALUES ({marks})"))
            .and_then(|mut insert| insert.execute(params_from_iter(values)));
        match inserted {
            Ok(_) => Ok(true),
            Err(error) if refused(&error) => Ok(false),
            Err(error) => Err(CatalogError::sqlite("filling the new catalog")(error)),
        }
    }

    fn meta(&mut self, values: &[Value]) -> Result<(), CatalogError> {
        if let Some(Value::Text(node)) = values.get(1) {
            self.node = Some(node.clone());
            self.connection
                .execute("UPDATE meta SET node = ?1, created_ms = ?2", params![node, values.get(2)])
                .map_err(CatalogError::sqlite("filling the new catalog"))?;
        }
        Ok(())
    }

    fn count(&mut self) -> rusqlite::Result<()> {
        let rows = |table: &str| {
            let count: i64 =
                self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(usize::try_from(count).unwrap_or(0))
        };
        let (sessions, recordings) = (rows("sessions")?, rows("recordings")?);
        let (events, deliveries) = (rows("events")?, rows("deliveries")?);
        self.found = Rebuilt { sessions, recordings, events, deliveries, ..std::mem::take(&mut self.found) };
        self.connection.execute(
            "UPDATE meta SET longest_ms = coalesce((SELECT max(0, max(ended_ms - started_ms)) FROM recordings), 0)",
            [],
        )?;
        Ok(())
    }
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Pruned => "pruned",
            Self::Endpoints => "endpoints",
            Self::Plan => "plan",
            Self::Tasks => "tasks",
            Self::Sequence => "sqlite_sequence",
            Self::Sessions => "sessions",
            Self::Recordings => "recordings",
            Self::Reports => "reports",
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::Attempts => "attempts",
        }
    }
}

/// The table a row is of, by its columns.
fn table_of(record: &Record) -> Option<Table> {
    use Value::{Integer, Null, Text};
    let begins = |text: &String, with: &str| text.starts_with(with);
    match (record.rowid.is_some(), record.values.as_slice()) {
        (true, [Null | Integer(_), Text(_), Integer(_), Integer(_)]) => Some(Table::Meta),
        (true, [Text(id), Text(_)]) if begins(id, "rec_") => Some(Table::Reports),
        (true, [Text(name), Integer(_)]) if name == "events" => Some(Table::Sequence),
        (true, values @ [Text(id), ..]) if SESSION_COLUMNS.contains(&values.len()) && begins(id, "ses_") => {
            Some(Table::Sessions)
        }
        (true, values @ [Text(id), Text(_), ..]) if RECORDING_COLUMNS.contains(&values.len()) && begins(id, "rec_") => {
            Some(Table::Recordings)
        }
        (true, [Text(id), Text(_), Text(_), Text(_), Integer(_), Integer(_), Null | Integer(_), rest @ ..])
            if rest.len() == 5 && begins(id, "task_") =>
        {
            Some(Table::Tasks)
        }
        (false, [Text(kind), Text(_), Null | Text(_), Integer(_)]) if matches!(kind.as_str(), "template" | "rule") => {
            Some(Table::Plan)
        }
        // Rows that were written before a column was added end without it.
        (true, [Null | Integer(_), Text(id), Text(_), Text(_), Integer(_), Text(_), rest @ ..])
            if rest.len() <= 1 && begins(id, "evt_") =>
        {
            Some(Table::Events)
        }
        (false, [Text(subject), Integer(_), Integer(_), Integer(_)]) if subject.contains('/') => Some(Table::Pruned),
        (false, [Text(_), Integer(0 | 1), Null | Integer(_), Null | Text(_), Integer(_), rest @ ..])
            if rest.len() <= 1 =>
        {
            Some(Table::Endpoints)
        }
        (false, [Text(_), Integer(_), Text(_), Text(_), Integer(_), Integer(_), Integer(_), rest @ ..])
            if matches!(rest.len(), 0 | 2) =>
        {
            Some(Table::Deliveries)
        }
        (false, [Text(_), Integer(_), Integer(_), Integer(_), _, _, rest @ ..]) if matches!(rest.len(), 0 | 2) => {
            Some(Table::Attempts)
        }
        _ => None,
    }
}

/// The columns of the row in the schema's order and number; `None` of what this program never wrote.
fn checked(table: Table, record: Record) -> Option<Vec<Value>> {
    let mut values = record.values;
    match table {
        Table::Sessions => {
            text(&values, 0)?.parse::<SessionId>().ok()?;
            values.resize(SESSION_COLUMNS.into_iter().max()?, Value::Text(String::new()));
        }
        Table::Recordings => {
            let id: RecordingId = text(&values, 0)?.parse().ok()?;
            let subject = format!("{}/{}", text(&values, 3)?, text(&values, 4)?);
            let same = text(&values, 1)? == id.session.to_string()
                && text(&values, 5)? == subject
                && text(&values, 6)? == id.format.name();
            if !same {
                return None;
            }
            values.resize(RECORDING_COLUMNS.into_iter().max()?, Value::Null);
            // Deletions by filter are forgotten; what was being deleted still is.
            *values.get_mut(39)? = Value::Null;
        }
        Table::Reports => {
            let body: serde_json::Value = serde_json::from_str(text(&values, 1)?).ok()?;
            if body.get("recording_id")?.as_str()? != text(&values, 0)? {
                return None;
            }
        }
        Table::Events => {
            let body: serde_json::Value = serde_json::from_str(text(&values, 5)?).ok()?;
            if body.get("id")?.as_str()? != text(&values, 1)? || body.get("type")?.as_str()? != text(&values, 2)? {
                return None;
            }
            *values.first_mut()? = Value::Integer(record.rowid.filter(|rowid| *rowid > 0)?);
            values.resize(7, Value::Null);
        }
        // What is pending is counted anew; who comes first in a queue is settled in the end.
        Table::Endpoints => {
            *values.get_mut(4)? = Value::Integer(0);
            values.resize(6, Value::Null);
        }
        Table::Deliveries => {
            if text(&values, 3)? == "head" {
                *values.get_mut(3)? = Value::Text("waiting".to_owned());
            }
            values.resize(8, Value::Null);
            values.resize(9, Value::Integer(0));
        }
        Table::Attempts => values.resize(8, Value::Null),
        _ => {}
    }
    Some(values)
}

/// How far along a version of a row is.
fn progress(table: Table, values: &[Value]) -> (usize, i64, i64, i64) {
    match table {
        Table::Sessions => (usize::from(values.get(7) != Some(&Value::Null)), integer(values, 9), 0, 0),
        Table::Recordings => {
            let state = text(values, 7).and_then(|state| state.parse::<RecordingState>().ok());
            let state = RecordingState::ALL.into_iter().position(|other| Some(other) == state).map_or(0, |at| at + 1);
            // Of two that are ready, the one that is being deleted.
            let deleting = usize::from(values.get(33).is_some_and(|deleting| *deleting != Value::Null));
            // Of two that say otherwise who holds it, the later one.
            let held = integer(values, 35).max(integer(values, 38));
            // Gaps only become more.
            let gaps = text(values, 42).map_or(0, |gaps| i64::try_from(gaps.len()).unwrap_or(i64::MAX - 1));
            (2 * state + deleting, gaps + integer(values, 27), integer(values, 28), held)
        }
        Table::Deliveries => {
            let over = text(values, 3).is_some_and(|state| matches!(state, "delivered" | "given_up" | "dropped"));
            (usize::from(over), integer(values, 4), integer(values, 6), 0)
        }
        Table::Endpoints => (usize::from(values.get(2) != Some(&Value::Null)), integer(values, 1), 0, 0),
        Table::Pruned => (0, integer(values, 2), integer(values, 1), integer(values, 3)),
        Table::Meta | Table::Sequence | Table::Reports | Table::Events | Table::Attempts => (0, 0, 0, 0),
        Table::Plan => (0, integer(values, 3), 0, 0),
        Table::Tasks => (0, integer(values, 11), 0, 0),
    }
}

fn text(values: &[Value], at: usize) -> Option<&str> {
    match values.get(at)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn integer(values: &[Value], at: usize) -> i64 {
    match values.get(at) {
        Some(Value::Integer(number)) => *number,
        _ => 0,
    }
}

/// Whether the row is to blame, not the disk.
fn refused(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}
