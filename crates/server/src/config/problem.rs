//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read, and these things are wrong with it.
    #[error("{}", join(.0))]
    Invalid(Vec<Problem>),
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong, or probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// Where a setting got its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(FilePlace),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// Nowhere: it is the default, or missing.
    Setting(String),
}

/// A range of a file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    path: PathBuf,
    line: usize,
    column: usize,
    /// The line, when it can be shown.
    excerpt: Option<Excerpt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    /// The part of `text` meant, in characters; empty when it is not shown.
    mark: Range<usize>,
}

impl FilePlace {
    /// The place of `span` (bytes) in `text`, the contents of `path`.
    pub(super) fn new(path: &Path, text: &str, span: Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let line_start = text.get(..start).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
        let line_text = text.get(line_start..).and_then(|tail| tail.lines().next()).unwrap_or("");
        let line = text.get(..line_start).map_or(0, |head| head.matches('\n').count()) + 1;
        let chars =
            |bytes: usize| line_text.get(..floor_char_boundary(line_text, bytes)).map_or(0, |s| s.chars().count());
        let from = chars(start - line_start);
        let to = chars(span.end.saturating_sub(line_start)).max(from + 1);
        // What is not shown is not marked either.
        let shown = showable(line_text);
        let visible = shown.as_ref().map_or(0, |text| text.trim_end_matches(HIDDEN).chars().count());
        let mark = from..if from < visible { to.min(visible) } else { from };
        Self { path: path.to_owned(), line, column: from + 1, excerpt: shown.map(|text| Excerpt { text, mark }) }
    }
}

/// What stands for a value that may be a secret.
const HIDDEN: &str = " ...";

/// The largest index of a character's first byte that is not beyond `index`.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A line as it may be shown: table headers whole, settings with their value unless it may be a
/// secret; anything else (the inside of a text of several lines) not at all.
fn showable(line: &str) -> Option<String> {
    let trimmed = line.trim_start();
    if trimmed.starts_with('[') {
        return Some(line.trim_end().to_owned());
    }
    let (key, value) = line.split_once('=')?;
    let name = key.trim().to_ascii_lowercase();
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'')) {
        return None;
    }
    let known = KNOWN_HARMLESS.iter().any(|harmless| name.rsplit('.').next() == Some(*harmless));
    Some(if known || value.trim().parse::<i64>().is_ok() {
        line.trim_end().chars().take(200).collect()
    } else {
        format!("{key}={HIDDEN}")
    })
}

/// Settings whose values may be shown. A name that is not known may be a secret's, misspelt.
const KNOWN_HARMLESS: &[&str] = &[
    "data",
    "listen",
    "max_connections",
    "max_connections_per_address",
    "handshake_timeout",
    "publish_timeout",
    "idle_timeout",
    "gather",
    "max_message_size",
    "max_connection_memory",
    "max_chunk_streams",
    "on_conflict",
    "certificate",
    "authorization",
    "allow",
    "deny",
    "key_file",
    "backup_key_file",
    "hash",
    "cache",
    "max_requests",
    "token_file",
    "tencent_key_file",
    "public_media",
    "request_timeout",
    "cors_origins",
    "trusted_proxies",
    "max_request_rate",
    "max_failure_rate",
    "formats",
    "mp4_max_duration",
    "flv_max_duration",
    "hls_max_duration",
    "max_size",
    "align",
    "align_offset",
    "min_duration",
    "recording_name",
    "streams",
    "template",
    "off",
    "from_query",
    "segment_duration",
    "segment_type",
    "hls_source",
    "fragment_duration",
    "fragment_max_size",
    "sync_interval",
    "track_wait",
    "max_held_size",
    "preroll",
    "max_preroll_size",
    "max_preroll_total",
    "name",
    "resume_window",
    "gap",
    "resume_on_unpublish",
    "resume_limit",
    "min_free",
    "sidecar",
    "ivs_events",
    "jumps",
    "changes",
    "moved_timestamps",
    "gap",
    "apart",
    "apart_for",
    "missing_track",
    "gop_max",
    "gop_ratio",
    "kind",
    "path",
    "max_uploads",
    "retention",
    "secret_file",
    "events",
    "timeout",
    "concurrency",
    "allow_addresses",
    "old_secret_file",
    "tencent_app_id",
    "tencent_legacy_fields",
    "tencent_text_time",
    "format",
    "level",
];

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(place) => {
                write!(f, "{}:{}:{}: {}", place.path.display(), place.line, place.column, self.message)?;
                let Some(excerpt) = &place.excerpt else { return Ok(()) };
                let number = place.line.to_string();
                let margin = " ".repeat(number.len());
                write!(f, "\n {margin} |\n {number} | {}", excerpt.text)?;
                if !excerpt.mark.is_empty() {
                    let carets = "^".repeat(excerpt.mark.len());
                    write!(f, "\n {margin} | {}{carets}", " ".repeat(excerpt.mark.start))?;
                }
                Ok(())
            }
            Place::Variable(name) => write!(f, "environment variable {name}: {}", self.message),
            Place::Flag(flag) => write!(f, "{flag}: {}", self.message),
            Place::Setting(setting) => write!(f, "{setting}: {}", self.message),
        }
    }
}
