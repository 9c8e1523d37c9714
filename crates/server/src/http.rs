//! The HTTP side: the API, the recordings' files, health and metrics.
//!
//! Contract: every error is `application/problem+json`; every request is counted and, at DEBUG,
//! logged by its route; no request can panic the process or hold up another. Nothing here writes, but for holds, the
//! beginning of deletions, webhooks and what is sent to them again, templates, rules, tasks and cuts of live streams.

mod auth;
mod body;
mod changes;
mod client;
mod cors;
mod deletions;
mod deliveries;
mod events;
mod feed;
mod front;
mod health;
mod holds;
pub mod keyring;
mod making;
mod media;
mod metrics;
mod openapi;
mod problem;
pub mod query;
pub mod range;
mod rate;
mod recordings;
mod rules;
mod schema;
mod server;
mod streams;
mod tail;
mod tape;
mod tasks;
mod templates;
mod webhooks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use livetape_catalog::{Catalog, CatalogError};
use livetape_disk::Spool;
use livetape_finalize::{Counters, Retention, WallClock};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::AddressRange;
use crate::live::Live;
use crate::plans::Plans;
use crate::stores::Stores;
use crate::webhooks::Webhooks;
use auth::Guard;
use keyring::Keyring;

pub use client::Peer;

pub use feed::Feed;
pub use openapi::openapi_json;
pub use problem::{ParameterProblem, Problem};
pub use server::serve;
pub use tail::EventTail;

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    /// The index.
    pub catalog: Catalog,
    /// Where finished recordings are.
    pub stores: Stores,
    /// How long an address of an object is good for.
    pub url_lifetime: UrlLifetime,
    /// Where recordings grow.
    pub spool: Spool,
    /// What is live.
    pub live: Live,
    /// Which streams are recorded, and how.
    pub plans: Plans,
    /// Counts what became of recordings.
    pub tail: Arc<EventTail>,
    /// Who is told of events.
    pub webhooks: Webhooks,
    /// Tells of new events.
    pub feed: Feed,
    /// The calendar.
    pub wall: WallClock,
    /// What uploads and webhooks have done.
    pub counters: Arc<Counters>,
    /// Deletes what somebody asks for.
    pub retention: Retention,
    /// Cancelled when no new publish is accepted any more.
    pub draining: CancellationToken,
    /// Free space below which no recording begins.
    pub min_free_bytes: u64,
}

/// How long signed addresses of objects are good for, of each store.
#[derive(Clone, Copy, Debug)]
pub struct UrlLifetime {
    /// Of the first one.
    pub primary: Duration,
    /// Of the one to fall back to.
    pub fallback: Duration,
}

/// Who may ask, and how long it may take.
#[derive(Clone, Debug)]
pub struct Access {
    /// The tokens that open everything but the health checks.
    pub keyring: Keyring,
    /// Whether the recordings' files need no token.
    pub public_media: bool,
    /// What Tencent's older calls are signed with; empty: there are none.
    pub tencent_key: crate::config::Secret,
    /// How long the making of an answer may take.
    pub request_timeout: Duration,
    /// Origins whose pages may ask.
    pub cors_origins: Vec<String>,
    /// Proxies that are believed in `X-Forwarded-For`.
    pub trusted_proxies: Vec<AddressRange>,
    /// Requests a second, of each address and with each token; 0 is no limit.
    pub max_request_rate: u32,
    /// Wrong tokens a minute, of each address; 0 is no limit.
    pub max_failure_rate: u32,
}

