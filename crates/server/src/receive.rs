//! `livetape receive`: a receiver of webhooks that verifies their signatures and prints them. For
//! trying things out, and as the example of what a receiver must do.
//!
//! Contract (Standard Webhooks 1.0): the signature is HMAC-SHA256 over `ID.TIMESTAMP.BODY`; any one
//! of the space-separated signatures may match; a timestamp more than five minutes off is refused,
//! so that a recorded request cannot be sent again later. What does not verify is answered 401.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use livetape_finalize::signature::{self, Signed};
use livetape_media::WallTime;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Secret;
use crate::http;
use crate::ingest::Clock;

/// Connections at once.
const MAX_CONNECTIONS: usize = 100;
/// How long a request's head may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest body taken.
const MAX_BODY_BYTES: usize = 1 << 20;
/// How many ids are remembered to tell repeats.
const REMEMBERED_IDS: usize = 10_000;

/// Checks the signature of a delivery; its id.
///
/// # Errors
/// Why it must not be trusted.
fn check(secret: &signature::Secret, headers: &HeaderMap, body: &[u8], now: WallTime) -> Result<String, String> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| format!("the header {name} is missing or unreadable"))
    };
    let signed = Signed {
        id: header(signature::ID_HEADER)?,
        timestamp: header(signature::TIMESTAMP_HEADER)?,
        signature: header(signature::SIGNATURE_HEADER)?,
    };
    match signature::verify(std::slice::from_ref(secret), signed, body, now, signature::TOLERANCE) {
        Ok(()) => Ok(signed.id.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

struct Receiver {
    secret: signature::Secret,
    /// Print bodies as they are, one a line.
    raw: bool,
    seen: Mutex<VecDeque<String>>,
}

/// Receives on `listener` until `shutdown`, printing each delivery to standard output.
///
/// # Errors
/// When the secret is not one, or accepting fails for good.
pub async fn run(
    listener: TcpListener,
    secret: &Secret,
    raw: bool,
    shutdown: CancellationToken,
) -> Result<(), anyhow::Error> {
    let receiver = Arc::new(Receiver { secret: secret.reveal().parse()?, raw, seen: Mutex::default() });
    let address = listener.local_addr()?;
    if raw {
        println!("{{\"listening\":\"http://{address}/\"}}");
    } else {
        println!("waiting for webhooks on http://{address}/");
    }
    let router = Router::new().fallback(receive).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(receiver);
    http::serve(listener, router, MAX_CONNECTIONS, REQUEST_TIMEOUT, shutdown).await;
    Ok(())
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = Clock::default().now().wall;
    let (status, line) = match check(&receiver.secret, &headers, &body, now) {
        Ok(id) => {
            let repeated = receiver.repeated(&id);
            let line = if receiver.raw { one_line(&body) } else { describe(&id, &body, repeated) };
            (StatusCode::NO_CONTENT, line)
        }
        Err(error) => {
            let line = if receiver.raw { String::new() } else { format!("REFUSED  {error}") };
            (StatusCode::UNAUTHORIZED, line)
        }
    };
    // A delivery that could not be printed has not been received.
    if !line.is_empty() && writeln!(std::io::stdout(), "{line}").is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    status
}

impl Receiver {
    /// Whether `id` was seen before; remembers it.
    fn repeated(&self, id: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().any(|known| known == id) {
            return true;
        }
        if seen.len() == REMEMBERED_IDS {
            seen.pop_front();
        }
        seen.push_back(id.to_owned());
        false
    }
}

fn one_line(body: &[u8]) -> String {
    String::from_utf8_lossy(body).replace(['\n', '\r'], " ")
}

/// One line for people. Text from the body is escaped, so that no name can drive the terminal.
fn describe(id: &str, body: &[u8], repeated: bool) -> String {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer: &str| match event.pointer(pointer) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.escape_debug().to_string(),
        Some(other) => other.to_string(),
    };
    let mark = if repeated { "repeated" } else { "verified" };
    let mut line = format!("{mark} {:<19}  {}/{}", text("/type"), text("/data/app"), text("/data/stream"));
    for (name, pointer) in [
        ("format", "/data/format"),
        ("ms", "/data/duration_ms"),
        ("bytes", "/data/size_bytes"),
        ("reason", "/data/end_reason"),
        ("kind", "/data/kind"),
        ("detail", "/data/detail"),
        ("url", "/data/url"),
    ] {
        let value = text(pointer);
        if !value.is_empty() {
            line.push_str(&format!("  {name}={value}"));
        }
    }
    line.push_str(&format!("  {}", id.escape_debug()));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"id":"evt_1","type":"recording.ready","data":{"app":"live","stream":"\u001b[31mcam","format":"mp4"}}"#;

    fn secret(text: &str) -> signature::Secret {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_signed_is_believed_and_nothing_else() {
        let ours = secret("sixteen bytes or more");
        let now = WallTime::from_unix_millis(1_795_381_620_000);
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert("webhook-timestamp", "1795381620".parse().unwrap());
        let signature = signature::sign(std::slice::from_ref(&ours), "evt_1", 1_795_381_620, BODY);
        headers.insert("webhook-signature", signature.parse().unwrap());
        assert_eq!(check(&ours, &headers, BODY, now).as_deref(), Ok("evt_1"));
        assert!(check(&secret("another secret of enough"), &headers, BODY, now).is_err());
        assert!(check(&ours, &headers, b"{}", now).is_err());
        assert!(check(&ours, &headers, BODY, now.plus_millis(301_000)).is_err());
        headers.remove("webhook-signature");
        assert!(check(&ours, &headers, BODY, now).unwrap_err().contains("webhook-signature"));
    }

    #[test]
    fn a_printed_line_holds_no_control_characters() {
        let line = describe("evt_1", BODY, false);
        assert!(line.starts_with("verified recording.ready"), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    #[test]
    fn a_repeated_id_is_told_and_memory_is_bounded() {
        let receiver = Receiver { secret: secret("sixteen bytes or more"), raw: false, seen: Mutex::default() };
        assert!(!receiver.repeated("evt_1"));
        assert!(receiver.repeated("evt_1"));
        for n in 0..REMEMBERED_IDS {
            receiver.repeated(&format!("evt_other_{n}"));
        }
        assert_eq!(receiver.seen.lock().unwrap().len(), REMEMBERED_IDS);
    }
}
