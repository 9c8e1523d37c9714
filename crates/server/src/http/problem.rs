//! Errors of the API: `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::SettingProblem;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is; `about:blank`: what `status` says.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The meaning of `status`.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened, to what, and what to do.
    pub detail: String,
    /// A word for programs: `not_found`, `bad_parameter` ...
    pub code: &'static str,
    /// With the code `pruned`: the `after` to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<i64>,
    /// What is wrong with the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ParameterProblem>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParameterProblem {
    /// The parameter.
    pub parameter: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            next_after: None,
            errors: Vec::new(),
        }
    }

    /// 404: there is no `what`.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// 400: these parameters are wrong.
    pub fn bad_parameters(errors: Vec<ParameterProblem>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.parameter.as_str()).collect();
        let detail = format!("wrong parameters: {}", names.join(", "));
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "bad_parameter", detail) }
    }

    /// The same of settings that were sent.
    pub fn bad_settings(problems: &[SettingProblem]) -> Self {
        let told =
            |one: &SettingProblem| ParameterProblem { parameter: one.setting.to_owned(), detail: one.message.clone() };
        Self::bad_parameters(problems.iter().map(told).collect())
    }

    /// 500: our own fault, described in the log only.
    pub fn internal() -> Self {
        let detail = "the request failed by a fault of the server; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503: not now.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (status, headers, body).into_response()
    }
}

/// A handler's failure: a fault of ours, logged here, said to the client without detail.
pub(super) fn fault(what: &'static str, error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "{what}");
    Problem::internal()
}
