//! The configuration: every setting, its default, and where its value comes from.
//!
//! Contract: a value comes from the defaults, then the file, then the environment
//! (`LIVETAPE__SECTION__KEY`), then the command line; the later one wins. An unknown name is an
//! error, and so is a value out of range; each says at which line and column of the file, in which
//! variable or by which flag. An empty text or path means "not set". Secrets are never shown.
//!
//! `docs/livetape.toml` is the reference: every setting with its default; a test holds it and
//! `docs/configuration.md` against the types here.

mod address;
mod check;
mod events;
mod http;
mod log;
mod merge;
mod period;
mod problem;
mod push;
mod quality;
mod range;
mod record;
mod rtmp;
mod rtmps;
mod rule;
mod s3;
mod secret;
mod setting;
mod size;
mod store;
mod template;
mod unset;
mod webhook;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use address::{HttpUrl, HttpUrlError, ListenAddress, ListenAddressError};
pub use events::EventSettings;
pub use http::HttpSettings;
pub use log::{LogFormat, LogSettings};
pub use merge::{Flag, Sources};
pub use period::{Period, PeriodError};
pub use problem::{ConfigError, Place, Problem};
pub use push::{PushAuthorization, PushHash, PushSettings};
pub use quality::QualitySettings;
pub use range::{AddressRange, AddressRangeError};
pub use record::{FormatName, GapSetting, HlsSource, NameSetting, RecordSettings, SegmentKind};
pub use rtmp::{OnConflict, RtmpSettings};
pub use rtmps::RtmpsSettings;
pub use rule::RuleSettings;
pub use s3::{ChecksumSetting, EncryptionSetting, PathStyleSetting, S3Settings};
pub use secret::Secret;
pub use setting::SettingProblem;
pub use size::{ByteSize, ByteSizeError};
pub use store::{FallbackKind, FallbackSettings, StoreKind, StoreSettings};
pub use template::TemplateSettings;
pub use webhook::{EVENT_TYPES, Webhook, WebhookFormat};

pub(crate) use check::webhook_problems;

/// Every setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This node.
    pub node: NodeSettings,
    /// The RTMP side.
    pub rtmp: RtmpSettings,
    /// RTMP over TLS.
    pub rtmps: RtmpsSettings,
    /// Who may push.
    pub push: PushSettings,
    /// The HTTP side.
    pub http: HttpSettings,
    /// Recordings.
    pub record: RecordSettings,
    /// What is told of the quality of what publishers send.
    pub quality: QualitySettings,
    /// The store.
    pub store: StoreSettings,
    /// The store's bucket, when it is one.
    pub s3: S3Settings,
    /// The store for what the first one could not take.
    pub fallback: FallbackSettings,
    /// That store's bucket, when it is one.
    pub fallback_s3: S3Settings,
    /// How long events are kept.
    pub events: EventSettings,
    /// Ways of recording.
    pub templates: Vec<TemplateSettings>,
    /// Which streams are recorded by which.
    pub rules: Vec<RuleSettings>,
    /// Who is told of events.
    pub webhooks: Vec<Webhook>,
    /// The log.
    pub log: LogSettings,
    /// Stopping.
    pub shutdown: ShutdownSettings,
}

/// The settings of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSettings {
    /// The data directory: the index, the spool, and the directory store unless it is elsewhere.
    pub data: PathBuf,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self { data: PathBuf::from("./data") }
    }
}

/// The settings of stopping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownSettings {
    /// How long finishing recordings, uploads and events may take after SIGTERM. What is left is
    /// completed at the next start.
    pub timeout: Period,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self { timeout: Period::from_secs(30) }
    }
}

/// A configuration that has been found good.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings in force, secrets read from their files.
    pub config: Config,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads, merges and checks the configuration.
///
/// # Errors
/// Everything that is wrong with it, each problem with its place.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut merged = merge::merge(sources)?;
    let mut problems = Vec::new();
    read_secret_files(&mut merged.config, &mut problems);
    for webhook in merged.config.webhooks.iter_mut().filter(|webhook| webhook.name.is_empty()) {
        webhook.name = webhook.url.host_as_name();
    }
    for (index, rule) in merged.config.rules.iter_mut().enumerate().filter(|(_, rule)| rule.name.is_empty()) {
        rule.name = format!("configured-{}", index + 1);
    }
    let mut warnings = Vec::new();
    check::check(&merged.config, &mut problems, &mut warnings);
    let locate = |(setting, message): (String, String)| Problem { place: merged.place(&setting), message };
    if problems.is_empty() {
        let warnings = warnings.into_iter().map(locate).collect();
        return Ok(Loaded { config: merged.config, warnings });
    }
    Err(ConfigError::Invalid(problems.into_iter().map(locate).collect()))
}

