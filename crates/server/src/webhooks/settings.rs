//! The settings of a webhook that is made by the API: what is sent, and what the index keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{HttpUrl, Period, Secret, SettingProblem, Webhook, WebhookFormat, webhook_problems};

/// The settings of a webhook. What is left out is as in the configuration by default; a secret that is left out
/// stays as it was.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Where events are sent by `POST`.
    pub url: String,
    /// Whose words they are put in.
    pub format: WebhookFormat,
    /// What deliveries are signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The secret before this one; empty: there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_secret: Option<String>,
    /// The types of events; empty is all of them.
    pub events: Vec<String>,
    /// How long the receiver may take to answer, such as `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Events that may be on their way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Ranges of addresses that may be called although they are refused by default.
    pub allow_addresses: Vec<String>,
    /// With the Tencent format: `appid`.
    pub tencent_app_id: u64,
    /// With the Tencent format: only the fields of 2017.
    pub tencent_legacy_fields: bool,
    /// With the Tencent format: `t` as text.
    pub tencent_text_time: bool,
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings").field("format", &self.format).finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// Of JSON.
    ///
    /// # Errors
    /// What is wrong with it, without its values: they may be secrets.
    pub fn parse(json: &str) -> Result<Self, Vec<SettingProblem>> {
        // A list would do for a structure.
        if !json.trim_start().starts_with('{') {
            return Err(vec![SettingProblem::body("it is no JSON object")]);
        }
        serde_json::from_str(json).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "a setting is unknown, or of the wrong type",
                _ => "it is no JSON object",
            };
            vec![SettingProblem::body(format!("{what}, at line {} column {}", error.line(), error.column()))]
        })
    }

    /// As the index keeps it.
    pub(super) fn to_json(&self) -> String {
        // Texts and numbers always have a JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same, with the secrets of `before` where none are said.
    pub(super) fn with_secrets_of(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            self.secret = self.secret.or_else(|| before.secret.clone());
            self.old_secret = self.old_secret.or_else(|| before.old_secret.clone());
        }
        self
    }

    /// The webhook `name`; secrets that are not said are those of `before`.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(super) fn webhook(&self, name: &str, before: Option<&Self>) -> Result<Webhook, Vec<SettingProblem>> {
        let mut problems = Vec::new();
        let url: HttpUrl = self.url.parse().unwrap_or_else(|error: crate::config::HttpUrlError| {
            problems.push(SettingProblem { setting: "url", message: error.to_string() });
            HttpUrl::default()
        });
        let mut webhook = self.clone().with_secrets_of(before).shown(name);
        if let Some(Err(error)) = self.timeout.as_deref().map(str::parse::<Period>) {
            problems.push(SettingProblem { setting: "timeout", message: error.to_string() });
        }
        webhook.url = url;
        let bad_url = !problems.is_empty();
        for (setting, message) in webhook_problems(&webhook) {
            // A URL that cannot be read is not missing as well.
            if !(bad_url && setting == "url") {
                problems.push((setting, message).into());
            }
        }
        if problems.is_empty() { Ok(webhook) } else { Err(problems) }
    }

    /// The webhook `name` as far as the settings can be read.
    pub(super) fn shown(&self, name: &str) -> Webhook {
        let defaults = Webhook::default();
        let secret = |text: &Option<String>| Secret::new(text.as_deref().unwrap_or_default());
        Webhook {
            name: name.to_owned(),
            url: self.url.parse().unwrap_or_default(),
            format: self.format,
            secret: secret(&self.secret),
            old_secret: secret(&self.old_secret),
            events: self.events.clone(),
            timeout: self.timeout.as_deref().and_then(|text| text.parse().ok()).unwrap_or(defaults.timeout),
            concurrency: self.concurrency.unwrap_or(defaults.concurrency),
            allow_addresses: self.allow_addresses.clone(),
            tencent_app_id: self.tencent_app_id,
            tencent_legacy_fields: self.tencent_legacy_fields,
            tencent_text_time: self.tencent_text_time,
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn what_is_kept_is_read_again_with_its_secrets_and_shown_without() {
        let json =
            format!(r#"{{"url":"https://h/x?key=1","secret":"{SECRET}","timeout":"5s","events":["stream.ended"]}}"#);
        let settings = WebhookSettings::parse(&json).unwrap();
        assert_eq!(WebhookSettings::parse(&settings.to_json()).unwrap(), settings);
        let webhook = settings.webhook("made", None).unwrap();
        assert_eq!((webhook.name.as_str(), webhook.secret.reveal(), webhook.concurrency), ("made", SECRET, 8));
        assert!(!format!("{settings:?}{webhook:?}").contains(SECRET));
        let next = WebhookSettings {
            secret: Some("another secret of text".into()),
            old_secret: Some(SECRET.into()),
            ..settings.clone()
        };
        assert!(next.webhook("made", Some(&settings)).is_ok());
        let unsaid = WebhookSettings { secret: None, ..settings.clone() };
        assert_eq!(unsaid.webhook("made", Some(&settings)).unwrap().secret.reveal(), SECRET);
    }

    #[test]
    fn every_mistake_is_named_and_no_value_repeated() {
        let settings = WebhookSettings {
            url: "ftp://hunter2/".into(),
            secret: Some("hunter2".into()),
            events: vec!["stream.exploded".into()],
            timeout: Some("soon".into()),
            concurrency: Some(0),
            allow_addresses: vec!["everywhere".into()],
            ..WebhookSettings::default()
        };
        let problems = settings.webhook("a b", None).unwrap_err();
        let named: Vec<&str> = problems.iter().map(|problem| problem.setting).collect();
        assert_eq!(named, ["url", "timeout", "secret", "events", "allow_addresses", "concurrency"]);
        assert!(!SettingProblem::joined(&problems).contains("hunter2"), "{problems:?}");
        for bad in ["", "[]", "{\"url\":1}", "{\"sekret\":\"hunter2\"}", "{\"url\":\"hunter2"] {
            let problems = WebhookSettings::parse(bad).unwrap_err();
            assert!(problems[0].setting == "body" && !problems[0].message.contains("hunter2"), "{problems:?}");
        }
    }
}
