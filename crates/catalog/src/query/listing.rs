//! Listing recordings page by page, newest first.
//!
//! Every page is found by walking one index backwards from the cursor. Which one depends on the
//! filter; it is named in the query, so that no statistics can lead to another plan:
//!
//! | condition | index | rows read |
//! | --- | --- | --- |
//! | held | `recordings_held` | those that are held |
//! | app and stream | `recordings_subject` | the stream's |
//! | prefix of at most [`MAX_SUBJECTS`] streams | `recordings_subject`, merged | a page of each stream at most |
//! | stream | `recordings_stream` | the name's |
//! | a state that passes (any but ready) | `recordings_state` | the state's |
//! | app | `recordings_app` | the application's |
//! | state | `recordings_state` | the state's |
//! | anything else | `recordings_newest` | index entries until the page is full |

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::cursor::Cursor;
use crate::{Catalog, CatalogError, Page, RecordingFilter, RecordingRow, RecordingState, RecordingView, columns};

/// A prefix that more streams than this begin with is looked for among all recordings: most of
/// them match, or the page is long enough to fill soon.
const MAX_SUBJECTS: usize = 200;

impl Catalog {
    /// One page of the recordings that `filter` describes, newest first (by start, then id).
    ///
    /// Pages do not shift when recordings are added: a listing shows what was there when it
    /// began. Errors: [`CatalogError::Cursor`], [`CatalogError::Filter`].
    pub fn recordings(&self, filter: &RecordingFilter) -> Result<Page<RecordingView>, CatalogError> {
        filter.check()?;
        let cursor = filter.cursor.as_deref().map(|text| Cursor::decode(text, filter)).transpose()?;
        let mut rows = self.rows_below(filter, cursor.as_ref())?;
        let more = rows.len() > filter.limit;
        rows.truncate(filter.limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let last = Cursor { started_ms: row.started_at.as_unix_millis(), id: row.id.to_string() };
            last.encode(filter)
        });
        let items = rows.into_iter().map(|row| RecordingView::new(row, self.addresses())).collect();
        Ok(Page { items, next_cursor })
    }

    /// The first rows of `filter` below the cursor, one more than its limit.
    pub(super) fn rows_below(
        &self,
        filter: &RecordingFilter,
        cursor: Option<&Cursor>,
    ) -> Result<Vec<RecordingRow>, CatalogError> {
        self.readers().with("listing recordings", |connection| {
            let earliest = earliest_start(connection, filter)?;
            Listing { connection, filter, cursor, earliest }.read()
        })
    }
}

struct Listing<'a> {
    connection: &'a Connection,
    filter: &'a RecordingFilter,
    cursor: Option<&'a Cursor>,
    /// No recording that began before this is looked for.
    earliest: Option<i64>,
}

