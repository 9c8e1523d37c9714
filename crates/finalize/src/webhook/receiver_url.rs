//! Where a receiver is.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// The URL of a receiver: `http` or `https`, a host, no user or password.
///
/// Printed without its path and query, which often hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverUrl(Uri);

/// The text is not the URL of a receiver. Says why without repeating it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL at all.
    #[error("not a URL: it looks like https://example.org/hook")]
    Syntax,
    /// Neither `http` nor `https`.
    #[error("a receiver's URL begins with http:// or https://")]
    Scheme,
    /// No host.
    #[error("the URL names no host")]
    Host,
    /// A user or a password before the host.
    #[error("the URL holds a user or password; events are signed instead, so put a secret into 'secrets'")]
    Credentials,
}

impl FromStr for ReceiverUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::Syntax)?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::Syntax),
        }
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        // "host:" and "host:99999" parse as an authority without a port.
        let port_text = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        if authority.host().is_empty() || (!port_text.is_empty() && authority.port_u16().is_none_or(|port| port == 0)) {
            return Err(UrlError::Host);
        }
        Ok(Self(uri))
    }
}

impl ReceiverUrl {
    /// For the request.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl fmt::Display for ReceiverUrl {
    /// Scheme, host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}", self.0.scheme_str().unwrap_or(""))
    }
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverUrl({self}/..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_web_address_and_its_path_is_never_printed() {
        let url: ReceiverUrl = "https://example.org:8443/hook/s3cr3t?token=s3cr3t".parse().unwrap();
        assert_eq!(url.to_string(), "https://example.org:8443");
        assert!(url.is_https() && !format!("{url:?}").contains("s3cr3t"));
        assert_eq!(url.uri().path(), "/hook/s3cr3t");
        let v6: ReceiverUrl = "http://[::1]:9000".parse().unwrap();
        assert_eq!(v6.to_string(), "http://[::1]:9000");
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, expected) in [
            ("", UrlError::Syntax),
            ("/hook", UrlError::Syntax),
            ("example.org", UrlError::Syntax),
            ("ftp://example.org/", UrlError::Scheme),
            ("https://user:pass@example.org/", UrlError::Credentials),
            ("https://example.org:99999/", UrlError::Host),
            ("https://example.org:0/", UrlError::Host),
        ] {
            assert_eq!(text.parse::<ReceiverUrl>().unwrap_err(), expected, "{text}");
        }
        for bad in ["http://", "http:///x", "http://:80/", "http://a b/", "http://[::1/"] {
            assert!(bad.parse::<ReceiverUrl>().is_err(), "{bad}");
        }
    }
}
