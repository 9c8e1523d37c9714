//! `GET /`: what this is.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A few lines for whoever opens the address in a browser.
const TEXT: &str = concat!(
    "Livetape ",
    env!("CARGO_PKG_VERSION"),
    "\n\n\
     Records live streams: push RTMP, get MP4, HLS and FLV.\n\n\
     /v1/streams      what is live\n\
     /v1/recordings   what has been recorded\n\
     /v1/events       what has been announced\n\
     /media/...       the recordings\n\
     /metrics         for Prometheus\n\
     /healthz /readyz\n\
     /openapi.json    all of this, described\n"
);

pub(super) async fn front() -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], TEXT).into_response()
}
