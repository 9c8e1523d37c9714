//! One webhook as an endpoint of the announcer, filtered and counted.

use std::sync::Arc;
use std::time::Duration;

use livetape_finalize::Endpoint;
use livetape_finalize::dialect::{Dialect, MediaRoots, Tencent};
use livetape_finalize::signature::Secret;
use livetape_finalize::sink::{Delivering, Event, EventSink, Outcome};
use livetape_finalize::webhook::{AddressPolicy, ReceiverUrl, WebhookClient, WebhookOptions};
use livetape_record::RecordingId;
use serde::Deserialize;

use crate::config::{Webhook, WebhookFormat};
use crate::live::Live;
use crate::metrics;

/// The endpoint of a webhook.
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn endpoint(webhook: &Webhook, roots: &MediaRoots, live: Live) -> Result<Endpoint, anyhow::Error> {
    let url: ReceiverUrl = webhook.url.reveal().parse()?;
    let allow = webhook.allow_addresses.iter().map(|range| range.parse()).collect::<Result<_, _>>()?;
    let options = WebhookOptions {
        policy: AddressPolicy { allow, refuse: Vec::new() },
        https: url.is_https(),
        attempt_timeout: webhook.timeout.duration(),
        ..WebhookOptions::default()
    };
    let client = WebhookClient::new(options)?;
    let sender = livetape_finalize::webhook::Webhook::new(client, url, secrets(webhook)?);
    let sender = sender.speaking(dialect(webhook, roots));
    let (name, wanted) = (webhook.name.clone(), webhook.events.clone());
    let sink = Subscription { name, wanted, sender: Arc::new(sender), live };
    let concurrency = usize::try_from(webhook.concurrency).unwrap_or(1);
    Ok(Endpoint { id: webhook.name.clone(), sink: Arc::new(sink), concurrency })
}

/// What deliveries are signed with, the new secret first. Tencent's callback key may be too short for a
/// signature of the body.
fn secrets(webhook: &Webhook) -> Result<Vec<Secret>, anyhow::Error> {
    let mut secrets = Vec::new();
    for secret in [&webhook.secret, &webhook.old_secret].into_iter().filter(|secret| !secret.is_empty()) {
        match secret.reveal().parse::<Secret>() {
            Ok(secret) => secrets.push(secret),
            Err(_) if webhook.format == WebhookFormat::Tencent => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(secrets)
}

fn dialect(webhook: &Webhook, roots: &MediaRoots) -> Dialect {
    match webhook.format {
        WebhookFormat::Native => Dialect::Native,
        WebhookFormat::Tencent => Dialect::Tencent(Tencent {
            key: webhook.secret.reveal().to_owned(),
            app_id: webhook.tencent_app_id,
            legacy_fields: webhook.tencent_legacy_fields,
            text_time: webhook.tencent_text_time,
        }),
        WebhookFormat::Srs => Dialect::Srs(roots.clone()),
        WebhookFormat::NginxRtmp => Dialect::NginxRtmp(roots.clone()),
    }
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
            let outcome = match self.wanted.is_empty() || self.wanted.contains(&event.kind) {
                true => self.sender.deliver(event).await,
                false => Outcome::Filtered,
            };
            let result = match outcome {
                Outcome::Delivered { .. } => "delivered",
                Outcome::Filtered => "filtered",
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
            Box::pin(std::future::ready(Outcome::Delivered { status: 200, answer: String::new() }))
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
        assert_eq!(subscription.deliver(&event("stream.started")).await, Outcome::Filtered);
        let taken = Outcome::Delivered { status: 200, answer: String::new() };
        assert_eq!(subscription.deliver(&event("recording.ready")).await, taken);
        assert_eq!(*memory.0.lock().unwrap(), ["evt_recording.ready"]);
        let text = metrics::render();
        assert!(text.contains("livetape_announced_bytes_total{webhook=\"filtered\"} 10"), "{text}");
        assert!(text.contains("livetape_announced_milliseconds_total{webhook=\"filtered\"} 2500"), "{text}");
        let deliveries = "livetape_deliveries_total{webhook=\"filtered\",result=\"delivered\"} 1";
        assert!(text.contains(deliveries), "{text}");
        assert!(text.contains("livetape_deliveries_total{webhook=\"filtered\",result=\"filtered\"} 1"), "{text}");
    }
}
