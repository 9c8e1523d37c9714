//! What types cannot say: ranges, and settings that must agree.

mod plan;
mod push;
mod quality;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use livetape_finalize::signature;
use livetape_finalize::webhook::{AddressRange, ReceiverUrl};
use livetape_media::Format;
use livetape_record::plan::check_max_bytes;

use super::template::{MAX_RESUME_WINDOW, MAX_RETENTION, align_problems, over_problems};
use super::{
    ByteSize, Config, EncryptionSetting, FallbackKind, Finding, HttpUrl, Period, S3Settings, Secret, StoreKind,
    Webhook, WebhookFormat, webhook::EVENT_TYPES,
};

const SECOND: Period = Period::from_secs(1);
const MINUTE: Period = Period::from_mins(1);
const HOUR: Period = Period::from_mins(60);
const DAY: Period = Period::from_mins(24 * 60);

/// Appends what is wrong with `config`, and what is allowed but probably not meant.
pub(super) fn check(config: &Config, problems: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    let mut findings = Findings { problems, warnings };
    node(config, &mut findings);
    rtmp(config, &mut findings);
    rtmps(config, &mut findings);
    push::push(&config.push, &mut findings);
    http(config, &mut findings);
    record(config, &mut findings);
    quality::quality(&config.quality, &mut findings);
    plan::plan(config, &mut findings);
    store(config, &mut findings);
    events(config, &mut findings);
    findings.period("fallback.after", config.fallback.after, SECOND..=Period::from_mins(30 * 24 * 60));
    s3("s3", &config.s3, config.store.kind == StoreKind::S3, &mut findings);
    s3("fallback_s3", &config.fallback_s3, config.fallback.kind == FallbackKind::S3, &mut findings);
    let mut names = BTreeSet::new();
    for (index, webhook) in config.webhooks.iter().enumerate() {
        self::webhook(index, webhook, &mut names, &mut findings);
    }
    log(config, &mut findings);
    findings.period("shutdown.timeout", config.shutdown.timeout, SECOND..=DAY);
}

struct Findings<'a> {
    problems: &'a mut Vec<Finding>,
    warnings: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    fn problem(&mut self, setting: impl Into<String>, message: impl Into<String>) {
        self.problems.push((setting.into(), message.into()));
    }

    fn warning(&mut self, setting: impl Into<String>, message: impl Into<String>) {
        self.warnings.push((setting.into(), message.into()));
    }

    fn period(&mut self, setting: &str, value: Period, allowed: RangeInclusive<Period>) {
        if !allowed.contains(&value) {
            let (min, max) = allowed.into_inner();
            self.problem(setting, format!("{value} is out of range; it must be between {min} and {max}"));
        }
    }

    fn size(&mut self, setting: &str, value: ByteSize, allowed: RangeInclusive<ByteSize>) {
        if !allowed.contains(&value) {
            let (min, max) = allowed.into_inner();
            self.problem(setting, format!("{value} is out of range; it must be between {min} and {max}"));
        }
    }

    fn count(&mut self, setting: &str, value: u32, allowed: RangeInclusive<u32>) {
        if !allowed.contains(&value) {
            let (min, max) = allowed.into_inner();
            self.problem(setting, format!("{value} is out of range; it must be between {min} and {max}"));
        }
    }
}

fn node(config: &Config, findings: &mut Findings<'_>) {
    if config.node.data.as_os_str().is_empty() {
        findings.problem("node.data", "the data directory must be named");
    }
}

fn rtmp(config: &Config, findings: &mut Findings<'_>) {
    let rtmp = &config.rtmp;
    findings.count("rtmp.max_connections", rtmp.max_connections, 1..=100_000);
    findings.count("rtmp.max_connections_per_address", rtmp.max_connections_per_address, 1..=100_000);
    findings.period("rtmp.handshake_timeout", rtmp.handshake_timeout, SECOND..=MINUTE);
    findings.period("rtmp.publish_timeout", rtmp.publish_timeout, SECOND..=HOUR);
    findings.period("rtmp.idle_timeout", rtmp.idle_timeout, SECOND..=HOUR);
    findings.period("rtmp.gather", rtmp.gather, Period::from_millis(0)..=SECOND);
    findings.size("rtmp.max_message_size", rtmp.max_message_size, ByteSize::from_bytes(64 << 10)..=LARGEST_MESSAGE);
    let memory = "rtmp.max_connection_memory";
    findings.size(memory, rtmp.max_connection_memory, ByteSize::from_bytes(64 << 10)..=ByteSize::from_mib(1024));
    if rtmp.max_connection_memory < rtmp.max_message_size {
        findings.problem(
            memory,
            format!(
                "{} is less than one message, rtmp.max_message_size = {}",
                rtmp.max_connection_memory, rtmp.max_message_size
            ),
        );
    }
    let total = ByteSize::from_mib(16)..=ByteSize::from_mib(1 << 20);
    findings.size("rtmp.max_total_memory", rtmp.max_total_memory, total);
    if rtmp.max_total_memory < rtmp.max_connection_memory {
        let one = format!("rtmp.max_connection_memory = {}", rtmp.max_connection_memory);
        let message = format!("{} is less than one connection may use, {one}", rtmp.max_total_memory);
        findings.problem("rtmp.max_total_memory", message);
    }
    findings.count("rtmp.max_chunk_streams", rtmp.max_chunk_streams, 4..=65_536);
}

