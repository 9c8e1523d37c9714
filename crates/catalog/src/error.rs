//! What went wrong with the catalog.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use livetape_record::{RecordingId, SessionId, TaskId};

use crate::RecordingState;

/// A failed change, query or opening.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file is not whole. Nothing was changed.
    #[error(
        "{} is damaged: {detail}. Nothing was changed. With the service stopped, run `livetape fsck --rebuild`: it keeps \
         the file aside and makes a new one of all that can be read; media files are not affected",
        path.display()
    )]
    Damaged {
        /// The catalog.
        path: PathBuf,
        /// What SQLite, or reading a row, found.
        detail: String,
    },
    /// The file is a database, but not a catalog.
    #[error("{} is an SQLite database but not a Livetape catalog (application id {found:#x}); use another path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// A later version of the program wrote the file.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}: run the version that wrote it, or a \
         later one",
        path.display()
    )]
    Newer {
        /// The catalog.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The latest this program knows.
        known: i64,
    },
    /// An earlier version of the program wrote the file, and it is only to be looked at.
    #[error(
        "{} has schema version {found}, and this program can look at version {known} only: `livetape serve` brings it \
         up to date",
        path.display()
    )]
    Older {
        /// The catalog.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// What this program can look at.
        known: i64,
    },
    /// The SQLite library has a known bug that damages databases (sqlite.org/wal.html#walresetbug).
    #[error("SQLite {found} can damage a catalog with several connections; version 3.51.3 or later is needed")]
    OldSqlite {
        /// The library's version.
        found: String,
    },
    /// A file operation around the database failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// SQLite failed.
    #[error("{action}: {source}")]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// SQLite's error.
        source: Arc<rusqlite::Error>,
    },
    /// A change speaks of a session that is not in the catalog.
    #[error("{0} is not in the catalog")]
    UnknownSession(SessionId),
    /// A change speaks of a recording that is not in the catalog.
    #[error("{0} is not in the catalog")]
    UnknownRecording(RecordingId),
    /// A change speaks of a task that is not in the catalog.
    #[error("{0} is not in the catalog")]
    UnknownTask(TaskId),
    /// A change speaks of a delivery that is not in the catalog.
    #[error("no delivery of {event} to endpoint '{endpoint}' is in the catalog")]
    UnknownDelivery {
        /// The event's id.
        event: String,
        /// The endpoint's id.
        endpoint: String,
    },
    /// A change speaks of an endpoint that was not configured when the catalog was opened.
    #[error("endpoint '{0}' is not configured")]
    UnknownEndpoint(String),
    /// A change speaks of an endpoint that wants no more events.
    #[error("endpoint '{0}' is disabled")]
    DisabledEndpoint(String),
    /// An endpoint of the configuration is to be changed.
    #[error("endpoint '{0}' is in the configuration, and changed there")]
    ConfiguredEndpoint(String),
    /// The recording's state does not allow the change.
    #[error("{id} is {from}; {change} is not possible then")]
    Transition {
        /// The recording.
        id: RecordingId,
        /// Its state.
        from: RecordingState,
        /// The change, in words.
        change: &'static str,
    },
    /// Somebody holds the recording.
    #[error("{id} is held by {by}: {reason}; it is not deleted before that hold is taken off")]
    Held {
        /// The recording.
        id: RecordingId,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A recording that is being deleted cannot be held any more.
    #[error("{0} is being deleted; it is too late to hold it")]
    TooLate(RecordingId),
    /// A change speaks of a deletion that is not in the catalog.
    #[error("there is no deletion {0}")]
    UnknownDeletion(i64),
    /// The change was made before, with other contents.
    #[error("{what} was recorded before, differently: {detail}")]
    Conflict {
        /// Of what.
        what: String,
        /// The difference.
        detail: String,
    },
    /// A number does not fit.
    #[error("{what} is {value}, which the catalog cannot hold")]
    OutOfRange {
        /// What number.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// A cursor that this catalog did not give for this filter.
    #[error("the cursor {0}; leave it out to begin from the first page")]
    Cursor(&'static str),
    /// A filter that makes no sense.
    #[error("{0}")]
    Filter(String),
    /// The gate the catalog was opened with let nothing through.
    #[error("the gate before the commit is closed; nothing was changed")]
    Stopped,
    /// The writer has stopped.
    #[error("the catalog is closed")]
    Closed,
}

impl CatalogError {
    pub(crate) fn sqlite(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { action, source: Arc::new(source) }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    /// Whether there was no room on the disk. Freeing space and repeating the change helps.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether the change can never be made, however often it is repeated: the caller's fault, not
    /// the disk's.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::UnknownSession(_)
                | Self::UnknownRecording(_)
                | Self::UnknownDelivery { .. }
                | Self::UnknownEndpoint(_)
                | Self::DisabledEndpoint(_)
                | Self::ConfiguredEndpoint(_)
                | Self::Transition { .. }
                | Self::Held { .. }
                | Self::TooLate(_)
                | Self::UnknownDeletion(_)
                | Self::Conflict { .. }
                | Self::OutOfRange { .. }
                | Self::Cursor(_)
                | Self::Filter(_)
        )
    }
}
