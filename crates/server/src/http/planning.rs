//! What requests about templates, rules and tasks have in common.

use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::StatusCode;

use super::problem::{self as api_problem, ParameterProblem};
use super::query::named;
use super::{Problem, bad_parameter, body};
use crate::plans::PlanError;

/// The most of a request's body that is read.
const BODY_MAX_BYTES: usize = 64 << 10;

/// The body of a request, as text.
pub(super) async fn body_of(body: Body) -> Result<String, Problem> {
    let body = body::read(body, BODY_MAX_BYTES).await?;
    String::from_utf8(body.into()).map_err(|_| bad_parameter("body", "it is not UTF-8"))
}

/// What the path of a request without parameters names.
pub(super) fn name_in(path: &RawPathParams, query: Option<&str>) -> Result<String, Problem> {
    named(path, query).map(|name| name.chars().take(200).collect())
}

/// An error as the API says it.
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
        PlanError::Settings(problems) => Problem::bad_parameters(
            problems
                .iter()
                .map(|one| ParameterProblem { parameter: one.setting.to_owned(), detail: one.message.clone() })
                .collect(),
        ),
        PlanError::Catalog(_) | PlanError::Stopped(_) => api_problem::fault("changing what is recorded", error),
    }
}
