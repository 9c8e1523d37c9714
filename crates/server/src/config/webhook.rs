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
    /// Whose words events are put in.
    pub format: WebhookFormat,
    /// The key deliveries are signed with (Standard Webhooks): `whsec_` and base64 of 24 to 64 bytes. With the
    /// Tencent format the callback key.
    pub secret: Secret,
    /// A file that holds the secret.
    pub secret_file: PathBuf,
    /// The secret before this one; deliveries bear a signature of each until all receivers know the new one.
    pub old_secret: Secret,
    /// A file that holds it.
    pub old_secret_file: PathBuf,
    /// The types of events it is told of; empty is all of them.
    pub events: Vec<String>,
    /// How long it may take to answer.
    pub timeout: Period,
    /// Events that may be on their way to it at once, each of another stream.
    pub concurrency: u32,
    /// Ranges of addresses that may be called although they are link-local or hand out credentials.
    pub allow_addresses: Vec<String>,
    /// With the Tencent format: `appid`.
    pub tencent_app_id: u64,
    /// With the Tencent format: only the fields that receivers of 2017 know.
    pub tencent_legacy_fields: bool,
    /// With the Tencent format: `t` as text.
    pub tencent_text_time: bool,
}

/// Whose words events are put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookFormat {
    /// Our own.
    #[default]
    Native,
    /// Tencent's callbacks.
    Tencent,
    /// The HTTP hooks of SRS.
    Srs,
    /// The notifications of nginx-rtmp.
    NginxRtmp,
}

/// Every type of event there is.
pub const EVENT_TYPES: [&str; 13] = [
    "stream.started",
    "stream.ended",
    "recording.started",
    "recording.paused",
    "recording.resumed",
    "recording.waiting",
    "recording.continued",
    "recording.ended",
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
            format: WebhookFormat::Native,
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            old_secret: Secret::default(),
            old_secret_file: PathBuf::new(),
            events: Vec::new(),
            timeout: Period::from_secs(10),
            concurrency: 8,
            allow_addresses: Vec::new(),
            tencent_app_id: 0,
            tencent_legacy_fields: false,
            tencent_text_time: false,
        }
    }
}
