//! `/v1/recordings/{id}/hold`: a recording that somebody holds is not deleted, by nobody and nothing.

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livetape_catalog::{CatalogError, Change};
use serde::Deserialize;
use utoipa::ToSchema;

use super::keyring::Holder;
use super::recordings::{asked_for, missing, shown};
use super::{Api, Problem, bad_parameter, body, off_thread, problem, schema};

/// The most of a request's body that is read.
const BODY_MAX_BYTES: usize = 16 << 10;
/// The longest text that says who, or why, in characters.
const TEXT_MAX_CHARS: usize = 250;

/// Who holds a recording, and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldRequest {
    /// Why it is held.
    #[schema(min_length = 1, max_length = 250)]
    reason: String,
    /// Who holds it; the name of the token that asks, unless given.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 250)]
    by: Option<String>,
}

/// Holds a recording, so that it is not deleted, by request, filter, retention or quota, before the hold is taken off.
/// It may grow still. Of an MP4 with playlists over it, and of those, both are held. Again: who and why are told anew.
#[utoipa::path(
    put,
    path = "/v1/recordings/{id}/hold",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `rec_...`")),
    request_body = HoldRequest,
    responses(
        (status = 200, description = "It is held", body = schema::Recording),
        (status = 400, description = "Who or why is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such recording", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is being deleted", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn hold(
    State(api): State<Api>,
    holder: Option<Extension<Holder>>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    let body = body::read(body, BODY_MAX_BYTES).await?;
    let request: HoldRequest = serde_json::from_slice(&body)
        .map_err(|error| bad_parameter("body", &format!("is to be JSON with the member reason: {error}")))?;
    let reason = text("reason", &request.reason)?;
    let by = match &request.by {
        Some(by) => text("by", by)?,
        None => holder.map_or("unknown".to_owned(), |Extension(holder)| holder.name.to_string()),
    };
    let change = Change::RecordingHeld { id, at: (api.wall)(), by: by.clone(), reason: reason.clone() };
    make(&api, change).await?;
    tracing::info!(target: "audit", recording = %id, by, reason, "a recording is held");
    shown(&api, id).await
}

/// Takes the hold off a recording, and off what was held with it.
#[utoipa::path(
    delete,
    path = "/v1/recordings/{id}/hold",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `rec_...`")),
    responses(
        (status = 204, description = "Nobody holds it, perhaps since before"),
        (status = 404, description = "There is no such recording", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn release(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(&path, query.as_deref())?;
    make(&api, Change::RecordingReleased { id, at: (api.wall)() }).await?;
    tracing::info!(target: "audit", recording = %id, "the hold on a recording is taken off");
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn make(api: &Api, change: Change) -> Result<(), Problem> {
    let (catalog, what) = (api.catalog.clone(), "holding a recording");
    match off_thread(move || catalog.apply(change)).await.map_err(|error| problem::fault(what, &error))? {
        Ok(_) => Ok(()),
        Err(CatalogError::UnknownRecording(id)) => Err(missing(&id.to_string())),
        Err(error @ CatalogError::TooLate(_)) => {
            Err(Problem::new(StatusCode::CONFLICT, "being_deleted", error.to_string()))
        }
        Err(error) => Err(problem::fault(what, &error)),
    }
}

/// A text that says something, on one line.
fn text(name: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TEXT_MAX_CHARS || text.chars().any(char::is_control) {
        let detail = format!("must be one line of text, of 1 to {TEXT_MAX_CHARS} characters");
        return Err(bad_parameter(name, &detail));
    }
    Ok(text.to_owned())
}
