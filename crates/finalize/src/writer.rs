//! Carrying out the effects of one recorder, in order. Blocks.
//!
//! Procedure *Open*: the free space is looked at; the row, and that of playlists over it, is durable; the
//! directory, with the label in it, is created.
//! Procedure *Finish*: the operations of the muxer's end are performed (they sync and rename); the
//! row becomes `finished`; the [`Destination`]'s owner is told. A recording whose writing failed takes
//! no further operation and is handed over to be salvaged; its recorder opens another.

use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::{AudioFacts, Catalog, CatalogError, Change, NewRecording, VideoFacts};
use livetape_disk::{DiskError, Spool, SpoolWriter};
use livetape_media::{Format, Now, Track, WallTime, Warning, WarningKind};
use livetape_mux::Op;
use livetape_record::{CutReason, Effect, Opening, RecordingId, Report as Integrity, SessionId, StartReason};
use tracing::{debug, error, info, warn};

use crate::{Label, facts};

/// What writers of all recorders share.
pub struct Destination {
    /// The index.
    pub catalog: Catalog,
    /// Where files grow.
    pub spool: Spool,
    /// How often growing files are synced.
    pub sync_interval: Duration,
    /// Free space below which no recording begins.
    pub min_free_bytes: u64,
    /// Told of what happens, on the thread that writes.
    pub told: Box<dyn Fn(Report) + Send + Sync>,
}

/// Something that happened while effects were carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A recording's row and directory are there.
    Opened {
        /// Which.
        id: RecordingId,
        /// Where it will be in the store.
        key: Arc<str>,
        /// Why it began: [`livetape_record::StartReason::name`].
        reason: &'static str,
    },
    /// More of a recording is on the disk. For [`crate::Finalizer::recording_grew`].
    Grew {
        /// Which.
        id: RecordingId,
    },
    /// A recording will never change again on disk; its row is `finished`. For
    /// [`crate::Finalizer::recording_finished`].
    Finished {
        /// Which.
        id: RecordingId,
        /// Why it ended: [`livetape_record::StopReason::name`].
        reason: &'static str,
        /// MP4: the index did not fit at the head.
        index_at_end: bool,
        /// Frames whose times had to be moved to fit the container.
        repaired_frames: u64,
    },
    /// A recording's writing failed; what its files hold is to be salvaged. For
    /// [`crate::Finalizer::recording_broken`].
    Broken {
        /// Which.
        id: RecordingId,
    },
    /// A recording was shorter than it may be, and is gone.
    Discarded {
        /// Which.
        id: RecordingId,
    },
    /// A recording did not begin, or did not go on.
    Refused {
        /// Its format.
        format: Format,
        /// Why.
        why: Refusal,
    },
    /// A warning was given.
    Warned {
        /// Of what.
        kind: WarningKind,
    },
}

/// Why a recording does not begin or go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is less free space than [`Destination::min_free_bytes`].
    DiskLow,
    /// The disk or the index failed.
    DiskTrouble,
}

/// Carries out the effects of one recorder.
pub struct Writer {
    to: Arc<Destination>,
    session: SessionId,
    open: Option<Recording>,
    /// Low space is reported once per episode.
    low_space: bool,
}

struct Recording {
    id: RecordingId,
    /// `None` once writing has failed.
    files: Option<SpoolWriter>,
    /// When its growing files were last synced, on the clock of [`Now::mono`].
    synced: Duration,
    /// Something was written since.
    unsynced: bool,
}

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index failed.
    #[error("recording it in the catalog: {0}")]
    Catalog(#[from] CatalogError),
    /// There is too little space to begin.
    #[error("{free_bytes} bytes are free, {min_free_bytes} are wanted (record.min_free) before a recording begins")]
    LowSpace {
        /// Free on the spool's file system.
        free_bytes: u64,
        /// Wanted.
        min_free_bytes: u64,
    },
}

impl Writer {
    /// A writer for one recorder of `session`, and of those that go on with what it records.
    pub fn new(to: Arc<Destination>, session: SessionId) -> Self {
        Self { to, session, open: None, low_space: false }
    }

