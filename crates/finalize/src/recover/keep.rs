//! Streams whose recordings go on waiting for their publisher, as if it had gone when the process died.
//!
//! Of each stream, the recording that each recorder had open: the last one of its task and format. It waits until the
//! time its row says, or, if its publisher was there, the window from the pulse's moment on. What cannot be gone on with
//! is completed, as all others are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use livetape_catalog::{Change, RecordingRow, SessionRow};
use livetape_disk::SpoolWriter;
use livetape_media::{EndReason, Format, MediaTime, WallTime};
use livetape_mux::{Files, Layout, Op, Reopened, Torn, reopen};
use livetape_record::{Gap, RecordingId, Reopening, SessionId, TaskId};
use tracing::{info, warn};

use super::Recovery;
use super::session::{CutOff, guarded};
use crate::FinalizeError;
use crate::strangers::set_strangers_aside;

/// The pulse is written so often that it knows better than a recording when its media came.
const CLOCKS_APART_MS: i64 = 1_000;

/// Which recordings go on waiting.
pub struct Keep {
    /// How long those of a stream do whose last publisher this session was, from the crash on; zero: not at all.
    pub window: WindowOf,
    /// How what follows of a recording of such a stream is laid out; whether there are playlists over it is said. `None`:
    /// it is not to go on.
    pub layout: LayoutOf,
}

type WindowOf = Box<dyn Fn(&SessionRow) -> Duration + Send + Sync>;
type LayoutOf = Box<dyn Fn(&SessionRow, &RecordingRow, bool) -> Option<Layout> + Send + Sync>;

/// A stream whose recordings wait.
pub struct Kept {
    /// The session that published it last; it has ended.
    pub session: SessionRow,
    /// Why it has.
    pub reason: EndReason,
    /// Others with whose recordings it went on.
    pub adopted: Vec<SessionId>,
    /// Until when they wait.
    pub until: WallTime,
    /// The latest moment that had arrived, as far as is known.
    pub arrived: Option<MediaTime>,
    /// Where what all of them hold ends, and the calendar's time there.
    pub ends: MediaTime,
    /// The calendar's time there.
    pub ended_at: WallTime,
    /// What the calendar shows when a frame comes that is decoded at `ends`.
    pub comes_at: WallTime,
    /// The recordings.
    pub recordings: Vec<KeptRecording>,
}

/// A recording that waits.
pub struct KeptRecording {
    /// Its row.
    pub row: RecordingRow,
    /// Whether there are playlists over it.
    pub playlists: bool,
    /// What its recorder is opened with.
    pub torn: Reopening,
    /// Its files, synced.
    pub files: SpoolWriter,
}

impl Kept {
    /// Whether this is one of its recordings.
    pub(super) fn holds(&self, id: &RecordingId) -> bool {
        self.recordings.iter().any(|recording| recording.row.id == *id)
    }
}

/// One that was opened again, and how long after its decoding a key frame of it is shown.
struct Opened {
    recording: KeptRecording,
    delay: MediaTime,
}

