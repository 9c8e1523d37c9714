//! One recorder and its writer: effects gather while a batch is being written, one batch at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use livetape_finalize::{Destination, Report, Writer};
use livetape_media::{Item, Now};
use livetape_mux::Op;
use livetape_record::{Effect, Policy, Recorder, RecordingId, SessionId, StreamPath};
use tokio::task::JoinHandle;
use tracing::error;

use crate::live::LiveSession;
use crate::metrics;

/// One format of one session.
pub(super) struct Lane {
    recorder: Recorder,
    live: Arc<LiveSession>,
    to: Arc<Destination>,
    effects: Vec<Effect>,
    /// Bytes of media in `effects`.
    queued_bytes: usize,
    /// How far the open recording had come when a batch was last sent off.
    sent: (Option<RecordingId>, Duration),
    /// Frames left out that have been counted in the metrics.
    skipped: u64,
    /// At rest, when no batch is being written.
    writer: Option<Writer>,
    batch: Option<Batch>,
}

struct Batch {
    task: JoinHandle<Written>,
    bytes: usize,
    media: Duration,
}

struct Written {
    writer: Writer,
    failed: Vec<RecordingId>,
    took: Duration,
}

impl Lane {
    /// A lane for one format of a session.
    pub(super) fn new(policy: Policy, live: Arc<LiveSession>, to: Arc<Destination>) -> Self {
        let (session, stream): (SessionId, StreamPath) = (live.id, live.path.clone());
        let writer = Some(Writer::new(to.clone(), session));
        let recorder = Recorder::new(policy, session, stream);
        Self {
            recorder,
            live,
            to,
            effects: Vec::new(),
            queued_bytes: 0,
            sent: (None, Duration::ZERO),
            skipped: 0,
            writer,
            batch: None,
        }
    }

    /// One more item of the session.
    pub(super) fn push(&mut self, item: &Item, now: Now) {
        let before = self.effects.len();
        self.recorder.push(item, now, &mut self.effects);
        self.count_from(before);
    }

    /// When [`Lane::tick`] wants to be called.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        self.recorder.next_tick()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now) {
        let before = self.effects.len();
        self.recorder.tick(now, &mut self.effects);
        self.count_from(before);
    }

    /// Bytes of media that wait to be written or are being written.
    pub(super) fn held_bytes(&self) -> usize {
        self.queued_bytes + self.batch.as_ref().map_or(0, |batch| batch.bytes)
    }

    /// Whether everything has been written.
    pub(super) fn is_idle(&self) -> bool {
        self.effects.is_empty() && self.batch.is_none()
    }

    /// Begins to write what has gathered, unless a batch is on its way.
    pub(super) fn dispatch(&mut self, now: Now) {
        if self.effects.is_empty() || self.batch.is_some() {
            return;
        }
        // A writer is lost only with a batch that panicked; its recording is salvaged.
        let mut writer = self.writer.take().unwrap_or_else(|| Writer::new(self.to.clone(), self.live.id));
        let effects = std::mem::take(&mut self.effects);
        let bytes = std::mem::take(&mut self.queued_bytes);
        let task = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let failed = writer.perform(effects, now);
            Written { writer, failed, took: started.elapsed() }
        });
        let skipped = self.recorder.skipped_frames();
        if skipped > self.skipped {
            metrics::frames_dropped("no_key_frame", skipped - self.skipped);
            self.skipped = skipped;
        }
        let (come, before) = (self.recorder.progress(), self.sent);
        self.sent = come.map_or((None, Duration::ZERO), |(id, progress)| (Some(id), progress.duration));
        let media = if self.sent.0 == before.0 { self.sent.1.saturating_sub(before.1) } else { self.sent.1 };
        self.batch = Some(Batch { task, bytes, media });
    }

    /// Resolves to when the batch on its way has been written; pending while there is none.
    pub(super) fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(batch) = &mut self.batch else { return Poll::Pending };
        let Poll::Ready(result) = Pin::new(&mut batch.task).poll(cx) else { return Poll::Pending };
        let (bytes, media) = (batch.bytes, batch.media);
        self.batch = None;
        match result {
            Ok(Written { writer, failed, took }) => {
                self.writer = Some(writer);
                metrics::batch_written(self.recorder.format(), bytes as u64, media, took);
                let open = self.recorder.progress().map(|(id, _)| id);
                if open.is_some_and(|id| failed.contains(&id)) {
                    self.abandon();
                }
            }
            Err(problem) => {
                error!(session = %self.live.id, format = %self.recorder.format(), "a writer died: {problem}");
                metrics::task_panicked("writer");
                if let Some((id, _)) = self.recorder.progress() {
                    (self.to.told)(Report::Broken { id });
                }
                self.abandon();
            }
        }
        Poll::Ready(())
    }

    /// Gives the open recording up: what waits for it is dropped.
    fn abandon(&mut self) {
        if let Some((id, _)) = self.recorder.progress() {
            self.live.recording_ended(&id);
        }
        // Everything that waits since the last opening belongs to the recording that broke.
        let keep = self.effects.iter().rposition(|effect| matches!(effect, Effect::Open(_))).unwrap_or(0);
        self.effects.truncate(keep);
        self.recorder.abandon(&mut self.effects);
        self.queued_bytes = self.effects.iter().map(media_bytes).sum();
    }

    fn count_from(&mut self, before: usize) {
        for effect in self.effects.iter().skip(before) {
            self.queued_bytes += media_bytes(effect);
            match effect {
                Effect::Open(opening) => self.live.recording(opening.id, Some(&opening.key), Default::default()),
                Effect::Close(closing) => self.live.recording_ended(&closing.id),
                Effect::Discard(discarding) => self.live.recording_ended(&discarding.id),
                _ => {}
            }
        }
        if self.effects.len() > before
            && let Some((id, progress)) = self.recorder.progress()
        {
            self.live.recording(id, None, progress);
        }
    }
}

fn media_bytes(effect: &Effect) -> usize {
    match effect {
        Effect::Op(Op::Append { slices, .. }) => slices.iter().map(bytes::Bytes::len).sum(),
        Effect::Op(Op::Whole { data, .. } | Op::Patch { data, .. }) => data.len(),
        _ => 0,
    }
}
