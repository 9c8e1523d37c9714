//! `/v1/rules`: which streams are recorded, and by which template.

use axum::body::Body;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::making::{body_of, listed, name_in, problem, source, was_set};
use super::query::Query;
use super::{Api, Problem, json, schema};
use crate::plans::{RuleRequest, RuleView, parse};

#[derive(Serialize)]
struct Shown {
    name: String,
    source: &'static str,
    #[serde(flatten)]
    settings: RuleRequest,
}

impl From<RuleView> for Shown {
    fn from(view: RuleView) -> Self {
        Self { name: view.name, source: source(view.configured), settings: view.settings }
    }
}

/// Every rule, in the order in which they are asked: those of the configuration, then those made by this API by their
/// `order`. The first that fits a stream decides; a stream that none fits is recorded by the template `default`.
#[utoipa::path(
    get,
    path = "/v1/rules",
    tag = "recording",
    responses((status = 200, description = "Every rule", body = schema::RuleList))
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    listed(api.plans.rules().into_iter().map(Shown::from))
}

/// One rule.
#[utoipa::path(
    get,
    path = "/v1/rules/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The rule", body = schema::Rule),
        (status = 404, description = "There is no such rule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    shown(&api, &name_in(&path, query.as_deref())?)
}

/// Makes a rule, or gives one that was made so other settings. Streams that run go on as they are; it is asked about
/// pushes from now on.
#[utoipa::path(
    put,
    path = "/v1/rules/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name: letters, digits, `-` and `_`")),
    request_body = RuleRequest,
    responses(
        (status = 200, description = "It has other settings now", body = schema::Rule),
        (status = 201, description = "It was made", body = schema::Rule),
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
    let settings: RuleRequest = parse(&body_of(body).await?).map_err(|error| problem(&error))?;
    let made = api.plans.set_rule(&name, settings).await.map_err(|error| problem(&error))?;
    tracing::info!(rule = name, made, "a rule was set on request");
    Ok(was_set(made, shown(&api, &name)?))
}

/// Removes a rule that was made by this API. What is recorded goes on.
#[utoipa::path(
    delete,
    path = "/v1/rules/{name}",
    tag = "recording",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such rule", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in the configuration", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    api.plans.remove_rule(&name).await.map_err(|error| problem(&error))?;
    tracing::info!(rule = name, "a rule was removed on request");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn shown(api: &Api, name: &str) -> Result<Response, Problem> {
    api.plans.rule(name).map_err(|error| problem(&error)).and_then(|view| json(&Shown::from(view)))
}
