//! Tasks: streams that are recorded on demand, live or still to come.
//!
//! Contract: a task is in the index before it begins, and over in the index before it ends. It outlasts the process
//! and every push of its stream: whatever of the stream comes while it goes on is recorded.

mod schedule;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livetape_catalog::{Applied, Catalog, CatalogError, Change, TaskRow};
use livetape_media::WallTime;
use livetape_record::plan::Template;
use livetape_record::{Policy, StreamPath, TaskId};
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot, watch};

use super::{PlanError, TaskRequest, TaskSettings};
use crate::live::{Live, Wanted as Asked};

#[cfg(test)]
use view::TaskState;
pub use view::TaskView;

/// The most tasks that are not over, of one stream and of all.
const MOST_OF_STREAM: usize = 16;
const MOST: usize = 10_000;
/// The longest name of an application or a stream, in bytes.
const NAME_MAX_BYTES: usize = 1_024;
/// How far ahead a task may begin.
const AHEAD_MS: i64 = 366 * 24 * 3600 * 1000;
/// How long a live stream may take to do what is wanted before that is answered.
const ATTEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams that are recorded on demand. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    live: Live,
    open: Mutex<Open>,
    /// How often something has changed that streams must attend to.
    version: watch::Sender<u64>,
    /// Wakes the schedule.
    wake: Notify,
    /// Held while tasks are made.
    changing: AsyncMutex<()>,
}

/// Tasks that are not over, by stream, the oldest first.
type Open = BTreeMap<StreamPath, Vec<OpenTask>>;

struct OpenTask {
    row: TaskRow,
    settings: TaskSettings,
    /// Its time has come.
    begun: bool,
}

/// What a task wants of its stream.
pub struct Wanted {
    /// Which.
    pub task: TaskId,
    /// It wants it also where the same format is recorded already.
    pub beside: bool,
    /// How it is recorded, one policy for each recorder.
    pub policies: Vec<Policy>,
}

impl Tasks {
    /// Those of the index that are not over. Blocks.
    pub(super) fn open(catalog: &Catalog, live: &Live) -> Result<Self, CatalogError> {
        let mut open = Open::new();
        for row in catalog.open_tasks()? {
            match serde_json::from_str(&row.settings) {
                Ok(settings) => {
                    open.entry(path(&row)).or_default().push(OpenTask { row, settings, begun: false });
                }
                Err(error) => tracing::error!(task = %row.id, %error, "a task of the index cannot be used"),
            }
        }
        Ok(Self(Arc::new(Inner {
            catalog: catalog.clone(),
            live: live.clone(),
            open: Mutex::new(open),
            version: watch::Sender::new(1),
            wake: Notify::new(),
            changing: AsyncMutex::default(),
        })))
    }

    /// Changes whenever streams must attend to their tasks.
    pub fn version(&self) -> u64 {
        *self.0.version.borrow()
    }

    /// Tells when that changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// What the tasks of a stream want at this moment, whose templates `make` makes.
    pub(super) fn wanted(&self, stream: &StreamPath, make: impl Fn(&TaskSettings) -> Template) -> Vec<Wanted> {
        let open = self.0.open();
        let going = open.get(stream).into_iter().flatten().filter(|task| task.begun && !task.row.paused);
        let wanted = going.map(|task| {
            let template = make(&task.settings);
            let policies = template.policies(&template.formats);
            Wanted { task: task.row.id, beside: task.settings.beside, policies }
        });
        wanted.collect()
    }

    /// Whether a task is paused, and not over.
    pub fn is_paused(&self, stream: &StreamPath, id: TaskId) -> bool {
        let open = self.0.open();
        open.get(stream).into_iter().flatten().any(|task| task.row.id == id && task.row.paused)
    }

    /// A task that records by this template.
    pub(super) fn needs(&self, template: &str) -> Option<TaskId> {
        let open = self.0.open();
        open.values().flatten().find(|task| task.settings.template == template).map(|task| task.row.id)
    }

