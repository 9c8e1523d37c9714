//! One session that a crash cut off: its recordings first, then its end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use livetape_catalog::{Catalog, Change, RecordingRow, RecordingState, SessionRow};
use livetape_media::{EndReason, MediaTime, WallTime};
use livetape_record::{RecordingId, SessionId};
use tracing::{error, info};

use super::{Kept, Recovery};
use crate::FinalizeError;
use crate::complete::{Completion, Salvaged, conclude, following, salvage_files};

/// A session, and its recordings that are torn.
pub(super) struct CutOff {
    pub(super) session: SessionRow,
    pub(super) torn: Vec<RecordingRow>,
}

/// Everything that was cut off: the sessions of each stream, oldest first, so that its events come
/// in order.
pub(super) fn by_stream(
    catalog: &Catalog,
    torn: Vec<RecordingRow>,
    open: Vec<SessionRow>,
) -> Result<Vec<Vec<CutOff>>, FinalizeError> {
    let mut sessions: BTreeMap<SessionId, CutOff> =
        open.into_iter().map(|session| (session.id, CutOff { session, torn: Vec::new() })).collect();
    for row in torn {
        let id = row.id.session;
        if let Some(cut) = sessions.get_mut(&id) {
            cut.torn.push(row);
        } else if let Some(session) = catalog.session(&id)? {
            // It ended before its recording could be completed.
            sessions.insert(id, CutOff { session, torn: vec![row] });
        }
    }
    let mut streams: BTreeMap<(String, String), Vec<CutOff>> = BTreeMap::new();
    for cut in sessions.into_values() {
        streams.entry((cut.session.app.clone(), cut.session.stream.clone())).or_default().push(cut);
    }
    let mut streams: Vec<_> = streams.into_values().collect();
    streams.iter_mut().for_each(|sessions| sessions.sort_by_key(|cut| (cut.session.started_at, cut.session.id)));
    Ok(streams)
}

impl Recovery<'_> {
    /// Completes the torn recordings of a session, but for those that are `kept`, and ends it.
    pub(super) fn end_session(&self, cut: &CutOff, kept: Option<&Kept>) -> Result<(), FinalizeError> {
        let (mut salvaged, mut left) = (Vec::new(), Vec::new());
        let is_kept = |row: &&RecordingRow| kept.is_some_and(|kept| kept.holds(&row.id));
        for row in cut.torn.iter().filter(|row| !is_kept(row)) {
            match guarded(row.id, || salvage_files(self.spool, row)) {
                Some(found) => salvaged.push((row, found)),
                None => left.push(row),
            }
        }
        let siblings = self.catalog.recordings_of(&cut.session.id)?;
        let arrived = self.arrived.of(&cut.session.id).max(furthest(&siblings, &salvaged));
        let mut last = self.arrived.live_until(&cut.session.id).max(siblings.iter().map(last_known).max());
        if cut.torn.iter().any(|row| is_kept(&row)) {
            last = last.max(kept.map(|kept| kept.ended_at));
        }
        for (row, found) in salvaged {
            let before = following(&siblings, row).or(its(row, arrived));
            let reason = EndReason::Crash.name();
            match guarded(row.id, || conclude(self.catalog, self.spool, self.wall, row, reason, found, before)) {
                Some(Completion::Finished { cut_bytes, ended_at }) => {
                    last = last.max(Some(ended_at));
                    self.report.count(|recovered| {
                        recovered.completed += 1;
                        recovered.cut_bytes += cut_bytes;
                    });
                }
                Some(Completion::Discarded) => self.report.count(|recovered| recovered.discarded += 1),
                Some(Completion::Failed) => self.report.count(|recovered| recovered.failed.push(row.id)),
                None => left.push(row),
            }
            self.report.step();
        }
        for row in left {
            let before = following(&siblings, row).or(its(row, arrived));
            self.report.count(|recovered| recovered.left.push((row.id, before)));
        }
        if cut.session.ended_at.is_none() {
            let (id, reason) = (cut.session.id, EndReason::Crash.name().to_owned());
            let at = last.unwrap_or(cut.session.started_at).max(cut.session.started_at);
            self.catalog.apply(Change::SessionEnded { id, at, reason })?;
            info!(session = %id, app = cut.session.app, stream = cut.session.stream, "session ended by the crash");
            self.report.count(|recovered| recovered.sessions += 1);
        }
        Ok(())
    }
}

/// Of what `arrived`, what could be this recording's to lose. While it waits for its publisher all of it is in its
/// files; what comes then is another recording's.
fn its(row: &RecordingRow, arrived: Option<MediaTime>) -> Option<MediaTime> {
    arrived.filter(|_| row.waiting_until.is_none())
}

/// The latest moment that a recording of the session holds, on its timeline.
fn furthest(siblings: &[RecordingRow], salvaged: &[(&RecordingRow, Salvaged)]) -> Option<MediaTime> {
    let known = siblings.iter().filter_map(|row| Some(row.start?.saturating_add(row.duration?)));
    known.chain(salvaged.iter().filter_map(|(row, found)| found.end(row))).max()
}

/// The last moment at which the session of this recording is known to have lasted.
fn last_known(row: &RecordingRow) -> WallTime {
    match row.state {
        // Their rows say when it was found out, not when they ended.
        RecordingState::Discarded | RecordingState::Failed => row.started_at,
        _ => row.ended_at.unwrap_or(row.started_at),
    }
}

/// What `work` on one recording came to; trouble is logged, and keeps nobody from starting.
pub(super) fn guarded<T>(id: RecordingId, work: impl FnOnce() -> Result<T, FinalizeError>) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            error!(recording = %id, "the recording could not be completed now, and is tried again: {error}");
            None
        }
        Err(_) => {
            error!(recording = %id, "completing the recording broke off by a mistake in this program");
            None
        }
    }
}
