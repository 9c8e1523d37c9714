//! `/v1/streams`: what is live.

use std::time::Duration;

use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livetape_record::StreamPath;
use livetape_rtmp::CloseReason;
use serde::Serialize;
use tokio::sync::oneshot;

use super::query::Query;
use super::{Api, Problem, blocking, json, schema};
use crate::live::{StreamView, Wanted};

/// How long to wait for news of the store.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How long a stream's connection may take to do something.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct StreamList {
    items: Vec<StreamView>,
    next_cursor: Option<String>,
}

/// What is live at this moment or waits for its publisher, by name.
#[utoipa::path(
    get,
    path = "/v1/streams",
    tag = "streams",
    responses((status = 200, description = "Every stream that is live, or waits for its publisher", body = schema::StreamList))
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    let (catalog, tail, live) = (api.catalog.clone(), api.tail.clone(), api.live.clone());
    let catching_up = blocking("counting what is in the store", move || tail.catch_up(&catalog, &live));
    // A disk that hangs is when this is asked: then it is answered with what is known.
    let _ = tokio::time::timeout(CATCH_UP, catching_up).await;
    json(&StreamList { items: api.live.streams(), next_cursor: None })
}

#[derive(Serialize)]
struct SplitView {
    recordings: Vec<String>,
}

/// Ends every open recording of a live stream at the next key frame and begins the next ones there; nothing is
/// lost or doubled.
#[utoipa::path(
    post,
    path = "/v1/streams/{app}/{stream}/split",
    tag = "streams",
    params(
        ("app" = String, Path, description = "The application; a slash in it is `%2F`"),
        ("stream" = String, Path, description = "The stream's name, likewise"),
    ),
    responses(
        (status = 202, description = "Which recordings end; none when none is open", body = schema::Split),
        (status = 404, description = "No such stream is live", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Its connection does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn split(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    let path = stream_in(&path);
    let session = api.live.holder(&path).ok_or_else(|| not_live(&path))?;
    let (sender, answer) = oneshot::channel();
    let asking = async {
        session.requests.send((session.id, Wanted::Split(sender))).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
        Ok(Some(ended)) => {
            tracing::info!(session = %session.id, stream = %path, recordings = ended.len(), "split on request");
            let recordings = ended.iter().map(ToString::to_string).collect();
            Ok((StatusCode::ACCEPTED, json(&SplitView { recordings })?).into_response())
        }
        Ok(None) => Err(not_live(&path)),
        Err(_) => Err(Problem::unavailable("timeout", "the stream's connection does not answer; try again")),
    }
}

/// Disconnects the publisher of a live stream; its recordings are finished. The publisher may push again: whom
/// `[push]` allows.
#[utoipa::path(
    delete,
    path = "/v1/streams/{app}/{stream}",
    tag = "streams",
    params(
        ("app" = String, Path, description = "The application; a slash in it is `%2F`"),
        ("stream" = String, Path, description = "The stream's name, likewise"),
    ),
    responses(
        (status = 204, description = "It is not live any more"),
        (status = 404, description = "No such stream is live", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Its connection does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn disconnect(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    let path = stream_in(&path);
    let session = api.live.holder(&path).ok_or_else(|| not_live(&path))?;
    let asking = async {
        // A connection that takes no requests any more is about to be gone.
        let _ = session.requests.send((session.id, Wanted::Close(CloseReason::Disconnect))).await;
        session.gone().await;
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
        Ok(()) => {
            tracing::info!(session = %session.id, stream = %path, "disconnected on request");
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(_) => Err(Problem::unavailable("timeout", "the stream's connection does not answer; try again")),
    }
}

/// The stream that the path names.
fn stream_in(path: &RawPathParams) -> StreamPath {
    let mut parts = path.iter().map(|(_, value)| value.to_owned());
    let mut next = || parts.next().unwrap_or_default();
    StreamPath { app: next(), name: next() }
}

fn not_live(path: &StreamPath) -> Problem {
    Problem::not_found(format!("no stream {:?} is live", path.to_string().chars().take(200).collect::<String>()))
}
