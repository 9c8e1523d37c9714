//! `/v1/recordings`: what has been and is being recorded, and its deletion.

use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use livetape_catalog::{CatalogError, Change, DeletionReason, RecordingFilter, RecordingState, RecordingView};
use livetape_record::RecordingId;

use super::query::{Query, named};
use super::{Api, Problem, blocking, json, off_thread, problem, schema};
use crate::live::Live;

/// Recordings, newest first.
#[utoipa::path(
    get,
    path = "/v1/recordings",
    tag = "recordings",
    params(
        ("app" = Option<String>, Query, description = "Exactly this application"),
        ("stream" = Option<String>, Query, description = "Exactly this stream name"),
        ("prefix" = Option<String>, Query, description = "`APP/STREAM` begins with this"),
        ("format" = Option<schema::Format>, Query, description = "This format"),
        ("state" = Option<schema::State>, Query, description = "This state"),
        ("held" = Option<bool>, Query, description = "Held by somebody, or by nobody"),
        ("from" = Option<String>, Query, description = "Still running at or after this time (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Begun before this time (RFC 3339)"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, with the same filter"),
    ),
    responses(
        (status = 200, description = "One page of recordings", body = schema::RecordingList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let conditions = conditions(&mut query);
    let cursor = query.take("cursor");
    let filter = RecordingFilter { cursor, limit: query.take_limit(), ..conditions };
    query.finish()?;
    let catalog = api.catalog.clone();
    let mut page = blocking("listing recordings", move || catalog.recordings(&filter)).await?;
    for view in &mut page.items {
        overlay(view, &api.live);
    }
    json(&page)
}

/// Which recordings a query asks for.
pub(super) fn conditions(query: &mut Query) -> RecordingFilter {
    RecordingFilter {
        app: query.take("app"),
        stream: query.take("stream"),
        prefix: query.take("prefix"),
        format: query.take("format"),
        state: query.take("state"),
        held: query.take("held"),
        from: query.take_time("from"),
        to: query.take_time("to"),
        ..RecordingFilter::default()
    }
}

/// One recording.
#[utoipa::path(
    get,
    path = "/v1/recordings/{id}",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `rec_...`")),
    responses(
        (status = 200, description = "The recording", body = schema::Recording),
        (status = 404, description = "There is no such recording", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    shown(&api, id).await
}

/// The recording, as the API shows it.
pub(super) async fn shown(api: &Api, id: RecordingId) -> Result<Response, Problem> {
    let catalog = api.catalog.clone();
    let view = blocking("looking a recording up", move || catalog.recording(&id)).await?;
    let mut view = view.ok_or_else(|| missing(&id.to_string()))?;
    overlay(&mut view, &api.live);
    json(&view)
}

/// What is to be said of a recording's integrity: gaps, jumps of the publisher's clock and what became of them, frames
/// that were left out, how far pictures and sound were apart, groups of pictures, configurations, and what recovery had
/// to do.
#[utoipa::path(
    get,
    path = "/v1/recordings/{id}/report",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `rec_...`")),
    responses(
        (status = 200, description = "The report", body = schema::Report),
        (status = 404, description = "There is no such recording, or no report of it: there is one from its end on, of what is kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn report(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    let catalog = api.catalog.clone();
    let found = blocking("reading a report", move || Ok((catalog.report(&id)?, catalog.recording_row(&id)?))).await?;
    match found {
        (Some(report), _) => Ok(([(header::CONTENT_TYPE, "application/json")], report).into_response()),
        (None, Some(row)) => {
            let state = row.state;
            Err(Problem::not_found(format!("{id} is {state}: a report is made when a recording that is kept ends")))
        }
        (None, None) => Err(missing(&id.to_string())),
    }
}

/// Deletes a recording that is ready, and held by nobody. From the answer on it has no `url`; when its files are gone, which takes
/// a moment, the recording is gone too, and `recording.deleted` says so.
#[utoipa::path(
    delete,
    path = "/v1/recordings/{id}",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `rec_...`")),
    responses(
        (status = 204, description = "It is being deleted, perhaps since before"),
        (status = 404, description = "There is no such recording", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is held (`held`), or not ready (`not_ready`): it grows, is on its way to the store, or never got there", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    let catalog = api.catalog.clone();
    let change = Change::DeletionStarted { id, reason: DeletionReason::Request };
    let what = "beginning the deletion of a recording";
    match off_thread(move || catalog.apply(change)).await.map_err(|error| problem::fault(what, &error))? {
        Ok(_) => {}
        Err(CatalogError::UnknownRecording(_)) => return Err(missing(&id.to_string())),
        Err(CatalogError::Transition { from, .. }) => {
            let detail = format!("{id} is {from}; only what is ready can be deleted");
            return Err(Problem::new(StatusCode::CONFLICT, "not_ready", detail));
        }
        Err(CatalogError::Held { by, reason, .. }) => {
            let detail = format!("{id} is held by {by}: {reason}; take the hold off before");
            return Err(Problem::new(StatusCode::CONFLICT, "held", detail));
        }
        // It is being deleted for another reason.
        Err(CatalogError::Conflict { .. }) => {}
        Err(error) => return Err(problem::fault(what, &error)),
    }
    tracing::info!(recording = %id, "a recording is deleted on request");
    api.retention.wake();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The recording that the path names. There are no parameters.
pub(super) fn asked_for(path: &RawPathParams, query: Option<&str>) -> Result<RecordingId, Problem> {
    let text = named(path, query)?;
    text.parse().map_err(|_| missing(text))
}

pub(super) fn missing(text: &str) -> Problem {
    Problem::not_found(format!("there is no recording {:?}", text.chars().take(80).collect::<String>()))
}

/// Shows how far a recording that grows has come.
fn overlay(view: &mut RecordingView, live: &Live) {
    if view.state == RecordingState::Recording
        && let Some(progress) = live.progress(&view.media_of.unwrap_or(view.id))
    {
        // Of playlists over an MP4 that is the MP4's.
        view.size_bytes = view.media_of.is_none().then_some(progress.size_bytes);
        view.duration_ms = Some(u64::try_from(progress.duration.as_millis()).unwrap_or(u64::MAX));
    }
}
