//! The seam: where events go.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

/// One attempt to deliver an event, under way.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// An event as a receiver gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, the same on every attempt and after every crash.
    pub id: String,
    /// `recording.ready`, `stream.started` ...
    pub kind: String,
    /// JSON: `{id, type, timestamp, data}`.
    pub body: Bytes,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered {
        /// HTTP status, 2xx.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// The receiver does not have it, as far as we know.
    Failed {
        /// HTTP status, if there was one.
        status: Option<u16>,
        /// What happened; never holds a secret. Part of the receiver's answer where there is one.
        error: String,
        /// The beginning of its answer.
        answer: String,
        /// How long the receiver asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The receiver does not want events like this one, or could make nothing of it: it was not sent.
    Filtered,
    /// The receiver wants no more events, ever (HTTP 410).
    Gone,
}

/// Somewhere events go: a webhook, a log, a test's memory.
pub trait EventSink: Send + Sync {
    /// What it is, for logs: never a secret.
    fn describe(&self) -> String;

    /// Makes one attempt. Bounded in time by the sink itself. May be dropped half way; the event is
    /// then tried again.
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a>;
}

/// Writes events to the log and considers them delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

impl EventSink for LogSink {
    fn describe(&self) -> String {
        "log".into()
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        tracing::info!(event = %event.id, kind = %event.kind, body = %String::from_utf8_lossy(&event.body), "event");
        Box::pin(std::future::ready(Outcome::Delivered { status: 200, answer: String::new() }))
    }
}