impl Recovery<'_> {
    /// Has recordings of a stream wait on, if there are some that may.
    pub(super) fn keep(&self, sessions: &[CutOff]) -> Result<Option<Kept>, FinalizeError> {
        let Some(keep) = &self.keep else { return Ok(None) };
        let Some(newest) = sessions.last() else { return Ok(None) };
        let now = (self.wall)();
        let live = sessions.iter().rev().find(|cut| cut.session.ended_at.is_none()).map(|cut| &cut.session);
        let rows = self.open_rows(sessions, live.is_some())?;
        // What is not known of the crash is when it was: then it waits from now on.
        let crash_at = live.map(|live| self.arrived.live_until(&live.id).unwrap_or(now));
        let session = match live {
            Some(live) => live.clone(),
            None => self.last_publisher(&newest.session)?,
        };
        let window = (keep.window)(&session);
        if window.is_zero() {
            return Ok(None);
        }
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let deadline = |row: &&RecordingRow| row.waiting_until.or(crash_at.map(|at| at.plus_millis(window_ms)));
        let until = rows.iter().filter_map(deadline).max().filter(|until| *until > now);
        let Some(until) = until else { return Ok(None) };
        let mut opened: Vec<Opened> = Vec::new();
        for row in rows {
            let playlists = self.catalog.playlists_over(&row.id)?.is_some();
            let Some(layout) = (keep.layout)(&session, row, playlists) else { continue };
            let work = || self.reopen(row, layout, playlists, now);
            opened.extend(guarded(row.id, work).flatten());
        }
        let Some(last) = opened.iter().max_by_key(|opened| opened.recording.torn.ends) else { return Ok(None) };
        let (ends, delay) = (last.recording.torn.ends, last.delay);
        let ended_at = calendar(&last.recording, ends);
        let arrived = self.arrived.of(&last.recording.row.id.session);
        let mut comes_at = ended_at.plus_millis(delay.as_millis());
        // A publisher's clock may have gone another way than the calendar's since the recording began.
        if let (Some(pulse), Some(live), Some(arrived)) = (crash_at, live, arrived)
            && self.arrived.live_until(&live.id).is_some()
        {
            let by_pulse = pulse.plus_millis((ends - arrived).as_millis());
            if (by_pulse.as_unix_millis() - comes_at.as_unix_millis()).abs() > CLOCKS_APART_MS {
                comes_at = by_pulse;
            }
        }
        for opened in &opened {
            let id = opened.recording.row.id;
            let lost = opened.recording.torn.lost;
            self.catalog.apply(Change::RecordingWaits { id, at: crash_at.unwrap_or(now), until, lost })?;
            info!(recording = %id, %until, cut_bytes = opened.recording.torn.cut_bytes,
                lost_ms = u64::try_from(opened.recording.torn.lost.as_millis()).unwrap_or(u64::MAX),
                "the recording waits for its publisher, as before the crash");
        }
        let recordings: Vec<KeptRecording> = opened.into_iter().map(|opened| opened.recording).collect();
        self.report.count(|recovered| recovered.waiting += recordings.len());
        let of: BTreeSet<SessionId> = recordings.iter().map(|recording| recording.row.id.session).collect();
        let reason = session.end_reason.as_deref().and_then(EndReason::named).unwrap_or(EndReason::Crash);
        let adopted = of.into_iter().filter(|id| *id != session.id).collect();
        Ok(Some(Kept { session, reason, adopted, until, arrived, ends, ended_at, comes_at, recordings }))
    }

    /// The recordings of a stream that its recorders had open: whose publisher was there, if that is `live`, or was
    /// waited for.
    fn open_rows<'a>(&self, sessions: &'a [CutOff], live: bool) -> Result<Vec<&'a RecordingRow>, FinalizeError> {
        let mut newest: BTreeMap<(Option<TaskId>, Format), (WallTime, u32, RecordingId)> = BTreeMap::new();
        for cut in sessions {
            for row in self.catalog.recordings_of(&cut.session.id)?.iter().filter(|row| row.media_of.is_none()) {
                let this = (row.started_at, row.id.sequence, row.id);
                let last = newest.entry((row.task, row.id.format)).or_insert(this);
                *last = this.max(*last);
            }
        }
        let is_last = |row: &&RecordingRow| newest.get(&(row.task, row.id.format)).is_some_and(|last| last.2 == row.id);
        let waits = |row: &&RecordingRow| live || row.waiting_until.is_some();
        Ok(sessions.iter().flat_map(|cut| &cut.torn).filter(|row| is_last(row) && waits(row)).collect())
    }

    /// The session that published the stream of `known` last, as far as the pulse says.
    fn last_publisher(&self, known: &SessionRow) -> Result<SessionRow, FinalizeError> {
        let mut last = known.clone();
        for id in self.arrived.sessions() {
            let Some(row) = self.catalog.session(id)? else { continue };
            if (&row.app, &row.stream) == (&known.app, &known.stream) && row.started_at > last.started_at {
                last = row;
            }
        }
        Ok(last)
    }

    /// Opens a recording again, and makes what is left of it durable. `None` when it cannot be gone on with.
    fn reopen(
        &self,
        row: &RecordingRow,
        layout: Layout,
        playlists: bool,
        now: WallTime,
    ) -> Result<Option<Opened>, FinalizeError> {
        let (id, start) = (row.id.to_string(), row.start);
        let (true, Some(start)) = (self.spool.contains(&id)?, start) else { return Ok(None) };
        // What could not be synced is not trusted before it has been written anew.
        self.spool.renew(&id)?;
        set_strangers_aside(self.spool, row.id)?;
        let files = self.spool.files(&id)?;
        let torn = Torn { start, wall_start: row.started_at, layout };
        let found = match reopen(row.id.format, &files, &torn) {
            Ok(found) => found,
            Err(error) => {
                warn!(recording = %row.id, "it cannot be gone on with, and is completed: {error}");
                None
            }
        };
        let Some(Reopened { muxer, ops, tracks, cut_bytes, ends, delay }) = found else { return Ok(None) };
        let mut writer = self.spool.writer(&id)?;
        writer.perform(&ops)?;
        // What was there already may be in the page cache only.
        let listed = files.list().map_err(|source| livetape_disk::DiskError::Io {
            action: "listing the files of",
            path: id.clone().into(),
            source,
        })?;
        for (file, _) in listed.into_iter().filter(|(_, growing)| *growing) {
            writer.perform(&[Op::Sync { file }])?;
        }
        writer.sync_growing()?;
        // One that waited for its publisher has lost nothing but what its row says.
        let arrived = self.arrived.of(&row.id.session).filter(|_| row.waiting_until.is_none());
        let mut gaps: Vec<Gap> = row.gaps.iter().copied().filter(|gap| !gap.is_nothing()).collect();
        let plays = muxer.progress().duration;
        let mut lost = row.lost.unwrap_or_default();
        let mut behind = ends;
        // Its publisher was back, and nothing of what came then is here: the next gap takes the place of that one.
        if let Some(last) = gaps.pop_if(|gap| !gap.lies_within(plays)) {
            behind = behind.saturating_add(last.apart);
            // What a row that waits says has that in it.
            lost += if row.waiting_until.is_none() { last.lost } else { Duration::ZERO };
        }
        lost += arrived.map_or(Duration::ZERO, |arrived| (arrived - behind).to_duration());
        let torn = Reopening {
            id: row.id,
            muxer,
            tracks,
            start,
            started_at: row.started_at,
            gaps,
            ends,
            lost,
            cut_bytes,
            at: now,
        };
        let recording = KeptRecording { row: row.clone(), playlists, torn, files: writer };
        Ok(Some(Opened { recording, delay }))
    }
}

/// The calendar's time at a moment behind all gaps of a recording.
fn calendar(recording: &KeptRecording, moment: MediaTime) -> WallTime {
    let torn = &recording.torn;
    let passed = |gap: &Gap| gap.to.as_unix_millis() - gap.from.as_unix_millis();
    let apart = |gap: &Gap| i64::try_from(gap.apart.as_millis()).unwrap_or(i64::MAX);
    let off_ms: i64 = torn.gaps.iter().map(|gap| passed(gap) - apart(gap)).sum();
    torn.started_at.plus_millis((moment - torn.start).as_millis().saturating_add(off_ms))
}
