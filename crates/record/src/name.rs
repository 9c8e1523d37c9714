//! Object keys: where a finished recording goes in the store.
//!
//! A key is made from a template. Whatever a publisher called its stream, each component of a key
//! is a plain file name: `[A-Za-z0-9._-]` and `%XX` escapes, no leading dot, at most
//! [`COMPONENT_MAX_BYTES`].

use livetape_media::{Format, WallTime};

use crate::{SessionId, StreamPath};

/// The longest component of a key, within what every file system and store takes.
pub const COMPONENT_MAX_BYTES: usize = 200;

/// A template for object keys.
///
/// Placeholders: `{app}`, `{stream}`, `{session}`, `{start}` (`20261122T210700123Z`), `{yyyy}`,
/// `{mm}`, `{dd}`, `{hh}` (all UTC), `{sequence}`, `{format}`, `{ext}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    components: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    App,
    Stream,
    Session,
    Start,
    Year,
    Month,
    Day,
    Hour,
    Sequence,
    Format,
}

/// What a key is made from.
#[derive(Clone, Debug)]
pub struct NameFields<'a> {
    /// The stream.
    pub stream: &'a StreamPath,
    /// The session.
    pub session: SessionId,
    /// When the recording began.
    pub start: WallTime,
    /// Which of the session's recordings in this format.
    pub sequence: u32,
    /// Its format.
    pub format: Format,
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error(
        "the name template has an unknown placeholder {{{0}}}; the placeholders are {{app}} {{stream}} {{session}} \
         {{start}} {{yyyy}} {{mm}} {{dd}} {{hh}} {{sequence}} {{format}} {{ext}}"
    )]
    UnknownPlaceholder(String),
    /// A brace without its partner.
    #[error("the name template has a brace without its partner")]
    UnbalancedBrace,
    /// Names would collide.
    #[error(
        "the name template must hold {{stream}}, {{sequence}} and one of {{start}} or {{session}}, or two recordings would get the same name"
    )]
    NotUnique,
    /// The end is not the extension.
    #[error("the name template must end in .{{ext}}")]
    NoExtension,
    /// A component is empty, begins with a dot, or has a character that is not allowed.
    #[error(
        "the name template's part '{0}' must be letters, digits, '.', '_', '-' and placeholders, and must not be empty or begin with a dot"
    )]
    BadComponent(String),
}

impl Default for NameTemplate {
    fn default() -> Self {
        Self::DEFAULT.parse().unwrap_or(Self { components: Vec::new() })
    }
}

impl NameTemplate {
    /// The template used unless another is configured.
    pub const DEFAULT: &'static str = "{app}/{stream}/{yyyy}-{mm}-{dd}/{stream}-{start}-{sequence}.{ext}";

    /// The key of a recording. For HLS, the key of its multivariant playlist: the name without its
    /// extension is a directory that holds all its files.
    pub fn key(&self, fields: &NameFields<'_>) -> String {
        let mut key = String::new();
        for parts in &self.components {
            let mut component = String::new();
            for part in parts {
                match part {
                    Part::Text(text) => component.push_str(text),
                    Part::Placeholder(placeholder) => placeholder.write(fields, &mut component),
                }
            }
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(&file_name(&component));
        }
        match fields.format {
            Format::Mp4 => key.push_str(".mp4"),
            Format::Flv => key.push_str(".flv"),
            Format::Hls => key.push_str("/index.m3u8"),
        }
        key
    }
}

/// The object at key `to` as a file beside `from` calls it: a relative reference (RFC 3986, 4.2).
pub(crate) fn relative(from: &str, to: &str) -> String {
    let (mut from, mut to) = (from.rsplit_once('/').map_or("", |(directory, _)| directory), to);
    while let (Some((first, rest)), Some((same, below))) = (split(from), to.split_once('/'))
        && first == same
    {
        (from, to) = (rest, below);
    }
    let up = if from.is_empty() { 0 } else { from.split('/').count() };
    // Of what a key is made of, only this means something else in a reference.
    "../".repeat(up) + &to.replace('%', "%25")
}

