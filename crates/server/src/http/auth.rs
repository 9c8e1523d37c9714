//! Who may do what: bearer tokens (RFC 6750), limits on how often, and a line in the log for whoever changes something.
//!
//! ```text
//! limit     requests of an address                     429
//! require   wrong tokens of an address, before theirs  429
//!           the token                                  401
//!           requests with the token                    429
//!           its scope                                  403
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use livetape_catalog::TokenScope;

use super::client::{client, counted};
use super::keyring::{Holder, Keyring};
use super::rate::Rate;
use super::{Access, Problem, known_method};
use crate::config::AddressRange;
use crate::metrics;

/// So many seconds' requests may come at once.
const BURST_SECONDS: u32 = 5;
/// Bytes of a path that are logged.
const PATH_MAX_BYTES: usize = 300;

/// What stands before the API. Cheap to clone.
#[derive(Clone)]
pub(super) struct Guard(Arc<Inner>);

struct Inner {
    keyring: Keyring,
    proxies: Vec<AddressRange>,
    requests: Rate<IpAddr>,
    failures: Rate<IpAddr>,
    /// By the token's name.
    uses: Rate<Arc<str>>,
}

/// Whose request it is.
#[derive(Clone, Copy)]
struct Client(IpAddr);

impl Guard {
    pub(super) fn new(access: &Access) -> Self {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let (requests, failures) = (access.max_request_rate, access.max_failure_rate);
        Self(Arc::new(Inner {
            keyring: access.keyring.clone(),
            proxies: access.trusted_proxies.clone(),
            requests: Rate::new(requests, second, requests.saturating_mul(BURST_SECONDS)),
            failures: Rate::new(failures, minute, failures),
            uses: Rate::new(requests, second, requests.saturating_mul(BURST_SECONDS)),
        }))
    }

    /// Who may pass with these headers, from `address`: the token's holder, or nobody in particular where everybody may.
    fn admit(
        &self,
        headers: &HeaderMap,
        method: &Method,
        address: IpAddr,
    ) -> Result<Option<Holder>, (Refusal, String)> {
        let Inner { keyring, failures, uses, .. } = &*self.0;
        if keyring.is_open() {
            return Ok(None);
        }
        let (from, now) = (counted(address), Instant::now());
        let nobody = || "unknown".to_owned();
        if let Some(wait) = failures.wait(&from, now) {
            return Err((Refusal::Failures(wait), nobody()));
        }
        // Whoever brings none has not guessed one.
        let Some(token) = bearer(headers) else { return Err((Refusal::Unauthorized, "none".to_owned())) };
        let Some(holder) = keyring.find(token) else {
            failures.count(from, now);
            return Err((Refusal::Unauthorized, nobody()));
        };
        let refused = |refusal| Err((refusal, holder.name.to_string()));
        if let Err(wait) = uses.take(holder.name.clone(), now) {
            return refused(Refusal::Requests(wait));
        }
        if holder.scope == TokenScope::Read && !method.is_safe() {
            return refused(Refusal::Forbidden);
        }
        Ok(Some(holder))
    }
}

/// Why a request is not answered with what it asks for.
enum Refusal {
    Unauthorized,
    Forbidden,
    Requests(Duration),
    Failures(Duration),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, detail, wait) = match self {
            Self::Unauthorized => {
                let detail = "this needs the header 'Authorization: Bearer TOKEN' with one of the configured tokens, or \
                              one that `livetape token create` made";
                (StatusCode::UNAUTHORIZED, "unauthorized", detail, None)
            }
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "this token may read and not change anything", None)
            }
            Self::Requests(wait) => {
                let detail = "too many requests; try again after the time in Retry-After (http.max_request_rate)";
                (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail, Some(wait))
            }
            Self::Failures(wait) => {
                let detail = "too many wrong tokens came from this address; try again after the time in Retry-After \
                              (http.max_failure_rate)";
                (StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail, Some(wait))
            }
        };
        metrics::http_denied(code);
        let mut response = Problem::new(status, code, detail).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"livetape\""));
        }
        if let Some(wait) = wait {
            let seconds = wait.as_millis().div_ceil(1_000);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        }
        response
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Lets so many requests of an address pass.
pub(super) async fn limit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let address = client(&request, &guard.0.proxies);
    if let Err(wait) = guard.0.requests.take(counted(address), Instant::now()) {
        return Refusal::Requests(wait).into_response();
    }
    request.extensions_mut().insert(Client(address));
    next.run(request).await
}

/// Lets requests pass that carry a token good for them, and logs what changes something.
pub(super) async fn require(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let address = match request.extensions().get::<Client>() {
        Some(Client(address)) => *address,
        None => client(&request, &guard.0.proxies),
    };
    let method = request.method().clone();
    let admitted = guard.admit(request.headers(), &method, address);
    let changes = (!method.is_safe()).then(|| shown(request.uri().path()));
    let (response, token) = match admitted {
        Ok(holder) => {
            let name = holder.as_ref().map_or("none".to_owned(), |holder| holder.name.to_string());
            if let Some(holder) = holder {
                request.extensions_mut().insert(holder);
            }
            (next.run(request).await, name)
        }
        Err((refusal, token)) => (refusal.into_response(), token),
    };
    if let Some(path) = changes {
        let (method, status) = (known_method(&method), response.status().as_u16());
        tracing::info!(target: "audit", token, %address, method, path, status, "API write");
    }
    response
}

/// The beginning of a path. It is of visible ASCII characters.
fn shown(path: &str) -> String {
    path.chars().take(PATH_MAX_BYTES).collect()
}
