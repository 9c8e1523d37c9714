//! `/v1/tasks`: streams that are recorded on demand.

use axum::body::Body;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livetape_catalog::TaskFilter;
use livetape_media::WallTime;
use livetape_record::TaskId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::making::{body_of, name_in, problem};
use super::query::Query;
use super::{Api, Problem, bad_parameter, blocking, json, off_thread, problem as api_problem, schema};
use crate::config::{Period, TemplateSettings};
use crate::plans::{TaskRequest, TaskSettings, TaskView, parse};

/// A task that is to be made. Of a stream that is live it records from the last key frame on that is held for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewTask {
    /// The application of the stream, which need not be live.
    app: String,
    /// The stream's name.
    stream: String,
    /// The template it records by. Left out: what `recording` says.
    template: Option<String>,
    /// What is set here in place of MP4 files of two hours.
    recording: Option<TemplateSettings>,
    /// It records also what the stream's template, or another task, records already.
    beside: bool,
    /// From when on (RFC 3339). Left out: now.
    start_at: Option<String>,
    /// Until when (RFC 3339). Left out: until it is stopped.
    stop_at: Option<String>,
    /// How long after its start, such as `2h`, in place of `stop_at`.
    stop_after: Option<String>,
}

#[derive(Serialize)]
struct TaskList {
    items: Vec<TaskView>,
    next_cursor: Option<String>,
}

impl NewTask {
    fn request(self) -> Result<TaskRequest, Problem> {
        let time = |name: &str, text: Option<String>| {
            let parsed = text.map(|text| text.parse::<WallTime>()).transpose();
            parsed.map_err(|error| bad_parameter(name, &error.to_string()))
        };
        let stop_after = self.stop_after.map(|text| text.parse::<Period>()).transpose();
        Ok(TaskRequest {
            app: self.app,
            stream: self.stream,
            settings: TaskSettings {
                template: self.template.unwrap_or_default(),
                recording: self.recording.unwrap_or_default(),
                beside: self.beside,
            },
            start_at: time("start_at", self.start_at)?,
            stop_at: time("stop_at", self.stop_at)?,
            stop_after: stop_after.map_err(|error| bad_parameter("stop_after", &error.to_string()))?,
        })
    }
}

/// Tasks, the newest first. One that is over is kept for 90 days.
#[utoipa::path(
    get,
    path = "/v1/tasks",
    tag = "recording",
    params(
        ("app" = Option<String>, Query, description = "Those of this application"),
        ("stream" = Option<String>, Query, description = "Those of streams of this name"),
        ("ended" = Option<bool>, Query, description = "Those that are over, or those that are not"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "How many to a page; 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of tasks", body = schema::TaskList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit = query.take_limit();
    let filter = TaskFilter {
        app: query.take("app"),
        stream: query.take("stream"),
        ended: query.take("ended"),
        cursor: query.take("cursor"),
        limit,
    };
    query.finish()?;
    let tasks = api.plans.tasks.clone();
    let (items, next_cursor) = blocking("listing tasks", move || tasks.list(&filter)).await?;
    json(&TaskList { items, next_cursor })
}

/// Makes a task. What of its stream comes while it goes on is recorded, whatever becomes of pushes and of this
/// service.
#[utoipa::path(
    post,
    path = "/v1/tasks",
    tag = "recording",
    request_body = NewTask,
    responses(
        (status = 201, description = "It was made; when its stream is live and its time has come, it records", body = schema::Task),
        (status = 400, description = "Something about it is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are too many that are not over", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(State(api): State<Api>, RawQuery(query): RawQuery, body: Body) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    let new: NewTask = parse(&body_of(body).await?).map_err(|error| problem(&error))?;
    let id = api.plans.create_task(new.request()?, (api.wall)()).await.map_err(|error| problem(&error))?;
    Ok((StatusCode::CREATED, shown(&api, id).await?).into_response())
}

/// One task.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}",
    tag = "recording",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The task", body = schema::Task),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    shown(&api, asked_for(&path, query.as_deref())?).await
}

/// Ends a task. Its files are finished at once. One that is over stays so.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/stop",
    tag = "recording",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "It is over", body = schema::Task),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stop(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    api.plans.tasks.stop(id, (api.wall)(), "stopped").await.map_err(|error| problem(&error))?;
    shown(&api, id).await
}

/// Has a task record nothing until it is resumed. Its files are finished at once.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/pause",
    tag = "recording",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "It is paused", body = schema::Task),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    set_paused(&api, asked_for(&path, query.as_deref())?, true).await
}

/// Has a task that is paused record again, into new files, from the last key frame on that is held for it.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/resume",
    tag = "recording",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "It goes on", body = schema::Task),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    set_paused(&api, asked_for(&path, query.as_deref())?, false).await
}

/// Ends a task, should it not be over, and forgets it. Its recordings stay.
#[utoipa::path(
    delete,
    path = "/v1/tasks/{id}",
    tag = "recording",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    api.plans.tasks.remove(id, (api.wall)()).await.map_err(|error| problem(&error))?;
    tracing::info!(task = %id, "a task was removed on request");
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn set_paused(api: &Api, id: TaskId, paused: bool) -> Result<Response, Problem> {
    api.plans.tasks.pause(id, paused).await.map_err(|error| problem(&error))?;
    shown(api, id).await
}

async fn shown(api: &Api, id: TaskId) -> Result<Response, Problem> {
    let tasks = api.plans.tasks.clone();
    let found = off_thread(move || tasks.one(id)).await;
    let view = found.map_err(|error| api_problem::fault("looking a task up", &error))?;
    view.map_err(|error| problem(&error)).and_then(|view| json(&view))
}

/// The task that the path names. There are no parameters.
fn asked_for(path: &RawPathParams, query: Option<&str>) -> Result<TaskId, Problem> {
    let name = name_in(path, query)?;
    name.parse().map_err(|_| Problem::not_found(format!("there is no task {name:?}")))
}
