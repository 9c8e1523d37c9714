//! `GET /v1/events`: everything that was announced, in order; as it happens for `text/event-stream`.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use livetape_catalog::{Catalog, CatalogError, EventRow};
use serde::Serialize;
use serde_json::value::RawValue;

use super::query::Query;
use super::{Api, Problem, bad_parameter, blocking, json, problem, schema};

#[derive(Serialize)]
struct EventList {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// Events, oldest first. With `Accept: text/event-stream` those after `after`, or the one that `Last-Event-ID`
/// names, or from now on, as they happen.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(
        ("after" = Option<String>, Query, description = "Only those after the event with this `sequence` or `id`; 0, and without it: from the first one there is"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 unless given"),
    ),
    responses(
        (status = 200, description = "One page of events; `next_cursor` is the `after` of the next, null when there is none yet", body = schema::EventList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Events after that one are deleted, because they are old; `next_after` says where to go on", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many clients follow the events", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let after: Option<String> = query.take("after");
    let limit = query.take_limit();
    query.finish()?;
    if wants_stream(&headers) {
        return follow(&api, after, &headers).await;
    }
    let catalog = api.catalog.clone();
    let found = blocking("listing events", move || {
        match place(&catalog, after.as_deref())? {
            // One more than asked for tells whether there is a next page.
            Ok(sequence) => catalog.events_after(sequence, limit + 1).map(Ok),
            Err(nowhere) => Ok(Err(nowhere)),
        }
    });
    let mut rows = found.await??;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.sequence.to_string());
    let items = rows.into_iter().map(event).collect::<Result<_, _>>()?;
    json(&EventList { items, next_cursor })
}

/// Why there is no place to begin from.
enum Nowhere {
    /// It is no event's.
    Unknown,
    /// Events behind it were pruned, up to this one.
    Pruned(i64),
}

impl From<Nowhere> for Problem {
    fn from(nowhere: Nowhere) -> Self {
        match nowhere {
            Nowhere::Unknown => bad_parameter("after", "must be the sequence or the id of an event"),
            Nowhere::Pruned(last) => {
                let detail = format!(
                    "events after this one are deleted, because they are old (events.retention); go on with after={last}"
                );
                Self { next_after: Some(last), ..Self::new(StatusCode::GONE, "pruned", detail) }
            }
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// Events as they happen. What a client that comes back has read already counts more than what it asked first.
async fn follow(api: &Api, after: Option<String>, headers: &HeaderMap) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let catalog = api.catalog.clone();
    let place = blocking("finding an event", move || match last.or(after) {
        Some(from) => place(&catalog, Some(&from)),
        None => Ok(Ok(i64::try_from(catalog.counts()?.events).unwrap_or(i64::MAX))),
    });
    api.feed.follow(place.await??)
}

/// The sequence that `after` means.
fn place(catalog: &Catalog, after: Option<&str>) -> Result<Result<i64, Nowhere>, CatalogError> {
    let Some(text) = after else { return Ok(Ok(0)) };
    let sequence = match text.parse::<i64>() {
        Ok(sequence) => (sequence >= 0).then_some(sequence),
        Err(_) => catalog.event(text)?.map(|row| row.sequence),
    };
    // From 0 on is from the first one there is.
    if sequence == Some(0) {
        return Ok(Ok(0));
    }
    let pruned = catalog.first_event()? - 1;
    Ok(match sequence {
        Some(sequence) if sequence < pruned => Err(Nowhere::Pruned(pruned)),
        Some(sequence) => Ok(sequence),
        None if pruned > 0 && text.starts_with("evt_") => Err(Nowhere::Pruned(pruned)),
        None => Err(Nowhere::Unknown),
    })
}

/// An event as the list shows it: its body as it was announced, and its place before that.
fn event(row: EventRow) -> Result<Box<RawValue>, Problem> {
    let members = row.body.trim_start().strip_prefix('{').unwrap_or_default();
    let text = format!("{{\"sequence\":{},{members}", row.sequence);
    RawValue::from_string(text).map_err(|error| problem::fault("reading an event", &error))
}
