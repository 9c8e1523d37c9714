//! From what clients send as `app` and as the publish's name to a stream's two names and a query.

use crate::query::percent_decode;

/// One of the two names, decoded, and the query that followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) query: String,
}

impl Name {
    /// Cuts the query off, decodes `%XX`, drops slashes around it, and refuses what is empty, longer
    /// than `limit` bytes or holds control characters. The problem is told in words.
    pub(crate) fn parse(text: &str, limit: usize) -> Result<Self, String> {
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let name = percent_decode(name).ok_or("it does not decode to UTF-8")?;
        let name = name.trim_matches('/');
        if name.is_empty() {
            return Err("it is empty".to_owned());
        }
        if name.len() > limit {
            return Err(format!("it has {} bytes; the limit is {limit}", name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err("it contains control characters".to_owned());
        }
        if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err("it contains an empty path component, '.' or '..'".to_owned());
        }
        Ok(Self { name: name.to_owned(), query: query.to_owned() })
    }
}

/// What of a URL a client sends (`tcUrl`) may be shown: no query, no user, no control characters.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let shown = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            match path {
                Some(path) => format!("{scheme}://{host}/{path}"),
                None => format!("{scheme}://{host}"),
            }
        }
        None => url.to_owned(),
    };
    printable(&shown)
}

/// At most 255 characters, none of them a control character.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(255).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let parsed = Name::parse(text, 255).ok();
        assert_eq!(parsed.as_ref().map(|name| (name.name.as_str(), name.query.as_str())), expected, "{text:?}");
    }

    #[test]
    fn names_lose_their_query_and_the_slashes_around_them() {
        check("live", Some(("live", "")));
        check("/live/", Some(("live", "")));
        check("live/inst", Some(("live/inst", "")));
        check("key?token=a%20b&x=/?", Some(("key", "token=a%20b&x=/?")));
        check("live/?token=1", Some(("live", "token=1")));
        check("a%20b%2Fc", Some(("a b/c", "")));
        check("пример", Some(("пример", "")));
    }

    #[test]
    fn names_that_are_empty_or_dangerous_are_refused() {
        for text in ["", "/", "?token=1", "a\nb", "a%00b", "a%ff", "..", "live/../etc", "a//b", "%2e%2e", "."] {
            check(text, None);
        }
    }

    #[test]
    fn a_name_may_have_the_limit_and_no_more() {
        let long = "x".repeat(255);
        check(&long, Some((&long, "")));
        check(&format!("{long}x"), None);
        assert!(Name::parse(&"%78".repeat(255), 255).is_ok());
        assert!(Name::parse(&"é".repeat(128), 255).is_err());
    }

    #[test]
    fn a_url_is_shown_without_query_and_user() {
        assert_eq!(without_secrets("rtmp://user:pw@host:1935/live?k=1"), "rtmp://host:1935/live");
        assert_eq!(without_secrets("rtmp://host?k=1"), "rtmp://host");
        assert_eq!(without_secrets("live\u{7}/x?k"), "live/x");
    }
}