fn rtmps(config: &Config, findings: &mut Findings<'_>) {
    let rtmps = &config.rtmps;
    for (file, setting) in [(&rtmps.certificate, "rtmps.certificate"), (&rtmps.key, "rtmps.key")] {
        match (rtmps.listen, file.as_os_str().is_empty()) {
            (Some(_), true) => findings.problem(setting, "TLS needs a certificate and its key; name the file"),
            (None, false) => findings.warning(setting, "it is set and does nothing without rtmps.listen"),
            _ => {}
        }
    }
}

/// A message's length is a number of 24 bits.
const LARGEST_MESSAGE: ByteSize = ByteSize::from_mib(16);

fn http(config: &Config, findings: &mut Findings<'_>) {
    let http = &config.http;
    let from = if http.token.is_empty() { "http.token_file" } else { "http.token" };
    if http.tokens.iter().any(|token| !token.reveal().bytes().all(|byte| byte.is_ascii_graphic())) {
        findings.problem(from, "a token must be of visible ASCII characters without spaces");
    }
    if http.tokens.iter().any(|token| token.reveal().len() < 16) {
        findings.warning(
            from,
            "a token of less than 16 characters can be guessed; `openssl rand -hex 24` makes a good one",
        );
    }
    if http.public_base_url.query().is_some() {
        findings.problem("http.public_base_url", "the URL must not have a query");
    }
    for origin in &http.cors_origins {
        let url = origin.parse::<HttpUrl>().is_ok_and(|url| !url.is_empty());
        let path = origin.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?']));
        if origin != "*" && (!url || path) {
            let message =
                format!("{origin:?} is no origin; write \"https://console.example.com\", without a path, or \"*\"");
            findings.problem("http.cors_origins", message);
        }
    }
    findings.count("http.max_request_rate", http.max_request_rate, 0..=1_000_000);
    findings.count("http.max_failure_rate", http.max_failure_rate, 0..=1_000_000);
    findings.count("http.max_connections", http.max_connections, 1..=100_000);
    findings.period("http.request_timeout", http.request_timeout, SECOND..=HOUR);
}

