//! Where to listen, and the URLs that others are called by.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::http::Uri;

/// Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `:1935` for every address
/// of the machine, IPv6 and IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` is every address.
    host: Option<IpAddr>,
    port: u16,
}

impl ListenAddress {
    /// Every address of the machine.
    pub const fn everywhere(port: u16) -> Self {
        Self { host: None, port }
    }

    /// This machine only.
    pub const fn loopback(port: u16) -> Self {
        Self { host: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), port }
    }

    /// The addresses to try, in order, until one can be bound: for every address, IPv6 with IPv4
    /// mapped into it, then IPv4 alone where the machine has no IPv6.
    pub fn candidates(self) -> Vec<SocketAddr> {
        match self.host {
            Some(host) => vec![SocketAddr::new(host, self.port)],
            None => {
                vec![SocketAddr::from(([0u16; 8], self.port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port))]
            }
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(self) -> bool {
        self.host.is_some_and(|host| host.to_canonical().is_loopback())
    }

    /// The same address with another port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { host: self.host, port }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Some(host) => SocketAddr::new(host, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// The text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an address to listen on; write \"127.0.0.1:8080\", \"[::1]:8080\", or \":8080\" for every address"
)]
pub struct ListenAddressError(String);

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        let fail = || ListenAddressError(text.chars().take(60).collect());
        if let Some(port) = text.strip_prefix(':') {
            return Ok(Self::everywhere(port.parse().map_err(|_| fail())?));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return Ok(Self::loopback(port.parse().map_err(|_| fail())?));
        }
        let address: SocketAddr = text.parse().map_err(|_| fail())?;
        Ok(Self { host: Some(address.ip()), port: address.port() })
    }
}

/// The start of an `http` or `https` URL, or a whole one. Empty means "not set". Shown, it hides a
/// user, a password and the values of its query.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// The whole URL. For calling it only.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its host and port, with `-` for every character but letters and digits: `hooks-example-com`.
    pub fn host_as_name(&self) -> String {
        let uri = self.0.parse::<Uri>().ok();
        let authority = uri.as_ref().and_then(Uri::authority).map_or("", |authority| authority.as_str());
        let name: String = authority.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        name.trim_matches('-').chars().take(64).collect()
    }

    /// Its query, if it has one.
    pub fn query(&self) -> Option<&str> {
        self.0.split_once('?').map(|(_, query)| query)
    }
}

/// The text is not a URL that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    /// Not a URL at all.
    #[error("this is not a URL; write \"https://example.com/path\"")]
    NotAUrl,
    /// Another scheme.
    #[error("the URL must begin with http:// or https://")]
    Scheme,
    /// `user:password@`.
    #[error("the URL must not hold a user or a password")]
    UserInfo,
    /// `#...`.
    #[error("the URL must not hold a fragment (#...)")]
    Fragment,
}

impl FromStr for HttpUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.contains('#') {
            return Err(HttpUrlError::Fragment);
        }
        if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(HttpUrlError::Scheme);
        }
        let uri: Uri = text.parse().map_err(|_| HttpUrlError::NotAUrl)?;
        let authority = uri.authority().ok_or(HttpUrlError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(HttpUrlError::UserInfo);
        }
        if authority.host().is_empty() {
            return Err(HttpUrlError::NotAUrl);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((start, _)) => write!(f, "{start}?***"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Serialises as `Display` writes, deserialises as `FromStr` reads.
macro_rules! serde_as_text {
    ($type:ty, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

pub(super) use serde_as_text;

serde_as_text!(ListenAddress, "an address in quotes, such as \"127.0.0.1:8080\"");
serde_as_text!(HttpUrl, "a URL in quotes, such as \"https://example.com\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_know_whether_they_are_loopback() {
        for (text, loopback) in [
            ("127.0.0.1:8080", true),
            ("127.8.8.8:0", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("192.0.2.1:1", false),
            (":1935", false),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.is_loopback(), loopback, "{text}");
        }
        assert_eq!("localhost:80".parse(), Ok(ListenAddress::loopback(80)));
        for bad in ["", "8080", ":", ":99999", "example.com:80", "127.0.0.1", "127.0.0.1:-1"] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_http_without_credentials_and_hide_their_query() {
        let url: HttpUrl = "https://hooks.example.com/in?key=hunter2".parse().unwrap();
        assert_eq!(url.to_string(), "https://hooks.example.com/in?***");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert_eq!(url.reveal(), "https://hooks.example.com/in?key=hunter2");
        for (bad, error) in [
            ("ftp://example.com", HttpUrlError::Scheme),
            ("file:///etc/passwd", HttpUrlError::Scheme),
            ("example.com", HttpUrlError::Scheme),
            ("https://me:pw@example.com", HttpUrlError::UserInfo),
            ("https://example.com/#x", HttpUrlError::Fragment),
            ("http://exa mple.com", HttpUrlError::NotAUrl),
        ] {
            assert_eq!(bad.parse::<HttpUrl>(), Err(error), "{bad}");
        }
    }
}
