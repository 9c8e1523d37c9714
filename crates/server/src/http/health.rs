//! `GET /healthz`, `GET /readyz`: for supervisors and load balancers. They need no token.

use axum::extract::State;
use axum::response::Response;

use super::{Api, Problem, json, problem, schema};

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
    let space = match tokio::task::spawn_blocking(move || spool.space()).await {
        Ok(Ok(space)) => space,
        Ok(Err(error)) => {
            problem::fault("looking at the disk", &error);
            return Err(Problem::unavailable("disk", "the disk cannot be looked at; the log says why"));
        }
        Err(error) => return Err(problem::fault("looking at the disk", &error)),
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
