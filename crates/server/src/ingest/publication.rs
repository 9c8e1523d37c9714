//! One accepted publish: its place among the live streams, and a lane for each format.

mod held;
mod notes;
mod on_demand;
mod received;
mod reopened;
mod wait;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use livetape_catalog::Change;
use livetape_media::{EndReason, Item, Now, Warning, WarningKind};
use livetape_record::plan::Plan;
use livetape_record::{Finding, Quality, RecordingId, Splice, Tail};
use tracing::{error, info, warn};

use super::arrivals::Arrivals;
use super::lane::{Lane, Left};
use super::watch::Watch;
use super::{Clock, Context, sleep_until};
use crate::live::{LiveSession, Place};
use crate::metrics::{self, Condition, Raised};
use notes::Notes;
use on_demand::OnDemand;
use received::Received;
pub(super) use wait::Resumption;
use wait::Wait;

/// How long a session that has ended keeps its stream while the last of it is written. A new publisher
/// waits longer than that for the one it takes over from.
const PLACE_GRACE: Duration = Duration::from_secs(2);

/// One accepted publish.
pub(super) struct Publication {
    /// Given back when the session has ended.
    place: Option<Place>,
    /// The stream has been given back.
    left: bool,
    session: Arc<LiveSession>,
    context: Arc<Context>,
    lanes: Vec<Lane>,
    /// What tasks want, and what is held for them.
    demand: OnDemand,
    received: Received,
    arrivals: Arrivals,
    /// Whether media comes.
    sound: Watch,
    silent: Option<Raised>,
    notes: Notes,
    /// It goes on with what another session recorded.
    splice: Option<Splice>,
    /// How far it has come, for a session that goes on with it.
    tail: Tail,
    /// Whether, and how, its recordings wait for their publisher.
    resumption: Resumption,
    /// They wait now.
    wait: Option<Wait>,
    quality: Quality,
    /// What it found and has not been told.
    findings: Vec<Finding>,
    ended: Option<EndReason>,
    /// That it has ended is in the catalog.
    session_over: bool,
}

impl Publication {
    /// A publish that has been accepted and has its stream, to be recorded as planned.
    pub(super) fn new(place: Place, plan: Plan, context: Arc<Context>, now: Now) -> Self {
        let session = place.session().clone();
        let (rule, template) = (plan.rule.as_deref(), plan.template.as_deref());
        info!(session = %session.id, rule, template, recorders = plan.policies.len(), "planned");
        session.planned(plan.template);
        for detail in plan.problems {
            let warning = Warning { kind: WarningKind::RequestIgnored, track: None, detail };
            context.warnings.give(session.id, None, &warning, now.wall);
        }
        let demand = OnDemand::new(&plan.policies, &context);
        let resumption = context.resumption.within(plan.resume_window);
        let lanes = plan.policies.into_iter().map(|policy| demand.lane(policy, &session, &context)).collect();
        metrics::session_started();
        let mut sound = Watch::new(context.stall_warning);
        sound.expect(now.mono);
        Self {
            place: Some(place),
            left: false,
            session,
            lanes,
            demand,
            received: Received::default(),
            arrivals: Arrivals::default(),
            sound,
            silent: None,
            notes: Notes::new(now.mono),
            splice: None,
            tail: Tail::default(),
            resumption,
            wait: None,
            quality: Quality::new(context.quality),
            findings: Vec::new(),
            ended: None,
            session_over: false,
            context,
        }
    }

    /// The session.
    pub(super) fn session(&self) -> &Arc<LiveSession> {
        &self.session
    }

    /// One more item.
    pub(super) fn push(&mut self, item: &Item, now: Now) {
        match (item, &mut self.splice) {
            (Item::End(reason), _) => self.over(*reason, now),
            (_, None) => self.take(item, now),
            (_, Some(splice)) => {
                let mut out = Vec::new();
                splice.push(item, now, &mut out);
                self.spliced(out, now);
            }
        }
    }

