//! `GET /openapi.json`: the API, described. `docs/openapi.json` is the same; a test holds it.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    deletions, deliveries, events, health, holds, media, metrics, problem, recordings, rules, schema, streams, tape,
    tasks, templates, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Livetape",
        description = "Records live streams: push RTMP, get MP4, HLS and FLV.\n\nErrors are `application/problem+json` (RFC 9457). Times are RFC 3339 in UTC. When there are tokens, requests carry `Authorization: Bearer TOKEN`, except to `/healthz` and `/readyz`.",
    ),
    paths(
        streams::list,
        streams::disconnect,
        streams::split,
        templates::list,
        templates::one,
        templates::put,
        templates::delete,
        rules::list,
        rules::one,
        rules::put,
        rules::delete,
        tasks::list,
        tasks::create,
        tasks::one,
        tasks::stop,
        tasks::pause,
        tasks::resume,
        tasks::delete,
        recordings::list,
        recordings::one,
        recordings::report,
        recordings::delete,
        holds::hold,
        holds::release,
        deletions::delete,
        deletions::list,
        deletions::one,
        events::list,
        deliveries::list,
        deliveries::one,
        deliveries::redeliver,
        webhooks::list,
        webhooks::one,
        webhooks::put,
        webhooks::delete,
        webhooks::enable,
        webhooks::redeliver,
        tape::common_access,
        media::media,
        health::healthz,
        health::readyz,
        metrics::metrics
    ),
    components(schemas(
        schema::Recording,
        schema::Stream,
        schema::Event,
        problem::Problem,
        problem::ParameterProblem
    )),
    security((), ("bearer" = [])),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        if let Some(components) = openapi.components.as_mut() {
            components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        }
        for (path, item) in &mut openapi.paths.paths {
            if path == "/healthz" || path == "/readyz" {
                continue;
            }
            let reads = [&mut item.get, &mut item.head];
            for operation in reads.into_iter().flatten() {
                refusals(operation, &READ_REFUSALS);
            }
            for operation in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
                refusals(operation, &READ_REFUSALS);
                refusals(operation, &[("403", "The token may read and not change anything")]);
            }
        }
    }
}

const READ_REFUSALS: [(&str, &str); 2] = [
    ("401", "There are tokens, and the request carries none that is good"),
    ("429", "Too many requests, or too many wrong tokens; `Retry-After` says how long to wait"),
];

/// Adds how the API's guard may answer.
fn refusals(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, description) in refusals {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(*description).content(problem::PROBLEM_JSON, content);
        operation.responses.responses.insert((*status).to_owned(), response.build().into());
    }
}

/// The description, as it is served and committed.
pub fn openapi_json() -> String {
    let mut text = Description::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

pub(super) async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], openapi_json()).into_response()
}