fn record(config: &Config, findings: &mut Findings<'_>) {
    let record = &config.record;
    if record.formats.is_empty() {
        findings.problem("record.formats", "name at least one of mp4, hls and flv");
    }
    for (setting, format, usual_min, max) in [
        ("record.mp4_max_duration", Format::Mp4, MINUTE, Period::from_mins(12 * 60)),
        ("record.flv_max_duration", Format::Flv, MINUTE, Period::from_mins(12 * 60)),
        ("record.hls_max_duration", Format::Hls, Period::from_mins(10), Period::from_mins(7 * 24 * 60)),
    ] {
        let value = match format {
            Format::Mp4 => record.mp4_max_duration,
            Format::Flv => record.flv_max_duration,
            Format::Hls => record.hls_max_duration,
        };
        findings.period(setting, value, SECOND..=max);
        if (SECOND..usual_min).contains(&value) {
            findings
                .warning(setting, format!("{value} makes very many small recordings; {usual_min} or more is usual"));
        }
    }
    for (setting, message) in over_problems(record, ["record.hls_source", "record.formats", "record.segment_type"]) {
        findings.problem(setting, message);
    }
    if record.max_size.bytes() > 0
        && let Err(error) = check_max_bytes(record.max_size.bytes())
    {
        findings.problem("record.max_size", error.to_string());
    }
    for (setting, message) in align_problems(record.align, &record.align_offset) {
        findings.problem(format!("record.{setting}"), message);
    }
    findings.period("record.resume_window", record.resume_window, Period::from_millis(0)..=MAX_RESUME_WINDOW);
    findings.count("record.resume_limit", record.resume_limit, 1..=100);
    let waits = |window: Period| window > Period::from_millis(0);
    let any_waits = config.templates.iter().filter_map(|template| template.resume_window).any(waits);
    if record.resume_on_unpublish && !waits(record.resume_window) && !any_waits {
        findings.warning("record.resume_on_unpublish", "it is set and does nothing without record.resume_window");
    }
    findings.period("record.min_duration", record.min_duration, Period::from_millis(0)..=HOUR);
    findings.period("record.segment_duration", record.segment_duration, Period::from_secs(2)..=Period::from_secs(30));
    findings.period(
        "record.fragment_duration",
        record.fragment_duration,
        Period::from_millis(100)..=Period::from_secs(10),
    );
    if (Period::from_millis(500)..=Period::from_secs(10)).contains(&record.fragment_duration) {
        let value = record.fragment_duration;
        findings.warning(
            "record.fragment_duration",
            format!("the death of the process can cost more than {value} of media"),
        );
    }
    let fragment = ByteSize::from_bytes(64 << 10)..=ByteSize::from_mib(64);
    findings.size("record.fragment_max_size", record.fragment_max_size, fragment);
    findings.period("record.track_wait", record.track_wait, Period::from_millis(0)..=Period::from_secs(10));
    let held = ByteSize::from_mib(1)..=ByteSize::from_mib(1024);
    findings.size("record.max_held_size", record.max_held_size, held);
    let total = "record.max_held_total";
    findings.size(total, record.max_held_total, ByteSize::from_mib(1)..=ByteSize::from_mib(1 << 20));
    if record.max_held_total < record.max_held_size {
        let message = format!(
            "{} is less than one recording may hold, record.max_held_size = {}",
            record.max_held_total, record.max_held_size
        );
        findings.problem(total, message);
    }
    findings.period("record.preroll", record.preroll, Period::from_millis(0)..=MINUTE);
    let preroll = ByteSize::from_bytes(0)..=ByteSize::from_mib(1024);
    findings.size("record.max_preroll_size", record.max_preroll_size, preroll);
    let total = ByteSize::from_bytes(0)..=ByteSize::from_mib(1 << 20);
    findings.size("record.max_preroll_total", record.max_preroll_total, total);
    findings.period("record.stall_grace", record.stall_grace, Period::from_millis(100)..=Period::from_mins(5));
    findings.period("record.stall_warning", record.stall_warning, SECOND..=HOUR);
    findings.period("record.sync_interval", record.sync_interval, Period::from_millis(100)..=Period::from_mins(5));
}

fn store(config: &Config, findings: &mut Findings<'_>) {
    let store = &config.store;
    findings.count("store.max_uploads", store.max_uploads, 1..=256);
    let nothing = Period::from_millis(0);
    findings.period("store.retention", store.retention, nothing..=MAX_RETENTION);
    if (Period::from_millis(1)..HOUR).contains(&store.retention) {
        let message = format!("recordings are deleted {} after they are ready; 1h or more is usual", store.retention);
        findings.warning("store.retention", message);
    }
    if store.min_free.bytes() > 0 && store.kind != StoreKind::Directory {
        let message = "only a directory has a disk that can be low; with this kind of store the setting does nothing";
        findings.warning("store.min_free", message);
    }
}

fn events(config: &Config, findings: &mut Findings<'_>) {
    let (setting, retention) = ("events.retention", config.events.retention);
    let day = Period::from_mins(24 * 60);
    if retention != Period::from_millis(0) {
        findings.period(setting, retention, day..=MAX_RETENTION);
    }
    if (day..Period::from_mins(7 * 24 * 60)).contains(&retention) {
        let message = format!("events are gone {retention} after they happened; 7d or more is usual");
        findings.warning(setting, message);
    }
}

/// A bucket's settings; `used`: something is kept there.
fn s3(section: &str, s3: &S3Settings, used: bool, findings: &mut Findings<'_>) {
    let setting = |key: &str| format!("{section}.{key}");
    if used && s3.bucket.is_empty() {
        findings.problem(setting("bucket"), "a bucket needs a name");
    }
    if s3.access_key_id.is_empty() != s3.secret_access_key.is_empty() {
        let message = "access_key_id and secret_access_key (or secret_access_key_file) go together: set both, or \
                       neither to take what the environment, a profile or the machine's role says";
        findings.problem(setting("access_key_id"), message);
    }
    let part = ByteSize::from_mib(5)..=ByteSize::from_mib(1024);
    findings.size(&setting("part_size"), s3.part_size, part);
    findings.count(&setting("max_parts"), s3.max_parts, 2..=10_000);
    findings.period(&setting("request_timeout"), s3.request_timeout, SECOND..=HOUR);
    findings.period(&setting("url_lifetime"), s3.url_lifetime, MINUTE..=Period::from_mins(7 * 24 * 60));
    if !s3.kms_key_id.is_empty() && s3.encryption != EncryptionSetting::AwsKms {
        findings.problem(setting("kms_key_id"), "a key needs encryption = \"aws:kms\"");
    }
    if s3.public_base_url.query().is_some() {
        findings.problem(setting("public_base_url"), "the URL must not have a query");
    }
}

