//! `GET /metrics`: everything that is counted, as Prometheus reads it.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use livetape_catalog::{Catalog, CatalogError, RecordingState};
use livetape_media::WallTime;

use super::{Api, Problem, blocking, problem};
use crate::ingest::Clock;
use crate::metrics as meters;

/// Metrics in Prometheus's text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let (catalog, tail, spool) = (api.catalog.clone(), api.tail.clone(), api.spool.clone());
    let live = api.live.clone();
    meters::oldest_unsynced(live.oldest_unsynced());
    let now = Clock::default().now().wall;
    let space = blocking("counting for metrics", move || {
        tail.catch_up(&catalog, &live)?;
        let open = live.oldest_open();
        count(&catalog, open, now)?;
        Ok(spool.space())
    });
    match space.await? {
        Ok(space) => meters::disk_space(space.free_bytes, space.total_bytes, api.live.growth()),
        Err(error) => {
            // The other numbers are still worth having.
            problem::fault("looking at the disk", &error);
        }
    }
    let counters = api.counters.snapshot();
    for (trouble, count) in counters.retries {
        meters::upload_retries(trouble.name(), count);
    }
    meters::uploads(counters.uploads);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], meters::render()).into_response())
}

fn count(catalog: &Catalog, open: Option<WallTime>, now: WallTime) -> Result<(), CatalogError> {
    let counts = catalog.counts()?;
    for state in RecordingState::ALL {
        let count = counts.recordings.get(&state).copied().unwrap_or(0);
        meters::recordings_in_state(state.name(), count);
    }
    meters::stored(counts.stored_bytes, counts.held_bytes);
    meters::oldest_not_ready(counts.oldest_not_ready.map_or(Duration::ZERO, |since| age(since, now)));
    let unstored = [open, counts.oldest_not_ready].into_iter().flatten().min();
    meters::unstored(unstored.map_or(Duration::ZERO, |since| age(since, now)), counts.not_ready_bytes);
    for endpoint in counts.endpoints {
        let oldest = endpoint.oldest_pending.map_or(Duration::ZERO, |since| age(since, now));
        meters::deliveries_pending(&endpoint.id, endpoint.pending, oldest, endpoint.disabled.is_some());
    }
    Ok(())
}

fn age(since: WallTime, now: WallTime) -> Duration {
    let millis = now.as_unix_millis().saturating_sub(since.as_unix_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
