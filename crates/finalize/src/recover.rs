//! Start-up: bringing what a crash left back onto the normal path.
//!
//! Runs before anything listens, while this process alone has the data directory. Every row and
//! every file in the spool is looked at once:
//!
//! ```text
//! row          files in the spool           what is done
//! recording    something whole              completed, row `finished`       } what of its session had
//! recording    nothing whole, or nothing    removed, row `discarded`        } arrived and is in no
//! recording    not what a muxer writes      quarantine, row `failed`        } recording is `lost`
//! finished,    all of them                  nothing: the finalizer takes it up
//! uploading    some of them, or none        nothing: the finalizer finds out, row `failed`, quarantine
//! ready        any, or none                 row `evicted`, files removed
//! discarded    any, or none                 row `evicted`, files removed
//! failed       any, or none                 row `evicted`, files moved to the quarantine
//! none         any                          moved to the quarantine
//! any but none, and in the directory something that is not the recording's: moved to the quarantine
//! session that has not ended                ended, reason `crash`, at the pulse's moment
//! ```
//!
//! Where recordings wait for a publisher that goes without an end, one that grew, or waited, is not completed: it is
//! cut at its last whole fragment and handed over open, for as long as it is to be waited for ([`Keep`]).
//!
//! What had arrived says the pulse of the process that died, and where there is none, the recording
//! of the session that came furthest: [`livetape_disk::Pulse`]. It is read first and left as it is, so
//! that it is there until recovery has come to its end.
//!
//! Events that are owed need nothing: the catalog has them, and the announcer goes on. An object
//! that was being put is put again from the spool. Every step can be repeated, so a crash during
//! recovery is one more crash: the next start comes to the same end, with the same event ids.

mod arrived;
mod keep;
mod report;
mod session;

use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use livetape_catalog::{Catalog, RecordingRow, RecordingState};
use livetape_disk::Spool;
use livetape_record::RecordingId;
use tracing::warn;

use self::arrived::Arrived;
pub use self::keep::{Keep, Kept, KeptRecording};
pub use self::report::Recovered;
use self::report::Report;
use self::session::by_stream;
use crate::environment::blocking;
use crate::evict::{evict, set_aside};
use crate::{FinalizeError, WallClock};

/// Streams worked on at once. Most of the time goes into waiting for the disk to sync, and the
/// catalog commits for several at a time.
const WORKERS: usize = 8;

/// Brings everything a crash left back onto the normal path. Call it once, before anything else
/// uses the spool, while this process alone has the data directory, and before a pulse is written.
///
/// One recording's trouble is logged and counted and does not stop the others: see
/// [`Recovered::left`].
///
/// # Errors
/// When the catalog or the spool cannot be read at all, or the catalog not written.
pub async fn recover(catalog: &Catalog, spool: &Spool, wall: &WallClock) -> Result<Recovered, FinalizeError> {
    recover_with(catalog, spool, wall, WORKERS).await
}

/// [`recover()`] that works on so many streams at once; on one, it does the same things in the same
/// order each time.
///
/// # Errors
/// As of [`recover()`].
pub async fn recover_with(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    workers: usize,
) -> Result<Recovered, FinalizeError> {
    Ok(begin(catalog, spool, wall, workers, None).await?.0)
}

/// [`recover()`] where recordings wait for their publishers: also those that do.
///
/// # Errors
/// As of [`recover()`].
pub async fn recover_keeping(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    keep: Keep,
) -> Result<(Recovered, Vec<Kept>), FinalizeError> {
    begin(catalog, spool, wall, WORKERS, Some(keep)).await
}

async fn begin(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    workers: usize,
    keep: Option<Keep>,
) -> Result<(Recovered, Vec<Kept>), FinalizeError> {
    let (catalog, spool, wall) = (catalog.clone(), spool.clone(), wall.clone());
    blocking(move || {
        let arrived = Arrived::read(&spool, wall());
        let (kept, report) = (Mutex::default(), Report::begin());
        Recovery { catalog: &catalog, spool: &spool, wall: &wall, workers, arrived, keep, kept, report }.run()
    })
    .await
}

struct Recovery<'a> {
    catalog: &'a Catalog,
    spool: &'a Spool,
    wall: &'a WallClock,
    workers: usize,
    arrived: Arrived,
    keep: Option<Keep>,
    kept: Mutex<Vec<Kept>>,
    report: Report,
}

impl Recovery<'_> {
    fn run(self) -> Result<(Recovered, Vec<Kept>), FinalizeError> {
        let mut torn = self.catalog.recordings_in(&[RecordingState::Recording])?;
        // Playlists over an MP4 become what it becomes.
        torn.retain(|row| row.media_of.is_none());
        let recordings = torn.len();
        let streams = by_stream(self.catalog, torn, self.catalog.sessions_open()?)?;
        // First what is not needed any more: completing the others may need its room.
        self.clear()?;
        self.report.phase("completing recordings that were cut off", recordings);
        self.each(&streams, |sessions| {
            let kept = self.keep(sessions)?;
            sessions.iter().try_for_each(|session| self.end_session(session, kept.as_ref()))?;
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
            Ok(())
        })?;
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((self.report.finish(), kept))
    }

    /// Looks at everything in the spool that nobody will work on, and at every row whose files
    /// should be gone.
    fn clear(&self) -> Result<(), FinalizeError> {
        let listing = self.spool.list()?;
        self.report.phase("looking at the spool", listing.recordings.len());
        for name in &listing.unknown {
            self.quarantine(name, "something in the spool that is no recording");
        }
        self.each(&listing.recordings, |name| {
            let row = match name.parse::<RecordingId>() {
                Ok(id) => self.catalog.recording_row(&id)?,
                Err(_) => None,
            };
            match row {
                Some(row) => self.settle(&row),
                None => self.quarantine(&name.into(), "files of a recording that is not in the catalog"),
            }
            self.report.step();
            Ok(())
        })?;
        // Rows that say their files are there when they are gone.
        let mut spooled = self.catalog.spooled()?;
        spooled.retain(|row| row.media_of.is_none());
        self.report.phase("clearing the spool", spooled.len());
        self.each(&spooled, |row| {
            self.settle(row);
            self.report.step();
            Ok(())
        })
    }

    fn quarantine(&self, name: &OsString, what: &str) {
        match self.spool.quarantine(name) {
            Ok(path) => {
                warn!(path = %path.display(), "{what}: moved aside");
                self.report.count(|recovered| recovered.quarantined += 1);
            }
            // It is in nobody's way where it is; the next start tries again.
            Err(error) => warn!("{what} could not be moved aside: {error}"),
        }
    }

    /// Takes the files of a recording that is over out of the spool.
    fn settle(&self, row: &RecordingRow) {
        let settled = match row.state {
            RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading => return,
            RecordingState::Ready | RecordingState::Discarded => evict(self.catalog, self.spool, row.id),
            RecordingState::Failed => set_aside(self.catalog, self.spool, row.id),
        };
        match settled {
            Ok(()) => self.report.count(|recovered| recovered.evicted += 1),
            // It takes room and nothing else; the next start tries again.
            Err(error) => warn!(recording = %row.id, "files that are not needed any more stay in the spool: {error}"),
        }
    }

    /// Does `work` on every item, several at once. After an error no further one is begun.
    fn each<T: Sync>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<(), FinalizeError> + Sync,
    ) -> Result<(), FinalizeError> {
        let workers = self.workers.min(items.len());
        if workers <= 1 {
            return items.iter().try_for_each(work);
        }
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = work(item) {
                            lock().get_or_insert(error);
                            next.store(items.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        lock().take().map_or(Ok(()), Err)
    }
}
