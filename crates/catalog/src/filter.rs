//! Which recordings a caller asks for.

use std::fmt::Display;
use std::str::FromStr;

use livetape_media::{Format, WallTime};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{CatalogError, RecordingState};

/// The most items of one page.
pub const MAX_LIMIT: usize = 500;
/// The items of a page when the caller does not say.
pub const DEFAULT_LIMIT: usize = 50;

/// Which recordings a caller asks for; all conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFilter {
    /// Exactly this application.
    pub app: Option<String>,
    /// Exactly this stream name.
    pub stream: Option<String>,
    /// `APP/STREAM` begins with this.
    pub prefix: Option<String>,
    /// This format.
    pub format: Option<Format>,
    /// This state.
    pub state: Option<RecordingState>,
    /// Held by somebody, or by nobody.
    pub held: Option<bool>,
    /// Still running at or after this time: its end, if it has one, is later.
    pub from: Option<WallTime>,
    /// Begun before this time. With `from`: every recording that shares a moment with the span.
    pub to: Option<WallTime>,
    /// [`Page::next_cursor`] of the page before, of the same filter.
    pub cursor: Option<String>,
    /// Items of a page, 1 to [`MAX_LIMIT`].
    pub limit: usize,
}

impl Default for RecordingFilter {
    fn default() -> Self {
        Self {
            app: None,
            stream: None,
            prefix: None,
            format: None,
            state: None,
            held: None,
            from: None,
            to: None,
            cursor: None,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl RecordingFilter {
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(CatalogError::Filter(format!("limit is {}; it may be 1 to {MAX_LIMIT}", self.limit)));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(CatalogError::Filter(format!("from is {from}, which is not before to, {to}")));
        }
        Ok(())
    }

    /// The conditions as JSON: a member for each.
    pub fn conditions(&self) -> Value {
        json!({
            "app": self.app,
            "stream": self.stream,
            "prefix": self.prefix,
            "format": self.format.map(|format| format.to_string()),
            "state": self.state.map(|state| state.to_string()),
            "held": self.held,
            "from": self.from.map(|time| time.to_string()),
            "to": self.to.map(|time| time.to_string()),
        })
    }

    /// The conditions that [`RecordingFilter::conditions`] gave; what is wrong when it did not.
    pub(crate) fn of_conditions(json: &str) -> Result<Self, String> {
        fn read<T: FromStr<Err: Display>>(value: &Value) -> Result<Option<T>, String> {
            value.as_str().map(|text| text.parse::<T>().map_err(|error| error.to_string())).transpose()
        }
        let json: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let of = |name: &str| json.get(name).unwrap_or(&Value::Null);
        Ok(Self {
            app: read(of("app"))?,
            stream: read(of("stream"))?,
            prefix: read(of("prefix"))?,
            format: read(of("format"))?,
            state: read(of("state"))?,
            held: of("held").as_bool(),
            from: read(of("from"))?,
            to: read(of("to"))?,
            ..Self::default()
        })
    }
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Asks for the page after this one; null when this is the last.
    pub next_cursor: Option<String>,
}
