//! A publisher that has gone and may come back, and one that has come back.

use std::time::Duration;

use livetape_media::{Format, MediaTime, Now, WallTime};
use livetape_mux::carries;

use super::open::Open;
use super::preroll::Preroll;
use super::reopen::Torn;
use super::{Recorder, State, Tracks};
use crate::effect::{Effect, Gap, Pausing, Resuming};
use crate::{CutReason, Join, Numbers, SessionId, StartReason, StopReason};

/// The session that goes on with what another recorded.
#[derive(Clone, Debug)]
pub struct Rejoined {
    /// Which.
    pub session: SessionId,
    /// How its recordings are numbered.
    pub numbers: Numbers,
    /// How often one recording goes on.
    pub limit: u32,
}

impl Recorder {
    /// The publisher has gone without an end, and may come back until `until`: everything taken becomes
    /// operations, and the recording stays open. Followed by [`Recorder::join`], or by the end.
    pub fn pause(&mut self, until: WallTime, now: Now, effects: &mut Vec<Effect>) {
        self.end_suspension(StopReason::Cut(CutReason::DiskSlow), None, now, effects);
        self.open_from_preroll(now, effects);
        self.settle(now, effects);
        match &mut self.state {
            State::Waiting(preroll) => *preroll = Preroll::new(self.policy.track_wait),
            State::Open(open) => {
                open.release_sound(&mut self.ops);
                self.skipped += open.forget_foreign_sound();
                open.muxer.pause(&mut self.ops);
                open.paused_at = open.muxer.progress().duration;
                let id = open.id;
                self.drain_ops(now, effects);
                effects.push(Effect::Pause(Pausing { id, at: now.wall, until }));
            }
            State::Ended => {}
        }
        self.report_skipped(effects);
        self.unflushed_since = None;
    }

    /// The publisher has come back: what follows is `by` another session. The open recording goes on where it can;
    /// otherwise it ends here and the next begins.
    pub fn join(&mut self, join: &Join, by: Rejoined, now: Now, effects: &mut Vec<Effect>) {
        let limit = usize::try_from(by.limit).unwrap_or(usize::MAX);
        self.session = by.session;
        self.numbers = by.numbers;
        self.skipped += join.skipped;
        let tracks = self.carried(join);
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return,
            State::Waiting(_) => {
                self.start_reason = StartReason::Publish;
                self.state = State::Waiting(Preroll::new(self.policy.track_wait));
            }
            State::Open(open) => self.go_on(open, join, limit, tracks.clone(), now, effects),
        }
        self.tracks = tracks;
        self.report_skipped(effects);
    }

    fn go_on(
        &mut self,
        mut open: Box<Open>,
        join: &Join,
        limit: usize,
        tracks: Tracks,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let list = tracks.list();
        let due = open.due.take().filter(|due| matches!(due, CutReason::DurationLimit | CutReason::SizeLimit));
        let aligned = open.align_at.is_some_and(|at| join.wall >= at).then_some(CutReason::Aligned);
        let reason = match open.wanted.or(due).or(aligned) {
            Some(due) => Some(due),
            _ if open.gaps.len() >= limit => Some(CutReason::ResumeLimit),
            _ if join.at - open.start >= MediaTime::from(self.policy.max_duration) => Some(CutReason::DurationLimit),
            _ if list.is_empty() => Some(CutReason::CodecChanged),
            _ if tracks == open.tracks => {
                open.muxer.resume(join.at, join.wall, &mut self.ops);
                None
            }
            _ => {
                let went_on = open.muxer.discontinuity(&list, join.at, join.wall, &mut self.ops);
                went_on.err().map(|_| CutReason::CodecChanged)
            }
        };
        let Some(reason) = reason else {
            let gap = self.gap(&mut open, join);
            open.joined(tracks, join.at, gap);
            effects.push(Effect::Resume(Box::new(Resuming { id: open.id, session: self.session, gap })));
            self.state = State::Open(open);
            self.drain_ops(now, effects);
            self.unflushed_since = None;
            return;
        };
        self.ops.clear();
        self.close(*open, StopReason::Cut(reason), None, None, effects);
        self.start_reason = StartReason::Cut(reason);
        // What follows a suspension is dropped at first: a recording would begin with nothing.
        if list.is_empty() || self.is_suspended() {
            self.state = State::Waiting(Preroll::new(self.policy.track_wait));
        } else {
            self.open(tracks, join.at, join.wall, effects);
        }
    }

    /// Playlists have no time in which nothing is shown.
    fn gap(&self, open: &mut Open, join: &Join) -> Gap {
        // A crash may have cost this recording more than others of its stream.
        let ended =
            open.torn.as_mut().and_then(|torn| torn.ends.take()).map_or(join.ended, |ends| ends.min(join.ended));
        let lost = open.torn.as_mut().map_or(Duration::ZERO, Torn::take_lost);
        let from = join.ended_at.plus_millis((ended - join.ended).as_millis());
        let apart = (join.at - ended).to_duration();
        let (at, length) = match self.policy.format {
            Format::Hls => (open.paused_at, Duration::ZERO),
            Format::Mp4 | Format::Flv => ((ended - open.start).to_duration(), apart),
        };
        Gap { from, to: join.wall, at, length, apart, lost }
    }

    /// Of what is published, what this format carries.
    fn carried(&self, join: &Join) -> Tracks {
        let mut tracks = Tracks::default();
        for track in &join.tracks {
            if carries(self.policy.format, &self.policy.layout, track.config.codec()) {
                *tracks.slot(track.id.kind) = Some(track.clone());
            }
        }
        tracks
    }
}
