//! `GET /healthz`, `GET /readyz`: for supervisors and load balancers. They need no token.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use super::{Api, Problem, json, off_thread, problem, schema};

/// How long the disk may take to tell how much space there is.
const DISK_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the process lives: it answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    security(()),
    responses((status = 200, description = "The process lives", body = schema::Health))
)]
pub(super) async fn healthz() -> Result<Response, Problem> {
    json(&schema::Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Whether new publishers should be sent here.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "Publishers are welcome", body = schema::Readiness),
        (status = 503, description = "It stops, or the disk is low", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn readyz(State(api): State<Api>) -> Result<Response, Problem> {
    if api.draining.is_cancelled() {
        return Err(Problem::unavailable("draining", "the recorder is stopping"));
    }
    let spool = api.spool.clone();
    let look = off_thread(move || spool.space());
    let space = match tokio::time::timeout(DISK_TIMEOUT, look).await {
        Err(_) => {
            let detail = format!("the disk has not answered for {} s", DISK_TIMEOUT.as_secs());
            return Err(Problem::unavailable("disk", detail));
        }
        Ok(Ok(Ok(space))) => space,
        Ok(Ok(Err(error))) => {
            problem::fault("looking at the disk", &error);
            return Err(Problem::unavailable("disk", "the disk cannot be looked at; the log says why"));
        }
        Ok(Err(error)) => return Err(problem::fault("looking at the disk", &error)),
    };
    let min = api.min_free_bytes;
    if space.free_bytes < min {
        let detail = format!("{} bytes are free, {min} are wanted (record.min_free)", space.free_bytes);
        return Err(Problem::unavailable("disk_low", detail));
    }
    json(&schema::Readiness {
        status: "ready".to_owned(),
        streams: api.live.count() as u64,
        disk_free_bytes: space.free_bytes,
    })
}
