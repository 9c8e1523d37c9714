//! The one thread that writes: whatever waits goes into one transaction, one commit, one sync.
//!
//! A change that is refused fails alone: the others are then made again, each in a savepoint of its own. A
//! commit that fails fails all of its changes: none of them happened.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::Addresses;
use crate::apply::Work;
use crate::database::explain;
use crate::{Applied, CatalogError, Change, Gate};

/// The most changes of one transaction.
const MAX_BATCH: usize = 1024;

pub(crate) type Done = Box<dyn FnOnce(Outcome) + Send>;
type Waker = Arc<dyn Fn() + Send + Sync>;
/// What has come of a change.
type Outcome = Result<Applied, CatalogError>;

/// A change that waits, and whom to tell.
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) done: Done,
}

/// What the writer shares with the rest of the catalog.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) changes: AtomicU64,
    pub(crate) commits: AtomicU64,
    wakers: Mutex<Vec<Waker>>,
}

impl Board {
    pub(crate) fn add_waker(&self, waker: Waker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    fn wake(&self) {
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for waker in wakers {
            guarded(|| waker());
        }
    }
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) node: Arc<str>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) board: Arc<Board>,
    pub(crate) gate: Option<Gate>,
}

impl Writer {
    /// Serves `requests` until nobody can send any more.
    pub(crate) fn run(self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut batch = vec![first];
            batch.extend(requests.try_iter().take(MAX_BATCH - 1));
            self.serve(batch);
        }
        // Readers of the file itself (a backup, sqlite3) then find everything in one place.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(catalog = %self.path.display(), %error, "the write-ahead log could not be emptied; the next start does it");
        }
    }

    fn serve(&self, batch: Vec<Request>) {
        let deliveries_due = Cell::new(false);
        let outcomes = self.commit(&batch, &deliveries_due);
        self.board.changes.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if let Err(error) = &outcomes {
            tracing::error!(catalog = %self.path.display(), changes = batch.len(), %error, "a commit failed; none of its changes were made");
        }
        match outcomes {
            Ok(outcomes) => {
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    guarded(|| (request.done)(outcome));
                }
            }
            Err(error) => {
                for request in batch {
                    guarded(|| (request.done)(Err(error.clone())));
                }
                return;
            }
        }
        if deliveries_due.get() {
            self.board.wake();
        }
    }

    /// Makes the changes in one transaction; what has come of each.
    fn commit(&self, batch: &[Request], deliveries_due: &Cell<bool>) -> Result<Vec<Outcome>, CatalogError> {
        if let Some(outcomes) = self.transact(|| self.make_all(batch, deliveries_due))? {
            return Ok(outcomes);
        }
        deliveries_due.set(false);
        let outcomes = self.transact(|| self.make_each(batch, deliveries_due).map(Some))?;
        Ok(outcomes.unwrap_or_default())
    }

    /// `changes` as one transaction, which is taken back when it fails or says `None`.
    fn transact<T>(
        &self,
        changes: impl FnOnce() -> Result<Option<T>, CatalogError>,
    ) -> Result<Option<T>, CatalogError> {
        self.execute("BEGIN IMMEDIATE", "beginning a transaction")?;
        let done = changes().and_then(|done| match (&done, &self.gate) {
            (None, _) => Ok(done),
            (Some(_), Some(gate)) if !gate() => Err(CatalogError::Stopped),
            (Some(_), _) => self.execute("COMMIT", "committing").map(|()| done),
        });
        if matches!(&done, Ok(Some(_))) {
            self.board.commits.fetch_add(1, Ordering::Relaxed);
        } else if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", "taking a transaction back")
        {
            tracing::error!(catalog = %self.path.display(), %error, "a failed transaction could not be taken back");
        }
        done
    }

    /// Makes all of them; `None`: one was refused.
    fn make_all(&self, batch: &[Request], deliveries_due: &Cell<bool>) -> Result<Option<Vec<Outcome>>, CatalogError> {
        let work = self.work();
        let outcomes: Result<Vec<Outcome>, CatalogError> =
            batch.iter().map(|request| Ok(Ok(work.apply(&request.change)?))).collect();
        deliveries_due.set(work.deliveries_due.get());
        match outcomes {
            Ok(outcomes) => Ok(Some(outcomes)),
            // A full or failing disk can end the whole transaction.
            Err(error) if self.connection.is_autocommit() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Makes those that are not refused.
    fn make_each(&self, batch: &[Request], deliveries_due: &Cell<bool>) -> Result<Vec<Outcome>, CatalogError> {
        let work = self.work();
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            self.execute("SAVEPOINT change", "beginning a change")?;
            work.deliveries_due.set(false);
            let outcome = work.apply(&request.change);
            match &outcome {
                Ok(_) => {
                    self.execute("RELEASE change", "ending a change")?;
                    deliveries_due.set(deliveries_due.get() || work.deliveries_due.get());
                }
                // As above, and what came before with it.
                Err(error) if self.connection.is_autocommit() => return Err(error.clone()),
                Err(_) => {
                    self.execute("ROLLBACK TO change", "taking a change back")?;
                    self.execute("RELEASE change", "taking a change back")?;
                }
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn work(&self) -> Work<'_> {
        Work {
            connection: &self.connection,
            node: &self.node,
            addresses: &self.addresses,
            deliveries_due: Cell::new(false),
            fills_gaps: false,
        }
    }

    fn execute(&self, sql: &str, action: &'static str) -> Result<(), CatalogError> {
        let executed = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        executed.map(|_| ()).map_err(|error| explain(&self.path, action, error))
    }
}

/// Somebody else's code must not end the writer.
fn guarded(call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!("a callback of the catalog panicked");
    }
}
