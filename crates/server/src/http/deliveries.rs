//! `/v1/deliveries`: what became of each event at each webhook, and sending it again.

use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livetape_catalog::DeliveryFilter;

use super::query::{Query, named};
use super::{Api, Problem, blocking, json, schema, webhooks};

/// Deliveries, those of the newest events first.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "webhooks",
    params(
        ("webhook" = Option<String>, Query, description = "To this webhook"),
        ("state" = Option<String>, Query, description = "`waiting`, `head`, `aside`, `delivered`, `filtered`, `given_up`, `dropped`, or `pending`: the first three"),
        ("stream" = Option<String>, Query, description = "Of this stream's events: `APP/STREAM`"),
        ("event" = Option<String>, Query, description = "Of the event with this id"),
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, with the same filter"),
    ),
    responses(
        (status = 200, description = "One page of deliveries", body = schema::DeliveryList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let filter = DeliveryFilter {
        endpoint: query.take("webhook"),
        state: query.take("state"),
        stream: query.take("stream"),
        event: query.take("event"),
        cursor: query.take("cursor"),
        limit: query.take_limit(),
    };
    query.finish()?;
    let catalog = api.catalog.clone();
    json(&blocking("listing deliveries", move || catalog.delivery_page(&filter)).await?)
}

/// One delivery.
#[utoipa::path(
    get,
    path = "/v1/deliveries/{id}",
    tag = "webhooks",
    params(("id" = String, Path, description = "Its id: the event's, a dot, the webhook's name")),
    responses(
        (status = 200, description = "The delivery", body = schema::Delivery),
        (status = 404, description = "There is no such delivery", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (event, webhook) = asked_for(&path, query.as_deref())?;
    let catalog = api.catalog.clone();
    let of_event = event.clone();
    let views = blocking("looking a delivery up", move || catalog.deliveries(&of_event)).await?;
    match views.into_iter().find(|view| view.endpoint == webhook) {
        Some(view) => json(&view),
        None => Err(missing(&format!("{event}.{webhook}"))),
    }
}

/// Sends an event to a webhook again, whatever became of it before, or for the first time. It holds up nothing.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/redeliver",
    tag = "webhooks",
    params(("id" = String, Path, description = "Its id: the event's, a dot, the webhook's name")),
    responses(
        (status = 202, description = "It is tried now"),
        (status = 404, description = "There is no such event or webhook", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The webhook is disabled", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn redeliver(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (event, webhook) = asked_for(&path, query.as_deref())?;
    let catalog = api.catalog.clone();
    let of_event = event.clone();
    let row = blocking("looking an event up", move || catalog.event(&of_event)).await?;
    let sequence = row.ok_or_else(|| missing(&format!("{event}.{webhook}")))?.sequence;
    api.webhooks.send_again(&webhook, vec![sequence], (api.wall)()).await.map_err(|error| webhooks::problem(&error))?;
    tracing::info!(event, webhook, "an event is sent again on request");
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The event and the webhook that the path names. There are no parameters.
fn asked_for(path: &RawPathParams, query: Option<&str>) -> Result<(String, String), Problem> {
    let text = named(path, query)?;
    match text.split_once('.') {
        Some((event, webhook)) if !event.is_empty() && !webhook.is_empty() => {
            Ok((event.to_owned(), webhook.to_owned()))
        }
        _ => Err(missing(text)),
    }
}

fn missing(text: &str) -> Problem {
    Problem::not_found(format!("there is no delivery {:?}", text.chars().take(200).collect::<String>()))
}
