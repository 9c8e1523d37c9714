//! Templates, rules and tasks.

use livetape_media::WallTime;
use livetape_record::TaskId;
use rusqlite::{OptionalExtension, params};

use super::rows;
use crate::{Catalog, CatalogError, Page, PlanKind, StoredPlan, TaskRow, columns};

/// Which tasks are wanted, and which page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Those of this application.
    pub app: Option<String>,
    /// Those of a stream of this name.
    pub stream: Option<String>,
    /// Those that are over, or those that are not.
    pub ended: Option<bool>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// How many to a page.
    pub limit: usize,
}

impl Catalog {
    /// The templates or the rules that were made by [`crate::Change::PlanSet`], by name.
    pub fn stored_plan(&self, kind: PlanKind) -> Result<Vec<StoredPlan>, CatalogError> {
        let sql = "SELECT name, settings FROM plan WHERE kind = ?1 AND settings IS NOT NULL ORDER BY name";
        self.readers().with("reading templates and rules", |connection| {
            rows(connection, sql, [kind.name()], |row| Ok(StoredPlan { name: row.get(0)?, settings: row.get(1)? }))
        })
    }

    /// Every task that is not over, the oldest first.
    pub fn open_tasks(&self) -> Result<Vec<TaskRow>, CatalogError> {
        let sql = format!(
            "SELECT {} FROM tasks INDEXED BY tasks_open WHERE ended_ms IS NULL ORDER BY created_ms, id",
            columns::TASK
        );
        self.readers().with("reading tasks", |connection| rows(connection, &sql, [], columns::task))
    }

    /// One task.
    pub fn task(&self, id: TaskId) -> Result<Option<TaskRow>, CatalogError> {
        let sql = format!("SELECT {} FROM tasks WHERE id = ?1 AND removed = 0", columns::TASK);
        self.readers().with("reading a task", |connection| {
            connection.prepare_cached(&sql)?.query_row([id.to_string()], columns::task).optional()
        })
    }

    /// One page of the tasks that `filter` describes, the newest first. Error: [`CatalogError::Cursor`].
    pub fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, CatalogError> {
        const MALFORMED: CatalogError = CatalogError::Cursor("is not one this server gave");
        let (before_ms, before) = match &filter.cursor {
            None => (i64::MAX, TaskId(uuid::Uuid::max())),
            Some(cursor) => {
                let (ms, id) = cursor.split_once('.').ok_or(MALFORMED)?;
                (ms.parse().map_err(|_| MALFORMED)?, id.parse().map_err(|_| MALFORMED)?)
            }
        };
        let sql = format!(
            "SELECT {} FROM tasks INDEXED BY tasks_newest WHERE removed = 0 AND (created_ms, id) < (?1, ?2) \
             AND (?3 IS NULL OR app = ?3) AND (?4 IS NULL OR stream = ?4) \
             AND (?5 IS NULL OR (ended_ms IS NOT NULL) = ?5) ORDER BY created_ms DESC, id DESC LIMIT ?6",
            columns::TASK
        );
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut items = self.readers().with("listing tasks", |connection| {
            let values = params![before_ms, before.to_string(), filter.app, filter.stream, filter.ended, limit];
            rows(connection, &sql, values, columns::task)
        })?;
        let more = items.len() > filter.limit;
        items.truncate(filter.limit);
        let place = |row: &TaskRow| format!("{}.{}", WallTime::as_unix_millis(row.created_at), row.id);
        let next_cursor = items.last().filter(|_| more).map(place);
        Ok(Page { items, next_cursor })
    }
}
