//! A publication whose process died while it had a publisher, or waited for one: it waits on.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use livetape_finalize::{Kept, KeptRecording, Report, Writer};
use livetape_media::Now;
use livetape_record::plan::Plan;
use livetape_record::{Policy, Quality, Recorder, StreamPath, Tail, TaskId};
use livetape_rtmp::Query;
use tokio::sync::mpsc;
use tracing::warn;

use super::{Arrivals, Context, Lane, Left, Notes, OnDemand, Publication, Received, Wait, Watch};
use crate::ingest::Clock;
use crate::live::LiveSession;

impl Publication {
    /// What a crash left of a publication; `None` when somebody has its stream.
    pub(in crate::ingest) fn reopened(kept: Kept, context: &Arc<Context>, now: Now) -> Option<Self> {
        let Kept { session: row, reason, adopted, until, arrived, ends, comes_at, recordings, .. } = kept;
        let path = StreamPath { app: row.app.clone(), name: row.stream.clone() };
        // Nobody is connected who could be asked for anything.
        let (requests, _) = mpsc::channel(1);
        let session = LiveSession::new(row.id, path.clone(), row.remote_addr, row.started_at, requests);
        session.latest_ms.store(arrived.map_or(i64::MIN, livetape_media::MediaTime::as_millis), Ordering::Relaxed);
        session.adopted(adopted);
        let place = context.live.enter(session).ok()?.leave();
        let session = place.session().clone();
        let Plan { template, policies, resume_window, .. } = context.plans.of(&path, &Query::new(row.query));
        session.planned(template);
        let demand = OnDemand::new(&policies, context);
        let mut left = recordings;
        let mut lanes = Vec::new();
        let of_tasks = context.plans.wanted(&path).into_iter();
        let of_tasks =
            of_tasks.flat_map(|wanted| wanted.policies.into_iter().map(move |policy| (Some(wanted.task), policy)));
        for (task, policy) in policies.into_iter().map(|policy| (None, policy)).chain(of_tasks) {
            match take(&mut left, task, &policy) {
                Some(recording) => lanes.push(lane(recording, task, policy, &session, context, now)),
                // It begins to record when its publisher is back.
                None if task.is_none() => lanes.push(demand.lane(policy, &session, context)),
                None => {}
            }
        }
        for recording in left {
            let id = recording.row.id;
            warn!(recording = %id, "nothing is to record it any more: it is completed");
            (context.destination.told)(Report::Broken { id });
        }
        let remaining = until.as_unix_millis().saturating_sub(now.wall.as_unix_millis());
        let remaining = Duration::from_millis(u64::try_from(remaining).unwrap_or(0));
        Some(Self {
            place: Some(place),
            left: true,
            session,
            lanes,
            demand,
            received: Received::default(),
            arrivals: Arrivals::default(),
            sound: Watch::new(context.stall_warning),
            silent: None,
            notes: Notes::new(now.mono),
            splice: None,
            tail: Tail::reopened(ends, comes_at),
            resumption: context.resumption.within(resume_window),
            wait: Some(Wait::until(now.mono + remaining, until, reason)),
            quality: Quality::new(context.quality),
            findings: Vec::new(),
            ended: Some(reason),
            session_over: true,
            context: context.clone(),
        })
    }

    /// Waits for the publisher, from this call on, and completes what nobody goes on with.
    pub(in crate::ingest) fn wait_on(self, clock: Clock) -> impl Future<Output = ()> + Send {
        let ticket = self.enter_waiting();
        async move {
            if let Some(publication) = self.wait(clock, ticket).await {
                publication.complete(clock).await;
            }
        }
    }
}

/// The recording that the recorder of this policy had open.
fn take(left: &mut Vec<KeptRecording>, task: Option<TaskId>, policy: &Policy) -> Option<KeptRecording> {
    let over = policy.formats().len() > 1;
    let is = |recording: &KeptRecording| {
        let row = &recording.row;
        (row.task, row.id.format, recording.playlists) == (task, policy.format, over)
    };
    let at = left.iter().position(is)?;
    Some(left.swap_remove(at))
}

fn lane(
    recording: KeptRecording,
    task: Option<TaskId>,
    policy: Policy,
    session: &Arc<LiveSession>,
    context: &Arc<Context>,
    now: Now,
) -> Lane {
    let KeptRecording { row, torn, files, .. } = recording;
    let recorder = Recorder::new(policy, session.id, session.path.clone());
    let recorder = match task {
        Some(task) => recorder.of_task(task),
        None => recorder,
    };
    let left = Left {
        key: row.key,
        start: torn.start,
        gaps: torn.gaps.iter().map(|gap| gap.length).sum(),
        writer: Writer::reopened(context.destination.clone(), session.id, row.id, files, now),
    };
    Lane::reopened(recorder.reopened(torn), left, session.clone(), context.clone())
}
