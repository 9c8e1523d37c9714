//! Query parameters, with every mistake named.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::RawPathParams;
use livetape_catalog::{DEFAULT_LIMIT, MAX_LIMIT};

use super::Problem;
use super::problem::ParameterProblem;

/// What the path names, of a request without parameters.
pub(super) fn named<'a>(path: &'a RawPathParams, query: Option<&str>) -> Result<&'a str, Problem> {
    Query::parse(query).finish()?;
    Ok(in_path(path))
}

/// What the path names.
pub(super) fn in_path(path: &RawPathParams) -> &str {
    path.iter().next().map_or("", |(_, value)| value)
}

/// The parameters of one request. Each is taken by name; what is left over is an error.
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<ParameterProblem>,
    known: Vec<&'static str>,
}

impl Query {
    /// Of the query as it stands in the URL, without its `?`.
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            })
            .collect();
        Self { pairs, errors: Vec::new(), known: Vec::new() }
    }

    /// Takes the parameter `name`, when it is there and not empty.
    pub fn take<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.take_text(name)?;
        self.read(name, value.parse())
    }

    /// Takes a date and time. A `+` that stands for itself, as in `+01:00`, is understood.
    pub fn take_time(&mut self, name: &'static str) -> Option<livetape_media::WallTime> {
        let value = self.take_text(name)?.replace(' ', "+");
        self.read(name, value.parse())
    }

    /// Takes a number within a range.
    pub fn take_number(&mut self, name: &'static str, min: i64, max: i64) -> Option<i64> {
        let value = self.take_text(name)?;
        let number = value.parse::<i64>().ok().filter(|number| (min..=max).contains(number));
        self.read(name, number.ok_or_else(|| format!("must be a number between {min} and {max}")))
    }

    /// Takes `limit`: how many items to a page.
    pub fn take_limit(&mut self) -> usize {
        let max = i64::try_from(MAX_LIMIT).unwrap_or(i64::MAX);
        let limit = self.take_number("limit", 1, max).and_then(|limit| usize::try_from(limit).ok());
        limit.unwrap_or(DEFAULT_LIMIT)
    }

    fn take_text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.pairs.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.pairs.remove(at);
        (!value.is_empty()).then_some(value)
    }

    fn read<T, E: Display>(&mut self, name: &'static str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(ParameterProblem { parameter: name.to_owned(), detail: error.to_string() });
                None
            }
        }
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// One for each parameter that was wrong, not known, or given twice; at most 20.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in self.pairs {
            let detail = if self.known.contains(&name.as_str()) {
                "given more than once".to_owned()
            } else {
                format!("not known here; known are {}", self.known.join(", "))
            };
            let parameter = name.chars().take(64).collect();
            if self.errors.len() < 20 {
                self.errors.push(ParameterProblem { parameter, detail });
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::bad_parameters(self.errors)) }
    }
}

/// `application/x-www-form-urlencoded` to text; bytes that are not UTF-8 are replaced.
fn decode(text: &str) -> String {
    let bytes = percent_decode(&text.replace('+', " "));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `%XX` to bytes; anything else stands for itself.
pub fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken_by_name() {
        let mut query = Query::parse(Some("stream=caf%C3%A9+1&limit=5&from=2026-11-22T22:07:00+01:00&app="));
        assert_eq!(query.take::<String>("stream").as_deref(), Some("café 1"));
        assert_eq!(query.take_number("limit", 1, 500), Some(5));
        assert_eq!(query.take_time("from").unwrap().to_string(), "2026-11-22T21:07:00.000Z");
        assert_eq!(query.take::<String>("app"), None);
        assert_eq!(query.finish(), Ok(()));
    }

    #[test]
    fn every_mistake_is_named() {
        let mut query = Query::parse(Some("limit=0&limit=1&colour=red&from=yesterday"));
        assert_eq!(query.take_number("limit", 1, 500), None);
        assert_eq!(query.take_time("from"), None);
        let problem = query.finish().unwrap_err();
        let named: Vec<&str> = problem.errors.iter().map(|error| error.parameter.as_str()).collect();
        assert_eq!(named, ["limit", "from", "limit", "colour"]);
    }

    #[test]
    fn a_percent_sign_without_two_digits_stands_for_itself() {
        for (text, bytes) in [("%", &b"%"[..]), ("%4", b"%4"), ("%41", b"A"), ("%zz", b"%zz"), ("%2525", b"%25")] {
            assert_eq!(percent_decode(text), bytes, "{text}");
        }
    }
}
