//! The query of a push URL, fit to be kept: secrets taken out.

use livetape_rtmp::Query;

/// Parts of parameter names that mark a secret.
const SECRET_MARKS: [&str; 8] = ["secret", "token", "key", "sign", "auth", "pass", "pwd", "credential"];
/// The longest query that is kept.
const KEPT_MAX_BYTES: usize = 2_000;

/// The query with the values of secret parameters replaced by `***`.
pub(super) fn redacted(query: &Query) -> String {
    redact(query.expose())
}

/// The text of a query, likewise.
pub fn redact(query: &str) -> String {
    let mut out = String::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let lower = name.to_ascii_lowercase();
        // A bare word may itself be the secret.
        let secret = !parameter.contains('=') || SECRET_MARKS.iter().any(|mark| lower.contains(mark));
        let kept = if secret { "***" } else { value };
        if out.len() + name.len() + kept.len() + 2 > KEPT_MAX_BYTES {
            break;
        }
        if !out.is_empty() {
            out.push('&');
        }
        if parameter.contains('=') {
            out.push_str(name);
            out.push('=');
        }
        out.push_str(kept);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        assert_eq!(redact("record=mp4&txSecret=abc&txTime=658D3AEE"), "record=mp4&txSecret=***&txTime=658D3AEE");
        assert_eq!(redact("Token=1&&x=2"), "Token=***&x=2");
        assert_eq!(redact("hunter2"), "***");
        assert_eq!(redact(""), "");
        assert!(redact(&format!("a={}", "b".repeat(5_000))).len() <= KEPT_MAX_BYTES);
    }
}
