//! `GET /v1/streams`: what is live.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;

use super::query::Query;
use super::{Api, Problem, blocking, json, schema};
use crate::live::StreamView;

/// How long to wait for news of the store.
const CATCH_UP: Duration = Duration::from_millis(500);

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
