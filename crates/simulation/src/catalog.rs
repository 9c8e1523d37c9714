//! The catalog of every moment.
//!
//! SQLite is trusted: a commit is one durable effect. Right before each commit the gate of the catalog's
//! writer is asked; what is committed then is read from the database file and its write-ahead log as
//! SQLite documents them, and kept.
//!
//! ```text
//! log:   header (32 bytes: magic, version, page size, sequence, salt, checksum)  frame  frame ...
//! frame: page number u32 | pages of the database, if it ends a commit, u32 | salt u64 | checksum u64 | page
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use livetape_catalog::Gate;

use crate::journal::{Effect, Journal};

/// A catalog's file, whole, as of one commit.
pub type CatalogImage = Arc<Vec<u8>>;

/// Keeps what the catalog held after each commit. Cheap to clone.
#[derive(Clone)]
pub struct CatalogTape(Arc<Mutex<Tape>>);

struct Tape {
    path: PathBuf,
    images: Vec<CatalogImage>,
    keeps: bool,
}

impl CatalogTape {
    /// A tape of the catalog that is about to be opened at `path`. Unless it `keeps` every image, there
    /// is the last one only.
    pub fn new(path: &Path, keeps: bool) -> Self {
        Self(Arc::new(Mutex::new(Tape { path: path.to_owned(), images: Vec::new(), keeps })))
    }

    /// What to open the catalog with, so that each commit is an effect in `journal`:
    /// [`Effect::Commit`] says after which one the image of that number was taken.
    pub fn gate(&self, journal: &Journal) -> Gate {
        let (tape, journal) = (self.0.clone(), journal.clone());
        Arc::new(move || {
            let mut tape = tape.lock().unwrap();
            if tape.keeps {
                let image = Arc::new(committed(&tape.path));
                tape.images.push(image);
                journal.push(Effect::Commit(tape.images.len()));
            }
            true
        })
    }

    /// The images: number 0 is from before the first commit, the last from after the last. To be
    /// called once nobody writes any more.
    pub fn finish(&self) -> Vec<CatalogImage> {
        let mut tape = self.0.lock().unwrap();
        let last = Arc::new(committed(&tape.path));
        tape.images.push(last);
        std::mem::take(&mut tape.images)
    }
}

/// What is committed of the database at `path`, as one file.
fn committed(path: &Path) -> Vec<u8> {
    let mut database = fs::read(path).unwrap();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = fs::read(log).unwrap_or_default();
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    if log.len() < 32 {
        return database;
    }
    let page_bytes = word(&log, 8);
    let salt = &log[16..24];
    let mut pending: Vec<(usize, &[u8])> = Vec::new();
    for frame in log[32..].chunks_exact(24 + page_bytes) {
        // Frames of an earlier round of the log have another salt.
        if frame[8..16] != *salt {
            break;
        }
        pending.push((word(frame, 0), &frame[24..]));
        let pages = word(frame, 4);
        if pages > 0 {
            database.resize(pages * page_bytes, 0);
            for (number, page) in pending.drain(..) {
                let start = (number - 1) * page_bytes;
                if start < database.len() {
                    database[start..start + page_bytes].copy_from_slice(page);
                }
            }
        }
    }
    database
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn what_is_committed_is_read_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 40").unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER, text TEXT)").unwrap();
        for number in 0..300 {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            connection.execute("INSERT INTO t VALUES (?1, ?2)", (number, "x".repeat(500))).unwrap();
            let copy = directory.path().join("copy.db");
            fs::write(&copy, committed(&path)).unwrap();
            let copy = Connection::open(&copy).unwrap();
            let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            let rows: i64 = copy.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!((check.as_str(), rows), ("ok", number));
            connection.execute_batch("COMMIT").unwrap();
        }
    }
}
