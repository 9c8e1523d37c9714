//! Deleting recordings: those whose time is over, the oldest of too many, and those somebody asks to delete.
//!
//! Old events go with them (`prune`). What somebody asks for by filter is begun a few recordings at a time (`requested`).
//!
//! Each goes the same way, and can be dropped after every step and begun again:
//!
//! ```text
//!  1  row `deleting`: nobody is told where to fetch it from here on
//!  2  its objects; of a playlist first the playlists, then what they list; of an MP4 before that all this of the
//!     playlists over it
//!  3  the row goes, with event `recording.deleted`, one transaction
//! ```
//!
//! Contract:
//! - Only what is `ready` and out of the spool is deleted, and only keys of its own. What somebody holds is not.
//! - A round a minute. What is being deleted already comes first; then at most [`BATCH`] recordings of
//!   each store are being deleted at once, so that a mistake of the calendar, or of the settings, can be stopped.
//! - By age only what was over in the round before as well: a calendar that is wrong for less than a minute
//!   deletes nothing.
//! - Nothing goes by itself while a store has none of what is to be deleted: it is not the right one then.
//! - A store that fails is tried again in the next round, and loses nothing: the row stays until its objects
//!   are gone. What a store has that is not configured any more is left alone.

mod choice;
mod held;
mod prune;
mod removal;
mod requested;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use livetape_catalog::{DeletionReason, RecordingRow, RecordingState, StoreRole};
use livetape_disk::DiskError;
use livetape_media::WallTime;
use livetape_store::ObjectStore;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::choice::{Chosen, Standing};
use crate::environment::blocking;
use crate::{FinalizeError, Tools};

/// Recordings that may be being deleted at once when others are chosen.
const BATCH: usize = 100;
/// Recordings that are looked up at a time.
const PAGE: usize = 1000;
/// Recordings deleted at the same time.
const AT_ONCE: usize = 4;
/// From one round to the next.
const ROUND: Duration = Duration::from_secs(60);
/// So many failures one behind the other, and the rest waits for the next round.
const PATIENCE: usize = 8;

/// When recordings are deleted by themselves. By default, never.
#[derive(Clone, Default)]
pub struct Policy {
    /// How long one is kept, once it is ready, whose template does not say; `None`: for ever.
    pub keep: Option<Duration>,
    /// How long events are kept, and what became of them; `None`: for ever.
    pub keep_events: Option<Duration>,
    /// Bytes of all ready recordings that nobody holds, in all stores; `None`: no bound.
    pub max_bytes: Option<u64>,
    /// What is to be free where the first store is, if it is a directory.
    pub room: Option<Room>,
}

/// Tells how many bytes are free. Blocks.
pub type FreeSpace = Arc<dyn Fn() -> Result<u64, DiskError> + Send + Sync>;

/// Room that is to be free.
#[derive(Clone)]
pub struct Room {
    /// How much there is.
    pub free: FreeSpace,
    /// How much there is to be.
    pub min_free_bytes: u64,
}

/// The handle of the task that deletes recordings. Cheap to clone.
#[derive(Clone)]
pub struct Retention(Arc<Shared>);

struct Shared {
    tools: Tools,
    policy: RwLock<Policy>,
    wake: Notify,
}

/// What a task remembers from one round to the next.
#[derive(Default)]
struct Memory {
    /// The calendar in the last round that chose.
    seen: Option<WallTime>,
    /// The id behind which the next round begins; the last one gave up there.
    after: String,
    /// The last round had failures.
    troubled: bool,
    /// With what is held there was more in the last round than is wanted.
    overfull: bool,
}

impl Retention {
    /// The handle, and the work: a future to be spawned, which ends when `shutdown` is cancelled. What is
    /// being deleted then is taken up again by the next start.
    pub fn new(
        tools: Tools,
        policy: Policy,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let shared = Arc::new(Shared { tools, policy: RwLock::new(policy), wake: Notify::new() });
        let run = Arc::clone(&shared).run(shutdown);
        (Self(shared), run)
    }

    /// From the next round on recordings are deleted by themselves as `policy` says.
    pub fn set_policy(&self, policy: Policy) {
        *self.0.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// A deletion was begun by somebody else ([`livetape_catalog::Change::DeletionStarted`]).
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }
}