    /// One more item, its times where they are recorded.
    fn take(&mut self, item: &Item, now: Now) {
        match item {
            Item::Frame(frame) => {
                if self.resumption.is_wanted() {
                    self.tail.frame(frame, now.wall);
                }
                if self.received.frame(frame) {
                    self.heard(now);
                }
            }
            Item::Track(track) => {
                info!(session = %self.session.id, kind = track.id.kind.name(), index = track.id.index,
                    codec = %track.config.codec(), "track");
                if track.id.index == 0 {
                    self.session.track(track);
                } else {
                    self.note(notes::further_track(track), now);
                }
            }
            Item::Warning(warning) => self.note(warning.clone(), now),
            Item::End(_) | Item::Jump { .. } | Item::Moved { .. } | Item::Metadata(_) => {}
        }
        self.quality.push(item, now, &mut self.findings);
        self.tell_findings(now);
        self.demand.held.take(item, now.wall);
        for lane in &mut self.lanes {
            lane.push(item, now);
        }
    }

    /// Ends the open recordings at the next key frame and begins others. Which end.
    pub(super) fn split(&mut self) -> Vec<RecordingId> {
        self.lanes.iter_mut().filter_map(Lane::split).collect()
    }

    /// Nothing comes before `then`, on the clock of [`Now::mono`].
    pub(super) fn flush_before(&mut self, then: Duration, now: Now) {
        for lane in &mut self.lanes {
            lane.flush_before(then, now);
        }
    }

    /// Begins to write what has gathered. To be called whenever something may have changed.
    pub(super) fn dispatch(&mut self, now: Now) {
        if self.demand.is_due(&self.context) {
            self.attend(now);
        }
        if let Some(latest) = self.received.report(&self.session) {
            self.arrivals.arrived(latest, now.mono);
        }
        let end = self.ended.and(self.received.latest());
        for lane in &mut self.lanes {
            lane.balance(now, self.ended.is_some());
            lane.dispatch(now, end);
        }
        self.lanes.retain(|lane| !(lane.is_stopped() && lane.is_idle()));
        let synced = self.lanes.iter().filter_map(Lane::reach).map(|reach| reach.synced).min().flatten();
        // What nobody records is nothing to lose.
        let oldest = self.arrivals.oldest_beyond(synced).filter(|_| !self.lanes.is_empty());
        self.session.unsynced_since(self.context.clock.instant_of(oldest).map(tokio::time::Instant::into_std));
    }

