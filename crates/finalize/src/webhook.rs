//! Events by HTTP POST, in the words of the endpoint's [`crate::dialect`], signed as Standard Webhooks 1.0 says.
//!
//! Delivered means an answer that the dialect accepts, 2xx by default, and nothing else: no redirect is followed, no proxy is asked, no
//! cookie kept. 410 ends the subscription. An attempt is bounded in time (10 s, 5 s of them to connect)
//! and reads at most 64 KiB of the answer. Neither the path of a receiver's URL nor its secrets
//! ever reach a log or a row.

mod address;
mod connect;
mod question;
mod receiver_url;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

pub use address::{AddressPolicy, AddressRange, RangeError};
pub use receiver_url::{ReceiverUrl, UrlError};

use self::connect::Connector;
use crate::dialect::{Dialect, Message};
use crate::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, sign};
use crate::sink::{Delivering, Event, EventSink, Outcome};

/// How much of an answer is read, so that the connection can be used again.
const ANSWER_MAX_BYTES: usize = 64 << 10;
/// How much of an answer is kept for people to read.
const ANSWER_HEAD_BYTES: usize = 1 << 10;
/// Idle connections are given up after this long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How receivers are called.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Which addresses may be called.
    pub policy: AddressPolicy,
    /// Whether any receiver is `https`: then the system's certificate authorities are read.
    pub https: bool,
    /// Certificate authorities to believe besides the system's, as PEM.
    pub extra_authorities: Option<Vec<u8>>,
    /// How long resolving a name and connecting may take together.
    pub connect_timeout: Duration,
    /// How long an attempt may take in all, answer included.
    pub attempt_timeout: Duration,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            policy: AddressPolicy::default(),
            https: false,
            extra_authorities: None,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(10),
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is nothing to check `https` receivers against.
    #[error(
        "no certificate authorities were found on this system, so https receivers cannot be checked: {0}; install ca-certificates or set SSL_CERT_FILE"
    )]
    NoAuthorities(String),
    /// The extra certificate authorities are not PEM, or hold none.
    #[error("the extra certificate authorities cannot be used: {0}")]
    ExtraAuthorities(String),
    /// The TLS library refuses its settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The HTTP client all webhooks share. Cheap to clone.
#[derive(Clone)]
pub struct WebhookClient {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    attempt_timeout: Duration,
}

impl WebhookClient {
    /// A client. Reads the system's certificate authorities: call it while starting.
    ///
    /// # Errors
    /// When `https` is wanted and no authorities are there, or the extra ones are not PEM.
    pub fn new(options: WebhookOptions) -> Result<Self, WebhookError> {
        let WebhookOptions { policy, https, extra_authorities, connect_timeout, attempt_timeout } = options;
        let mut roots = RootCertStore::empty();
        if let Some(pem) = &extra_authorities {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| WebhookError::ExtraAuthorities(error.to_string()))?;
                roots.add(certificate).map_err(|error| WebhookError::ExtraAuthorities(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(WebhookError::ExtraAuthorities("there is no certificate in them".into()));
            }
        }
        if https {
            let system = rustls_native_certs::load_native_certs();
            // Systems carry a few authorities that do not parse; those are of no use to anybody.
            roots.add_parsable_certificates(system.certs);
            if roots.is_empty() {
                let problems: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
                return Err(WebhookError::NoAuthorities(problems.join("; ")));
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector { policy, connect_timeout });
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(4)
            .build(connector);
        Ok(Self { client, attempt_timeout })
    }
}

/// One receiver.
pub struct Webhook {
    client: WebhookClient,
    url: ReceiverUrl,
    secrets: Vec<Secret>,
    dialect: Dialect,
}

impl Webhook {
    /// Events go to `url`, signed with each of `secrets` (unsigned when there are none).
    pub fn new(client: WebhookClient, url: ReceiverUrl, secrets: Vec<Secret>) -> Self {
        Self { client, url, secrets, dialect: Dialect::Native }
    }

