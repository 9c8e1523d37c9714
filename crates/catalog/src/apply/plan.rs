//! Templates, rules and tasks.

use livetape_media::WallTime;
use livetape_record::TaskId;
use rusqlite::{OptionalExtension, params};

use super::Work;
use crate::{Applied, CatalogError, PlanKind, TaskRow, columns};

/// How long a task that is over is kept.
const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;

impl Work<'_> {
    pub(super) fn plan_set(&self, kind: PlanKind, name: &str, settings: &str) -> Result<Applied, CatalogError> {
        let made = self
            .connection
            .prepare_cached(
                "INSERT INTO plan (kind, name, settings, version) VALUES (?1, ?2, ?3, 1) ON CONFLICT (kind, name) \
                 DO UPDATE SET settings = ?3, version = version + 1 WHERE settings IS NOT ?3",
            )
            .and_then(|mut insert| insert.execute(params![kind.name(), name, settings]))
            .map_err(CatalogError::sqlite("writing a template or a rule"))?;
        Ok(done(made))
    }

    pub(super) fn plan_removed(&self, kind: PlanKind, name: &str) -> Result<Applied, CatalogError> {
        let removed = self
            .connection
            .prepare_cached(
                "UPDATE plan SET settings = NULL, version = version + 1 \
                 WHERE kind = ?1 AND name = ?2 AND settings IS NOT NULL",
            )
            .and_then(|mut update| update.execute(params![kind.name(), name]))
            .map_err(CatalogError::sqlite("removing a template or a rule"))?;
        Ok(done(removed))
    }

    pub(super) fn task_created(&self, task: &TaskRow) -> Result<Applied, CatalogError> {
        if let Some(before) = self.task(task.id)? {
            let same = TaskRow { paused: task.paused, ended_at: None, end_reason: None, ..before } == *task;
            let detail = "another was made with its id".to_owned();
            return if same { Ok(Applied::Already) } else { Err(conflict(task.id, detail)) };
        }
        let millis = |time: WallTime| time.as_unix_millis();
        self.connection
            .prepare_cached(
                "INSERT INTO tasks (id, app, stream, settings, created_ms, start_ms, stop_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    task.id.to_string(),
                    task.app,
                    task.stream,
                    task.settings,
                    millis(task.created_at),
                    millis(task.start_at),
                    task.stop_at.map(millis),
                ])
            })
            .and_then(|_| {
                let mut delete = self.connection.prepare_cached("DELETE FROM tasks WHERE ended_ms < ?1")?;
                delete.execute([millis(task.created_at).saturating_sub(KEPT_MS)])
            })
            .map_err(CatalogError::sqlite("writing a task"))?;
        Ok(Applied::Done)
    }

    pub(super) fn task_paused(&self, id: TaskId, paused: bool) -> Result<Applied, CatalogError> {
        let row = self.known_task(id)?;
        if row.ended_at.is_some() {
            return Err(conflict(id, "it is over".to_owned()));
        }
        let changed = self
            .connection
            .prepare_cached("UPDATE tasks SET paused = ?2, version = version + 1 WHERE id = ?1 AND paused <> ?2")
            .and_then(|mut update| update.execute(params![id.to_string(), paused]))
            .map_err(CatalogError::sqlite("pausing a task"))?;
        Ok(done(changed))
    }

    pub(super) fn task_ended(&self, id: TaskId, at: WallTime, reason: &str) -> Result<Applied, CatalogError> {
        self.known_task(id)?;
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE tasks SET ended_ms = ?2, end_reason = ?3, version = version + 1 \
                 WHERE id = ?1 AND ended_ms IS NULL",
            )
            .and_then(|mut update| update.execute(params![id.to_string(), at.as_unix_millis(), reason]))
            .map_err(CatalogError::sqlite("ending a task"))?;
        Ok(done(changed))
    }

    pub(super) fn task_removed(&self, id: TaskId) -> Result<Applied, CatalogError> {
        match self.task(id)? {
            None => return Ok(Applied::Already),
            Some(row) if row.ended_at.is_none() => return Err(conflict(id, "it is not over".to_owned())),
            Some(_) => {}
        }
        self.connection
            .prepare_cached("UPDATE tasks SET removed = 1, version = version + 1 WHERE id = ?1")
            .and_then(|mut update| update.execute([id.to_string()]))
            .map_err(CatalogError::sqlite("removing a task"))?;
        Ok(Applied::Done)
    }

    fn known_task(&self, id: TaskId) -> Result<TaskRow, CatalogError> {
        self.task(id)?.ok_or(CatalogError::UnknownTask(id))
    }

    fn task(&self, id: TaskId) -> Result<Option<TaskRow>, CatalogError> {
        self.connection
            .prepare_cached(&format!("SELECT {} FROM tasks WHERE id = ?1 AND removed = 0", columns::TASK))
            .and_then(|mut select| select.query_row([id.to_string()], columns::task).optional())
            .map_err(CatalogError::sqlite("reading a task"))
    }
}

fn done(rows: usize) -> Applied {
    if rows > 0 { Applied::Done } else { Applied::Already }
}

fn conflict(id: TaskId, detail: String) -> CatalogError {
    CatalogError::Conflict { what: id.to_string(), detail }
}
