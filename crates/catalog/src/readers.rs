//! A few connections that only read; each shows the state of one commit at a time and never waits
//! for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::CatalogError;
use crate::database::{explain, open_reader};

/// Connections kept open.
const READERS: usize = 3;

pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

/// A connection on loan; goes back when dropped, whatever happened.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> Result<Self, CatalogError> {
        let idle = (0..READERS).map(|_| open_reader(path)).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), idle: Mutex::new(idle), returned: Condvar::new() })
    }

    /// Closes every connection; nobody has one on loan any more.
    pub(crate) fn close(&mut self) {
        self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs `query` with a connection, waiting for one when all are in use. Everything it reads is
    /// of one commit.
    pub(crate) fn with<T>(
        &self,
        action: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = loop {
            match idle.pop() {
                Some(connection) => break connection,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        let loan = Loan { readers: self, connection: Some(connection) };
        let Some(connection) = &loan.connection else { return Err(CatalogError::Closed) };
        // Dropping the transaction ends it; there is nothing to commit.
        connection
            .unchecked_transaction()
            .and_then(|transaction| query(&transaction))
            .map_err(|error| explain(&self.path, action, error))
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            self.readers.returned.notify_one();
        }
    }
}