impl Listing<'_> {
    /// The page's rows and one more if there is one.
    fn read(&self) -> rusqlite::Result<Vec<RecordingRow>> {
        let filter = self.filter;
        if filter.held == Some(true) {
            return self.walk("recordings_held");
        }
        let index = match (&filter.app, &filter.stream, &filter.prefix, filter.state) {
            (Some(app), Some(stream), _, _) => return self.merge(&[format!("{app}/{stream}")]),
            (_, _, Some(prefix), _) => match self.subjects(prefix)? {
                Some(subjects) => return self.merge(&subjects),
                None => "recordings_newest",
            },
            (_, Some(_), _, _) => "recordings_stream",
            (_, _, _, Some(state)) if state != RecordingState::Ready => "recordings_state",
            (Some(_), _, _, _) => "recordings_app",
            (_, _, _, Some(_)) => "recordings_state",
            _ => "recordings_newest",
        };
        self.walk(index)
    }

    /// Rows of one index, newest first.
    fn walk(&self, index: &str) -> rusqlite::Result<Vec<RecordingRow>> {
        let (sql, values) = self.query(index, None);
        super::rows(self.connection, &sql, params_from_iter(values), columns::recording)
    }

    /// Newest rows of all `subjects` together.
    fn merge(&self, subjects: &[String]) -> rusqlite::Result<Vec<RecordingRow>> {
        let wanted = self.filter.limit + 1;
        let mut merged: Vec<RecordingRow> = Vec::new();
        for subject in subjects {
            let (sql, values) = self.query("recordings_subject", Some(subject));
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for row in select.query_map(params_from_iter(values), columns::recording)? {
                let row = row?;
                // Rows come newest first: behind one that is too old all are.
                if merged.len() == wanted && merged.last().is_some_and(|last| newer(last, &row)) {
                    break;
                }
                found.push(row);
            }
            merged.append(&mut found);
            merged.sort_by_key(|row| std::cmp::Reverse(place(row)));
            merged.truncate(wanted);
        }
        Ok(merged)
    }

    /// The streams whose `APP/STREAM` begins with `prefix`; `None` when they are too many.
    fn subjects(&self, prefix: &str) -> rusqlite::Result<Option<Vec<String>>> {
        let end = after_prefix(prefix);
        let within = |subject: &String| end.as_ref().is_none_or(|end| subject < end);
        let mut first = self
            .connection
            .prepare_cached("SELECT min(subject) FROM recordings INDEXED BY recordings_subject WHERE subject >= ?1")?;
        let mut next = self
            .connection
            .prepare_cached("SELECT min(subject) FROM recordings INDEXED BY recordings_subject WHERE subject > ?1")?;
        let mut subjects = Vec::new();
        let mut subject: Option<String> = first.query_row([prefix], |row| row.get(0))?;
        while let Some(found) = subject.take().filter(within) {
            if subjects.len() == MAX_SUBJECTS {
                return Ok(None);
            }
            subject = next.query_row([&found], |row| row.get(0))?;
            subjects.push(found);
        }
        Ok(Some(subjects))
    }

    /// The query that walks `index`, with the filter's conditions.
    fn query(&self, index: &str, subject: Option<&str>) -> (String, Vec<Value>) {
        let filter = self.filter;
        let mut values: Vec<Value> = Vec::new();
        let mut conditions: Vec<String> = Vec::new();
        let mut take = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        let equal = [
            ("subject = ?", subject.map(str::to_owned)),
            ("app = ?", filter.app.clone()),
            ("stream = ?", filter.stream.clone()),
            ("format = ?", filter.format.map(|format| format.to_string())),
            ("state = ?", filter.state.map(|state| state.to_string())),
            ("subject >= ?", filter.prefix.clone()),
            ("subject < ?", filter.prefix.as_deref().and_then(after_prefix)),
        ];
        for (condition, value) in equal {
            if let Some(value) = value {
                take(condition, value.into());
            }
        }
        if let Some(from) = filter.from {
            take("(ended_ms IS NULL OR ended_ms > ?)", from.as_unix_millis().into());
        }
        if let Some(earliest) = self.earliest {
            take("started_ms >= ?", earliest.into());
        }
        if let Some(held) = filter.held {
            conditions.push(if held { "held_ms IS NOT NULL" } else { "held_ms IS NULL" }.to_owned());
        }
        match (self.cursor, filter.to) {
            (Some(cursor), _) => {
                // Below the cursor is below `to` as well.
                values.extend([cursor.started_ms.into(), cursor.id.clone().into()]);
                conditions.push(format!("(started_ms, id) < (?{}, ?{})", values.len() - 1, values.len()));
            }
            (None, Some(to)) => {
                values.push(to.as_unix_millis().into());
                conditions.push(format!("started_ms < ?{}", values.len()));
            }
            (None, None) => {}
        }
        let condition = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        let limit = filter.limit + 1;
        let columns = columns::RECORDING;
        let sql = format!(
            "SELECT {columns} FROM recordings INDEXED BY {index} WHERE {condition} \
             ORDER BY started_ms DESC, id DESC LIMIT {limit}"
        );
        (sql, values)
    }
}

/// Where rows stand in a listing; the newest is the greatest.
fn place(row: &RecordingRow) -> (i64, String) {
    (row.started_at.as_unix_millis(), row.id.to_string())
}

fn newer(a: &RecordingRow, b: &RecordingRow) -> bool {
    place(a) > place(b)
}

/// No recording that is still running at `from` began before this: none lasted longer than the
/// longest, except those that still grow.
fn earliest_start(connection: &Connection, filter: &RecordingFilter) -> rusqlite::Result<Option<i64>> {
    let Some(from) = filter.from else { return Ok(None) };
    let longest: i64 = connection.prepare_cached("SELECT longest_ms FROM meta")?.query_row([], |row| row.get(0))?;
    let growing: Option<i64> = connection
        .prepare_cached(
            "SELECT started_ms FROM recordings INDEXED BY recordings_open WHERE ended_ms IS NULL \
             ORDER BY started_ms LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    let finished = from.as_unix_millis().saturating_sub(longest);
    Ok(Some(growing.map_or(finished, |growing| growing.min(finished))))
}

/// The least text that is greater than everything that begins with `prefix`, in the order of bytes;
/// `None` when there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The code points of surrogates are no characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests;
