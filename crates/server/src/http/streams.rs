//! `GET /v1/streams`: what is live.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;

use super::query::Query;
use super::{Api, Problem, json, schema};
use crate::live::StreamView;

#[derive(Serialize)]
struct StreamList {
    items: Vec<StreamView>,
    next_cursor: Option<String>,
}

/// What is live at this moment, by name.
#[utoipa::path(
    get,
    path = "/v1/streams",
    tag = "streams",
    responses((status = 200, description = "Every live stream", body = schema::StreamList))
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).finish()?;
    json(&StreamList { items: api.live.streams(), next_cursor: None })
}
