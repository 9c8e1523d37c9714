//! One recorder and its writer: effects gather while a batch is being written, one batch at a time.
//!
//! The end of a recording, for which the disk syncs more than once, is a batch of its own. What comes
//! does not wait for it: the next recording is begun and written beside it.
//!
//! When more waits for the disk than may, the connection is not read. When that has lasted, and only
//! this recorder's writing is why, its recorder is suspended: what comes is dropped, and the connection
//! is read on for the others. What waits is kept, and written.

mod account;
mod away;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use livetape_finalize::{Report, Writer};
use livetape_media::{Format, Item, MediaTime, Now, Warning, WarningKind};
use livetape_mux::Op;
use livetape_record::{Effect, Numbers, Recorder, RecordingId, StopReason};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::Context;
use super::budget::Share;
use super::watch::Watch;
use crate::live::{LaneKey, LaneState, LiveSession};
use crate::metrics::{self, Condition, Raised};
use account::{Account, Load};
pub(super) use away::Left;

/// One format of one session.
pub(super) struct Lane {
    recorder: Recorder,
    live: Arc<LiveSession>,
    context: Arc<Context>,
    effects: Vec<Effect>,
    /// What is in `effects`.
    queued: Load,
    /// What is in `effects` and on its way, of what all lanes may hold.
    share: Share,
    /// What has been recorded, as far as it has been sent off.
    account: Account,
    /// Frames left out and dropped that have been counted in the metrics.
    skipped: u64,
    dropped: u64,
    /// At rest, when no batch is being written.
    writer: Option<Writer>,
    batch: Option<Batch>,
    /// The end of the recording before, which is still being written.
    closing: Option<Batch>,
    /// What is on the disk once that is done as well.
    beside: Option<MediaTime>,
    /// Since when more has waited than may.
    over_since: Option<Duration>,
    /// Something has been written since the recorder was suspended.
    moved: bool,
    /// Whether what comes reaches the disk.
    growth: Watch,
    stalled: Option<Raised>,
    suspended: Option<Raised>,
    /// Its publisher is gone.
    paused: bool,
    /// How recordings are numbered in the session that goes on with it.
    numbers: Numbers,
    state: LaneState,
    /// It was ended before its session.
    stopped: bool,
}

struct Batch {
    task: oneshot::Receiver<Written>,
    /// The recording it ends, when it does nothing after that.
    ends: Option<RecordingId>,
    load: Load,
    media: Duration,
    /// When it is written, this moment of the session has been.
    until: Option<MediaTime>,
}

struct Written {
    writer: Writer,
    failed: Vec<RecordingId>,
    took: Duration,
}

/// A batch panicked.
struct Died;

impl Lane {
    /// A lane for one recorder of a session.
    pub(super) fn new(recorder: Recorder, live: Arc<LiveSession>, context: Arc<Context>) -> Self {
        let writer = Some(Writer::new(context.destination.clone(), live.id));
        Self {
            recorder,
            live,
            effects: Vec::new(),
            queued: Load::default(),
            share: context.held.share(),
            account: Account::default(),
            skipped: 0,
            dropped: 0,
            writer,
            batch: None,
            closing: None,
            beside: None,
            over_since: None,
            moved: false,
            growth: Watch::new(context.stall_warning),
            stalled: None,
            suspended: None,
            paused: false,
            numbers: Numbers::default(),
            state: LaneState::default(),
            stopped: false,
            context,
        }
    }

    /// One more item of the session.
    pub(super) fn push(&mut self, item: &Item, now: Now) {
        if self.stopped {
            return;
        }
        if let Item::Frame(frame) = item
            && self.recorder.records(frame.track)
        {
            self.growth.expect(now.mono);
        }
        let before = self.effects.len();
        self.recorder.push(item, now, &mut self.effects);
        self.count_from(before);
    }

    /// Ends the open recording at the next key frame. Which one that is.
    pub(super) fn split(&mut self) -> Option<RecordingId> {
        self.recorder.split()
    }

    /// The formats it records to.
    pub(super) fn formats(&self) -> Vec<Format> {
        self.recorder.formats()
    }

    /// What it records.
    pub(super) fn key(&self) -> LaneKey {
        (self.recorder.task(), self.recorder.format())
    }

