//! Looking at a data directory and its store, and saying what is not as it should be.
//!
//! What is held against what:
//!
//! ```text
//! row         spool                          store                                events
//! recording   its files (cold: it is torn)
//! finished    files of the size it says
//! uploading   files of the size it says      playlists list what is there
//! ready       nothing (cold)                 objects, whole, of the size it says  recording.ready, one
//! deleting    nothing (cold)                 some of its objects, or none         recording.ready, one
//! failed      nothing (cold)
//! discarded   nothing (cold)
//! none        nothing                        nothing                              no recording.ready, unless
//!                                                                                 recording.deleted too
//! sessions    ended, or live
//! ```
//!
//! Contract: nothing is changed, and nobody is held up. Memory does not grow with the number of
//! recordings. Where another process is at work, what is in flight is no finding: whatever looks
//! wrong is looked at once more after a moment, and told only if it is still so.

mod events;
mod finding;
mod objects;
mod playlists;
mod rows;
mod spool;
mod stored;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::{Inspection, RecordingRow, StoreRole, Use};
use livetape_disk::Spool;
use livetape_record::{RecordingId, SessionId};
use livetape_store::{Listing, ObjectKey, ObjectStore, StoreError, Stored};
use tokio::runtime::Handle;

pub use finding::{Finding, What};

use crate::FinalizeError;
use crate::environment::blocking;

/// Doubtful things that are kept before they are looked at once more.
const DOUBTFUL: usize = 1000;

/// What is looked at.
pub struct Place {
    /// The catalog, which has been found whole.
    pub catalog: Inspection,
    /// The spool, which need not be there.
    pub spool: Spool,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The store that is fallen back to, if there is one.
    pub fallback: Option<Arc<dyn ObjectStore>>,
}

/// How it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct InspectOptions {
    /// Who else may be at work there.
    pub used_by: Use,
    /// Read what is in the recordings as well, not only their sizes and their ends.
    pub deep: bool,
    /// How long to wait before something doubtful is looked at once more.
    pub moment: Duration,
}

/// What was looked at, and how much of it is not as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Inspected {
    /// Rows of recordings.
    pub recordings: u64,
    /// Objects in the store.
    pub objects: u64,
    /// Events that say a recording is ready.
    pub events: u64,
    /// Things that are not as they should be.
    pub findings: u64,
    /// Things worth knowing.
    pub notes: u64,
}

/// Looks at everything and calls `told` with each finding.
///
/// # Errors
/// When the catalog, the spool or the store cannot be looked at at all.
pub async fn inspect(
    place: Place,
    options: InspectOptions,
    mut told: impl FnMut(Finding) + Send + 'static,
) -> Result<Inspected, FinalizeError> {
    let runtime = Handle::current();
    blocking(move || {
        let mut eye = Eye {
            catalog: &place.catalog,
            spool: &place.spool,
            store: &*place.store,
            fallback: place.fallback.as_deref(),
            runtime,
            used_by: options.used_by,
            deep: options.deep,
            moment: options.moment,
            doubtful: Vec::new(),
            told: &mut told,
            counts: Inspected::default(),
        };
        eye.look_at_rows()?;
        eye.look_at_spool()?;
        eye.look_at_stores()?;
        eye.look_at_events()?;
        eye.look_at_sessions()?;
        eye.look_again()?;
        Ok(eye.counts)
    })
    .await
}

/// What a finding is about, so that it can be looked at again.
enum Subject {
    Recording(RecordingId),
    Spooled(String),
    Session(SessionId),
    /// By its place among all events.
    Event(i64),
    /// By its key.
    Object(String),
    /// Nothing that changes while a process is at work.
    Unreadable,
}

/// One inspection under way.
struct Eye<'a> {
    catalog: &'a Inspection,
    spool: &'a Spool,
    store: &'a dyn ObjectStore,
    fallback: Option<&'a dyn ObjectStore>,
    runtime: Handle,
    used_by: Use,
    deep: bool,
    moment: Duration,
    doubtful: Vec<(Subject, Vec<Finding>)>,
    told: &'a mut (dyn FnMut(Finding) + Send),
    counts: Inspected,
}

impl Eye<'_> {
    /// Tells what was found, or keeps it in doubt while others are at work.
    fn tell(&mut self, subject: Subject, found: Vec<Finding>) -> Result<(), FinalizeError> {
        if found.is_empty() {
            return Ok(());
        }
        if self.used_by == Use::Nobody {
            self.tell_all(found);
            return Ok(());
        }
        self.doubtful.push((subject, found));
        if self.doubtful.len() < DOUBTFUL { Ok(()) } else { self.look_again() }
    }

    fn tell_all(&mut self, found: Vec<Finding>) {
        for finding in found {
            *(if finding.is_note() { &mut self.counts.notes } else { &mut self.counts.findings }) += 1;
            (self.told)(finding);
        }
    }

    /// Looks at everything doubtful once more, a moment later.
    fn look_again(&mut self) -> Result<(), FinalizeError> {
        let doubtful = std::mem::take(&mut self.doubtful);
        if doubtful.is_empty() {
            return Ok(());
        }
        std::thread::sleep(self.moment);
        for (subject, before) in doubtful {
            let now = match &subject {
                Subject::Recording(id) => match self.catalog.recording(id)? {
                    Some(row) => self.settled_row(row)?,
                    None => Vec::new(),
                },
                Subject::Spooled(name) if self.spool.contains(name)? => self.spooled(name)?,
                Subject::Session(id) => match self.catalog.sessions_open()?.iter().find(|row| row.id == *id) {
                    Some(session) => self.open_session(session)?,
                    None => Vec::new(),
                },
                Subject::Event(sequence) => match self.catalog.ready_event(*sequence)? {
                    Some(event) => self.event(&event)?,
                    None => Vec::new(),
                },
                Subject::Object(text) => {
                    let key: ObjectKey = text.parse()?;
                    let stores = std::iter::once(self.store).chain(self.fallback);
                    let mut found = false;
                    for store in stores {
                        found |= self.head(store, &key)?.is_some();
                    }
                    let still = found && !self.has_row(&key, &mut Default::default())?;
                    before.iter().filter(|_| still).cloned().collect()
                }
                Subject::Spooled(_) => Vec::new(),
                Subject::Unreadable => before.clone(),
            };
            let still = now.into_iter().filter(|finding| before.iter().any(|old| old.what == finding.what)).collect();
            self.tell_all(still);
        }
        Ok(())
    }

    /// The store that has, or gets, this recording.
    fn store_of(&self, row: &RecordingRow) -> &dyn ObjectStore {
        self.fallback.filter(|_| row.store == StoreRole::Fallback).unwrap_or(self.store)
    }

    fn head(&self, store: &dyn ObjectStore, key: &ObjectKey) -> Result<Option<Stored>, StoreError> {
        self.runtime.block_on(store.head(key))
    }

    fn list(&self, store: &dyn ObjectStore, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        self.runtime.block_on(store.list(prefix, after))
    }
}