/// A setting's path (`http.token`, `webhooks.0.url`) and what is to be said of it.
type Finding = (String, String);

impl Config {
    /// The settings in force as TOML, secrets masked.
    pub fn to_masked_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }

    /// Where the directory store keeps objects.
    pub fn store_path(&self) -> PathBuf {
        if self.store.path.as_os_str().is_empty() { self.node.data.join("media") } else { self.store.path.clone() }
    }

    /// Where a directory to fall back to keeps objects.
    pub fn fallback_path(&self) -> PathBuf {
        match self.fallback.path.as_os_str().is_empty() {
            true => self.node.data.join("fallback"),
            false => self.fallback.path.clone(),
        }
    }
}

fn read_secret_files(config: &mut Config, problems: &mut Vec<Finding>) {
    let (http, push) = (&mut config.http, &mut config.push);
    http.tokens = read_tokens(&http.token, &http.token_file, "http.token_file", problems);
    push.tokens = read_tokens(&push.token, &push.token_file, "push.token_file", problems);
    fill_secret(&mut push.key, &push.key_file, "push", "key", problems);
    fill_secret(&mut push.backup_key, &push.backup_key_file, "push", "backup_key", problems);
    fill_secret(&mut config.http.tencent_key, &config.http.tencent_key_file, "http", "tencent_key", problems);
    for (index, webhook) in config.webhooks.iter_mut().enumerate() {
        let section = format!("webhooks.{index}");
        fill_secret(&mut webhook.secret, &webhook.secret_file, &section, "secret", problems);
        fill_secret(&mut webhook.old_secret, &webhook.old_secret_file, &section, "old_secret", problems);
    }
    for (section, s3) in [("s3", &mut config.s3), ("fallback_s3", &mut config.fallback_s3)] {
        let key = "secret_access_key";
        fill_secret(&mut s3.secret_access_key, &s3.secret_access_key_file, section, key, problems);
    }
}

/// The tokens that are set: one here, and those of the file `setting`, one a line.
fn read_tokens(token: &Secret, file: &Path, setting: &str, problems: &mut Vec<Finding>) -> Vec<Secret> {
    let mut tokens: Vec<Secret> = Some(token.clone()).filter(|token| !token.is_empty()).into_iter().collect();
    if let Some(text) = read_secret_file(file, setting, problems) {
        let before = tokens.len();
        tokens.extend(text.lines().map(Secret::new).filter(|token| !token.is_empty()));
        if tokens.len() == before {
            problems.push((setting.to_owned(), "the file holds no token".to_owned()));
        }
    }
    tokens
}

/// Fills the secret `section.key` from its file, when one is set.
fn fill_secret(secret: &mut Secret, file: &Path, section: &str, key: &str, problems: &mut Vec<Finding>) {
    let setting = format!("{section}.{key}_file");
    let Some(text) = read_secret_file(file, &setting, problems) else { return };
    if secret.is_empty() {
        *secret = Secret::new(&text);
    } else {
        problems.push((setting, format!("set either {key} or {key}_file, not both")));
    }
}

/// The contents of a secret's file, when one is set.
fn read_secret_file(path: &Path, setting: &str, problems: &mut Vec<Finding>) -> Option<String> {
    const MAX_BYTES: u64 = 64 << 10;
    if path.as_os_str().is_empty() {
        return None;
    }
    let read = || match fs::metadata(path)? {
        metadata if !metadata.is_file() => Err(std::io::Error::other("it is not a file")),
        metadata if metadata.len() > MAX_BYTES => Err(std::io::Error::other("it is too large for a secret")),
        _ => fs::read_to_string(path),
    };
    match read() {
        Ok(text) => Some(text),
        Err(error) => {
            problems.push((setting.to_owned(), format!("cannot read {}: {error}", path.display())));
            None
        }
    }
}

#[cfg(test)]
mod tests;
