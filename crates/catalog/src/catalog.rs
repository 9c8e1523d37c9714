//! The catalog itself: opening it, and handing changes to its writer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::database::{explain, open_writer};
use crate::readers::Readers;
use crate::writer::{Board, Request, Writer};
use crate::{Addresses, Applied, CatalogError, Change, EndpointId, apply};

/// Changes that may wait for the writer. It takes them by the thousand; a queue that is full
/// means a disk that hardly moves.
const QUEUE: usize = 4096;

/// Asked right before each commit of the writer whether it may happen.
pub type Gate = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a catalog is opened with.
#[derive(Clone, Default)]
pub struct Options {
    /// Where things are reached from outside.
    pub addresses: Addresses,
    /// Names of the webhook endpoints that get events.
    pub endpoints: Vec<EndpointId>,
    /// When it says no, the commit is taken back and its changes fail ([`CatalogError::Stopped`]): for
    /// tests that stop the world between two commits. Called from the writer's thread.
    pub gate: Option<Gate>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("addresses", &self.addresses)
            .field("endpoints", &self.endpoints)
            .field("gate", &self.gate.is_some())
            .finish()
    }
}

/// How the writer has done since the catalog was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Changes taken, refused ones as well.
    pub changes: u64,
    /// Commits that made them durable.
    pub commits: u64,
}

/// The index of one data directory. Cheap to clone; closed when the last clone is dropped, after
/// everything submitted has been committed.
///
/// No call may be made from an asynchronous task that must not wait; [`Catalog::submit`] is the
/// one that waits least.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    path: PathBuf,
    node: Arc<str>,
    addresses: Arc<Addresses>,
    readers: Readers,
    sender: Option<SyncSender<Request>>,
    board: Arc<Board>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Catalog {
    /// Opens the catalog at `path`, making it when nothing is there.
    ///
    /// The whole file is checked first. A damaged one, one of a later version and another program's
    /// are refused and left as they are. Endpoints get events from now on; what is pending for
    /// endpoints that are not named any more is dropped.
    pub fn open(path: &Path, options: Options) -> Result<Self, CatalogError> {
        let failed = |error| explain(path, "opening the catalog", error);
        let mut connection = open_writer(path)?;
        let transaction = connection.transaction().map_err(failed)?;
        apply::register(&transaction, &options.endpoints).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        let node: String = connection.query_row("SELECT node FROM meta", [], |row| row.get(0)).map_err(failed)?;

        let readers = Readers::open(path)?;
        let (node, addresses) = (Arc::from(node), Arc::new(options.addresses));
        let board = Arc::new(Board::default());
        let (sender, requests) = sync_channel(QUEUE);
        let writer = Writer {
            connection,
            path: path.to_owned(),
            node: Arc::clone(&node),
            addresses: Arc::clone(&addresses),
            board: Arc::clone(&board),
            gate: options.gate,
        };
        let thread = std::thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || writer.run(&requests))
            .map_err(CatalogError::io("starting the writer of", path))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            node,
            addresses,
            readers,
            sender: Some(sender),
            board,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Hands a change to the writer. `done` is called once it is durable, or has failed, from the
    /// writer's thread: it must neither wait nor call the catalog's blocking functions.
    ///
    /// Changes are made in the order they are submitted. Waits only while thousands are waiting
    /// already.
    pub fn submit(&self, change: Change, done: impl FnOnce(Result<Applied, CatalogError>) + Send + 'static) {
        let request = Request { change, done: Box::new(done) };
        let refused = match &self.0.sender {
            Some(sender) => sender.send(request).err().map(|error| error.0),
            None => Some(request),
        };
        if let Some(request) = refused {
            (request.done)(Err(CatalogError::Closed));
        }
    }

    /// Makes a change and waits until it is durable.
    pub fn apply(&self, change: Change) -> Result<Applied, CatalogError> {
        let (sender, answer) = sync_channel(1);
        self.submit(change, move |outcome| {
            // Only fails when nobody waits for the answer any more.
            let _ = sender.send(outcome);
        });
        answer.recv().unwrap_or(Err(CatalogError::Closed))
    }

    /// Has `wake` called after each commit by which an event was written, or a delivery may have become due. Called from
    /// the writer's thread: it must not wait, and must not hold a clone of this catalog.
    pub fn when_events(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.0.board.add_waker(Arc::new(wake));
    }

    /// How the writer has done.
    pub fn writer_stats(&self) -> WriterStats {
        WriterStats {
            changes: self.0.board.changes.load(Ordering::Relaxed),
            commits: self.0.board.commits.load(Ordering::Relaxed),
        }
    }

    /// This node's UUID, made with the catalog.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Where things are reached from outside.
    pub fn addresses(&self) -> &Addresses {
        &self.0.addresses
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.0.readers
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Readers first: the last connection to close empties the log, which only the writer may.
        self.readers.close();
        // Nobody can send any more: the writer does what is left and ends.
        self.sender = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A callback may hold the last clone; the writer cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!(catalog = %self.path.display(), "the catalog's writer panicked");
        }
    }
}
