//! Streams whose publisher has gone and may come back, by name.
//!
//! The task that finishes a publication keeps it until somebody asks for it, so that its recordings go on being
//! synced, and are ended when nobody does. Whoever asks gets all of it, whatever is still being written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use livetape_record::StreamPath;
use tokio::sync::oneshot;

use super::publication::Publication;

/// Somebody who asks for a publication.
pub(super) type Claimant = oneshot::Sender<Publication>;

/// The streams that wait.
#[derive(Default)]
pub(super) struct Waiting(Mutex<State>);

#[derive(Default)]
struct State {
    streams: BTreeMap<StreamPath, (u64, oneshot::Sender<Claimant>)>,
    tickets: u64,
}

/// A stream's place among those that wait.
pub(super) struct Ticket {
    number: u64,
    /// Resolves to who asks for it.
    pub(super) claimant: oneshot::Receiver<Claimant>,
}

impl Waiting {
    /// This stream waits from now on.
    pub(super) fn enter(&self, path: StreamPath) -> Ticket {
        let (sender, claimant) = oneshot::channel();
        let mut state = self.lock();
        state.tickets += 1;
        let number = state.tickets;
        state.streams.insert(path, (number, sender));
        Ticket { number, claimant }
    }

    /// It waits no longer. Who has asked for it in the meantime still gets it.
    pub(super) async fn leave(&self, path: &StreamPath, ticket: Ticket) -> Option<Claimant> {
        if self.forget(path, ticket.number) {
            return None;
        }
        ticket.claimant.await.ok()
    }

    fn forget(&self, path: &StreamPath, number: u64) -> bool {
        let mut state = self.lock();
        let there = state.streams.get(path).is_some_and(|(of, _)| *of == number);
        if there {
            state.streams.remove(path);
        }
        there
    }

    /// The publication of a stream that waits, if it does.
    pub(super) async fn claim(&self, path: &StreamPath) -> Option<Publication> {
        let (_, waits) = self.lock().streams.remove(path)?;
        let (sender, publication) = oneshot::channel();
        waits.send(sender).ok()?;
        publication.await.ok()
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