/// The router of the whole HTTP side.
pub fn router(api: Api, access: &Access) -> Router {
    let guard = Guard::new(access);
    let guarded = Router::new()
        .route("/", get(front::front))
        .route("/openapi.json", get(openapi::openapi))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/streams", get(streams::list))
        .route("/v1/streams/{app}/{stream}", delete(streams::disconnect))
        .route("/v1/streams/{app}/{stream}/split", post(streams::split))
        .route("/v1/templates", get(templates::list))
        .route("/v1/templates/{name}", get(templates::one).put(templates::put).delete(templates::delete))
        .route("/v1/rules", get(rules::list))
        .route("/v1/rules/{name}", get(rules::one).put(rules::put).delete(rules::delete))
        .route("/v1/tasks", get(tasks::list).post(tasks::create))
        .route("/v1/tasks/{id}", get(tasks::one).delete(tasks::delete))
        .route("/v1/tasks/{id}/stop", post(tasks::stop))
        .route("/v1/tasks/{id}/pause", post(tasks::pause))
        .route("/v1/tasks/{id}/resume", post(tasks::resume))
        .route("/v1/recordings", get(recordings::list))
        .route("/v1/recordings/{id}", get(recordings::one).delete(recordings::delete))
        .route("/v1/recordings/{id}/report", get(recordings::report))
        .route("/v1/recordings/{id}/hold", put(holds::hold).delete(holds::release))
        .route("/v1/deletions", get(deletions::list).post(deletions::delete))
        .route("/v1/deletions/{id}", get(deletions::one))
        .route("/v1/events", get(events::list))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::one))
        .route("/v1/deliveries/{id}/redeliver", post(deliveries::redeliver))
        .route("/v1/webhooks", get(webhooks::list))
        .route("/v1/webhooks/{name}", get(webhooks::one).put(webhooks::put).delete(webhooks::delete))
        .route("/v1/webhooks/{name}/enable", post(webhooks::enable))
        .route("/v1/webhooks/{name}/redeliver", post(webhooks::redeliver));
    let open = Router::new().route("/healthz", get(health::healthz)).route("/readyz", get(health::readyz));
    let open = match access.tencent_key.is_empty() {
        true => open,
        false => {
            let tape = tape::Tape { api: api.clone(), key: access.tencent_key.clone() };
            let call = get(tape::common_access).with_state(tape);
            open.route("/common_access", call.layer(middleware::from_fn(changes::completed_whatever)))
        }
    };
    let media = Router::new().route("/media/{*key}", get(media::media));
    let (guarded, open) = if access.public_media { (guarded, open.merge(media)) } else { (guarded.merge(media), open) };
    let guarded = guarded
        .route_layer(middleware::from_fn(changes::completed))
        .route_layer(middleware::from_fn_with_state(guard.clone(), auth::require))
        .route_layer(middleware::from_fn_with_state(guard, auth::limit));
    let routes = wrap(guarded.merge(open).with_state(api), access.request_timeout);
    match cors::layer(&access.cors_origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

/// What every request passes through on its way in and out.
pub fn wrap(routes: Router, request_timeout: Duration) -> Router {
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(request_timeout, bound))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe))
}

async fn not_found() -> Problem {
    Problem::not_found("there is nothing at this path; /openapi.json describes what there is")
}

async fn method_not_allowed(method: Method) -> Problem {
    let method = if known_method(&method) == "other" { "this method" } else { method.as_str() }.to_owned();
    let detail = format!("{method} is not possible here; /openapi.json describes what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    crate::metrics::task_panicked("http");
    tracing::error!("a request ended by a fault of the program; the panic message above says where");
    Problem::internal().into_response()
}

/// Answers 503 when making the answer takes too long. Sending it may take longer.
async fn bound(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("timeout", "the answer took too long to make; try again").into_response(),
    }
}

/// Counts and logs the request, and adds the headers every answer bears.
async fn observe(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = known_method(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    let took = start.elapsed();
    crate::metrics::http_answered(route, method, status, took);
    tracing::debug!(method, route, status, ?took, "http");
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !route.starts_with("/media/") {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        );
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// A method's name, of a fixed set.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Calls of all requests that may wait for the disk at once. A request that is given up leaves its call
/// behind: with a disk that hangs there would be ever more of them.
static CALLS: Semaphore = Semaphore::const_new(64);

/// Runs a call that may wait for the disk on the blocking pool.
async fn off_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    // It is never closed.
    let place = CALLS.acquire().await.ok();
    tokio::task::spawn_blocking(move || {
        let result = call();
        drop(place);
        result
    })
    .await
}

/// Runs a call of the catalog on the blocking pool.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    call: impl FnOnce() -> Result<T, CatalogError> + Send + 'static,
) -> Result<T, Problem> {
    match off_thread(call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(CatalogError::Cursor(problem))) => Err(bad_parameter("cursor", &format!("the cursor {problem}"))),
        Ok(Err(CatalogError::Filter(problem))) => Err(bad_parameter("from", &problem)),
        Ok(Err(error)) => Err(problem::fault(what, &error)),
        Err(error) => Err(problem::fault(what, &error)),
    }
}

fn bad_parameter(parameter: &str, detail: &str) -> Problem {
    Problem::bad_parameters(vec![ParameterProblem { parameter: parameter.to_owned(), detail: detail.to_owned() }])
}

/// An answer in JSON.
fn json<T: serde::Serialize>(value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| problem::fault("writing JSON", &error))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}
