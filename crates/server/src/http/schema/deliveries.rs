//! The shapes of webhooks and deliveries.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum DeliveryState {
    /// Behind another event of its stream.
    Waiting,
    /// First of its stream's queue.
    Head,
    /// Still tried, and holds up nothing.
    Aside,
    /// The webhook took it.
    Delivered,
    /// The webhook does not want it; it was not sent.
    Filtered,
    /// Tried for three days.
    GivenUp,
    /// The webhook was disabled or removed.
    Dropped,
}

/// The delivery of one event to one webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Delivery {
    /// The event's id, a dot, the webhook's name.
    pub id: String,
    /// The event's id.
    pub event: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's place among all events.
    pub sequence: i64,
    /// `APP/STREAM`.
    pub stream: String,
    /// The webhook.
    pub webhook: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// When the event happened (RFC 3339).
    pub timestamp: String,
    /// When somebody asked for it to be sent again.
    #[schema(required)]
    pub again_at: Option<String>,
    /// Attempts made so far.
    pub attempts: u32,
    /// When it is tried next, while it is `head` or `aside`.
    #[schema(required)]
    pub next_at: Option<String>,
    /// The last attempts, at most 20, oldest first.
    pub log: Vec<Attempt>,
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Attempt {
    /// Which, from 1.
    pub attempt: u32,
    /// When it was over (RFC 3339).
    pub at: String,
    /// How long it took.
    #[schema(required)]
    pub took_ms: Option<u64>,
    /// The HTTP status, if there was an answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// The beginning of the answer, if there was one.
    #[schema(required)]
    pub answer: Option<String>,
    /// What went wrong; null when it was delivered.
    #[schema(required)]
    pub error: Option<String>,
}

/// One page of deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeliveryList {
    /// The deliveries, those of the newest events first.
    pub items: Vec<Delivery>,
    /// The `cursor` of the next page; null when this is the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A webhook. Its secrets are not shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Webhook {
    /// Its name.
    pub name: String,
    /// `configuration`, or `api`: it was made by a request and can be changed by one.
    pub source: String,
    /// Where events are sent; the values of its query are hidden.
    pub url: String,
    /// Whose words they are put in.
    pub format: crate::config::WebhookFormat,
    /// Whether deliveries bear a signature.
    pub signed: bool,
    /// Whether they bear one of the old secret as well.
    pub changing_secret: bool,
    /// The types of events; empty is all of them.
    pub events: Vec<String>,
    /// How long the receiver may take to answer.
    pub timeout: String,
    /// Events that may be on their way at once.
    pub concurrency: u32,
    /// Ranges of addresses that may be called although they are refused by default.
    pub allow_addresses: Vec<String>,
    /// With the Tencent format: `appid`.
    pub tencent_app_id: u64,
    /// With the Tencent format: only the fields of 2017.
    pub tencent_legacy_fields: bool,
    /// With the Tencent format: `t` as text.
    pub tencent_text_time: bool,
    /// Events it has not taken yet.
    pub pending: u64,
    /// The time of the oldest of them.
    #[schema(required)]
    pub oldest_pending_at: Option<String>,
    /// When it was disabled, because its receiver answered 410.
    #[schema(required)]
    pub disabled_at: Option<String>,
    /// Why.
    #[schema(required)]
    pub disabled_reason: Option<String>,
}

/// Every webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct WebhookList {
    /// The webhooks.
    pub items: Vec<Webhook>,
    /// Always null: there is one page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// What is sent again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SentAgain {
    /// How many events.
    pub events: u64,
    /// The `after` of the next request, when there are more; null when that were all.
    #[schema(required)]
    pub next_after: Option<i64>,
}
