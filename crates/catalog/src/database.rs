//! Opening the database file: made whole or not at all, checked, brought to this version's schema.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use uuid::Uuid;

use crate::CatalogError;
use crate::rebuild::put_in_place;
use crate::sound::{check_files, check_schema, is_ours};

/// In the file's header, so that no other program's database is taken for a catalog: "LTAP".
pub(crate) const APPLICATION_ID: i64 = 0x4C54_4150;
/// Step N brings a catalog from version N to N + 1. Never changed once released.
pub(crate) const MIGRATIONS: [&str; 11] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
];
/// The schema this program works with.
const VERSION: i64 = MIGRATIONS.len() as i64;
/// The first SQLite without the bug of sqlite.org/wal.html#walresetbug.
const MIN_SQLITE: i32 = 3_051_003;
/// A catalog of up to this size, some tens of thousands of recordings, has its indexes held against its
/// rows whenever it is opened, which takes a few seconds at most.
const DEEP_CHECK_MAX_BYTES: u64 = 128 << 20;
/// So many versions after this one, it is no version but damage.
const UNLIKELY: i64 = 100;
const BUSY_TIMEOUT: Duration = Duration::from_millis(5000);
const STATEMENT_CACHE: usize = 96;

/// Opens the catalog at `path` for writing, making it when nothing is there, and checks all of it.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, CatalogError> {
    if rusqlite::version_number() < MIN_SQLITE {
        return Err(CatalogError::OldSqlite { found: rusqlite::version().to_owned() });
    }
    // A rebuilding that was interrupted is brought to its end.
    put_in_place(path)?;
    let damaged = |detail: &str| CatalogError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
    match fs::metadata(path) {
        Ok(_) => check_files(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if beside(path, "-wal").exists() {
                return Err(damaged("the file is missing, but its write-ahead log (-wal) is there"));
            }
            create(path)?;
        }
        Err(error) => return Err(CatalogError::io("opening", path)(error)),
    }
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        keep_private(&file)?;
    }
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| explain(path, "opening the catalog", error))?;
    let failed = |error| explain(path, "opening the catalog", error);
    configure(&connection).map_err(failed)?;
    check_owner(&connection, path, false)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(CatalogError::Io {
            action: "turning on the write-ahead log of",
            path: path.to_owned(),
            source: io::Error::other(format!("SQLite stays in {mode} mode; is it on a network filesystem?")).into(),
        });
    }
    check_schema(&connection, path)?;
    let bytes = fs::metadata(path).map_err(CatalogError::io("measuring", path))?.len();
    integrity(&connection, path, bytes <= DEEP_CHECK_MAX_BYTES)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens the catalog at `path` for reading while no other process has it, and makes no file beside
/// it where that can be avoided.
pub(crate) fn open_still(path: &Path) -> Result<Connection, CatalogError> {
    // What the last process committed may be in the log only: then the log has to be read.
    if fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        return open_reader(path);
    }
    let failed = |error| explain(path, "opening the catalog for reading", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        Connection::open_with_flags(format!("file:{}?immutable=1", escaped(path)), flags).map_err(failed)?;
    configure(&connection).map_err(failed)?;
    Ok(connection)
}

/// Opens the catalog at `path` once more, for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, CatalogError> {
    let failed = |error| explain(path, "opening the catalog for reading", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    configure(&connection).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

pub(crate) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Else statements are planned anew whenever they are given other values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // What a change commits must outlast a power cut, not only a crash.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Of what is deleted nothing stays in pages that are free: a rebuilding would take it for a row.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    connection.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))
}

/// Makes a catalog under a temporary name and renames it, so that a file at `path` is whole from
/// the first moment and an empty one can only be damage.
fn create(path: &Path) -> Result<(), CatalogError> {
    let temporary = beside(path, ".new");
    remove_leftovers(&temporary)?;
    let connection = make(&temporary)?;
    connection.close().map_err(|(_, error)| CatalogError::sqlite("creating the catalog")(error))?;
    File::open(&temporary).and_then(|file| file.sync_all()).map_err(CatalogError::io("syncing", &temporary))?;
    fs::rename(&temporary, path).map_err(CatalogError::io("renaming", &temporary))?;
    let directory = directory_of(path);
    File::open(directory).and_then(|file| file.sync_all()).map_err(CatalogError::io("syncing", directory))
}

