//! Reading what comes with a request.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;

use super::Problem;

/// The whole body of a request, of so many bytes at most.
///
/// # Errors
/// When it has more, or does not arrive.
pub(super) async fn read(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    to_bytes(body, max_bytes).await.map_err(|_| {
        let detail = format!("the body has more than {max_bytes} bytes, or did not arrive");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    })
}