    /// Makes a task, unless there are `problems`.
    pub(super) async fn create(
        &self,
        request: TaskRequest,
        mut problems: Vec<(&'static str, String)>,
        now: WallTime,
    ) -> Result<TaskId, PlanError> {
        let _changing = self.0.changing.lock().await;
        let row = row_of(&request, now, &mut problems);
        if !problems.is_empty() {
            return Err(PlanError::settings(problems));
        }
        let (id, stream) = (row.id, path(&row));
        if self.0.is_full(&stream) {
            let most = format!("there are {MOST_OF_STREAM} of this stream, or {MOST} of all, that are not over");
            return Err(PlanError::TooMany(format!("{most}; stop some")));
        }
        self.apply(Change::TaskCreated(row.clone())).await?;
        let begun = row.start_at <= now;
        let task = OpenTask { row, settings: request.settings, begun };
        self.0.change(&stream, |tasks| tasks.push(task));
        self.0.wake.notify_one();
        tracing::info!(task = %id, %stream, "a task was made");
        self.attend(&stream).await;
        Ok(id)
    }

    /// Has a task record nothing for now, or again. Its files are finished at once.
    ///
    /// # Errors
    /// When there is none, or it is over.
    pub async fn pause(&self, id: TaskId, paused: bool) -> Result<(), PlanError> {
        let stream = self.stream_of(id).await?;
        self.apply(Change::TaskPaused { id, paused }).await?;
        self.0.change(&stream, |tasks| {
            tasks.iter_mut().filter(|task| task.row.id == id).for_each(|task| task.row.paused = paused);
        });
        tracing::info!(task = %id, paused, "a task was paused, or goes on");
        self.attend(&stream).await;
        Ok(())
    }

    /// Ends a task, for `reason`. Its files are finished at once. Nothing happens when it is over.
    ///
    /// # Errors
    /// When there is none.
    pub async fn stop(&self, id: TaskId, now: WallTime, reason: &str) -> Result<(), PlanError> {
        let stream = match self.stream_of(id).await {
            Ok(stream) => stream,
            Err(PlanError::Over(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.apply(Change::TaskEnded { id, at: now, reason: reason.to_owned() }).await?;
        self.0.change(&stream, |tasks| tasks.retain(|task| task.row.id != id));
        tracing::info!(task = %id, reason, "a task is over");
        self.attend(&stream).await;
        Ok(())
    }

    /// Ends a task, should it not be over, and forgets it. Its recordings stay.
    ///
    /// # Errors
    /// When there is none.
    pub async fn remove(&self, id: TaskId, now: WallTime) -> Result<(), PlanError> {
        self.stop(id, now, "removed").await?;
        self.apply(Change::TaskRemoved { id }).await.map(drop)
    }

    /// The stream of a task that is not over.
    async fn stream_of(&self, id: TaskId) -> Result<StreamPath, PlanError> {
        if let Some(stream) = self.0.stream_of(id) {
            return Ok(stream);
        }
        let catalog = self.0.catalog.clone();
        match tokio::task::spawn_blocking(move || catalog.task(id)).await?? {
            Some(_) => Err(PlanError::Over(id)),
            None => Err(PlanError::UnknownTask(id)),
        }
    }

    /// Has the stream do what its tasks want, and waits a little until it has, should it be live.
    async fn attend(&self, stream: &StreamPath) {
        self.0.changed();
        let Some(session) = self.0.live.holder(stream) else { return };
        let (sender, done) = oneshot::channel();
        let asking = async {
            session.requests.send((session.id, Asked::Attend(sender))).await.ok()?;
            done.await.ok()
        };
        // One that does not answer now does it as soon as it moves.
        let _ = tokio::time::timeout(ATTEND_TIMEOUT, asking).await;
    }

    async fn apply(&self, change: Change) -> Result<Applied, PlanError> {
        let catalog = self.0.catalog.clone();
        match tokio::task::spawn_blocking(move || catalog.apply(change)).await? {
            Err(CatalogError::UnknownTask(id)) => Err(PlanError::UnknownTask(id)),
            result => Ok(result?),
        }
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Streams must attend to their tasks.
    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Changes the tasks of a stream.
    fn change(&self, stream: &StreamPath, change: impl FnOnce(&mut Vec<OpenTask>)) {
        let mut open = self.open();
        change(open.entry(stream.clone()).or_default());
        open.retain(|_, tasks| !tasks.is_empty());
    }

    fn is_full(&self, stream: &StreamPath) -> bool {
        let open = self.open();
        open.get(stream).map_or(0, Vec::len) >= MOST_OF_STREAM || open.values().map(Vec::len).sum::<usize>() >= MOST
    }

    fn stream_of(&self, id: TaskId) -> Option<StreamPath> {
        let open = self.open();
        open.iter().find(|(_, tasks)| tasks.iter().any(|task| task.row.id == id)).map(|(path, _)| path.clone())
    }
}

fn path(row: &TaskRow) -> StreamPath {
    StreamPath { app: row.app.clone(), name: row.stream.clone() }
}

/// The row of a task that is made `now`; what is wrong with it is added to `problems`.
fn row_of(request: &TaskRequest, now: WallTime, problems: &mut Vec<(&'static str, String)>) -> TaskRow {
    for (setting, name) in [("app", &request.app), ("stream", &request.stream)] {
        if name.is_empty() || name.len() > NAME_MAX_BYTES || name.chars().any(char::is_control) {
            problems.push((setting, format!("it must be 1 to {NAME_MAX_BYTES} bytes without control characters")));
        }
    }
    let start_at = request.start_at.unwrap_or(now).max(now);
    if start_at.as_unix_millis() > now.as_unix_millis().saturating_add(AHEAD_MS) {
        problems.push(("start_at", "a task begins within a year".to_owned()));
    }
    if request.stop_at.is_some() && request.stop_after.is_some() {
        problems.push(("stop_after", "give either stop_at or stop_after, not both".to_owned()));
    }
    let after = request.stop_after.map(|after| {
        let millis = i64::try_from(after.duration().as_millis()).unwrap_or(i64::MAX);
        WallTime::from_unix_millis(start_at.as_unix_millis().saturating_add(millis))
    });
    let stop_at = request.stop_at.or(after);
    if stop_at.is_some_and(|stop| stop <= start_at) {
        problems.push(("stop_at", "a task must stop after it has begun, and not in the past".to_owned()));
    }
    TaskRow {
        id: TaskId(uuid::Uuid::now_v7()),
        app: request.app.clone(),
        stream: request.stream.clone(),
        // Texts and numbers always have a JSON.
        settings: serde_json::to_string(&request.settings).unwrap_or_default(),
        created_at: now,
        start_at,
        stop_at,
        paused: false,
        ended_at: None,
        end_reason: None,
    }
}

#[cfg(test)]
mod tests;
