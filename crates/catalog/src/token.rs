//! Tokens that open the API, each by its hash.
//!
//! They are made and revoked by whoever may write to the data directory, also beside a recorder at work: SQLite lets one
//! process write at a time, and this one writes a single row.

use std::path::{Path, PathBuf};

use livetape_media::WallTime;
use rusqlite::{Connection, OpenFlags, Row, params};

use crate::database::{check_owner, configure, explain, open_writer};
use crate::query::rows;
use crate::sound::check_schema;
use crate::{Catalog, CatalogError, columns};

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenScope {
    /// What changes nothing.
    Read,
    /// Everything.
    Write,
}

impl TokenScope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Its name on the command line and in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

livetape_media::named!(TokenScope, "a scope", "the scopes");

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// What it is called.
    pub name: String,
    /// What it opens.
    pub scope: TokenScope,
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: WallTime,
}

/// The tokens of a catalog, and nothing else of it.
pub struct TokenBook {
    connection: Connection,
    path: PathBuf,
}

impl TokenBook {
    /// Opens the catalog at `path`, making it when nothing is there. Nobody else may have it open.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        Ok(Self { connection: open_writer(path)?, path: path.to_owned() })
    }

    /// Opens the catalog at `path`, which must have this version's schema, while another process has it open.
    pub fn open_beside(path: &Path) -> Result<Self, CatalogError> {
        let failed = |error| explain(path, "opening the catalog", error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        configure(&connection).map_err(failed)?;
        check_owner(&connection, path, true)?;
        check_schema(&connection, path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Enters a token, durably. Whether its name was free.
    pub fn add(&self, token: &TokenRow) -> Result<bool, CatalogError> {
        let created_ms = token.created_at.as_unix_millis();
        self.connection
            .execute(
                "INSERT INTO tokens (name, scope, hash, created_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
                params![token.name, token.scope.name(), token.hash, created_ms],
            )
            .map(|count| count == 1)
            .map_err(|error| explain(&self.path, "entering a token", error))
    }

    /// Takes a token away, durably. Whether there was one of this name.
    pub fn remove(&self, name: &str) -> Result<bool, CatalogError> {
        self.connection
            .execute("DELETE FROM tokens WHERE name = ?1", [name])
            .map(|count| count == 1)
            .map_err(|error| explain(&self.path, "revoking a token", error))
    }

    /// Every token, by name.
    pub fn list(&self) -> Result<Vec<TokenRow>, CatalogError> {
        list(&self.connection).map_err(|error| explain(&self.path, "listing tokens", error))
    }
}

impl Catalog {
    /// Every token, by name; those that another process has made among them.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, CatalogError> {
        self.readers().with("listing tokens", list)
    }
}

fn list(connection: &Connection) -> rusqlite::Result<Vec<TokenRow>> {
    let token = |row: &Row<'_>| {
        Ok(TokenRow {
            name: row.get(0)?,
            scope: columns::parsed(row, 1)?,
            hash: row.get(2)?,
            created_at: WallTime::from_unix_millis(row.get(3)?),
        })
    };
    rows(connection, "SELECT name, scope, hash, created_ms FROM tokens ORDER BY name", [], token)
}
