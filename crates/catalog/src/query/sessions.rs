//! Reading sessions.

use livetape_record::SessionId;
use rusqlite::OptionalExtension;

use super::rows;
use crate::{Catalog, CatalogError, SessionRow, columns};

impl Catalog {
    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Result<Option<SessionRow>, CatalogError> {
        self.readers().with("reading a session", |connection| {
            connection
                .prepare_cached(&format!("SELECT {} FROM sessions WHERE id = ?1", columns::SESSION))?
                .query_row([id.to_string()], columns::session)
                .optional()
        })
    }

    /// Sessions that have not ended, oldest first.
    pub fn sessions_open(&self) -> Result<Vec<SessionRow>, CatalogError> {
        let sql = format!("SELECT {} FROM sessions WHERE ended_ms IS NULL ORDER BY started_ms, id", columns::SESSION);
        self.readers().with("listing sessions", |connection| rows(connection, &sql, [], columns::session))
    }
}
