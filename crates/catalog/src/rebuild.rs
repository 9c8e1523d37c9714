//! Making a new catalog of what can still be read of a damaged one.
//!
//! The damaged file is not opened with SQLite: its pages, those of its write-ahead log over them, are
//! looked through one by one for rows, whatever has become of the trees that should lead to them, of
//! the header or of the schema. Every row says what it is: its first column is an id, or the number and
//! the kinds of its columns are those of one table only.
//!
//! ```text
//! pass  rows                        kept if
//!  1    meta, endpoints, sequence   -
//!  2    sessions                    the id is one; of two versions the one further along
//!  3    recordings                  they satisfy the schema; without a session they get one
//!  4    events                      the body is JSON and bears the same id
//!       recordings                  not those that were deleted; again, of what their last event says
//!  5    deliveries                  their event is there
//!  6    attempts                    their delivery is there
//! ```
//!
//! Events that were deleted for their age are not kept, wherever they are found. What is deleted is overwritten
//! (`secure_delete`), so that no former version of it is left on a page that is free.
//!
//! Tokens are not among them: in pages that are not in use any more there may be revoked ones.
//!
//! Then what is owed: a recording that is ready and has no event any more gets it again, with the same
//! id; an event of the last three days without a delivery to an endpoint is delivered to it, perhaps
//! once more. Counts and queues are made anew, indexes by SQLite, which then checks all of it.
//!
//! ```text
//! livetape.db.rebuilding       the new one, while it is made
//! livetape.db.rebuilt          the new one, whole: takes its place now, or when the catalog is opened next
//! livetape.db.damaged-1, -wal  the old one, kept
//! ```

pub(crate) mod bytes;
mod fill;
mod owed;
pub(crate) mod pages;
mod records;
pub(crate) mod wal;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::CatalogError;
use crate::database::{beside, directory_of, explain, integrity, make, remove_leftovers};
use fill::Filling;
use pages::Pages;

/// What a rebuilt catalog holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Sessions.
    pub sessions: usize,
    /// Recordings, those made of events among them.
    pub recordings: usize,
    /// Events.
    pub events: usize,
    /// Deliveries.
    pub deliveries: usize,
    /// Sessions that were made of what their recordings say.
    pub sessions_inferred: usize,
    /// Recordings that were made of what their events say.
    pub recordings_inferred: usize,
    /// Events `recording.ready` that were lost and are told again.
    pub events_again: usize,
    /// Deliveries that were lost and are made again.
    pub deliveries_again: usize,
    /// Rows that were found and could not be kept.
    pub rejected: usize,
    /// Where the files of the damaged catalog are now.
    pub aside: Vec<PathBuf>,
}

/// Makes a new catalog at `path` of every row of the damaged one there that can still be read, and
/// moves the damaged files aside.
///
/// For when [`crate::Catalog::open`] says [`CatalogError::Damaged`]. Nobody may have it open. Works as
/// well with files that are empty or missing, and is harmless with a sound one. What the catalog does
/// not know after it, recordings in the spool still say: their labels.
///
/// # Errors
/// When the disk fails or is full. The damaged files are then where they were.
pub fn rebuild(path: &Path) -> Result<Rebuilt, CatalogError> {
    let (rebuilt, rebuilding) = (beside(path, ".rebuilt"), beside(path, ".rebuilding"));
    if exists(&rebuilt)? {
        // The one before this came that far.
        return Ok(Rebuilt { aside: put_in_place(path)?, ..Rebuilt::default() });
    }
    remove_leftovers(&rebuilding)?;
    let pages = Pages::open(path).map_err(CatalogError::io("reading", path))?;
    let mut connection = make(&rebuilding)?;
    let mut found = Filling::fill(&mut connection, &pages)?;
    integrity(&connection, &rebuilding, true)?;
    refers_rightly(&connection, &rebuilding)?;
    drop(pages);
    connection.close().map_err(|(_, error)| CatalogError::sqlite("closing the new catalog")(error))?;
    File::open(&rebuilding).and_then(|file| file.sync_all()).map_err(CatalogError::io("syncing", &rebuilding))?;
    fs::rename(&rebuilding, &rebuilt).map_err(CatalogError::io("renaming", &rebuilding))?;
    sync_directory(path)?;
    found.aside = put_in_place(path)?;
    tracing::warn!(catalog = %path.display(), ?found, "the catalog was made anew of what could be read of the damaged one");
    Ok(found)
}

/// Moves the files at `path` aside and puts the rebuilt catalog in their place, whatever of that was
/// done before; nothing happens when there is none. Returns where the old files are.
pub(crate) fn put_in_place(path: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let rebuilt = beside(path, ".rebuilt");
    let mut aside = Vec::new();
    if !exists(&rebuilt)? {
        return Ok(aside);
    }
    let mut number = 1u32;
    while exists(&beside(path, &format!(".damaged-{number}")))? {
        number += 1;
    }
    // The log first: it must never stand beside the new file. The file last: it says which number is taken.
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let (from, to) = (beside(path, suffix), beside(path, &format!(".damaged-{number}{suffix}")));
        match fs::rename(&from, &to) {
            Ok(()) => aside.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CatalogError::io("moving aside", from)(error)),
        }
        sync_directory(path)?;
    }
    fs::rename(&rebuilt, path).map_err(CatalogError::io("renaming", &rebuilt))?;
    sync_directory(path)?;
    Ok(aside)
}

/// Whether every row refers to one that is there.
fn refers_rightly(connection: &Connection, path: &Path) -> Result<(), CatalogError> {
    let failed = |error| explain(path, "checking the catalog", error);
    let mut select = connection.prepare("PRAGMA foreign_key_check").map_err(failed)?;
    if select.exists([]).map_err(failed)? {
        let detail = "a row refers to one that is not there".to_owned();
        return Err(CatalogError::Damaged { path: path.to_owned(), detail });
    }
    Ok(())
}

fn exists(path: &Path) -> Result<bool, CatalogError> {
    path.try_exists().map_err(CatalogError::io("looking for", path))
}

fn sync_directory(path: &Path) -> Result<(), CatalogError> {
    let directory = directory_of(path);
    File::open(directory).and_then(|file| file.sync_all()).map_err(CatalogError::io("syncing", directory))
}
