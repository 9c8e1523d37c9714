//! Reading single recordings, and those that work remains to be done on.

use livetape_record::{RecordingId, SessionId};
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::rows;
use crate::{Catalog, CatalogError, RecordingRow, RecordingState, RecordingView, columns};

impl Catalog {
    /// The recording with this id, as the API shows it.
    pub fn recording(&self, id: &RecordingId) -> Result<Option<RecordingView>, CatalogError> {
        Ok(self.recording_row(id)?.map(|row| RecordingView::new(row, self.addresses())))
    }

    /// The recording with this id.
    pub fn recording_row(&self, id: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        self.one_recording("id", &id.to_string())
    }

    /// What is said of a recording's integrity, as JSON: nothing before it has ended, nor of one that was not kept. Of
    /// playlists over an MP4 it is what is said of that.
    pub fn report(&self, id: &RecordingId) -> Result<Option<String>, CatalogError> {
        self.readers().with("reading a report", |connection| {
            connection
                .prepare_cached(
                    "SELECT reports.body FROM recordings, reports \
                     WHERE recordings.id = ?1 AND reports.recording = coalesce(recordings.media_of, recordings.id) \
                     AND recordings.state IN ('finished', 'uploading', 'ready', 'failed')",
                )?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()
        })
    }

    /// The playlists over an MP4, if it has some.
    pub fn playlists_over(&self, of: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        Ok(self.recording_row(&of.playlists())?.filter(|row| row.media_of == Some(*of)))
    }

    /// The recording whose place in the store is `key`. For HLS that is its `index.m3u8`.
    pub fn recording_by_key(&self, key: &str) -> Result<Option<RecordingRow>, CatalogError> {
        self.one_recording("key", key)
    }

    /// Recordings in any of `states`, oldest first. Meant for the states that pass: there is no
    /// limit.
    pub fn recordings_in(&self, states: &[RecordingState]) -> Result<Vec<RecordingRow>, CatalogError> {
        let marks = vec!["?"; states.len()].join(", ");
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_state WHERE state IN ({marks}) ORDER BY started_ms, id",
            columns::RECORDING
        );
        self.readers().with("listing recordings by state", |connection| {
            let states = params_from_iter(states.iter().map(|state| state.name()));
            rows(connection, &sql, states, columns::recording)
        })
    }

    /// The recordings of a session in all formats, oldest first.
    pub fn recordings_of(&self, session: &SessionId) -> Result<Vec<RecordingRow>, CatalogError> {
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_session WHERE session = ?1 ORDER BY started_ms, id",
            columns::RECORDING
        );
        self.readers().with("listing the recordings of a session", |connection| {
            rows(connection, &sql, [session.to_string()], columns::recording)
        })
    }

    /// The next recording of this one's stream, in its format and for its task, that is another session's.
    pub fn next_of_stream(&self, row: &RecordingRow) -> Result<Option<RecordingRow>, CatalogError> {
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_subject WHERE subject = ?1 AND started_ms > ?2 \
             AND format = ?3 AND task IS ?4 AND session <> ?5 ORDER BY started_ms, id LIMIT 1",
            columns::RECORDING
        );
        let task = row.task.map(|task| task.to_string());
        let (subject, session) = (format!("{}/{}", row.app, row.stream), row.id.session.to_string());
        let values = params![subject, row.started_at.as_unix_millis(), row.id.format.name(), task, session];
        self.readers().with("looking for a stream's next recording", |connection| {
            connection.prepare_cached(&sql)?.query_row(values, columns::recording).optional()
        })
    }

    /// Recordings of which something may be in the spool, oldest first.
    pub fn spooled(&self) -> Result<Vec<RecordingRow>, CatalogError> {
        let sql = format!(
            "SELECT {} FROM recordings INDEXED BY recordings_spooled WHERE spool_evicted = 0 ORDER BY started_ms, id",
            columns::RECORDING
        );
        self.readers()
            .with("listing recordings in the spool", |connection| rows(connection, &sql, [], columns::recording))
    }

    fn one_recording(&self, column: &'static str, value: &str) -> Result<Option<RecordingRow>, CatalogError> {
        self.readers().with("reading a recording", |connection| {
            connection
                .prepare_cached(&format!("SELECT {} FROM recordings WHERE {column} = ?1", columns::RECORDING))?
                .query_row([value], columns::recording)
                .optional()
        })
    }
}