impl Shared {
    async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut memory = Memory::default();
        let mut next = Instant::now();
        loop {
            let chooses = Instant::now() >= next;
            if chooses {
                next = Instant::now() + ROUND;
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.round(&mut memory, chooses) => {}
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Deletes what is being deleted; if it `chooses`, then what is over as well.
    async fn round(self: &Arc<Self>, memory: &mut Memory, chooses: bool) {
        let mut failures = Failures::default();
        let result = async {
            loop {
                let pending = self.pending(&memory.after).await?;
                if !pending.is_empty() {
                    self.delete_all(pending, memory, &mut failures).await;
                }
                // Of what somebody asked for by filter the next few are begun when those before are gone.
                if failures.count > 0 || !self.begin_some().await? {
                    break;
                }
            }
            if chooses {
                let seen = memory.seen.replace((self.tools.wall)());
                self.prune(seen).await?;
                self.watch_held(memory).await?;
                let chosen = self.choose(seen).await?;
                // What cannot go says nothing of these, nor they of whose turn is next.
                failures.in_a_row = 0;
                let next = std::mem::take(&mut memory.after);
                self.delete_all(chosen.rows, memory, &mut failures).await;
                if memory.after.is_empty() {
                    memory.after = next;
                }
                if let Some(store) = chosen.wrong {
                    failures.note(FinalizeError::WrongStore(store));
                }
            }
            Ok::<_, FinalizeError>(())
        };
        if let Err(error) = result.await {
            failures.note(error);
        }
        match (failures.first, memory.troubled) {
            (Some(error), false) => {
                warn!(failures = failures.count, "recordings could not be deleted, which is tried again: {error}");
                memory.troubled = true;
            }
            (Some(error), true) => {
                debug!(failures = failures.count, "recordings could still not be deleted: {error}");
            }
            (None, true) => {
                info!("recordings are deleted again");
                memory.troubled = false;
            }
            (None, false) => {}
        }
    }

    /// What is being deleted and can be, from the id after `after` on, then those before.
    async fn pending(&self, after: &str) -> Result<Vec<RecordingRow>, FinalizeError> {
        let (tools, after) = (self.tools.clone(), after.to_owned());
        blocking(move || {
            let mut rows = tools.catalog.being_deleted(&after, PAGE)?;
            if !after.is_empty() && rows.len() < PAGE {
                let before = tools.catalog.being_deleted("", PAGE - rows.len())?;
                rows.extend(before.into_iter().filter(|row| row.id.to_string() <= after));
            }
            let mut ready = Vec::with_capacity(rows.len());
            for row in rows {
                if row.spool_evicted && !tools.spool.contains(&row.id.to_string())? {
                    ready.push(row);
                }
            }
            Ok(ready)
        })
        .await
    }

    /// Deletes `rows`, a few at a time, until too many in a row have failed.
    async fn delete_all(self: &Arc<Self>, rows: Vec<RecordingRow>, memory: &mut Memory, failures: &mut Failures) {
        let mut rows = rows.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < AT_ONCE && failures.in_a_row < PATIENCE {
                let Some(row) = rows.next() else { break };
                let shared = Arc::clone(self);
                tasks.spawn(async move {
                    let id = row.id.to_string();
                    (id, shared.delete(&row).await)
                });
            }
            match tasks.join_next().await {
                None => break,
                Some(Ok((_, Ok(())))) => failures.in_a_row = 0,
                Some(Ok((id, Err(error)))) => {
                    debug!(recording = id, "the recording could not be deleted: {error}");
                    failures.note(error);
                    memory.after = id;
                }
                Some(Err(error)) => failures.note(crate::environment::Stopped::of(&error).into()),
            }
        }
        if rows.len() == 0 && failures.in_a_row < PATIENCE {
            memory.after.clear();
        }
    }

    /// Brings the deletion of one recording to its end.
    async fn delete(&self, row: &RecordingRow) -> Result<(), FinalizeError> {
        let (id, reason) = (row.id, row.deleting.map_or("", DeletionReason::name));
        let Some(store) = self.store(row.store) else { return Err(FinalizeError::NotConfigured(row.store)) };
        let catalog = self.tools.catalog.clone();
        let over = blocking::<_, FinalizeError, _>(move || Ok(catalog.playlists_over(&id)?)).await?;
        if let Some(over) = over.filter(|over| over.state == RecordingState::Ready) {
            // Nobody is to be sent to what is gone. Their deletion began with this one's, or before.
            Box::pin(self.delete(&over)).await?;
        }
        removal::remove_objects(&self.tools.catalog, &**store, row).await?;
        if row.store == StoreRole::Fallback {
            // What the first store took of it before it was given up.
            removal::remove_objects(&self.tools.catalog, &*self.tools.store, row).await?;
        }
        let (catalog, at) = (self.tools.catalog.clone(), (self.tools.wall)());
        blocking(move || removal::forget(&catalog, id, at)).await?;
        info!(recording = %id, reason, bytes = row.size_bytes, "recording deleted");
        Ok(())
    }

    fn policy(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store(&self, role: StoreRole) -> Option<&Arc<dyn ObjectStore>> {
        match role {
            StoreRole::Primary => Some(&self.tools.store),
            StoreRole::Fallback => self.tools.fallback.as_ref().map(|fallback| &fallback.store),
        }
    }

    /// Begins the deletion of what is over; the rows.
    async fn choose(self: &Arc<Self>, seen: Option<WallTime>) -> Result<Chosen, FinalizeError> {
        let mut known = BTreeMap::new();
        let mut rows = Vec::new();
        loop {
            let (shared, now, stores) = (Arc::clone(self), (self.tools.wall)(), known.clone());
            let choose =
                move || choice::choose(&shared.tools, &shared.policy(), seen.map(|seen| seen.min(now)), BATCH, &stores);
            let mut chosen = blocking(choose).await?;
            rows.append(&mut chosen.rows);
            let Some((store, asked)) = chosen.unknown.take() else { return Ok(Chosen { rows, ..chosen }) };
            known.insert(store, self.standing(store, &asked).await?);
        }
    }

    /// What the store is to `rows`, which name it.
    async fn standing(&self, store: StoreRole, rows: &[RecordingRow]) -> Result<Standing, FinalizeError> {
        let Some(store) = self.store(store) else { return Ok(Standing::NotConfigured) };
        for row in rows {
            if removal::bounded(store.head(&row.key.parse()?)).await?.is_some() {
                return Ok(Standing::Right);
            }
        }
        Ok(Standing::Wrong)
    }
}

/// What failed in one round.
#[derive(Default)]
struct Failures {
    count: usize,
    in_a_row: usize,
    first: Option<FinalizeError>,
}

impl Failures {
    fn note(&mut self, error: FinalizeError) {
        self.count += 1;
        self.in_a_row += 1;
        self.first.get_or_insert(error);
    }
}
