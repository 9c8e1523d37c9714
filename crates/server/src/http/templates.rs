//! `/v1/templates`: ways of recording.

use axum::body::Body;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::making::{body_of, listed, name_in, problem, source, was_set};
use super::query::Query;
use super::{Api, Problem, json, schema};
use crate::config::TemplateSettings;
use crate::plans::{TemplateView, parse};

#[derive(Serialize)]
struct Shown {
    source: &'static str,
    #[serde(flatten)]
    settings: TemplateSettings,
}

impl From<TemplateView> for Shown {
    fn from(view: TemplateView) -> Self {
        Self { source: source(view.configured), settings: view.settings }
    }
}

/// Every template: those of the configuration, `default` among them, which is what `[record]` says, then those made by
/// this API.
#[utoipa::path(
    get,
    path = "/v1/templates",
    tag = "recording",
    responses((status = 200, description = "Every template", body = schema::TemplateList))
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    listed(api.plans.templates().into_iter().map(Shown::from))
}

/// One template.
#[utoipa::path(
    get,
    path = "/v1/templates/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The template", body = schema::Template),
        (status = 404, description = "There is no such template", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    shown(&api, &name_in(&path, query.as_deref())?)
}

/// Makes a template, or gives one that was made so other settings. What is left out or empty is as `[record]` says.
/// Streams that run go on as they are; pushes from now on, and tasks that begin, are recorded by it.
#[utoipa::path(
    put,
    path = "/v1/templates/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name: letters, digits, `-` and `_`")),
    request_body = TemplateSettings,
    responses(
        (status = 200, description = "It has other settings now", body = schema::Template),
        (status = 201, description = "It was made", body = schema::Template),
        (status = 400, description = "A setting is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in the configuration, or there are too many", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    let settings: TemplateSettings = parse(&body_of(body).await?).map_err(|error| problem(&error))?;
    let made = api.plans.set_template(&name, settings).await.map_err(|error| problem(&error))?;
    tracing::info!(template = name, made, "a template was set on request");
    Ok(was_set(made, shown(&api, &name)?))
}

/// Removes a template that was made by this API. What is recorded by it goes on.
#[utoipa::path(
    delete,
    path = "/v1/templates/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such template", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in the configuration, or a rule or a task needs it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    api.plans.remove_template(&name).await.map_err(|error| problem(&error))?;
    tracing::info!(template = name, "a template was removed on request");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn shown(api: &Api, name: &str) -> Result<Response, Problem> {
    api.plans.template(name).map_err(|error| problem(&error)).and_then(|view| json(&Shown::from(view)))
}