/// The first component of a directory, and the rest.
fn split(directory: &str) -> Option<(&str, &str)> {
    (!directory.is_empty()).then(|| directory.split_once('/').unwrap_or((directory, "")))
}

impl std::str::FromStr for NameTemplate {
    type Err = TemplateError;

    fn from_str(template: &str) -> Result<Self, TemplateError> {
        let stem = template.strip_suffix(".{ext}").ok_or(TemplateError::NoExtension)?;
        let components = stem.split('/').map(parse_component).collect::<Result<Vec<_>, _>>()?;
        let has = |wanted| components.iter().flatten().any(|part| *part == Part::Placeholder(wanted));
        let unique = has(Placeholder::Stream)
            && has(Placeholder::Sequence)
            && (has(Placeholder::Start) || has(Placeholder::Session));
        if unique { Ok(Self { components }) } else { Err(TemplateError::NotUnique) }
    }
}

fn parse_component(text: &str) -> Result<Vec<Part>, TemplateError> {
    let bad = || TemplateError::BadComponent(text.to_owned());
    if text.is_empty() || text.starts_with('.') {
        return Err(bad());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        let inside = from.strip_prefix('{').ok_or(TemplateError::UnbalancedBrace)?;
        let (name, after) = inside.split_once('}').ok_or(TemplateError::UnbalancedBrace)?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Placeholder(Placeholder::parse(name)?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    let plain = |text: &str| text.bytes().all(is_plain);
    if parts.iter().all(|part| !matches!(part, Part::Text(text) if !plain(text))) { Ok(parts) } else { Err(bad()) }
}

impl Placeholder {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        Ok(match name {
            "app" => Self::App,
            "stream" => Self::Stream,
            "session" => Self::Session,
            "start" => Self::Start,
            "yyyy" => Self::Year,
            "mm" => Self::Month,
            "dd" => Self::Day,
            "hh" => Self::Hour,
            "sequence" => Self::Sequence,
            "format" => Self::Format,
            other => return Err(TemplateError::UnknownPlaceholder(other.to_owned())),
        })
    }

    fn write(self, fields: &NameFields<'_>, out: &mut String) {
        let utc = fields.start.to_utc();
        let text = match self {
            Self::App => escape(&fields.stream.app),
            Self::Stream => escape(&fields.stream.name),
            Self::Session => fields.session.0.simple().to_string(),
            Self::Start => fields.start.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect(),
            Self::Year => format!("{:04}", utc.year()),
            Self::Month => format!("{:02}", u8::from(utc.month())),
            Self::Day => format!("{:02}", utc.day()),
            Self::Hour => format!("{:02}", utc.hour()),
            Self::Sequence => format!("{:04}", fields.sequence),
            Self::Format => fields.format.name().to_owned(),
        };
        out.push_str(&text);
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Percent-encodes everything that is not a plain character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Makes an escaped component a good file name: no leading dot, not too long (the end gives way to
/// a hash of the whole, so that different names stay different).
fn file_name(component: &str) -> String {
    let name = match component.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => component.to_owned(),
    };
    if name.len() <= COMPONENT_MAX_BYTES {
        return if name.is_empty() { "_".to_owned() } else { name };
    }
    // FNV-1a, 64 bits: stable across versions, which the standard library's hashes are not.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // The template's own text (date, sequence) stands at the end and must stay readable there.
    let tail = &name[name.len() - 48..];
    format!("{}~{hash:016x}~{}", &name[..COMPONENT_MAX_BYTES - 48 - 18], tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn key(template: &str, app: &str, name: &str, format: Format) -> String {
        let stream = StreamPath { app: app.to_owned(), name: name.to_owned() };
        template.parse::<NameTemplate>().unwrap().key(&NameFields {
            stream: &stream,
            session: SessionId(Uuid::from_u128(7)),
            start: "2026-11-22T21:07:00.123Z".parse().unwrap(),
            sequence: 3,
            format,
        })
    }

    #[test]
    fn a_file_calls_another_by_the_way_from_its_directory() {
        assert_eq!(relative("live/a/a-1/index.m3u8", "live/a/a-1.mp4"), "../a-1.mp4");
        assert_eq!(relative("a-1/index.m3u8", "a-1.mp4"), "../a-1.mp4");
        assert_eq!(relative("hls/a/a-1/index.m3u8", "mp4/a/a-1.mp4"), "../../../mp4/a/a-1.mp4");
        assert_eq!(relative("x/index.m3u8", "x/y/z.mp4"), "y/z.mp4");
        assert_eq!(relative("live/x%2Fy/1/index.m3u8", "live/x%2Fy/1.mp4"), "../1.mp4");
        assert_eq!(relative("live/x/%20/index.m3u8", "live/x/%20.mp4"), "../%2520.mp4");
    }

    #[test]
    fn the_default_template_gives_dated_names() {
        let key = |format| key(NameTemplate::DEFAULT, "live", "cam1", format);
        assert_eq!(key(Format::Mp4), "live/cam1/2026-11-22/cam1-20261122T210700123Z-0003.mp4");
        assert_eq!(key(Format::Flv), "live/cam1/2026-11-22/cam1-20261122T210700123Z-0003.flv");
        assert_eq!(key(Format::Hls), "live/cam1/2026-11-22/cam1-20261122T210700123Z-0003/index.m3u8");
        assert_eq!(NameTemplate::default(), NameTemplate::DEFAULT.parse().unwrap());
    }

    #[test]
    fn hostile_names_stay_within_their_component() {
        assert_eq!(
            key("{app}/{stream}-{start}-{sequence}.{ext}", "..", "../../etc/passwd\0\u{202e}x", Format::Flv),
            "%2E./%2E.%2F..%2Fetc%2Fpasswd%00%E2%80%AEx-20261122T210700123Z-0003.flv"
        );
    }

    #[test]
    fn bad_templates_are_refused_with_the_reason() {
        let error = |template: &str| template.parse::<NameTemplate>().unwrap_err();
        assert_eq!(error("{stream}-{sequence}.{ext}"), TemplateError::NotUnique);
        assert_eq!(error("{stream}-{start}-{sequence}.mp4"), TemplateError::NoExtension);
        assert_eq!(error("{x}.{ext}"), TemplateError::UnknownPlaceholder("x".into()));
        assert_eq!(error("{stream}-{start.{ext}"), TemplateError::UnbalancedBrace);
        assert_eq!(error("/{stream}{start}{sequence}.{ext}"), TemplateError::BadComponent(String::new()));
        assert_eq!(error("../{stream}{start}{sequence}.{ext}"), TemplateError::BadComponent("..".into()));
        assert_eq!(error("a b/{stream}{start}{sequence}.{ext}"), TemplateError::BadComponent("a b".into()));
    }

    proptest! {
        #[test]
        fn every_component_is_a_plain_bounded_file_name(app in ".{0,80}", name in ".{0,300}") {
            for component in key(NameTemplate::DEFAULT, &app, &name, Format::Mp4).split('/') {
                prop_assert!(!component.is_empty() && !component.starts_with('.'));
                prop_assert!(component.len() <= COMPONENT_MAX_BYTES + 4);
                prop_assert!(component.bytes().all(|byte| is_plain(byte) || matches!(byte, b'%' | b'~')));
            }
        }

        #[test]
        fn different_streams_get_different_names(a in ".{0,300}", b in ".{0,300}") {
            prop_assume!(a != b);
            prop_assert_ne!(key(NameTemplate::DEFAULT, "x", &a, Format::Flv), key(NameTemplate::DEFAULT, "x", &b, Format::Flv));
        }
    }
}