    /// The same, in these words.
    #[must_use]
    pub fn speaking(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    fn request(
        &self,
        event: &Event,
        message: Message,
        timestamp: i64,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let Message { content_type, body } = message;
        let mut request = Request::post(self.url.uri())
            .header(CONTENT_TYPE, content_type)
            .header(USER_AGENT, concat!("livetape/", env!("CARGO_PKG_VERSION")))
            .header(ID_HEADER, &event.id)
            .header(TIMESTAMP_HEADER, timestamp);
        if !self.secrets.is_empty() {
            request = request.header(SIGNATURE_HEADER, sign(&self.secrets, &event.id, timestamp, &body));
        }
        request.body(Full::new(body))
    }

    async fn attempt(&self, event: &Event) -> Outcome {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let timestamp = i64::try_from(now).unwrap_or(i64::MAX);
        let message = match self.dialect.message(event, timestamp) {
            Ok(Some(message)) => message,
            Ok(None) => return Outcome::Filtered,
            Err(error) => return failed(error.to_string()),
        };
        let request = match self.request(event, message, timestamp) {
            Ok(request) => request,
            Err(error) => return failed(format!("the request could not be made: {error}")),
        };
        match self.client.client.request(request).await {
            Ok(response) => judge(&self.dialect, response, now).await,
            Err(error) => failed(causes(&error)),
        }
    }
}

impl EventSink for Webhook {
    fn describe(&self) -> String {
        self.url.to_string()
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        Box::pin(async move {
            let limit = self.client.attempt_timeout;
            tokio::time::timeout(limit, self.attempt(event))
                .await
                .unwrap_or_else(|_| failed(format!("no whole answer within {limit:?}")))
        })
    }
}

/// What an answer means.
async fn judge(dialect: &Dialect, response: Response<hyper::body::Incoming>, now: u64) -> Outcome {
    let status = response.status();
    let retry_after = retry_after(response.headers(), now);
    let body = read_body(response.into_body()).await;
    let head = head_of(&body);
    let refusal = match dialect.accepts(status.as_u16(), &body) {
        Ok(()) => return Outcome::Delivered { status: status.as_u16(), answer: head },
        Err(refusal) => refusal,
    };
    if status == StatusCode::GONE {
        return Outcome::Gone;
    }
    if status.is_success() {
        return Outcome::Failed { status: Some(status.as_u16()), error: refusal, answer: head, retry_after };
    }
    let note = if status.is_redirection() { " (redirects are not followed: configure the final URL)" } else { "" };
    let separator = if head.is_empty() { "" } else { ": " };
    Outcome::Failed {
        status: Some(status.as_u16()),
        error: format!("HTTP {status}{note}{separator}{head}"),
        answer: head,
        retry_after,
    }
}

/// Reads a bounded part of the answer.
async fn read_body(mut body: hyper::body::Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    // What cannot be read of the rest counts as not there.
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        read.extend(data.iter().take(ANSWER_MAX_BYTES - read.len()));
        if read.len() >= ANSWER_MAX_BYTES {
            break;
        }
    }
    read
}

/// The beginning of an answer as printable text.
fn head_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..ANSWER_HEAD_BYTES).unwrap_or(body));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(text)?;
    Some(Duration::from_secs(at.saturating_sub(now)))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7; the one form that may
/// still be sent).
fn http_date(text: &str) -> Option<u64> {
    let mut words = text.split(' ').skip(1);
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = 1 + months.iter().position(|name| *name == month)?;
    let time: livetape_media::WallTime = format!("{year}-{month:02}-{day}T{clock}Z").parse().ok()?;
    u64::try_from(time.as_unix_millis() / 1000).ok()
}

fn failed(error: String) -> Outcome {
    Outcome::Failed { status: None, error, answer: String::new(), retry_after: None }
}

/// An error with what is behind it: the outermost says only that something failed.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, 784_111_770).map(|wait| wait.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(read("Sun, 06 Nov 1992 08:49:37 GMT"), Some(0), "in the past");
        for bad in ["", "-1", "soon", "Sun, 06 Foo 1994 08:49:37 GMT", "1.5", "Sun, 06 Nov 1994 99:49:37 GMT"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn extra_authorities_must_hold_a_certificate() {
        for pem in [&b""[..], b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let options = WebhookOptions { extra_authorities: Some(pem.to_vec()), ..WebhookOptions::default() };
            let error = WebhookClient::new(options).err().unwrap();
            assert!(matches!(error, WebhookError::ExtraAuthorities(_)), "{error}");
        }
    }
}
