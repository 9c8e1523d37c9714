//! Which pages of other origins may ask (CORS).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what is allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Lets pages of `origins` ask, of all when one of them is `*`; `None` when there are none. Tokens are no cookies: a page
/// has to know one.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = match origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let asked = [header::AUTHORIZATION, header::CONTENT_TYPE, header::RANGE, HeaderName::from_static("last-event-id")];
    let answered = [header::CONTENT_RANGE, header::ACCEPT_RANGES, header::ETAG, header::RETRY_AFTER, header::LOCATION];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers(asked)
            .expose_headers(answered)
            .max_age(MAX_AGE),
    )
}
