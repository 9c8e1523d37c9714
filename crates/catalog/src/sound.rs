//! Whether a catalog's files are sound, as far as SQLite does not say it in as many words.
//!
//! SQLite takes a damaged write-ahead log for a short one, some damage of the header for another kind
//! of database, and a damaged schema for another program's. Here each is damage.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::Connection;

use crate::CatalogError;
use crate::database::{APPLICATION_ID, MIGRATIONS, beside, explain};
use crate::rebuild::bytes::{fill, u16_at, u32_at};
use crate::rebuild::pages::PAGE_BYTES;
use crate::rebuild::wal::Wal;

const MAGIC: &[u8] = b"SQLite format 3\0";

/// Looks at the header and the write-ahead log before SQLite does.
///
/// # Errors
/// [`CatalogError::Damaged`]; [`CatalogError::Io`] when they cannot be read.
pub(crate) fn check_files(path: &Path) -> Result<(), CatalogError> {
    let damaged = |detail: String| CatalogError::Damaged { path: path.to_owned(), detail };
    let (header, len) = read_header(path).map_err(CatalogError::io("reading", path))?;
    if let Some(detail) = header_damage(&header, len) {
        return Err(damaged(detail));
    }
    let log = beside(path, "-wal");
    // Twice: somebody may have been writing to it at that moment.
    for last in [false, true] {
        let (wal, _) = Wal::read(&log).map_err(CatalogError::io("reading", &log))?;
        match wal.damage {
            Some(detail) if last => return Err(damaged(detail)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}

fn read_header(path: &Path) -> io::Result<([u8; 100], u64)> {
    let file = File::open(path)?;
    let mut header = [0; 100];
    fill(&file, 0, &mut header)?;
    Ok((header, file.metadata()?.len()))
}

/// What in the header can be in no catalog. Spec: sqlite.org/fileformat2.html#the_database_header.
fn header_damage(header: &[u8; 100], len: u64) -> Option<String> {
    if len == 0 {
        return Some("the file is empty".to_owned());
    }
    if !header.starts_with(MAGIC) {
        return Some("it does not begin as an SQLite database does".to_owned());
    }
    // Another program's is said to be that, whatever else is in its header.
    if u32_at(header, 68) != Some(APPLICATION_ID as u32) {
        return None;
    }
    let formats = header.get(18..20).unwrap_or_default();
    let page_bytes = u16_at(header, 16).map(usize::from);
    let sound = page_bytes == Some(PAGE_BYTES)
        && (formats == [1, 1] || formats == [2, 2])
        && header.get(20..24) == Some(&[0, 64, 32, 32])
        && u32_at(header, 44) == Some(4)
        && u32_at(header, 52) == Some(0)
        && u32_at(header, 56) == Some(1)
        && u32_at(header, 64) == Some(0)
        && header.get(72..92).is_some_and(|reserved| reserved.iter().all(|byte| *byte == 0));
    (!sound).then(|| "its header is damaged".to_owned())
}

/// Holds the schema against that of the version the catalog says it has.
///
/// # Errors
/// [`CatalogError::Damaged`]; what SQLite says.
pub(crate) fn check_schema(connection: &Connection, path: &Path) -> Result<(), CatalogError> {
    let failed = |error| explain(path, "reading the catalog's schema", error);
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let expected = schema_of(version).map_err(CatalogError::sqlite("making the schema to compare with"))?;
    if schema(connection).map_err(failed)? == expected {
        return Ok(());
    }
    Err(CatalogError::Damaged {
        path: path.to_owned(),
        detail: format!("its schema is not that of its version, {version}"),
    })
}

/// Whether this is a catalog all the same that has another application id.
pub(crate) fn is_ours(connection: &Connection) -> bool {
    let versions = (1..=MIGRATIONS.len()).filter_map(|version| i64::try_from(version).ok());
    schema(connection).is_ok_and(|found| {
        versions.into_iter().any(|version| schema_of(version).is_ok_and(|expected| expected == found))
    })
}

type Schema = Vec<(String, String, String, Option<String>)>;

fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    connection
        // What SQLite keeps of statistics, should somebody have asked it to, changes nothing.
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}

fn schema_of(version: i64) -> rusqlite::Result<Schema> {
    let connection = Connection::open_in_memory()?;
    for step in MIGRATIONS.iter().take(usize::try_from(version).unwrap_or(0)) {
        connection.execute_batch(step)?;
    }
    schema(&connection)
}
