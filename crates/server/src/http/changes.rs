//! Requests that change something run to their end.
//!
//! A change is made in the index and then put in force. Whoever asked may go in between, or be told that it takes
//! too long: what the index says would be in force after the next start only.

use std::panic::resume_unwind;

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::problem;

/// Changes that may be under way at once. Those that nobody waits for any more are among them.
static PLACES: Semaphore = Semaphore::const_new(64);

/// Runs a request to its end, unless it only reads.
pub(super) async fn completed(request: Request, next: Next) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => next.run(request).await,
        _ => completed_whatever(request, next).await,
    }
}

/// Runs a request to its end.
pub(super) async fn completed_whatever(request: Request, next: Next) -> Response {
    // It is never closed.
    let place = PLACES.acquire().await.ok();
    let running = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(place);
        response
    });
    match running.await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(stopped) => problem::fault("making a change", &stopped).into_response(),
        },
    }
}
