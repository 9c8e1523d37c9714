//! Patterns of streams: `live/*`, `*/cam-?`.

use std::str::FromStr;

use crate::StreamPath;

/// The longest pattern, in bytes. Matching takes no more than its length times that of a name.
const MAX_BYTES: usize = 256;

/// Streams, by their names: a pattern for the application, a slash, a pattern for the name. `*` stands for any text,
/// also none, `?` for any one character, everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    app: Vec<char>,
    name: Vec<char>,
}

/// Text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There are not both sides of a slash.
    #[error("'{0}' is no pattern of streams; write APP/STREAM, such as \"live/*\" or \"*/*\"")]
    NoSlash(String),
    /// It is too long.
    #[error("a pattern of streams has at most {MAX_BYTES} bytes")]
    TooLong,
}

impl Pattern {
    /// Whether `stream` is one of them.
    pub fn fits(&self, stream: &StreamPath) -> bool {
        let mut ignored = 0;
        fits(&self.app, &stream.app, &mut ignored) && fits(&self.name, &stream.name, &mut ignored)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        match text.rsplit_once('/') {
            Some((app, name)) if !app.is_empty() && !name.is_empty() => {
                Ok(Self { app: app.chars().collect(), name: name.chars().collect() })
            }
            _ => Err(PatternError::NoSlash(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |chars: &[char]| chars.iter().collect::<String>();
        write!(f, "{}/{}", text(&self.app), text(&self.name))
    }
}

/// Goes back to the last `*` only: what an earlier one stands for is settled once a later one is reached. Counts
/// the `steps` it takes.
fn fits(pattern: &[char], text: &str, steps: &mut usize) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        *steps += 1;
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == text.get(from) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                (at, from) = (back + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, app: &str, name: &str) -> bool {
        let stream = StreamPath { app: app.to_owned(), name: name.to_owned() };
        pattern.parse::<Pattern>().unwrap().fits(&stream)
    }

    #[test]
    fn a_pattern_names_its_streams() {
        for (pattern, app, name, expected) in [
            ("*/*", "live", "cam1", true),
            ("live/*", "live", "cam1", true),
            ("live/*", "live2", "cam1", false),
            ("live/cam-?", "live", "cam-1", true),
            ("live/cam-?", "live", "cam-12", false),
            ("live/*-hd", "live", "a-b-hd", true),
            ("live/*-hd", "live", "a-b-hd2", false),
            ("live/a*b*c", "live", "aXbYbZc", true),
            ("a/b/*", "a/b", "x", true),
            ("*/*", "a/b", "x/y", true),
            ("live/Cam", "live", "cam", false),
            ("live/日?", "live", "日本", true),
            ("live/cam", "live", "camera", false),
        ] {
            assert_eq!(fits(pattern, app, name), expected, "{pattern} {app}/{name}");
        }
        for bad in ["", "live", "/x", "live/", "/"] {
            assert!(matches!(bad.parse::<Pattern>(), Err(PatternError::NoSlash(_))), "{bad}");
        }
        assert_eq!("a/b/c*".parse::<Pattern>().unwrap().to_string(), "a/b/c*");
        assert_eq!(format!("x/{}", "y".repeat(300)).parse::<Pattern>(), Err(PatternError::TooLong));
    }

    #[test]
    fn a_pattern_that_was_made_to_be_slow_takes_its_length_times_that_of_a_name() {
        for pattern in ["a*".repeat(120) + "b", format!("*{}b", "a".repeat(240)), "*a?".repeat(80) + "b"] {
            let (pattern, name) = (pattern.chars().collect::<Vec<_>>(), "a".repeat(10_000));
            let mut steps = 0;
            assert!(!super::fits(&pattern, &name, &mut steps));
            assert!((name.len()..=pattern.len() * name.len()).contains(&steps), "{steps} steps");
        }
    }

    /// What a pattern means, said the short way.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| slowly(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && slowly(rest, &text[1..]),
            Some((wanted, rest)) => text.first() == Some(wanted) && slowly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_means_what_it_should(pattern in "[ab*?]{1,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(super::fits(&chars(&pattern), &text, &mut 0), slowly(&chars(&pattern), &chars(&text)));
        }
    }
}
