//! One format of one session: opens a recording, cuts it, ends it, opens the next.
//!
//! A recording opens at the first key frame, once there is a frame of each track, or after
//! [`Policy::track_wait`]. It is cut at a key frame. The frames from that key frame on wait until
//! the sound has reached it too, so that sound heard before the cut goes to the old recording and
//! the rest to the new: nothing is lost, nothing doubled. The recorders of one session see the
//! same items and follow the same rules, so equal limits cut all formats at the same frame.
//!
//! While a recorder is suspended it drops what comes, and makes nothing of it. Dropping begins after
//! a whole frame and ends at a key frame, where the open recording ends and the next one begins: a
//! frame is in exactly one recording, or counted as dropped.

mod clock;
mod meter;
mod open;
mod pause;
pub(crate) mod preroll;
mod reopen;
mod suspension;
#[cfg(test)]
mod tests;

use std::time::Duration;

use livetape_media::{
    Format, Frame, Item, MediaTime, Metadata, Now, Track, TrackId, TrackKind, WallTime, Warning, WarningKind,
};
use livetape_mux::{Begin, Muxer, Op, Progress, carries};

use crate::effect::{Abandoning, Closing, Discarding, Effect, Gap, Opening};
use crate::name::relative;
use crate::{
    CutReason, NameFields, Numbers, Policy, RecordingId, SessionId, StartReason, StopReason, StreamPath, TaskId,
};
use open::{Open, Step};
pub use pause::Rejoined;
use preroll::Preroll;
pub use reopen::Reopening;
use suspension::{Dropped, Suspension};

/// Records one session in one format.
pub struct Recorder {
    policy: Policy,
    session: SessionId,
    stream: StreamPath,
    opener: Opener,
    tracks: Tracks,
    metadata: Metadata,
    numbers: Numbers,
    task: Option<TaskId>,
    start_reason: StartReason,
    state: State,
    /// When the oldest frame that may not be in an operation yet came.
    unflushed_since: Option<Duration>,
    /// Frames left out because nothing can decode them, not yet reported.
    skipped: u64,
    reported_skipped: u64,
    /// Those that no recording's report has told of.
    reports_told_skipped: u64,
    /// Nothing can be written: frames are dropped.
    suspension: Option<Suspension>,
    dropped: u64,
    /// Bytes of frames taken since operations were made.
    gathered_bytes: usize,
    ops: Vec<Op>,
}

/// What opens a muxer; tests put their own here.
type Opener = fn(Format, Begin, &mut Vec<Op>) -> Box<dyn Muxer>;

/// The tracks of the publisher now, or of a recording: the main one of each kind, where the format
/// carries its codec.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Tracks {
    pub(crate) video: Option<Track>,
    pub(crate) audio: Option<Track>,
}

impl Tracks {
    pub(crate) fn of(&self, kind: TrackKind) -> Option<&Track> {
        match kind {
            TrackKind::Video => self.video.as_ref(),
            TrackKind::Audio => self.audio.as_ref(),
        }
    }

    pub(crate) fn list(&self) -> Vec<Track> {
        self.video.iter().chain(&self.audio).cloned().collect()
    }

    pub(crate) fn slot(&mut self, kind: TrackKind) -> &mut Option<Track> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }
}

