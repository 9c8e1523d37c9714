//! Bearer tokens (RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::{Choice, ConstantTimeEq};

use super::Problem;
use crate::config::Secret;

/// The tokens that open the API. Without any, everybody may.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<[Secret]>);

impl Tokens {
    /// Any of `tokens` opens the API.
    pub(super) fn new(tokens: &[Secret]) -> Self {
        Self(tokens.into())
    }

    /// Whether a request with these headers may pass. Takes the same time for every wrong token
    /// of one length.
    fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(given) = bearer(headers) else { return false };
        let mut good = Choice::from(0);
        for token in self.0.iter() {
            good |= given.as_bytes().ct_eq(token.reveal().as_bytes());
        }
        good.into()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets requests pass that carry a good token.
pub(super) async fn require(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    if tokens.admit(request.headers()) {
        return next.run(request).await;
    }
    let detail = "this needs the header 'Authorization: Bearer TOKEN' with one of the configured tokens";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"livetape\""));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(tokens: &[&str], authorization: Option<&str>) -> bool {
        let tokens: Vec<Secret> = tokens.iter().map(|token| Secret::new(token)).collect();
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        Tokens::new(&tokens).admit(&headers)
    }

    #[test]
    fn any_configured_token_opens_and_nothing_else_does() {
        assert!(admit(&[], None));
        assert!(admit(&["one", "two"], Some("Bearer one")));
        assert!(admit(&["one", "two"], Some("bearer two")));
        for bad in [None, Some("Bearer"), Some("Bearer "), Some("Bearer on"), Some("Bearer onetwo"), Some("Basic one")]
        {
            assert!(!admit(&["one", "two"], bad), "{bad:?}");
        }
    }
}
