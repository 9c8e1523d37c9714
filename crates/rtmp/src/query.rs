//! What a publisher adds to the name of its stream.

use std::borrow::Cow;
use std::fmt;

/// The query of a push URL: what follows the `?`, as it was sent.
///
/// It carries signatures and tokens, so neither `Debug` nor `Display` shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// The query that was sent as `text`, without the `?`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, without the `?`. Not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Names and values in order, percent-decoded; what does not decode to UTF-8 stays as it is.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.0.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
    }

    /// The value of the first parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.parameters().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Query(none)" } else { "Query(redacted)" })
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "redacted" })
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode(text).unwrap_or(Cow::Borrowed(text))
}

/// Decodes `%XX`. A `%` that no two hexadecimal digits follow stays. None if the result is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let hex = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = match (byte, tail) {
            (b'%', [high, low, behind @ ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    behind
                }
                _ => {
                    out.push(b'%');
                    tail
                }
            },
            _ => {
                out.push(*byte);
                tail
            }
        };
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_and_display() {
        let query = Query::new("token=hunter2".into());
        assert!(!format!("{query:?} {query}").contains("hunter2"));
        assert_eq!(query.expose(), "token=hunter2");
    }

    #[test]
    fn parameters_are_decoded_in_order_and_the_first_of_a_name_counts() {
        let query = Query::new("record=mp4%7Chls&x&record=flv&&bad=%ff%zz".into());
        assert_eq!(query.parameter("record").as_deref(), Some("mp4|hls"));
        assert_eq!(query.parameter("x").as_deref(), Some(""));
        assert_eq!(query.parameter("bad").as_deref(), Some("%ff%zz"));
        assert_eq!(query.parameter("y"), None);
        assert_eq!(query.parameters().count(), 4);
    }

    #[test]
    fn a_percent_sign_that_begins_nothing_stays() {
        assert_eq!(percent_decode("100%").as_deref(), Some("100%"));
        assert_eq!(percent_decode("%4").as_deref(), Some("%4"));
        assert_eq!(percent_decode("%C3%A9%+1").as_deref(), Some("é%+1"));
        assert_eq!(percent_decode("%C3"), None);
    }
}