enum State {
    /// No recording is open; frames gather until one can be.
    Waiting(Preroll),
    /// A recording is open.
    Open(Box<Open>),
    /// The session is over.
    Ended,
}

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new(policy: Policy, session: SessionId, stream: StreamPath) -> Self {
        Self::with_opener(policy, session, stream, livetape_mux::open)
    }

    fn with_opener(policy: Policy, session: SessionId, stream: StreamPath, opener: Opener) -> Self {
        let state = State::Waiting(Preroll::new(policy.track_wait));
        Self {
            policy,
            session,
            stream,
            opener,
            tracks: Tracks::default(),
            metadata: Metadata::default(),
            numbers: Numbers::default(),
            task: None,
            start_reason: StartReason::Publish,
            state,
            unflushed_since: None,
            skipped: 0,
            reported_skipped: 0,
            reports_told_skipped: 0,
            suspension: None,
            dropped: 0,
            gathered_bytes: 0,
            ops: Vec::new(),
        }
    }

    /// The same, with its recordings numbered together with those of others of the session.
    #[must_use]
    pub fn numbered_by(self, numbers: Numbers) -> Self {
        Self { numbers, ..self }
    }

    /// The same, for a task.
    #[must_use]
    pub fn of_task(self, task: TaskId) -> Self {
        Self { task: Some(task), start_reason: StartReason::Task, ..self }
    }

    /// The task it is for.
    pub fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// The format it records to.
    pub fn format(&self) -> Format {
        self.policy.format
    }

    /// The formats it records to: with playlists over an MP4, both.
    pub fn formats(&self) -> Vec<Format> {
        self.policy.formats()
    }

    /// Frames left out so far because no decoder could start from them.
    pub fn skipped_frames(&self) -> u64 {
        self.reported_skipped + self.skipped
    }

    /// The open recording and how far it has come.
    pub fn progress(&self) -> Option<(RecordingId, Progress)> {
        match &self.state {
            State::Open(open) => Some((open.id, open.progress())),
            _ => None,
        }
    }

    /// Whether it records the track `id`: no other recorder's business, nor beyond the format.
    pub fn records(&self, id: TrackId) -> bool {
        id.index == 0 && self.tracks.of(id.kind).is_some()
    }

    /// Bytes of frames that were taken and are in no operation yet, about.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Waiting(preroll) => preroll.bytes(),
            State::Open(_) => self.gathered_bytes,
            State::Ended => 0,
        }
    }

    /// One more item of the session.
    pub fn push(&mut self, item: &Item, now: Now, effects: &mut Vec<Effect>) {
        match item {
            Item::Track(track) => self.track(track, now, effects),
            Item::Frame(frame) => self.frame(frame, now, effects),
            Item::Metadata(metadata) => self.metadata = metadata.clone(),
            Item::Jump { at, by, direction } => self.jump(*at, *by, *direction, now, effects),
            Item::Moved { track, .. } => self.moved(*track),
            Item::Warning(_) => {}
            Item::End(reason) => self.stop(StopReason::End(*reason), now, effects),
        }
    }

    /// When [`Recorder::tick`] wants to be called, on the clock of [`Now::mono`].
    pub fn next_tick(&self) -> Option<Duration> {
        self.unflushed_since.map(|since| since + self.policy.layout.fragment)
    }

    /// Time has passed: what has waited for a whole fragment's time is flushed, and a cut goes
    /// ahead without the sound that did not come.
    pub fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.next_tick().is_none_or(|due| now.mono < due) {
            return;
        }
        self.hand_out(now, effects);
    }

    /// Nothing comes before `then`: what would be flushed by that time is flushed now, and whatever there is when that
    /// is long. A cut that waits for its sound waits on.
    pub fn flush_before(&mut self, then: Duration, now: Now, effects: &mut Vec<Effect>) {
        let is_long = then.saturating_sub(now.mono) >= self.policy.layout.fragment / 2;
        if self.next_tick().is_some_and(|due| due <= then || is_long)
            && let State::Open(open) = &mut self.state
        {
            open.muxer.flush(&mut self.ops);
            self.drain_ops(now, effects);
        }
    }

    /// What the open recording has taken becomes operations, except what its muxer keeps back until
    /// the next frame; a pending cut goes ahead.
    fn hand_out(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.settle(now, effects);
        if let State::Open(open) = &mut self.state {
            open.release_sound(&mut self.ops);
            open.muxer.flush(&mut self.ops);
        }
        self.drain_ops(now, effects);
        self.unflushed_since = None;
    }

    /// Ends the open recording, if there is one, at the next key frame and begins another. Which one ends.
    pub fn split(&mut self) -> Option<RecordingId> {
        let State::Open(open) = &mut self.state else { return None };
        open.wanted.get_or_insert(CutReason::Split);
        Some(open.id)
    }

    /// Ends at once, for `reason`: what has come is recorded, what comes is not.
    pub fn stop(&mut self, reason: StopReason, now: Now, effects: &mut Vec<Effect>) {
        self.end_suspension(reason, None, now, effects);
        if matches!(self.state, State::Waiting(_)) {
            self.open_from_preroll(now, effects);
        }
        self.settle(now, effects);
        if let State::Open(mut open) = std::mem::replace(&mut self.state, State::Ended) {
            open.release_sound(&mut self.ops);
            self.skipped += open.foreign_sound();
            self.close(*open, reason, None, None, effects);
        }
        self.report_skipped(effects);
        self.unflushed_since = None;
    }

    /// The open recording could not be written: gives it up. The next one opens at the next key
    /// frame.
    pub fn abandon(&mut self, effects: &mut Vec<Effect>) {
        if let State::Open(open) = &self.state {
            let reason = CutReason::DiskTrouble;
            effects.push(Effect::Abandon(Abandoning { id: open.id, reason }));
            self.start_reason = StartReason::Cut(reason);
            self.state = State::Waiting(Preroll::new(self.policy.track_wait));
            self.unflushed_since = None;
            self.ops.clear();
        }
    }

    fn track(&mut self, track: &Track, now: Now, effects: &mut Vec<Effect>) {
        if track.id.index != 0 {
            return;
        }
        // What waits for a pending cut is of the configuration before this one.
        self.settle(now, effects);
        let codec = track.config.codec();
        let carried = carries(self.policy.format, &self.policy.layout, codec);
        if !carried {
            effects.push(Effect::Warn(Warning {
                kind: WarningKind::UnsupportedCodec,
                track: Some(track.id),
                detail: format!("{codec} is not recorded to {}; the other tracks are", self.policy.format),
            }));
        }
        let now_known = carried.then(|| track.clone());
        let changed = self.tracks.of(track.id.kind).is_some_and(|before| now_known.as_ref() != Some(before));
        if let State::Waiting(preroll) = &self.state
            && changed
            && preroll.holds(track.id.kind)
        {
            // What has gathered needs the configuration before this one.
            self.open_from_preroll(now, effects);
        }
        *self.tracks.slot(track.id.kind) = now_known;
        if let State::Open(open) = &mut self.state {
            if changed && track.id.kind == TrackKind::Audio {
                // What is held back fits no recording but this one; what waits for another fits none.
                open.release_sound(&mut self.ops);
                self.skipped += open.forget_foreign_sound();
            }
            open.compare(&self.tracks);
        }
        self.drain_ops(now, effects);
    }

    fn frame(&mut self, frame: &Frame, now: Now, effects: &mut Vec<Effect>) {
        if self.records(frame.track) && !self.drops(frame, now, effects) {
            self.take(frame, now, effects);
        }
    }

    /// A frame that is not dropped.
    fn take(&mut self, frame: &Frame, now: Now, effects: &mut Vec<Effect>) {
        self.unflushed_since.get_or_insert(now.mono);
        self.gathered_bytes += frame.data.len();
        match &mut self.state {
            State::Waiting(preroll) => {
                preroll.push(frame, now.wall, self.tracks.video.is_some(), &mut self.skipped);
                if preroll.is_ready(&self.tracks) {
                    self.open_from_preroll(now, effects);
                }
            }
            State::Open(open) => {
                let max = MediaTime::from(self.policy.max_duration);
                match open.take(frame, now.wall, max, self.tracks.video.is_some(), &mut self.ops) {
                    Step::Goes => {}
                    Step::Skipped => self.skipped += 1,
                    Step::NoKeyFrame => effects.push(Effect::Warn(no_key_frame(self.policy.format))),
                    Step::Cut => self.finish_cut(now, effects),
                }
                if let (State::Open(open), Some(max_bytes)) = (&mut self.state, self.policy.max_bytes)
                    && open.size_bytes() >= max_bytes
                {
                    open.due.get_or_insert(CutReason::SizeLimit);
                }
                self.drain_ops(now, effects);
            }
            State::Ended => {}
        }
    }

    /// Opens a recording with what has gathered, if anything of it can be recorded.
    fn open_from_preroll(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let State::Waiting(preroll) = &mut self.state else { return };
        let Some(ready) = preroll.take(&self.tracks) else { return };
        self.open(ready.tracks, ready.start, ready.wall, effects);
        self.feed(ready.frames, now, effects);
    }

    /// Carries out the pending cut, and what cuts the frames that waited for it bring.
    fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while matches!(&self.state, State::Open(open) if open.cut_is_pending()) {
            self.finish_cut(now, effects);
        }
    }

    /// Carries out the pending cut, if there is one.
    fn finish_cut(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let State::Open(open) = &mut self.state else { return };
        let Some(cut) = open.take_cut(&mut self.ops) else { return };
        let tracks = cut.tracks(&self.tracks, &open.tracks);
        let may_stay = matches!(cut.reason, CutReason::CodecChanged | CutReason::TrackAdded | CutReason::TimestampJump);
        let reason = open.wanted.filter(|_| may_stay).unwrap_or(cut.reason);
        let stays = may_stay && reason == cut.reason;
        let went_on = stays && {
            let list = tracks.list();
            open.muxer.discontinuity(&list, cut.pts, cut.wall, &mut self.ops).is_ok()
        };
        if went_on {
            open.meter.configure(&tracks, cut.pts);
            open.tracks = tracks;
            open.compare(&self.tracks);
            self.drain_ops(now, effects);
        } else if let State::Open(open) = std::mem::replace(&mut self.state, State::Ended) {
            self.close(*open, StopReason::Cut(reason), Some(cut.dts), None, effects);
            self.start_reason = StartReason::Cut(reason);
            self.open(tracks, cut.pts, cut.wall, effects);
        }
        self.report_skipped(effects);
        self.feed(cut.frames, now, effects);
    }

    fn feed(&mut self, frames: Vec<Frame>, now: Now, effects: &mut Vec<Effect>) {
        for frame in &frames {
            if self.records(frame.track) {
                self.take(frame, now, effects);
            }
        }
    }

    fn open(&mut self, tracks: Tracks, start: MediaTime, wall: WallTime, effects: &mut Vec<Effect>) {
        self.report_skipped(effects);
        let formats = self.policy.formats();
        let sequence = self.numbers.next(&formats);
        let id = RecordingId { session: self.session, format: self.policy.format, sequence };
        let list = tracks.list();
        let key_of = |format| {
            let (stream, session) = (&self.stream, self.session);
            self.policy.names.key(&NameFields { stream, session, start: wall, sequence, format })
        };
        let key = key_of(self.policy.format);
        let playlists = (formats.len() > 1).then(|| key_of(Format::Hls));
        let playlists_call_it = playlists.as_deref().map(|from| relative(from, &key));
        effects.push(Effect::Open(Box::new(Opening {
            id,
            session: self.session,
            stream: self.stream.clone(),
            task: self.task,
            keep: self.policy.keep,
            format: self.policy.format,
            key,
            playlists,
            started_at: wall,
            start,
            reason: self.start_reason,
            tracks: list.clone(),
        })));
        let begin = Begin {
            tracks: list,
            start,
            wall_start: wall,
            metadata: self.metadata.clone(),
            max_duration: self.policy.max_duration,
            layout: self.policy.layout.clone(),
            playlists: playlists_call_it,
        };
        let muxer = (self.opener)(self.policy.format, begin, &mut self.ops);
        effects.extend(self.ops.drain(..).map(Effect::Op));
        let mut open = Box::new(Open::new(id, muxer, start, wall, tracks));
        open.align_at = self.policy.align.map(|align| align.next_after(wall));
        open.compare(&self.tracks);
        self.state = State::Open(open);
    }

    /// Ends a recording, at `end` when that is known. What has been `dropped` came after it.
    fn close(
        &mut self,
        mut open: Open,
        reason: StopReason,
        end: Option<MediaTime>,
        dropped: Option<&Dropped>,
        effects: &mut Vec<Effect>,
    ) {
        let torn = open.torn;
        let lost = dropped.map_or(Duration::ZERO, Dropped::media) + torn.map_or(Duration::ZERO, |torn| torn.lost());
        let summary = open.muxer.end(end, &mut self.ops);
        let ended_at = Gap::end_of(&open.gaps, open.started_at, summary.duration);
        // What had come before a crash is not thrown away.
        if summary.duration < self.policy.min_duration && torn.is_none() {
            self.ops.clear();
            effects.push(Effect::Discard(Discarding { id: open.id, at: ended_at, reason, lost }));
        } else {
            effects.extend(self.ops.drain(..).map(Effect::Op));
            let left_out = self.left_out(dropped);
            let report = open.meter.report(&summary, left_out);
            let report = Box::new(match torn {
                Some(torn) => torn.tell(report, ended_at),
                None => report,
            });
            effects.push(Effect::Close(Box::new(Closing { id: open.id, ended_at, reason, summary, report, lost })));
        }
    }

    fn drain_ops(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.ops.is_empty() {
            // The frame that closed a fragment is the first of the next.
            self.unflushed_since = Some(now.mono);
            self.gathered_bytes = 0;
            effects.extend(self.ops.drain(..).map(Effect::Op));
        }
    }

    fn report_skipped(&mut self, effects: &mut Vec<Effect>) {
        let count = std::mem::take(&mut self.skipped);
        self.reported_skipped += count;
        if count > 0 {
            let kind = WarningKind::FramesSkipped;
            let detail =
                format!("{count} frames that no decoder could start from were left out of {}", self.policy.format);
            effects.push(Effect::Warn(Warning { kind, track: None, detail }));
        }
    }
}

fn no_key_frame(format: Format) -> Warning {
    Warning {
        kind: WarningKind::KeyFrameMissing,
        track: Some(TrackId::VIDEO),
        detail: format!("the {format} recording is due to be cut but no key frame comes; it goes on until one does"),
    }
}