/// Lets nobody but the owner read or write the file, if it is there: secrets of webhooks are in it.
fn keep_private(path: &Path) -> Result<(), CatalogError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CatalogError::io("looking at", path)(error)),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(CatalogError::io("making private", path))?;
    tracing::info!(file = %path.display(), was = format!("{mode:o}"), "others could read the file; it is the owner's now");
    Ok(())
}

/// Removes what a making of the catalog `temporary` left that was interrupted.
pub(crate) fn remove_leftovers(temporary: &Path) -> Result<(), CatalogError> {
    for leftover in [temporary.to_owned(), beside(temporary, "-journal")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(CatalogError::io("removing", leftover))?,
        }
    }
    Ok(())
}

/// Makes an empty catalog at `path`, where nothing is.
pub(crate) fn make(path: &Path) -> Result<Connection, CatalogError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = || CatalogError::sqlite("creating the catalog");
    // SQLite gives the files beside it the same mode.
    File::options().write(true).create_new(true).mode(0o600).open(path).map_err(CatalogError::io("making", path))?;
    let mut connection = Connection::open(path).map_err(failed())?;
    configure(&connection).map_err(failed())?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed())?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// The directory a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether the file is a catalog this program knows; with `current`, one of this very version.
pub(crate) fn check_owner(connection: &Connection, path: &Path, current: bool) -> Result<(), CatalogError> {
    let pragma = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| explain(path, "reading the catalog's header", error))
    };
    let damaged = |detail| Err(CatalogError::Damaged { path: path.to_owned(), detail });
    let found = pragma("application_id")?;
    if found != APPLICATION_ID {
        if is_ours(connection) {
            return damaged(format!("its application id is {found:#x}"));
        }
        return Err(CatalogError::Foreign { path: path.to_owned(), found });
    }
    match pragma("user_version")? {
        found if !(1..VERSION + UNLIKELY).contains(&found) => {
            damaged(format!("it says its schema has version {found}"))
        }
        found if found > VERSION => Err(CatalogError::Newer { path: path.to_owned(), found, known: VERSION }),
        found if found < VERSION && current => {
            Err(CatalogError::Older { path: path.to_owned(), found, known: VERSION })
        }
        _ => Ok(()),
    }
}

/// Whether the file is whole; with `deep`, whether its indexes agree with its rows as well, which takes
/// more than twice as long.
pub(crate) fn integrity(connection: &Connection, path: &Path, deep: bool) -> Result<(), CatalogError> {
    let failed = |error| explain(path, "checking the catalog", error);
    let check = if deep { "PRAGMA integrity_check(5)" } else { "PRAGMA quick_check(5)" };
    let mut statement = connection.prepare(check).map_err(failed)?;
    let findings: Vec<String> =
        statement.query_map([], |row| row.get(0)).and_then(|rows| rows.collect()).map_err(failed)?;
    if findings == ["ok"] {
        return Ok(());
    }
    Err(CatalogError::Damaged { path: path.to_owned(), detail: findings.join("; ") })
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), CatalogError> {
    let failed = |error| explain(path, "bringing the catalog to this version's schema", error);
    loop {
        let transaction = connection.transaction().map_err(failed)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let Some(step) = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version)) else {
            return Ok(());
        };
        transaction.execute_batch(step).map_err(failed)?;
        if version == 0 {
            transaction
                .execute(
                    "INSERT INTO meta (id, node, created_ms, longest_ms) VALUES (1, ?1, ?2, 0)",
                    params![Uuid::now_v7().to_string(), unix_millis()],
                )
                .map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", version + 1).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        tracing::info!(catalog = %path.display(), version = version + 1, "catalog schema brought up to date");
    }
}

/// An error of SQLite, or damage where that is what it means.
pub(crate) fn explain(path: &Path, action: &'static str, error: rusqlite::Error) -> CatalogError {
    let of_sqlite = matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt));
    // A value that this program does not write.
    let of_a_row = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    );
    if of_sqlite || of_a_row {
        return CatalogError::Damaged { path: path.to_owned(), detail: error.to_string() };
    }
    CatalogError::sqlite(action)(error)
}

/// `path` with `suffix` behind its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// `path` as it stands in a URI.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => text.push(char::from(*byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
