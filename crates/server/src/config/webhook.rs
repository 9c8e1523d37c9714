//! `[[webhooks]]`: who is told of events.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{HttpUrl, Period, Secret};

/// One receiver of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// What it is called in the index, in logs and in metrics. What has been delivered is
    /// remembered by this name, so that its URL can change. Empty: made from the URL's host.
    pub name: String,
    /// Where events are sent by `POST`.
    pub url: HttpUrl,
    /// The key deliveries are signed with (Standard Webhooks): `whsec_` and base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// A file that holds the secret.
    pub secret_file: PathBuf,
    /// The types of events it is told of; empty is all of them.
    pub events: Vec<String>,
    /// How long it may take to answer.
    pub timeout: Period,
}

/// Every type of event there is.
pub const EVENT_TYPES: [&str; 8] = [
    "stream.started",
    "stream.ended",
    "recording.started",
    "recording.ready",
    "recording.failed",
    "recording.discarded",
    "recording.deleted",
    "recording.warning",
];

impl Default for Webhook {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: HttpUrl::default(),
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            events: Vec::new(),
            timeout: Period::from_secs(10),
        }
    }
}
