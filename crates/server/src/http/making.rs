//! What requests have in common that show and make what is called by a name: templates, rules, tasks, webhooks.

use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::query::named;
use super::{Problem, bad_parameter, body, json, problem as api_problem};
use crate::plans::PlanError;

/// The most of a request's body that is read.
const BODY_MAX_BYTES: usize = 64 << 10;

/// All there is, in one page.
#[derive(Serialize)]
struct Listed<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// All items.
pub(super) fn listed<T: Serialize>(items: impl Iterator<Item = T>) -> Result<Response, Problem> {
    json(&Listed { items: items.collect(), next_cursor: None })
}

/// Where something is changed.
pub(super) fn source(configured: bool) -> &'static str {
    if configured { "configuration" } else { "api" }
}

/// Something was made, or changed, and is shown like this.
pub(super) fn was_set(made: bool, shown: Response) -> Response {
    (if made { StatusCode::CREATED } else { StatusCode::OK }, shown).into_response()
}

/// The body of a request, as text.
pub(super) async fn body_of(body: Body) -> Result<String, Problem> {
    let body = body::read(body, BODY_MAX_BYTES).await?;
    String::from_utf8(body.into()).map_err(|_| bad_parameter("body", "it is not UTF-8"))
}

/// What the path of a request without parameters names.
pub(super) fn name_in(path: &RawPathParams, query: Option<&str>) -> Result<String, Problem> {
    named(path, query).map(shortened)
}

/// A name as it may be repeated.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(200).collect()
}

/// Why what is recorded was not changed, as the API says it.
pub(super) fn problem(error: &PlanError) -> Problem {
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, error.to_string());
    match error {
        PlanError::UnknownTemplate(_) | PlanError::UnknownRule(_) | PlanError::UnknownTask(_) => {
            Problem::not_found(error.to_string())
        }
        PlanError::Configured { .. } => conflict("configured"),
        PlanError::Needed { .. } => conflict("needed"),
        PlanError::Over(_) => conflict("over"),
        PlanError::TooMany(_) => conflict("too_many"),
        PlanError::Settings(problems) => Problem::bad_settings(problems),
        PlanError::Catalog(_) | PlanError::Stopped(_) => api_problem::fault("changing what is recorded", error),
    }
}