    /// A writer of a recording that is open already: `files` have been written up to here, and synced.
    pub fn reopened(to: Arc<Destination>, session: SessionId, id: RecordingId, files: SpoolWriter, now: Now) -> Self {
        let open = Some(Recording { id, files: Some(files), synced: now.mono, unsynced: false });
        Self { open, ..Self::new(to, session) }
    }

    /// A writer for what comes after the recording that this one is about to end. The two do not wait for
    /// each other: recordings have nothing in common.
    pub fn successor(&self) -> Self {
        Self { low_space: self.low_space, ..Self::new(self.to.clone(), self.session) }
    }

    /// Carries out `effects` and returns the recordings that can no longer be written. `now` is the
    /// time of all that happens in between.
    pub fn perform(&mut self, effects: Vec<Effect>, now: Now) -> Vec<RecordingId> {
        let mut failed = Vec::new();
        let mut ops: Vec<Op> = Vec::new();
        for effect in effects {
            match effect {
                Effect::Op(op) => ops.push(op),
                other => {
                    failed.extend(self.write(&mut ops, now));
                    failed.extend(self.effect(other, now));
                }
            }
        }
        failed.extend(self.write(&mut ops, now));
        failed.extend(self.sync(now));
        failed
    }

    /// Whether all that was carried out survives a power cut.
    pub fn is_synced(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.files.is_some() && !open.unsynced)
    }

    /// When growing files are to be synced, on the clock of [`Now::mono`]: by the next
    /// [`Writer::perform`] then, of nothing if nothing else is to be done.
    pub fn sync_due(&self) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| open.files.is_some() && open.unsynced)?;
        Some(open.synced + self.to.sync_interval)
    }

    fn effect(&mut self, effect: Effect, now: Now) -> Option<RecordingId> {
        match effect {
            Effect::Op(_) => None,
            Effect::Open(opening) => {
                let id = opening.id;
                self.session = opening.session;
                let result = self.open(&opening);
                if result.is_ok() && opening.reason == StartReason::Cut(CutReason::DiskSlow) {
                    self.resumed(id, now.wall);
                }
                match &result {
                    Err(problem) => self.report(id, problem, now.wall),
                    Ok(_) if std::mem::take(&mut self.low_space) => {
                        let detail = format!("there is space again: {} is recorded", id.format);
                        let warning = Warning { kind: WarningKind::DiskRecovered, track: None, detail };
                        self.warn(&warning, Some(id), now.wall);
                    }
                    Ok(_) => {}
                }
                let files = result.ok();
                let failed = files.is_none().then_some(id);
                self.open = Some(Recording { id, files, synced: now.mono, unsynced: false });
                failed
            }
            Effect::Close(closing) => {
                let recording = self.open.take()?;
                // One that failed before its recorder came to its end has been handed over.
                recording.files?;
                let change = Change::RecordingFinished {
                    id: closing.id,
                    ended_at: closing.ended_at,
                    reason: closing.reason.name().to_owned(),
                    facts: facts(&closing.summary),
                    recovered: closing.report.recovered,
                    lost: closing.lost,
                };
                self.record_report(closing.id, closing.report);
                match self.to.catalog.apply(change) {
                    Ok(_) => {
                        info!(recording = %closing.id, reason = closing.reason.name(), size_bytes = closing.summary.size_bytes,
                            duration_ms = u64::try_from(closing.summary.duration.as_millis()).unwrap_or(u64::MAX), "recording finished");
                        self.tell(Report::Finished {
                            id: closing.id,
                            reason: closing.reason.name(),
                            index_at_end: closing.summary.index_at_end,
                            repaired_frames: closing.summary.repaired_frames,
                        });
                    }
                    Err(problem) => {
                        self.report(closing.id, &problem.into(), now.wall);
                        self.tell(Report::Broken { id: closing.id });
                    }
                }
                None
            }
            Effect::Discard(discarding) => {
                let written = self.open.take().is_some_and(|recording| recording.files.is_some());
                if written {
                    let reason = discarding.reason.name().to_owned();
                    let (id, at, lost) = (discarding.id, discarding.at, discarding.lost);
                    let change = Change::RecordingDiscarded { id, at, reason, lost };
                    let result = self.to.catalog.apply(change).map_err(WriteError::from).and_then(|_| {
                        self.to.catalog.apply(Change::SpoolEvicted { id: discarding.id })?;
                        Ok(self.to.spool.remove(&discarding.id.to_string())?)
                    });
                    match result {
                        Ok(()) => {
                            self.tell(Report::Discarded { id: discarding.id });
                            info!(recording = %discarding.id, "recording discarded: shorter than record.min_duration");
                        }
                        Err(problem) => {
                            self.report(discarding.id, &problem, now.wall);
                            // Its files are not left until the next start: whoever salvages tries again.
                            self.tell(Report::Broken { id: discarding.id });
                        }
                    }
                }
                None
            }
            Effect::Abandon(abandoning) => {
                if self.open.as_ref().is_some_and(|recording| recording.id == abandoning.id) {
                    self.open = None;
                }
                None
            }
            Effect::Pause(pausing) => {
                let change = Change::RecordingWaits {
                    id: pausing.id,
                    at: pausing.at,
                    until: pausing.until,
                    lost: Duration::ZERO,
                };
                // Nothing more comes that the next sync would wait for.
                self.note(pausing.id, change, now).or_else(|| self.sync_growing(now))
            }
            Effect::Resume(resuming) => {
                self.session = resuming.session;
                let (id, session, gap) = (resuming.id, resuming.session, resuming.gap);
                info!(recording = %id, %session, gap_ms = gap.to.as_unix_millis() - gap.from.as_unix_millis(),
                    "recording goes on");
                self.note(id, Change::RecordingContinued { id, session, gap }, now)
            }
            Effect::Warn(warning) => {
                let recording = self.open.as_ref().filter(|open| open.files.is_some()).map(|open| open.id);
                self.warn(&warning, recording, now.wall);
                None
            }
        }
    }

    /// Says in the row of the open recording what has become of it.
    fn note(&mut self, id: RecordingId, change: Change, now: Now) -> Option<RecordingId> {
        if !self.open.as_ref().is_some_and(|open| open.id == id && open.files.is_some()) {
            return None;
        }
        let problem = self.to.catalog.apply(change).err()?;
        self.fail(&problem.into(), now)
    }

    /// A recording goes on where one was paused.
    fn resumed(&self, id: RecordingId, at: WallTime) {
        if let Err(problem) = self.to.catalog.apply(Change::RecordingResumed { id, at }) {
            warn!(recording = %id, "that it goes on is not in the catalog: {problem}");
        }
    }

    /// Hands over what is to be said of a recording, to be durable with whatever is recorded next.
    fn record_report(&self, id: RecordingId, report: Box<Integrity>) {
        self.to.catalog.submit(Change::Reported { id, report }, move |result| {
            if let Err(problem) = result {
                warn!(recording = %id, "its report is not in the catalog: {problem}");
            }
        });
    }

    fn open(&mut self, opening: &Opening) -> Result<SpoolWriter, WriteError> {
        let free_bytes = self.to.spool.space()?.free_bytes;
        let min_free_bytes = self.to.min_free_bytes;
        if free_bytes < min_free_bytes {
            return Err(WriteError::LowSpace { free_bytes, min_free_bytes });
        }
        let session = self.to.catalog.session(&self.session)?.ok_or(CatalogError::UnknownSession(self.session))?;
        let recording = new_recording(opening);
        let label = Label::new(&session, &recording, opening.playlists.clone()).to_bytes();
        self.to.catalog.apply(Change::RecordingOpened(recording))?;
        let over = opening.playlists.clone().map(|key| Change::PlaylistsOpened { of: opening.id, key });
        let created = over.map_or(Ok(()), |change| self.to.catalog.apply(change).map(drop)).map_err(WriteError::from);
        let created = created.and_then(|()| Ok(self.to.spool.create_recording(&opening.id.to_string(), &label)?));
        if created.is_err() {
            self.tell(Report::Broken { id: opening.id });
        }
        let files = created?;
        self.tell(Report::Opened { id: opening.id, key: opening.key.as_str().into(), reason: opening.reason.name() });
        info!(recording = %opening.id, stream = %opening.stream, key = opening.key, reason = opening.reason.name(),
            "recording opened");
        Ok(files)
    }

    /// Performs what has gathered on the open recording.
    fn write(&mut self, ops: &mut Vec<Op>, now: Now) -> Option<RecordingId> {
        if ops.is_empty() {
            return None;
        }
        let ops = std::mem::take(ops);
        let recording = self.open.as_mut()?;
        recording.unsynced = true;
        let Err(problem) = recording.files.as_mut()?.perform(&ops) else {
            // A segment is finished, and need not wait for the next sync.
            if ops.iter().any(|op| matches!(op, Op::Finish { .. })) {
                let id = recording.id;
                self.tell(Report::Grew { id });
            }
            return None;
        };
        self.fail(&problem.into(), now)
    }

    /// Syncs the open recording when it is time.
    fn sync(&mut self, now: Now) -> Option<RecordingId> {
        let recording = self.open.as_ref()?;
        if now.mono.saturating_sub(recording.synced) < self.to.sync_interval {
            return None;
        }
        self.sync_growing(now)
    }

    fn sync_growing(&mut self, now: Now) -> Option<RecordingId> {
        let recording = self.open.as_mut()?;
        recording.synced = now.mono;
        let Err(problem) = recording.files.as_mut()?.sync_growing() else {
            let (id, grew) = (recording.id, std::mem::take(&mut recording.unsynced));
            if grew {
                self.tell(Report::Grew { id });
            }
            return None;
        };
        self.fail(&problem.into(), now)
    }

    fn fail(&mut self, problem: &WriteError, now: Now) -> Option<RecordingId> {
        let recording = self.open.as_mut()?;
        recording.files = None;
        let id = recording.id;
        self.report(id, problem, now.wall);
        self.tell(Report::Broken { id });
        Some(id)
    }

    fn tell(&self, report: Report) {
        (self.to.told)(report);
    }

    fn report(&mut self, id: RecordingId, problem: &WriteError, at: WallTime) {
        if let WriteError::LowSpace { .. } = problem {
            self.tell(Report::Refused { format: id.format, why: Refusal::DiskLow });
            if !std::mem::replace(&mut self.low_space, true) {
                error!(session = %self.session, format = %id.format, "no recording begins: {problem}");
                let detail = format!("no {} recording begins: {problem}", id.format);
                self.warn(&Warning { kind: WarningKind::DiskLow, track: None, detail }, None, at);
            }
        } else {
            self.tell(Report::Refused { format: id.format, why: Refusal::DiskTrouble });
            error!(recording = %id, "writing failed, the recording ends here and another begins at the next key frame: {problem}");
        }
    }

    /// Records a warning of the session, about one recording or all.
    pub fn warn(&self, warning: &Warning, recording: Option<RecordingId>, at: WallTime) {
        self.tell(Report::Warned { kind: warning.kind });
        warn!(session = %self.session, kind = warning.kind.name(), "{}", warning.detail);
        let change = Change::Warning {
            session: self.session,
            recording,
            kind: warning.kind.name().to_owned(),
            detail: warning.detail.clone(),
            at,
        };
        if let Err(problem) = self.to.catalog.apply(change) {
            debug!(session = %self.session, "the warning is not in the catalog: {problem}");
        }
    }
}

fn new_recording(opening: &Opening) -> NewRecording {
    let of = |pick: fn(&Track) -> bool| opening.tracks.iter().find(|track| pick(track));
    NewRecording {
        id: opening.id,
        app: opening.stream.app.clone(),
        stream: opening.stream.name.clone(),
        task: opening.task,
        keep: opening.keep,
        key: opening.key.clone(),
        started_at: opening.started_at,
        start: opening.start,
        start_reason: opening.reason.name().to_owned(),
        video: of(|track| track.config.video().is_some()).and_then(|track| {
            let format = track.config.video()?;
            Some(VideoFacts {
                codec: track.config.codec().name().to_owned(),
                width: format.width,
                height: format.height,
                frame_rate: format.frame_rate.map(|rate| rate.as_f64()),
                frames: 0,
            })
        }),
        audio: of(|track| track.config.audio().is_some()).and_then(|track| {
            let format = track.config.audio()?;
            Some(AudioFacts {
                codec: track.config.codec().name().to_owned(),
                sample_rate: format.output_sample_rate,
                channels: format.channels,
                frames: 0,
            })
        }),
    }
}
