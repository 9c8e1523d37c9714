//! What is published on one stream, as the server has it: a recorder and a writer for each format, which may wait for
//! a publisher that has gone, and go on with what the next one sends.

use std::sync::Arc;
use std::time::Duration;

use livetape_finalize::Writer;
use livetape_media::{EndReason, Item, Now};
use livetape_record::{Effect, Numbers, Recorder, Rejoined, SessionId, Splice, Spliced, StreamPath, Tail};

use crate::ingest::{Ingest, policies};
use crate::publisher::WINDOW_MS;

/// How often one recording goes on.
const LIMIT: u32 = 100;
/// How long a track is waited for.
const TRACK_WAIT: Duration = Duration::from_secs(1);

/// One accepted publish, and what it goes on with.
pub struct Publication {
    /// Its stream.
    pub(crate) stream: StreamPath,
    session: SessionId,
    /// Sessions whose recordings it goes on with.
    adopted: Vec<SessionId>,
    ingest: Arc<Ingest>,
    lanes: Vec<Lane>,
    numbers: Numbers,
    splice: Option<Splice>,
    tail: Tail,
    wait: Option<Wait>,
}

/// Until when it waits, and why its publisher went.
#[derive(Clone, Copy)]
struct Wait {
    until: Duration,
    reason: EndReason,
}

struct Lane {
    recorder: Recorder,
    writer: Writer,
}

impl Publication {
    /// A publish that has just been accepted. It goes on with what `before` recorded.
    pub(crate) fn new(session: SessionId, stream: StreamPath, ingest: Arc<Ingest>, before: Option<Self>) -> Self {
        let mut new = Self {
            stream,
            session,
            adopted: Vec::new(),
            lanes: Vec::new(),
            numbers: Numbers::default(),
            splice: None,
            tail: Tail::default(),
            wait: None,
            ingest,
        };
        match (before, new.ingest.returning) {
            (Some(before), Some(rule)) => {
                new.splice = Some(Splice::new(before.tail.clone(), rule, TRACK_WAIT));
                new.adopted = [before.adopted, vec![before.session]].concat();
                (new.lanes, new.tail, new.wait) = (before.lanes, before.tail, before.wait);
            }
            _ => {
                let to = &new.ingest.to;
                let lane = |policy| Lane {
                    recorder: Recorder::new(policy, session, new.stream.clone()),
                    writer: Writer::new(to.clone(), session),
                };
                new.lanes = policies(new.ingest.over, new.ingest.returning.is_some()).into_iter().map(lane).collect();
            }
        }
        new.sessions().for_each(|id| new.ingest.received.note(id, None));
        new
    }

    /// One more item.
    pub(crate) fn push(&mut self, item: &Item, now: Now) {
        let Some(splice) = &mut self.splice else { return self.take(item, now) };
        let mut out = Vec::new();
        splice.push(item, now, &mut out);
        self.spliced(out, now);
    }

    /// It has ended. Itself, when it waits for its publisher.
    pub(crate) fn over(mut self, reason: EndReason, now: Now) -> Option<Self> {
        let mut out = Vec::new();
        self.splice.iter_mut().for_each(|splice| splice.settle(&mut out));
        self.spliced(out, now);
        let waits = self.ingest.returning.is_some() && reason != EndReason::Unpublish;
        // One that came back and sent nothing does not wait any longer for that.
        if waits && self.wait.is_none() {
            let until = now.wall.plus_millis(WINDOW_MS as i64);
            self.wait = Some(Wait { until: now.mono + Duration::from_millis(WINDOW_MS), reason });
            self.each(now, |recorder, effects| recorder.pause(until, now, effects));
        }
        let sessions: Vec<SessionId> = self.sessions().collect();
        let received = self.ingest.received.clone();
        let left = if waits && self.lanes.iter().any(|lane| lane.recorder.progress().is_some()) {
            Some(self)
        } else {
            self.wait.get_or_insert(Wait { until: now.mono, reason });
            self.give_up(now);
            None
        };
        sessions.into_iter().for_each(|id| received.forget(id));
        left
    }

    /// Nobody comes back: it ends as its publisher went.
    pub(crate) fn give_up(mut self, now: Now) {
        let reason = self.wait.map_or(EndReason::Drop, |wait| wait.reason);
        self.each(now, |recorder, effects| recorder.push(&Item::End(reason), now, effects));
    }

    /// Until when it waits, since the world began.
    pub(crate) fn waits_until(&self) -> Option<Duration> {
        self.wait.map(|wait| wait.until)
    }

    /// When [`Publication::tick`] wants to be called, since the world began.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(|lane| lane.recorder.next_tick()).min()
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Now) {
        self.each(now, |recorder, effects| recorder.tick(now, effects));
    }

    fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.adopted.iter().copied().chain([self.session])
    }

    fn spliced(&mut self, out: Vec<Spliced>, now: Now) {
        for spliced in out {
            match spliced {
                Spliced::Item(item) => self.take(&item, now),
                Spliced::Joined(join) => {
                    self.tail.joined();
                    self.wait = None;
                    let by = Rejoined { session: self.session, numbers: self.numbers.clone(), limit: LIMIT };
                    self.each(now, |recorder, effects| recorder.join(&join, by.clone(), now, effects));
                }
            }
        }
    }

    /// One more item, its times where they are recorded.
    fn take(&mut self, item: &Item, now: Now) {
        if let Item::Frame(frame) = item {
            self.tail.frame(frame, now.wall);
            self.sessions().for_each(|id| self.ingest.received.note(id, Some(frame.dts)));
        }
        self.each(now, |recorder, effects| recorder.push(item, now, effects));
    }

    fn each(&mut self, now: Now, mut work: impl FnMut(&mut Recorder, &mut Vec<Effect>)) {
        for lane in &mut self.lanes {
            let mut effects = Vec::new();
            work(&mut lane.recorder, &mut effects);
            lane.perform(effects, now);
        }
    }
}

impl Lane {
    fn perform(&mut self, effects: Vec<Effect>, now: Now) {
        if effects.is_empty() {
            return;
        }
        let failed = self.writer.perform(effects, now);
        if let Some((id, _)) = self.recorder.progress()
            && failed.contains(&id)
        {
            let mut effects = Vec::new();
            self.recorder.abandon(&mut effects);
            self.writer.perform(effects, now);
        }
    }
}
