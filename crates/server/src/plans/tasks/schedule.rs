//! Beginning and ending tasks when their time has come.

use std::time::Duration;

use livetape_finalize::WallClock;
use livetape_media::WallTime;
use livetape_record::{StreamPath, TaskId};

use super::Tasks;

/// How long the calendar is not looked at: it may be set meanwhile.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait after an end could not be entered in the index.
const RETRY: Duration = Duration::from_secs(1);

/// What is due at one moment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Due {
    /// Streams of which tasks begin.
    pub(super) begin: Vec<StreamPath>,
    /// Tasks that end.
    pub(super) end: Vec<TaskId>,
    /// When something is due next.
    pub(super) next: Option<WallTime>,
}

impl Tasks {
    /// Begins and ends tasks by the calendar, for ever.
    pub async fn follow(self, wall: WallClock) {
        loop {
            let now = wall();
            let due = self.due(now);
            let mut failed = false;
            for id in due.end {
                if let Err(error) = self.stop(id, now, "due").await {
                    failed = true;
                    tracing::error!(task = %id, "the end of a task is not in the index: {error}");
                }
            }
            for stream in due.begin {
                tracing::info!(%stream, "a task's time has come");
                self.attend(&stream).await;
            }
            let ahead = due.next.map(|next| next.as_unix_millis() - wall().as_unix_millis());
            let ahead = ahead.map_or(LOOK, |millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
            let rest = if failed { RETRY } else { ahead.min(LOOK) };
            tokio::select! {
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// Notes which tasks have begun by `now`, when there is nobody yet who publishes: what they had recorded goes on.
    pub fn begun_before(&self, now: WallTime) {
        self.due(now);
    }

    /// Notes which tasks have begun by `now`, and says what is to be done.
    pub(super) fn due(&self, now: WallTime) -> Due {
        let mut due = Due::default();
        for (stream, tasks) in &mut *self.0.open() {
            for task in tasks {
                let stops = task.row.stop_at;
                if stops.is_some_and(|stop| stop <= now) {
                    due.end.push(task.row.id);
                    continue;
                }
                let starts = (!task.begun).then_some(task.row.start_at);
                if starts.is_some_and(|start| start <= now) {
                    task.begun = true;
                    due.begin.push(stream.clone());
                }
                let ahead = [starts, stops].into_iter().flatten().filter(|moment| *moment > now);
                due.next = ahead.chain(due.next).min();
            }
        }
        if !due.begin.is_empty() {
            self.0.changed();
        }
        due
    }
}
