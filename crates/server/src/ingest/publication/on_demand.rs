//! Recording what tasks want: lanes that come and go while the stream is live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use livetape_media::{Format, MediaTime, Now};
use livetape_record::{Numbers, Policy, Recorder, StopReason, TaskId};
use tracing::info;

use super::held::Held;
use super::{Context, Lane, Publication};
use crate::live::{Attended, LiveSession};

/// What a publication has for tasks.
pub(super) struct OnDemand {
    /// Media that a task that begins records at once.
    pub(super) held: Held,
    /// Recordings of all lanes are numbered together.
    numbers: Numbers,
    /// Up to which change of tasks what they want is done.
    done: u64,
}

impl OnDemand {
    /// For a session that is recorded like this without a task. Where that leaves no format for tasks to begin,
    /// nothing is held for them, unless preroll is wanted.
    pub(super) fn new(policies: &[Policy], context: &Context) -> Self {
        let is_recorded = |format: &Format| policies.iter().any(|policy| policy.formats().contains(format));
        let holds = context.preroll > MediaTime::ZERO || !Format::ALL.iter().all(is_recorded);
        let max_bytes = if holds { context.max_preroll_bytes } else { 0 };
        let held = Held::new(context.preroll, max_bytes, &context.prerolls);
        Self { held, numbers: Numbers::default(), done: 0 }
    }

    /// A lane of the session.
    pub(super) fn lane(&self, policy: Policy, session: &Arc<LiveSession>, context: &Arc<Context>) -> Lane {
        let recorder = self.recorder(policy, session);
        Lane::new(recorder, session.clone(), context.clone())
    }

    /// How recordings of the session are numbered.
    pub(super) fn numbers(&self) -> Numbers {
        self.numbers.clone()
    }

    fn recorder(&self, policy: Policy, session: &LiveSession) -> Recorder {
        Recorder::new(policy, session.id, session.path.clone()).numbered_by(self.numbers.clone())
    }

    /// Whether a task has changed since what they want was done.
    pub(super) fn is_due(&self, context: &Context) -> bool {
        self.done != context.plans.tasks.version()
    }
}

impl Publication {
    /// Does what tasks want at this moment: ends lanes of those that are over or paused, and begins lanes of those
    /// that have begun, with what is held. What is recorded already is recorded again only for one that asks for it.
    /// After its publisher has gone nothing begins.
    pub(in crate::ingest) fn attend(&mut self, now: Now) {
        let plans = self.context.plans.clone();
        self.demand.done = plans.tasks.version();
        let wanted = plans.wanted(&self.session.path);
        let recorded = |lanes: &[Lane]| -> BTreeSet<Format> {
            lanes.iter().filter(|lane| !lane.is_stopped()).flat_map(Lane::formats).collect()
        };
        let still: BTreeSet<TaskId> = wanted.iter().map(|wanted| wanted.task).collect();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_stopped()) {
            let Some(task) = lane.key().0.filter(|task| !still.contains(task)) else { continue };
            let paused = plans.tasks.is_paused(&self.session.path, task);
            lane.stop(if paused { StopReason::TaskPaused } else { StopReason::TaskEnded }, now);
        }
        if self.ended.is_some() {
            return;
        }
        let mut attended: BTreeMap<TaskId, Attended> = BTreeMap::new();
        for wanted in wanted {
            let of_task = attended.entry(wanted.task).or_default();
            for policy in wanted.policies {
                let (key, formats) = ((Some(wanted.task), policy.format), policy.formats());
                let goes = self.lanes.iter().any(|lane| lane.key() == key && !lane.is_stopped());
                if !goes && !wanted.beside && formats.iter().all(|format| recorded(&self.lanes).contains(format)) {
                    of_task.covered.extend(formats);
                    continue;
                }
                if !goes {
                    info!(session = %self.session.id, task = %wanted.task, format = %policy.format, "recorded for a task");
                    self.begin(policy, wanted.task, now);
                }
                of_task.records.extend(formats);
            }
        }
        self.session.attend(attended);
    }

    fn begin(&mut self, policy: Policy, task: TaskId, now: Now) {
        let recorder = self.demand.recorder(policy, &self.session).of_task(task);
        let mut lane = Lane::new(recorder, self.session.clone(), self.context.clone());
        for (item, wall) in self.demand.held.items() {
            lane.push(&item, Now { wall: wall.unwrap_or(now.wall), ..now });
        }
        self.lanes.push(lane);
    }
}
