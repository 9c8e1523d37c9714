//! Tasks as the API shows them.

use livetape_catalog::{CatalogError, TaskFilter, TaskRow};
use livetape_media::Format;
use livetape_record::TaskId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PlanError, Tasks, path};
use crate::config::TemplateSettings;
use crate::plans::TaskSettings;

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Its time has not come.
    Scheduled,
    /// The stream is not live.
    Waiting,
    /// It records.
    Recording,
    /// The stream is live, and others record already what it wants.
    Covered,
    /// Somebody has it wait.
    Paused,
    /// It is over.
    Ended,
}

/// A task, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskView {
    /// Its id; `task_id` of its recordings.
    pub id: String,
    /// The same as a number, for Tencent's older calls.
    pub number: u64,
    /// The application of the stream.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// How it stands.
    pub state: TaskState,
    /// The template it records by; null: what `recording` says.
    #[schema(required)]
    pub template: Option<String>,
    /// What is set in place of MP4 files of two hours; null with a template.
    #[schema(required)]
    pub recording: Option<TemplateSettings>,
    /// It records also what the stream's template, or another task, records already.
    pub beside: bool,
    /// The formats it records at this moment.
    pub records: Vec<String>,
    /// The formats it wants and others record at this moment.
    pub covered: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// From when on it records.
    pub start_at: String,
    /// Until when; null: until somebody says so.
    #[schema(required)]
    pub stop_at: Option<String>,
    /// When it was over; null: it is not.
    #[schema(required)]
    pub ended_at: Option<String>,
    /// Why it was over: `stopped`, `due` or `removed`.
    #[schema(required)]
    pub end_reason: Option<String>,
}

impl Tasks {
    /// The task of this id. Blocks.
    ///
    /// # Errors
    /// When there is none, or the index cannot be read.
    pub fn one(&self, id: TaskId) -> Result<TaskView, PlanError> {
        self.0.catalog.task(id)?.map(|row| self.view(row)).ok_or(PlanError::UnknownTask(id))
    }

    /// The task of a stream's name that has this number and is not over.
    pub fn numbered(&self, stream: &str, number: u64) -> Option<TaskId> {
        let open = self.0.open();
        let of_stream = open.iter().filter(|(path, _)| path.name == stream).flat_map(|(_, tasks)| tasks);
        of_stream.map(|task| task.row.id).find(|id| id.number() == number)
    }

    /// One page of tasks, the newest first, and where the next one begins. Blocks.
    ///
    /// # Errors
    /// When the cursor is none, or the index cannot be read.
    pub fn list(&self, filter: &TaskFilter) -> Result<(Vec<TaskView>, Option<String>), CatalogError> {
        let page = self.0.catalog.tasks(filter)?;
        Ok((page.items.into_iter().map(|row| self.view(row)).collect(), page.next_cursor))
    }

    fn view(&self, row: TaskRow) -> TaskView {
        let path = path(&row);
        let session = self.0.live.holder(&path).filter(|_| row.ended_at.is_none());
        let attended = session.as_ref().map(|session| session.attended(row.id)).unwrap_or_default();
        let begun = {
            let open = self.0.open();
            open.get(&path).into_iter().flatten().any(|task| task.row.id == row.id && task.begun)
        };
        let state = match () {
            () if row.ended_at.is_some() => TaskState::Ended,
            () if row.paused => TaskState::Paused,
            () if !begun => TaskState::Scheduled,
            () if !attended.records.is_empty() => TaskState::Recording,
            () if !attended.covered.is_empty() => TaskState::Covered,
            () => TaskState::Waiting,
        };
        let names = |formats: &[Format]| formats.iter().map(|format| format.name().to_owned()).collect();
        let settings: TaskSettings = serde_json::from_str(&row.settings).unwrap_or_default();
        let inline = settings.template.is_empty();
        TaskView {
            id: row.id.to_string(),
            number: row.id.number(),
            app: row.app,
            stream: row.stream,
            state,
            template: Some(settings.template).filter(|_| !inline),
            recording: Some(settings.recording).filter(|_| inline),
            beside: settings.beside,
            records: names(&attended.records),
            covered: names(&attended.covered),
            created_at: row.created_at.to_string(),
            start_at: row.start_at.to_string(),
            stop_at: row.stop_at.map(|time| time.to_string()),
            ended_at: row.ended_at.map(|time| time.to_string()),
            end_reason: row.end_reason,
        }
    }
}