fn log(config: &Config, findings: &mut Findings<'_>) {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = &config.log.level;
    // A lone word that is no level would be read as the name of a module, and silence all others.
    let lone = level
        .split(',')
        .map(str::trim)
        .find(|part| !part.contains('=') && !LEVELS.contains(&part.to_ascii_lowercase().as_str()));
    if let Some(word) = lone {
        findings.problem("log.level", format!("'{word}' is not a level; the levels are {}", LEVELS.join(", ")));
    } else if let Err(error) = tracing_subscriber::EnvFilter::try_new(level) {
        findings.problem("log.level", error.to_string());
    }
}

fn webhook<'a>(index: usize, webhook: &'a Webhook, names: &mut BTreeSet<&'a str>, findings: &mut Findings<'_>) {
    let setting = |key: &str| format!("webhooks.{index}.{key}");
    for (key, message) in webhook_problems(webhook) {
        findings.problem(setting(key), message);
    }
    if !webhook.url.is_empty() && !webhook.name.is_empty() && !names.insert(&webhook.name) {
        let message = format!("two webhooks are called '{}'; give each a name of its own", webhook.name);
        findings.problem(setting("name"), message);
    }
}

/// What is wrong with a webhook: the settings and what is to be said of each.
pub(crate) fn webhook_problems(webhook: &Webhook) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut problem = |key: &'static str, message: String| problems.push((key, message));
    let name = &webhook.name;
    let name_is_good = !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if webhook.url.is_empty() {
        // Its name would be missing too, and that is not worth saying.
        problem("url", "a webhook needs a url".to_owned());
    } else if !name_is_good {
        problem("name", "a webhook's name must be 1 to 64 letters, digits, '-' and '_'".to_owned());
    }
    if !webhook.url.is_empty()
        && let Err(error) = webhook.url.reveal().parse::<ReceiverUrl>()
    {
        problem("url", error.to_string());
    }
    secrets(webhook, &mut problem);
    for event in &webhook.events {
        if !EVENT_TYPES.contains(&event.as_str()) {
            let message = format!("'{event}' is not a type of event; the types are {}", EVENT_TYPES.join(", "));
            problem("events", message);
        }
    }
    for range in &webhook.allow_addresses {
        if let Err(error) = range.parse::<AddressRange>() {
            problem("allow_addresses", error.to_string());
        }
    }
    if !(SECOND..=MINUTE).contains(&webhook.timeout) {
        let message = format!("{} is out of range; it must be between {SECOND} and {MINUTE}", webhook.timeout);
        problem("timeout", message);
    }
    if !(1..=64).contains(&webhook.concurrency) {
        problem("concurrency", format!("{} is out of range; it must be between 1 and 64", webhook.concurrency));
    }
    problems
}

/// The secrets of a webhook. Only our own format needs one; Tencent's callback key may be short.
fn secrets(webhook: &Webhook, problem: &mut impl FnMut(&'static str, String)) {
    if webhook.secret.is_empty() {
        if webhook.format == WebhookFormat::Native {
            problem("secret", format!("a webhook needs a secret; {MAKE_A_SECRET}"));
        } else if !webhook.old_secret.is_empty() {
            problem("old_secret", "there is an old secret and no new one".to_owned());
        }
        return;
    }
    let key_may_be_short = webhook.format == WebhookFormat::Tencent;
    for (key, secret) in [("secret", &webhook.secret), ("old_secret", &webhook.old_secret)] {
        if secret.is_empty()
            || key_may_be_short && !secret.reveal().starts_with("whsec_") && secret.reveal().len() <= 256
        {
            continue;
        }
        if let Err(error) = secret.reveal().parse::<signature::Secret>() {
            problem(key, format!("{error}; {MAKE_A_SECRET}"));
        }
    }
}

const MAKE_A_SECRET: &str = "`echo whsec_$(openssl rand -base64 32)` makes one";
