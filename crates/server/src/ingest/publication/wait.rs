//! A publisher that has gone may come back, as another session: the lanes stay as they are until then.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use livetape_media::{EndReason, Item, Now, WallTime};
use livetape_record::{GapRule, Splice, Spliced};
use tracing::info;

use super::{PLACE_GRACE, Publication};
use crate::config::RecordSettings;
use crate::ingest::waiting::Ticket;
use crate::ingest::{Clock, sleep_until};
use crate::live::{LiveSession, Place};
use crate::metrics::{Condition, Raised};

/// Whether, and how, recordings wait for their publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resumption {
    window: Duration,
    rule: GapRule,
    on_unpublish: bool,
    limit: u32,
    track_wait: Duration,
}

/// Until when a publication waits, and why its publisher went.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    mono: Duration,
    wall: WallTime,
    reason: EndReason,
}

impl Wait {
    /// Until this moment, on either clock, for a publisher that went like that.
    pub(super) fn until(mono: Duration, wall: WallTime, reason: EndReason) -> Self {
        Self { mono, wall, reason }
    }
}

impl Resumption {
    /// As `settings` want it.
    pub(crate) fn new(settings: &RecordSettings) -> Self {
        Self {
            window: settings.resume_window.duration(),
            rule: settings.gap.rule(),
            on_unpublish: settings.resume_on_unpublish,
            limit: settings.resume_limit,
            track_wait: settings.track_wait.duration(),
        }
    }

    /// The same, where the template of a stream says how long.
    pub(super) fn within(self, window: Option<Duration>) -> Self {
        Self { window: window.unwrap_or(self.window), ..self }
    }

    /// Whether recordings wait at all.
    pub(super) fn is_wanted(&self) -> bool {
        !self.window.is_zero()
    }

    /// Whether a publisher that went like this may come back.
    fn waits_after(&self, reason: EndReason) -> bool {
        self.is_wanted()
            && match reason {
                EndReason::Drop | EndReason::IdleTimeout | EndReason::Takeover | EndReason::ProtocolError => true,
                EndReason::Unpublish => self.on_unpublish,
                EndReason::Disconnect | EndReason::Shutdown | EndReason::Crash => false,
            }
    }
}

impl Publication {
    /// Goes on with what `previous` records: what comes is put behind it.
    pub(in crate::ingest) fn take_over(&mut self, previous: Self) {
        info!(session = %self.session.id, of = %previous.session.id, stream = %self.session.path, "the publisher is back");
        let rules = self.resumption;
        self.session.adopt(&previous.session);
        self.splice = Some(Splice::new(previous.tail.clone(), rules.rule, rules.track_wait));
        self.tail = previous.tail;
        self.wait = previous.wait;
        self.lanes = previous.lanes;
        let (session, numbers): (&Arc<LiveSession>, _) = (&self.session, self.demand.numbers());
        self.lanes.iter_mut().for_each(|lane| lane.carry_over(session.clone(), numbers.clone()));
        // Its place, if it still has one, goes with what is left of it.
    }

    /// What came of putting the session behind another.
    pub(super) fn spliced(&mut self, out: Vec<Spliced>, now: Now) {
        for spliced in out {
            match spliced {
                Spliced::Item(item) => self.take(&item, now),
                Spliced::Joined(join) => {
                    let limit = self.resumption.limit;
                    self.tail.joined();
                    self.wait = None;
                    self.lanes.iter_mut().for_each(|lane| lane.join(&join, limit, now));
                }
            }
        }
    }

    /// The last item has come.
    pub(super) fn over(&mut self, reason: EndReason, now: Now) {
        if let Some(splice) = &mut self.splice {
            let mut out = Vec::new();
            splice.settle(&mut out);
            self.spliced(out, now);
        }
        self.ended = Some(reason);
        self.quality.push(&Item::End(reason), now, &mut self.findings);
        self.tell_findings(now);
        self.demand.held.take(&Item::End(reason), now.wall);
        let rules = self.resumption;
        let waits = rules.waits_after(reason) && !self.context.draining.is_cancelled();
        // One that came back and sent nothing does not wait any longer for that.
        if waits && self.wait.is_none() {
            let millis = i64::try_from(rules.window.as_millis()).unwrap_or(i64::MAX);
            let wait = Wait { mono: now.mono + rules.window, wall: now.wall.plus_millis(millis), reason };
            self.lanes.iter_mut().for_each(|lane| lane.pause(wait.wall, now));
            self.wait = Some(wait);
        }
        if !waits || !self.lanes.iter().any(super::Lane::is_recording) {
            self.give_up_waiting(reason, now);
        }
    }

    /// Nobody comes back: what waits ends as its publisher went.
    fn give_up_waiting(&mut self, reason: EndReason, now: Now) {
        let reason = self.wait.take().map_or(reason, |wait| wait.reason);
        self.lanes.iter_mut().for_each(|lane| lane.push(&Item::End(reason), now));
    }

    /// Whoever publishes the stream next finds this, if it waits. Before the stream is given back.
    pub(super) fn enter_waiting(&self) -> Option<Ticket> {
        self.wait.map(|_| self.context.waiting.enter(self.session.path.clone()))
    }

    /// Waits until the publisher is back or has been gone for too long, or the service stops. `None`: whoever
    /// publishes now has it.
    pub(super) async fn wait(mut self, clock: Clock, ticket: Option<Ticket>) -> Option<Self> {
        let (Some(wait), Some(mut ticket)) = (self.wait, ticket) else { return Some(self) };
        let (context, path) = (self.context.clone(), self.session.path.clone());
        self.session.waits_until(Some(wait.wall));
        let _raised = Raised::new(Condition::StreamWaiting);
        let mut tasks = context.plans.tasks.changes();
        let leave_at = clock.now().mono + PLACE_GRACE;
        // Whoever finds a session ended after a crash finds in its recordings' rows that they wait.
        self.settle(clock, Some(leave_at)).await;
        self.end_session(clock, leave_at).await;
        self.leave();
        info!(session = %self.session.id, stream = %path, until = %wait.wall, "its recordings wait for its publisher");
        loop {
            self.dispatch(clock.now());
            let wake = clock.instant_of([self.next_tick(), Some(wait.mono)].into_iter().flatten().min());
            tokio::select! {
                biased;
                claimant = &mut ticket.claimant => {
                    let Ok(claimant) = claimant else { break };
                    match claimant.send(self) {
                        Ok(()) => return None,
                        // It has gone again.
                        Err(back) => self = back,
                    }
                    ticket = context.waiting.enter(path.clone());
                }
                () = context.draining.cancelled() => break,
                // What a task records that is over does not wait.
                _ = tasks.changed() => {}
                () = poll_fn(|cx| self.poll_written(cx)) => {}
                () = sleep_until(wake) => {
                    let now = clock.now();
                    self.tick(now);
                    if now.mono >= wait.mono {
                        break;
                    }
                }
            }
        }
        if let Some(claimant) = context.waiting.leave(&path, ticket).await {
            match claimant.send(self) {
                Ok(()) => return None,
                Err(back) => self = back,
            }
        }
        self.session.waits_until(None);
        self.give_up_waiting(wait.reason, clock.now());
        Some(self)
    }

    /// Gives the stream back.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.place = self.place.take().map(Place::leave);
        }
    }
}
