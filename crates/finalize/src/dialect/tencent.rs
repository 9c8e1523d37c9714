//! The callbacks of Tencent's live service.
//!
//! `sign` is the lower-case hexadecimal MD5 of the key and `t`, and `t` is ten minutes after the attempt, so that
//! every attempt is fresh. It says nothing of the body: who has seen one can forge others for ten minutes.
//!
//! ```text
//! 1, 0   a push began, is over
//! 100    a recording's file is ready
//! 332    a recording's state
//! 341    something is wrong with a recording
//! ```

mod exception;
mod file;
mod push;
mod status;

use std::fmt;
use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::Message;
use super::envelope::Envelope;

/// How long a callback is good for, in seconds after its attempt.
const GOOD_FOR_S: i64 = 600;

/// An endpoint's settings.
#[derive(Clone, Default)]
pub struct Tencent {
    /// The callback key; empty: callbacks bear no `t` and no `sign`.
    pub key: String,
    /// The account: `appid`.
    pub app_id: u64,
    /// Whether a ready file is told of with the fields of 2017 alone; then there are no other callbacks of
    /// recordings, and an answer's `code` counts.
    pub legacy_fields: bool,
    /// Whether `t` is text instead of a number.
    pub text_time: bool,
}

impl fmt::Debug for Tencent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tencent").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl Tencent {
    pub(super) fn message(&self, event: &Envelope, now: i64) -> Result<Option<Message>, serde_json::Error> {
        let body = match event.kind.as_str() {
            "stream.started" | "stream.ended" => Some(push::body(self, event)),
            "recording.ready" if self.legacy_fields => Some(file::legacy_body(self, event)),
            "recording.ready" => Some(file::body(self, event)?),
            _ if self.legacy_fields => None,
            _ => status::body(self, event)?.or_else(|| exception::body(self, event)),
        };
        let Some(mut body) = body else { return Ok(None) };
        self.sign(&mut body, now);
        Ok(Some(Message::json(serde_json::to_vec(&body)?)))
    }

    fn sign(&self, body: &mut Map<String, Value>, now: i64) {
        if self.key.is_empty() {
            return;
        }
        let t = now.saturating_add(GOOD_FOR_S);
        body.insert("sign".to_owned(), signature(&self.key, &t.to_string()).into());
        body.insert("t".to_owned(), if self.text_time { json!(t.to_string()) } else { json!(t) });
    }

    /// Of an answer with status 200.
    pub(super) fn accepts(&self, answer: &[u8]) -> Result<(), String> {
        if !self.legacy_fields {
            return Ok(());
        }
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        match answer.get("code") {
            Some(code) if code.as_i64() != Some(0) => Err(format!("the answer's code is {code}")),
            _ => Ok(()),
        }
    }
}

/// MD5 of the key and the text of the time, in lower-case hexadecimal digits.
pub fn signature(key: &str, t: &str) -> String {
    let mut text = String::with_capacity(32);
    for byte in Md5::digest(format!("{key}{t}")) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The members of an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Whole seconds since 1970, and the microseconds beyond.
fn split(time: Option<livetape_media::WallTime>) -> (i64, i64) {
    let millis = time.map_or(0, livetape_media::WallTime::as_unix_millis);
    (millis.div_euclid(1000), millis.rem_euclid(1000) * 1000)
}
