//! Start-up: bringing what a crash left back onto the normal path.
//!
//! Runs before anything listens, while this process alone has the data directory. Every row and
//! every file in the spool is looked at once:
//!
//! ```text
//! row         files in the spool      what is done
//! recording   torn, or none           completed, discarded or failed: see `complete`
//! finished    any                     nothing: the finalizer takes it up
//! uploading   any                     nothing: the finalizer takes it up
//! ready       any                     row `evicted`, files removed
//! discarded   any                     row `evicted`, files removed
//! failed      any                     row `evicted`, files moved to the quarantine
//! none        any                     moved to the quarantine
//! session that has not ended          ended, reason `crash`, when its last recording did
//! ```
//!
//! Events that are owed need nothing: the catalog has them, and the announcer goes on. An object
//! that was being put is put again from the spool. Every step can be repeated, so a crash during
//! recovery is one more crash: the next start comes to the same end, with the same event ids.

mod report;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use livetape_catalog::{Catalog, Change, RecordingFilter, RecordingRow, RecordingState, SessionRow};
use livetape_disk::Spool;
use livetape_media::{EndReason, WallTime};
use livetape_record::RecordingId;
use tracing::{error, info, warn};

pub use self::report::Recovered;
use self::report::Report;
use crate::complete::{Completion, complete};
use crate::environment::blocking;
use crate::evict::{evict, set_aside};
use crate::{FinalizeError, WallClock};

/// Recordings completed at once. Most of the time goes into waiting for the disk to sync, and the
/// catalog commits for several at a time.
const WORKERS: usize = 8;

/// Brings everything a crash left back onto the normal path. Call it once, before anything else
/// uses the spool, while this process alone has the data directory.
///
/// One recording's trouble is logged and counted and does not stop the others: see
/// [`Recovered::left`].
///
/// # Errors
/// When the catalog or the spool cannot be read at all.
pub async fn recover(catalog: &Catalog, spool: &Spool, wall: &WallClock) -> Result<Recovered, FinalizeError> {
    let (catalog, spool, wall) = (catalog.clone(), spool.clone(), wall.clone());
    blocking(move || Recovery { catalog: &catalog, spool: &spool, wall: &wall }.run()).await
}

struct Recovery<'a> {
    catalog: &'a Catalog,
    spool: &'a Spool,
    wall: &'a WallClock,
}

impl Recovery<'_> {
    fn run(&self) -> Result<Recovered, FinalizeError> {
        let torn = self.catalog.recordings_in(&[RecordingState::Recording])?;
        let sessions = self.catalog.sessions_open()?;
        let report = Report::begin(torn.len());
        // First what is not needed any more: completing the others may need its room.
        self.clear(&report)?;
        self.complete_all(&torn, &report);
        self.end_sessions(&sessions, &report)?;
        Ok(report.finish())
    }

    /// Looks at everything in the spool that nobody will work on, and at every row whose files
    /// should be gone.
    fn clear(&self, report: &Report) -> Result<(), FinalizeError> {
        let listing = self.spool.list()?;
        for name in &listing.unknown {
            let path = self.spool.quarantine(name)?;
            warn!(path = %path.display(), "something in the spool that is no recording was moved aside");
            report.count(|recovered| recovered.quarantined += 1);
        }
        for name in &listing.recordings {
            let row = match name.parse::<RecordingId>() {
                Ok(id) => self.catalog.recording_row(&id)?,
                Err(_) => None,
            };
            match row {
                Some(row) => self.settle(&row, report),
                None => {
                    let path = self.spool.quarantine(name.as_ref())?;
                    warn!(path = %path.display(), "files of a recording that is not in the catalog were moved aside");
                    report.count(|recovered| recovered.quarantined += 1);
                }
            }
        }
        // Rows that say their files are there when they are gone.
        self.catalog.spooled()?.iter().for_each(|row| self.settle(row, report));
        Ok(())
    }

    /// Takes the files of a recording that is over out of the spool.
    fn settle(&self, row: &RecordingRow, report: &Report) {
        let settled = match row.state {
            RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading => return,
            RecordingState::Ready | RecordingState::Discarded => evict(self.catalog, self.spool, row.id),
            RecordingState::Failed => set_aside(self.catalog, self.spool, row.id),
        };
        match settled {
            Ok(()) => report.count(|recovered| recovered.evicted += 1),
            // It takes room and nothing else; the next start tries again.
            Err(error) => warn!(recording = %row.id, "files that are not needed any more stay in the spool: {error}"),
        }
    }

    /// Completes the torn recordings, several at once.
    fn complete_all(&self, torn: &[RecordingRow], report: &Report) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS.min(torn.len()) {
                scope.spawn(|| {
                    while let Some(row) = torn.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A mistake in reading one torn file must not keep the service from starting.
                        let whole = AssertUnwindSafe(|| self.complete_one(row, report));
                        if catch_unwind(whole).is_err() {
                            error!(recording = %row.id, "completing the recording broke off by a mistake in this program");
                            report.count(|recovered| recovered.left.push(row.id));
                        }
                        report.step();
                    }
                });
            }
        });
    }

    fn complete_one(&self, row: &RecordingRow, report: &Report) {
        match complete(self.catalog, self.spool, self.wall, row, EndReason::Crash.name()) {
            Ok(Completion::Finished { cut_bytes }) => report.count(|recovered| {
                recovered.completed += 1;
                recovered.cut_bytes += cut_bytes;
            }),
            Ok(Completion::Discarded) => report.count(|recovered| recovered.discarded += 1),
            Ok(Completion::Failed) => report.count(|recovered| recovered.failed += 1),
            Err(error) => {
                error!(recording = %row.id, "the recording could not be completed now, and is tried again: {error}");
                report.count(|recovered| recovered.left.push(row.id));
            }
        }
    }

    /// Ends the sessions that a crash cut off.
    fn end_sessions(&self, sessions: &[SessionRow], report: &Report) -> Result<(), FinalizeError> {
        for session in sessions {
            let (at, reason) = (self.last_moment(session)?, EndReason::Crash.name().to_owned());
            self.catalog.apply(Change::SessionEnded { id: session.id, at, reason })?;
            info!(session = %session.id, app = session.app, stream = session.stream, "session ended by the crash");
            report.count(|recovered| recovered.sessions += 1);
        }
        Ok(())
    }

    /// The last moment at which the session is known to have lasted: the latest that one of its
    /// recordings grew, or began.
    fn last_moment(&self, session: &SessionRow) -> Result<WallTime, FinalizeError> {
        let mut filter = RecordingFilter {
            app: Some(session.app.clone()),
            stream: Some(session.stream.clone()),
            from: Some(session.started_at),
            ..RecordingFilter::default()
        };
        loop {
            let page = self.catalog.recordings(&filter)?;
            let last = page.items.iter().filter(|view| view.session_id == session.id).map(|view| match view.state {
                // Their rows say when it was found out, not when they ended.
                RecordingState::Discarded | RecordingState::Failed => view.started_at,
                _ => view.ended_at.unwrap_or(view.started_at),
            });
            // The newest come first: what is on later pages began, and so ended, before.
            match (last.max(), page.next_cursor) {
                (Some(last), _) => return Ok(last.max(session.started_at)),
                (None, Some(cursor)) => filter.cursor = Some(cursor),
                (None, None) => return Ok(session.started_at),
            }
        }
    }
}