    /// Ends it at once, for `reason`: what has come is recorded, and written.
    pub(super) fn stop(&mut self, reason: StopReason, now: Now) {
        let before = self.effects.len();
        self.recorder.stop(reason, now, &mut self.effects);
        self.count_from(before);
        self.growth.moved(now.mono, false);
        self.stalled = None;
        self.stopped = true;
        self.live.lane_ended(self.key());
    }

    /// Whether it was ended before its session.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// When [`Lane::tick`] wants to be called.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        let suspends = self.over_since.map(|since| since + self.context.stall_grace);
        let syncs = self.writer.as_ref().and_then(Writer::sync_due);
        [self.recorder.next_tick(), suspends, syncs, self.growth.due()].into_iter().flatten().min()
    }

    /// Nothing comes before `then`.
    pub(super) fn flush_before(&mut self, then: Duration, now: Now) {
        let before = self.effects.len();
        self.recorder.flush_before(then, now, &mut self.effects);
        self.count_from(before);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now) {
        let before = self.effects.len();
        self.recorder.tick(now, &mut self.effects);
        self.count_from(before);
        if let Some(stood) = self.growth.check(now.mono) {
            self.stalled = Some(Raised::new(Condition::RecordingStalled));
            let why = if self.batch.is_some() { "a write has not ended" } else { "no recording could be begun" };
            let (format, seconds) = (self.recorder.format(), stood.as_secs());
            let detail =
                format!("media comes and nothing of it has reached the disk as {format} for {seconds} s: {why}");
            self.warn(WarningKind::RecordingStalled, detail, now);
        }
        self.tell();
    }

    /// Suspends the recorder when too much has waited for too long, and resumes it when the disk has
    /// caught up. To be called whenever something may have changed. When the session `has_ended`
    /// nothing comes that could be dropped.
    pub(super) fn balance(&mut self, now: Now, has_ended: bool) {
        if self.recorder.is_suspended() {
            if self.moved && self.held().memory <= self.context.max_held_bytes / 2 {
                self.recorder.resume();
                // Nothing was dropped: it goes on. Otherwise whoever begins the next recording tells.
                if let (false, Some((id, _))) = (self.recorder.is_suspended(), self.recorder.progress()) {
                    self.context.warnings.resumed(id, now.wall);
                }
            }
            return;
        }
        if has_ended || !self.is_over() {
            self.over_since = None;
            return;
        }
        let since = *self.over_since.get_or_insert(now.mono);
        if now.mono >= since + self.context.stall_grace {
            self.over_since = None;
            self.moved = false;
            warn!(session = %self.live.id, format = %self.recorder.format(), waiting_bytes = self.held().memory,
                "the disk is too slow: what comes is dropped until it has caught up");
            let before = self.effects.len();
            self.recorder.suspend(now, &mut self.effects);
            self.count_from(before);
            if let Some((id, _)) = self.recorder.progress() {
                self.context.warnings.paused(id, now.wall);
            }
            self.tell();
        }
    }

    /// Whether the connection may be read, as far as this lane goes.
    pub(super) fn takes_more(&self) -> bool {
        self.recorder.is_suspended() || !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.held().memory >= self.context.max_held_bytes || !self.share.may_grow()
    }

    fn held(&self) -> Load {
        self.queued + [&self.batch, &self.closing].into_iter().flatten().map(|batch| batch.load).sum()
    }

    /// Bytes of frames that its recorder gathers.
    pub(super) fn gathering_bytes(&self) -> usize {
        self.recorder.held_bytes()
    }

    /// Whether everything has been written.
    pub(super) fn is_idle(&self) -> bool {
        self.effects.is_empty() && self.batch.is_none() && self.closing.is_none()
    }

    /// How far it has come; `None` when there is nothing it records.
    pub(super) fn reach(&self) -> Option<&LaneState> {
        self.account.has_begun().then_some(&self.state)
    }

    /// Begins to write what has gathered, unless a batch is on its way. `end` is the session's last
    /// moment, once it has ended.
    pub(super) fn dispatch(&mut self, now: Now, end: Option<MediaTime>) {
        if self.closing.is_none() && self.batch.as_ref().is_some_and(|batch| batch.ends.is_some()) {
            self.closing = self.batch.take();
        }
        let sync_is_due = self.writer.as_ref().and_then(Writer::sync_due).is_some_and(|due| due <= now.mono);
        if (self.effects.is_empty() && !sync_is_due) || self.batch.is_some() {
            return;
        }
        // A writer is lost only with a batch that panicked; its recording is salvaged.
        let lost = || Writer::new(self.context.destination.clone(), self.live.id);
        let mut writer = self.writer.take().unwrap_or_else(lost);
        let (ends, effects) = self.next_effects();
        let load: Load = effects.iter().map(Load::of).sum();
        self.queued = self.effects.iter().map(Load::of).sum();
        if ends.is_some() {
            self.writer = Some(writer.successor());
        }
        let takes_long = sync_is_due || !effects.iter().all(is_quick);
        let task = self.context.pool.run(takes_long, move || {
            let started = Instant::now();
            let failed = writer.perform(effects, now);
            Written { writer, failed, took: started.elapsed() }
        });
        let skipped = self.recorder.skipped_frames();
        if skipped > self.skipped {
            metrics::frames_dropped("no_key_frame", skipped - self.skipped);
            self.skipped = skipped;
        }
        // With something left to send, how far the recorder has come says nothing of what is sent.
        let (media, until) = match self.effects.is_empty() {
            true => self.account.sent(self.recorder.progress(), end),
            false => (Duration::ZERO, None),
        };
        // Nothing is held back while the publisher is gone.
        let until = if self.paused && self.effects.is_empty() { end } else { until };
        self.batch = Some(Batch { task, ends, load, media, until });
        if ends.is_some() && !self.effects.is_empty() {
            self.dispatch(now, end);
        }
    }

    /// What is to be written next: up to the end of a recording, or everything.
    fn next_effects(&mut self) -> (Option<RecordingId>, Vec<Effect>) {
        let ended = self.effects.iter().enumerate().find_map(|(at, effect)| match effect {
            Effect::Close(closing) => Some((at, closing.id)),
            Effect::Discard(discarding) => Some((at, discarding.id)),
            _ => None,
        });
        match ended {
            Some((at, id)) => {
                let rest = self.effects.split_off(at + 1);
                (Some(id), std::mem::replace(&mut self.effects, rest))
            }
            None => (None, std::mem::take(&mut self.effects)),
        }
    }

    /// Resolves to when a batch on its way has been written; pending while there is none.
    pub(super) fn poll_written(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let closed = poll_batch(&mut self.closing, cx);
        let written = poll_batch(&mut self.batch, cx);
        if closed.is_none() && written.is_none() {
            return Poll::Pending;
        }
        self.moved = true;
        if let Some((batch, result)) = closed {
            self.ended(&batch, result);
            let beside = self.beside.take();
            self.state.durable = self.state.durable.max(beside);
        }
        if let Some((batch, result)) = written {
            if batch.ends.is_some() {
                self.ended(&batch, result);
            } else {
                self.went_on(&batch, result);
            }
        }
        self.share.set(self.held().memory);
        self.tell();
        Poll::Ready(())
    }

    /// The end of a recording has been written. Its writer has been succeeded.
    fn ended(&mut self, batch: &Batch, result: Result<Written, Died>) {
        match result {
            Ok(Written { failed, took, .. }) => {
                metrics::batch_written(self.recorder.format(), batch.load.bytes as u64, batch.media, took);
                if failed.is_empty() {
                    self.wrote(batch, true);
                }
            }
            Err(Died) => {
                self.report_death();
                if let Some(id) = batch.ends {
                    (self.context.destination.told)(Report::Broken { id });
                }
            }
        }
    }

    /// Something of the open recording has been written.
    fn went_on(&mut self, batch: &Batch, result: Result<Written, Died>) {
        match result {
            Ok(Written { writer, failed, took }) => {
                if batch.load.effects > 0 {
                    metrics::batch_written(self.recorder.format(), batch.load.bytes as u64, batch.media, took);
                }
                if failed.is_empty() {
                    self.wrote(batch, writer.is_synced());
                }
                self.writer = Some(writer);
                let open = self.recorder.progress().map(|(id, _)| id);
                if open.is_some_and(|id| failed.contains(&id)) {
                    self.abandon();
                }
            }
            Err(Died) => {
                self.report_death();
                if let Some((id, _)) = self.recorder.progress() {
                    (self.context.destination.told)(Report::Broken { id });
                }
                self.abandon();
            }
        }
    }

    fn report_death(&self) {
        error!(session = %self.live.id, format = %self.recorder.format(), "a writer died");
        metrics::task_panicked("writer");
    }

    /// A batch is on the disk; what came before it as well, unless the end of the recording before is
    /// still being written.
    fn wrote(&mut self, batch: &Batch, synced: bool) {
        let load = batch.load;
        self.state.written += batch.media;
        if self.closing.is_some() {
            self.beside = self.beside.max(batch.until);
        } else {
            self.state.durable = self.state.durable.max(batch.until);
            if synced {
                self.state.synced = self.state.synced.max(self.state.durable);
            }
        }
        if load.bytes == 0 {
            return;
        }
        let now = self.context.clock.now();
        if let Some(stood) = self.growth.moved(now.mono, !self.effects.is_empty()) {
            self.stalled = None;
            let (format, ms) = (self.recorder.format(), stood.as_millis());
            self.warn(WarningKind::RecordingResumed, format!("{format} grows again, after {ms} ms"), now);
        }
    }

    /// Gives the open recording up: what waits for it is dropped.
    fn abandon(&mut self) {
        if let Some((id, progress)) = self.recorder.progress() {
            self.live.recording_ended(&id);
            self.account.abandoned(progress);
        }
        // Everything that waits since the last opening belongs to the recording that broke.
        let keep = self.effects.iter().rposition(|effect| matches!(effect, Effect::Open(_))).unwrap_or(0);
        self.effects.truncate(keep);
        self.recorder.abandon(&mut self.effects);
        self.queued = self.effects.iter().map(Load::of).sum();
    }

    fn count_from(&mut self, before: usize) {
        for effect in self.effects.iter().skip(before) {
            self.queued = self.queued + Load::of(effect);
            self.account.effect(effect);
            match effect {
                Effect::Open(opening) => {
                    self.live.recording_began(opening.id, opening.task, &opening.key, opening.start);
                    if opening.reason.name() == livetape_record::CutReason::DiskSlow.name() {
                        info!(recording = %opening.id, "the disk has caught up");
                    }
                }
                Effect::Close(closing) => self.live.recording_ended(&closing.id),
                Effect::Discard(discarding) => self.live.recording_ended(&discarding.id),
                _ => {}
            }
        }
        if self.effects.len() > before {
            self.share.set(self.held().memory);
            if let Some((id, progress)) = self.recorder.progress() {
                self.live.recording(id, progress);
            }
        }
        let dropped = self.recorder.dropped_frames();
        if dropped > self.dropped {
            metrics::frames_dropped("disk_slow", dropped - self.dropped);
            self.dropped = dropped;
        }
    }

    /// Shows how it stands.
    fn tell(&mut self) {
        self.state.begun = self.account.has_begun();
        let suspended = self.recorder.is_suspended();
        if suspended != self.suspended.is_some() {
            self.suspended = suspended.then(|| Raised::new(Condition::RecordingSuspended));
        }
        self.state.grows = !self.growth.stands() && !suspended;
        if !self.stopped {
            self.live.lane(self.key(), &self.state);
        }
    }

    /// Of the session, not of one recording: its row may be what waits.
    fn warn(&self, kind: WarningKind, detail: String, now: Now) {
        self.context.warnings.give(self.live.id, None, &Warning { kind, track: None, detail }, now.wall);
    }
}

/// Whether it waits for nothing but copying bytes.
fn is_quick(effect: &Effect) -> bool {
    matches!(effect, Effect::Op(Op::Append { .. } | Op::Patch { .. } | Op::Reserve { .. }))
}

/// Takes a batch that has been written.
fn poll_batch(slot: &mut Option<Batch>, cx: &mut TaskContext<'_>) -> Option<(Batch, Result<Written, Died>)> {
    let batch = slot.as_mut()?;
    let Poll::Ready(result) = Pin::new(&mut batch.task).poll(cx) else { return None };
    slot.take().map(|batch| (batch, result.map_err(|_| Died)))
}
