//! The configured webhooks as endpoints of the announcer, filtered and counted.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use livetape_finalize::Endpoint;
use livetape_finalize::sink::{Delivering, Event, EventSink, Outcome};
use livetape_finalize::webhook::{ReceiverUrl, WebhookClient, WebhookOptions};
use livetape_record::RecordingId;
use serde::Deserialize;

use crate::config::Webhook;
use crate::live::Live;
use crate::metrics;

/// Attempts to one webhook that may be under way at once, each of another stream.
const CONCURRENCY: usize = 8;
/// What the catalog notes for an event the webhook does not want: no request was made.
const NOT_SENT: u16 = 0;

/// An endpoint for each webhook.
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn endpoints(webhooks: &[Webhook], live: &Live) -> Result<Vec<Endpoint>, anyhow::Error> {
    webhooks.iter().map(|webhook| endpoint(webhook, live.clone())).collect()
}

fn endpoint(webhook: &Webhook, live: Live) -> Result<Endpoint, anyhow::Error> {
    let url: ReceiverUrl = webhook.url.reveal().parse()?;
    let attempt_timeout = webhook.timeout.duration();
    let options = WebhookOptions { https: url.is_https(), attempt_timeout, ..WebhookOptions::default() };
    let client = WebhookClient::new(options).with_context(|| format!("webhook '{}'", webhook.name))?;
    let secrets = vec![webhook.secret.reveal().parse()?];
    let sender = livetape_finalize::webhook::Webhook::new(client, url, secrets);
    let sink =
        Subscription { name: webhook.name.clone(), wanted: webhook.events.clone(), sender: Arc::new(sender), live };
    Ok(Endpoint { id: webhook.name.clone(), sink: Arc::new(sink), concurrency: CONCURRENCY })
}

/// Passes on the events that a webhook wants, and counts what became of them.
struct Subscription {
    name: String,
    /// Types of events; empty is all.
    wanted: Vec<String>,
    sender: Arc<dyn EventSink>,
    /// Told how much of each stream has been announced.
    live: Live,
}

impl EventSink for Subscription {
    fn describe(&self) -> String {
        format!("{} ({})", self.name, self.sender.describe())
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        Box::pin(async move {
            if !self.wanted.is_empty() && !self.wanted.contains(&event.kind) {
                return Outcome::Delivered { status: NOT_SENT };
            }
            let outcome = self.sender.deliver(event).await;
            let result = match outcome {
                Outcome::Delivered { .. } => "delivered",
                Outcome::Failed { .. } => "failed",
                Outcome::Gone => "gone",
            };
            metrics::delivery_tried(&self.name, result);
            if matches!(outcome, Outcome::Delivered { .. }) && event.kind == "recording.ready" {
                let (bytes, duration, id) = extent(&event.body);
                if let Some(id) = id {
                    self.live.announced(&self.name, &id, duration);
                }
                metrics::recording_announced(&self.name, bytes, duration);
            }
            outcome
        })
    }
}

/// How large and how long the recording of an event is, and which.
fn extent(body: &[u8]) -> (u64, Duration, Option<RecordingId>) {
    #[derive(Default, Deserialize)]
    struct Body {
        data: Data,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Data {
        id: String,
        size_bytes: u64,
        duration_ms: u64,
    }
    let Body { data } = serde_json::from_slice(body).unwrap_or_default();
    (data.size_bytes, Duration::from_millis(data.duration_ms), data.id.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Memory(Mutex<Vec<String>>);

    impl EventSink for Memory {
        fn describe(&self) -> String {
            "memory".to_owned()
        }

        fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
            self.0.lock().unwrap().push(event.id.clone());
            Box::pin(std::future::ready(Outcome::Delivered { status: 200 }))
        }
    }

    fn event(kind: &str) -> Event {
        let body = r#"{"data":{"size_bytes":10,"duration_ms":2500}}"#;
        Event { id: format!("evt_{kind}"), kind: kind.to_owned(), body: body.into() }
    }

    #[tokio::test]
    async fn only_wanted_events_are_sent_and_ready_recordings_are_counted() {
        let memory = Arc::new(Memory::default());
        let subscription = Subscription {
            name: "filtered".to_owned(),
            wanted: vec!["recording.ready".to_owned()],
            sender: memory.clone(),
            live: Live::default(),
        };
        assert_eq!(subscription.deliver(&event("stream.started")).await, Outcome::Delivered { status: NOT_SENT });
        assert_eq!(subscription.deliver(&event("recording.ready")).await, Outcome::Delivered { status: 200 });
        assert_eq!(*memory.0.lock().unwrap(), ["evt_recording.ready"]);
        let text = metrics::render();
        assert!(text.contains("livetape_announced_bytes_total{webhook=\"filtered\"} 10"), "{text}");
        assert!(text.contains("livetape_announced_milliseconds_total{webhook=\"filtered\"} 2500"), "{text}");
        let deliveries = "livetape_deliveries_total{webhook=\"filtered\",result=\"delivered\"} 1";
        assert!(text.contains(deliveries), "{text}");
    }
}
