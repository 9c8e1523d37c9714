//! The name of an object: a relative path that is safe in a file system, a URL and an S3 bucket.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The key of an object: components joined by `/`.
///
/// ```text
/// live/room-1/2026-11-22/room-1-20261122T210700.000Z-1.mp4
/// ```
///
/// A component is 1 to 255 bytes of `[A-Za-z0-9]` and `. _ - % + = @ ~ ,`, and does not begin with a
/// dot; the whole is at most 1024 bytes. So no key is absolute, climbs (`..`), hides, holds a NUL,
/// or names two things on one file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

const COMPONENT_MAX_BYTES: usize = 255;
const KEY_MAX_BYTES: usize = 1024;

impl ObjectKey {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The components, first to last; at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The key of `name` in the same directory as this one: `a/b/index.m3u8` and `init-0.mp4` give
    /// `a/b/init-0.mp4`.
    ///
    /// # Errors
    /// When `name` is not one component, or the result is too long.
    pub fn sibling(&self, name: &str) -> Result<Self, KeyError> {
        if name.contains('/') {
            return Err(KeyError::new(name, "a name within a directory holds no '/'"));
        }
        match self.0.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/{name}").parse(),
            None => name.parse(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not the key of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an object key: {problem}")]
pub struct KeyError {
    text: String,
    problem: &'static str,
}

impl KeyError {
    fn new(text: &str, problem: &'static str) -> Self {
        Self { text: text.chars().take(80).flat_map(char::escape_default).collect(), problem }
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_MAX_BYTES {
            return Err(KeyError::new(text, "longer than 1024 bytes"));
        }
        for component in text.split('/') {
            let problem = if component.is_empty() {
                "empty, or has an empty component (begins or ends with '/', or holds '//')"
            } else if component.starts_with('.') {
                "a component begins with a dot"
            } else if component.len() > COMPONENT_MAX_BYTES {
                "a component is longer than 255 bytes"
            } else if !component.bytes().all(allowed) {
                "holds something else than letters, digits and . _ - % + = @ ~ ,"
            } else {
                continue;
            };
            return Err(KeyError::new(text, problem));
        }
        Ok(Self(text.into()))
    }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-%+=@~,".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_recordings_are_named() {
        let longest = "a".repeat(255);
        for good in ["a", "live/x%2Fy/2026-11-22/x-1.mp4", "a/b/c", "A_b-c.d~e@f+g=h,i", &longest, "a../b", "a..b"] {
            assert_eq!(good.parse::<ObjectKey>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn nothing_that_climbs_hides_or_confuses_is_a_key() {
        let long_component = "a".repeat(256);
        let long_key = ["a"; 513].join("/");
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.hidden",
            "a\0b",
            "a b",
            "a\\b",
            "a\nb",
            "ü",
            "a\u{202e}b",
            "a:b",
            "a*b",
            "a?b",
            &long_component,
            &long_key,
        ] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_never_prints_control_characters() {
        let error = "a\u{1b}[31m\n".parse::<ObjectKey>().unwrap_err().to_string();
        assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
    }

    #[test]
    fn a_sibling_stays_in_its_directory() {
        let index: ObjectKey = "live/x/index.m3u8".parse().unwrap();
        assert_eq!(index.sibling("init-0.mp4").unwrap().as_str(), "live/x/init-0.mp4");
        assert_eq!(index.name(), "index.m3u8");
        let top: ObjectKey = "a.mp4".parse().unwrap();
        assert_eq!(top.sibling("b.mp4").unwrap().as_str(), "b.mp4");
        for bad in ["..", "", "../x", "x/y", ".x"] {
            assert!(index.sibling(bad).is_err(), "{bad}");
        }
    }
}
