//! `/v1/webhooks`: who is told of events.

use axum::body::Body;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livetape_catalog::EndpointCounts;
use serde::Serialize;

use super::making::{body_of, listed, name_in, shortened, source, was_set};
use super::query::{Query, in_path};
use super::{Api, Problem, json, off_thread, problem as api_problem, schema};
use crate::config::WebhookFormat;
use crate::webhooks::{WebhookError, WebhookSettings, WebhookView};

#[derive(Serialize)]
struct Shown {
    name: String,
    source: &'static str,
    url: String,
    format: WebhookFormat,
    signed: bool,
    changing_secret: bool,
    events: Vec<String>,
    timeout: String,
    concurrency: u32,
    allow_addresses: Vec<String>,
    tencent_app_id: u64,
    tencent_legacy_fields: bool,
    tencent_text_time: bool,
    pending: u64,
    oldest_pending_at: Option<String>,
    disabled_at: Option<String>,
    disabled_reason: Option<String>,
}

#[derive(Serialize)]
struct SentAgain {
    events: usize,
    next_after: Option<i64>,
}

impl From<WebhookView> for Shown {
    fn from(view: WebhookView) -> Self {
        let (webhook, counts) = (view.webhook, view.counts);
        let of = |read: fn(&EndpointCounts) -> Option<livetape_media::WallTime>| {
            counts.as_ref().and_then(read).map(|time| time.to_string())
        };
        Self {
            oldest_pending_at: of(|counts| counts.oldest_pending),
            disabled_at: of(|counts| counts.disabled_at),
            pending: counts.as_ref().map_or(0, |counts| counts.pending),
            disabled_reason: counts.and_then(|counts| counts.disabled),
            source: source(view.configured),
            url: webhook.url.to_string(),
            signed: !webhook.secret.is_empty(),
            changing_secret: !webhook.old_secret.is_empty(),
            timeout: webhook.timeout.to_string(),
            name: webhook.name,
            format: webhook.format,
            events: webhook.events,
            concurrency: webhook.concurrency,
            allow_addresses: webhook.allow_addresses,
            tencent_app_id: webhook.tencent_app_id,
            tencent_legacy_fields: webhook.tencent_legacy_fields,
            tencent_text_time: webhook.tencent_text_time,
        }
    }
}

/// Every webhook: those of the configuration, then those made by this API.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "webhooks",
    responses((status = 200, description = "Every webhook; secrets are not shown", body = schema::WebhookList))
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    let webhooks = api.webhooks.clone();
    let views = super::blocking("listing webhooks", move || webhooks.list()).await?;
    listed(views.into_iter().map(Shown::from))
}

/// One webhook.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{name}",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The webhook", body = schema::Webhook),
        (status = 404, description = "There is no such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    shown(&api, name_in(&path, query.as_deref())?).await.and_then(|webhook| json(&webhook))
}

/// Makes a webhook, or gives one that was made so other settings. Secrets that are left out stay.
#[utoipa::path(
    put,
    path = "/v1/webhooks/{name}",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name: letters, digits, `-` and `_`")),
    request_body = WebhookSettings,
    responses(
        (status = 200, description = "It has other settings now", body = schema::Webhook),
        (status = 201, description = "It was made; it is told of what happens from now on", body = schema::Webhook),
        (status = 400, description = "A setting is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in the configuration", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    let settings =
        WebhookSettings::parse(&body_of(body).await?).map_err(|problems| Problem::bad_settings(&problems))?;
    let made = api.webhooks.set(&name, settings).await.map_err(|error| problem(&error))?;
    tracing::info!(webhook = name, made, "a webhook was set on request");
    Ok(was_set(made, json(&shown(&api, name).await?)?))
}

/// Removes a webhook that was made by this API. What is pending for it is dropped.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{name}",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is told of nothing more"),
        (status = 404, description = "There is no such webhook", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is in the configuration", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    api.webhooks.remove(&name).await.map_err(|error| problem(&error))?;
    tracing::info!(webhook = name, "a webhook was removed on request");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lets a webhook that is disabled, because its receiver answered 410, be told of events again. What happened
/// meanwhile is sent by `redeliver`.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{name}/enable",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is told of what happens from now on"),
        (status = 404, description = "There is no such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn enable(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let name = name_in(&path, query.as_deref())?;
    api.webhooks.enable(&name).await.map_err(|error| problem(&error))?;
    tracing::info!(webhook = name, "a webhook was enabled on request");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Sends everything that happened since a time to a webhook again, whatever became of it before, or for the
/// first time. It holds up nothing that happens now.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{name}/redeliver",
    tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("since" = String, Query, description = "Events that happened then (RFC 3339) or later"),
        ("after" = Option<i64>, Query, description = "Only those after the event with this `sequence`: `next_after` of the answer before"),
    ),
    responses(
        (status = 202, description = "They are tried now", body = schema::SentAgain),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such webhook", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is disabled", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn redeliver(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let since = query.take_time("since");
    let after = query.take_number("after", 0, i64::MAX).unwrap_or(0);
    query.finish()?;
    let since = since.ok_or_else(|| super::bad_parameter("since", "say since when, such as 2026-11-22T21:00:00Z"))?;
    let name = shortened(in_path(&path));
    let sent = api.webhooks.send_all_again(&name, since, after, (api.wall)()).await;
    let (events, next_after) = sent.map_err(|error| problem(&error))?;
    tracing::info!(webhook = name, events, %since, "events are sent again on request");
    Ok((StatusCode::ACCEPTED, json(&SentAgain { events, next_after })?).into_response())
}

async fn shown(api: &Api, name: String) -> Result<Shown, Problem> {
    let webhooks = api.webhooks.clone();
    let found = off_thread(move || webhooks.one(&name)).await;
    let view = found.map_err(|error| api_problem::fault("looking a webhook up", &error))?;
    view.map(Shown::from).map_err(|error| problem(&error))
}

/// An error as the API says it.
pub(super) fn problem(error: &WebhookError) -> Problem {
    match error {
        WebhookError::Unknown(name) => Problem::not_found(format!("there is no webhook {name:?}")),
        WebhookError::Configured(_) => Problem::new(StatusCode::CONFLICT, "configured", error.to_string()),
        WebhookError::Disabled(_) => Problem::new(StatusCode::CONFLICT, "disabled", error.to_string()),
        WebhookError::Settings(problems) => Problem::bad_settings(problems),
        WebhookError::Client(_) => Problem::new(StatusCode::BAD_REQUEST, "unusable", error.to_string()),
        WebhookError::Catalog(_) | WebhookError::Stopped(_) => api_problem::fault("changing webhooks", error),
    }
}