    /// When [`Publication::tick`] wants to be called.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        let silence = self.sound.due().filter(|_| self.ended.is_none());
        self.lanes.iter().filter_map(Lane::next_tick).chain(silence).chain(self.quality.next_tick()).min()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now) {
        for lane in &mut self.lanes {
            lane.tick(now);
        }
        self.quality.tick(now, &mut self.findings);
        self.tell_findings(now);
        if self.ended.is_none()
            && let Some(stood) = self.sound.check(now.mono)
        {
            self.silent = Some(Raised::new(Condition::StreamSilent));
            self.session.silent(true);
            let detail = format!("the publisher is connected and has sent no media for {} s", stood.as_secs());
            self.give(WarningKind::StreamSilent, detail, now);
        }
    }

    /// The publisher has not been read: that it is not heard is not its fault.
    pub(super) fn excuse_silence(&mut self, now: Now) {
        if !self.sound.stands() {
            self.sound.moved(now.mono, true);
        }
    }

    /// Media has come.
    fn heard(&mut self, now: Now) {
        if let Some(stood) = self.sound.moved(now.mono, true) {
            self.silent = None;
            self.session.silent(false);
            let detail = format!("the publisher sends media again, after {} ms", stood.as_millis());
            self.give(WarningKind::StreamResumed, detail, now);
        }
    }

    /// Whether the connection may be read, as far as this publish goes.
    pub(super) fn takes_more(&self) -> bool {
        self.lanes.iter().all(Lane::takes_more)
    }

    /// Bytes of frames that gather until they are a fragment. The lanes share them.
    pub(super) fn gathering_bytes(&self) -> usize {
        let splice = self.splice.as_ref().map_or(0, Splice::held_bytes);
        splice + self.lanes.iter().map(Lane::gathering_bytes).max().unwrap_or(0)
    }

    /// Whether its last item has come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether a batch of some lane has just been written.
    pub(super) fn poll_written(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let written = self.lanes.iter_mut().filter_map(|lane| lane.poll_written(cx).is_ready().then_some(())).count();
        if written > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for the publisher to come back, where that is wanted; then writes the rest and ends the session in the
    /// catalog. The stream is given back then, or after a moment: a disk that stalls must not lock out the next
    /// publisher. Call once it has ended.
    pub(super) async fn finish(mut self, clock: Clock) {
        self.silent = None;
        let ticket = self.enter_waiting();
        if let Some(publication) = self.wait(clock, ticket).await {
            publication.complete(clock).await;
        }
    }

    async fn complete(mut self, clock: Clock) {
        let leave_at = clock.now().mono + PLACE_GRACE;
        if !self.settle(clock, Some(leave_at)).await {
            if !self.left {
                warn!(session = %self.session.id, stream = %self.session.path,
                    "the last of it is still being written; its stream is free again");
                self.leave();
            }
            self.settle(clock, None).await;
        }
        self.end_session(clock, leave_at).await;
    }

    /// Writes what has come, at the latest until `deadline`. Whether all of it is written.
    async fn settle(&mut self, clock: Clock, deadline: Option<Duration>) -> bool {
        loop {
            self.dispatch(clock.now());
            if self.lanes.iter().all(Lane::is_idle) {
                return true;
            }
            let wake = clock.instant_of([self.next_tick(), deadline].into_iter().flatten().min());
            tokio::select! {
                () = poll_fn(|cx| self.poll_written(cx)) => {}
                () = sleep_until(wake) => {
                    let now = clock.now();
                    self.tick(now);
                    if deadline.is_some_and(|deadline| now.mono >= deadline) {
                        return false;
                    }
                }
            }
        }
    }

    /// Says in the catalog that the session has ended, unless that has been said. The stream is given back at
    /// `leave_at` if that takes longer.
    async fn end_session(&mut self, clock: Clock, leave_at: Duration) {
        if std::mem::replace(&mut self.session_over, true) {
            return;
        }
        let reason = self.ended.unwrap_or(EndReason::Drop).name();
        let id = self.session.id;
        let change = Change::SessionEnded { id, at: clock.now().wall, reason: reason.to_owned() };
        let context = self.context.clone();
        let mut change = std::pin::pin!(context.change(change));
        let result = tokio::select! {
            result = change.as_mut() => result,
            () = sleep_until(clock.instant_of(Some(leave_at))) => {
                self.leave();
                change.await
            }
        };
        match result {
            Ok(_) => info!(session = %id, stream = %self.session.path, reason, "stream ended"),
            Err(problem) => error!(session = %id, "the end of the session is not in the catalog: {problem}"),
        }
        metrics::session_ended(reason);
    }

    /// Tells what was found of the quality of what comes.
    fn tell_findings(&mut self, now: Now) {
        for finding in self.findings.drain(..) {
            self.context.warnings.tell(self.session.id, finding, now.wall);
        }
    }

    /// Tells what was noticed in the media. A publisher can bring forth any number of these.
    fn note(&mut self, warning: Warning, now: Now) {
        if let Some(warning) = self.notes.admit(warning, now.mono) {
            self.context.warnings.give(self.session.id, None, &warning, now.wall);
        }
    }

    fn give(&self, kind: WarningKind, detail: String, now: Now) {
        self.context.warnings.give(self.session.id, None, &Warning { kind, track: None, detail }, now.wall);
    }
}
