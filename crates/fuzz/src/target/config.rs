//! The configuration: as a file, as variables of the environment, as single values.
//!
//! ```text
//! input  kind u8 | text
//! ```

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use livetape_finalize::webhook::ReceiverUrl;
use livetape_media::{Format, WallTime};
use livetape_record::{COMPONENT_MAX_BYTES, NameFields, NameTemplate, SessionId, StreamPath};
use livetape_server::config::{self, ByteSize, HttpUrl, ListenAddress, Period, Sources};

/// Reads the input as a part of a configuration.
pub fn run(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text).into_owned();
    match kind % 8 {
        0 => file(&text),
        1 => variables(&text),
        2 => same::<ByteSize>(&text),
        3 => same::<Period>(&text),
        4 => same::<ListenAddress>(&text),
        5 => {
            let _ = text.parse::<HttpUrl>().map(|url| (url.host_as_name(), url.query().map(str::len)));
            let _ = text.parse::<ReceiverUrl>().map(|url| url.is_https());
        }
        6 => names(&text),
        _ => template(&text),
    }
}

/// What is written of a value reads as the same value.
fn same<T: FromStr<Err: Display> + Display + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let again = value.to_string().parse::<T>();
            assert!(again.is_ok_and(|again| again == value), "'{text}' is written as '{value}'");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn file(text: &str) {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let place = PLACE.get_or_init(|| std::env::temp_dir().join(format!("livetape-fuzz-{}.toml", std::process::id())));
    std::fs::write(place, text).unwrap();
    load(&Sources { file: Some(place.clone()), ..Sources::default() });
    std::fs::remove_file(place).unwrap();
}

/// Lines of `SECTION__KEY=VALUE`.
fn variables(text: &str) {
    let variable = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((OsString::from(format!("LIVETAPE__{name}")), OsString::from(value)))
    };
    load(&Sources { environment: text.lines().filter_map(variable).collect(), ..Sources::default() });
}

/// What is accepted can be shown, without its secrets, and is accepted again as shown.
fn load(sources: &Sources) {
    match config::load(sources) {
        Ok(loaded) => {
            let shown = loaded.config.to_masked_toml();
            for secret in loaded.config.webhooks.iter().map(|webhook| &webhook.secret) {
                let secret = secret.reveal();
                // The same text may stand elsewhere, as in a URL's path.
                let told = format!("secret = {secret:?}");
                assert!(secret.is_empty() || secret == "***" || !shown.contains(&told), "a secret is shown: {shown}");
            }
            loaded.config.policies();
            loaded.config.rtmp.limits();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Whatever streams are called, their keys are plain and apart.
fn names(text: &str) {
    let (app, name) = text.split_once('\n').unwrap_or((text, "x"));
    let key = |app: &str, name: &str| {
        let stream = StreamPath { app: app.to_owned(), name: name.to_owned() };
        key_of(&NameTemplate::default(), &stream)
    };
    let ours = key(app, name);
    plain(&ours);
    assert_ne!(ours, key(app, &format!("{name}x")), "two streams have one key");
    assert_ne!(ours, key(&format!("{app}x"), name), "two streams have one key");
}

fn template(text: &str) {
    if let Ok(template) = text.parse::<NameTemplate>() {
        plain(&key_of(&template, &StreamPath { app: "live/a".into(), name: "..%\u{202e}".into() }));
    }
}

fn key_of(template: &NameTemplate, stream: &StreamPath) -> String {
    template.key(&NameFields {
        stream,
        session: SessionId(uuid::Uuid::nil()),
        start: WallTime::from_unix_millis(1_800_000_000_123),
        sequence: 7,
        format: Format::Mp4,
    })
}

fn plain(key: &str) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%~".contains(&byte);
    for component in key.split('/') {
        let plain = !component.is_empty() && !component.starts_with('.') && component.bytes().all(allowed);
        assert!(plain && component.len() <= COMPONENT_MAX_BYTES + 4, "'{component}' is no plain name");
    }
}
