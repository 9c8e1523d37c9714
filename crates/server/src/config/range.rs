//! Ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AddressRange(IpNet);

impl AddressRange {
    /// Whether `address` is in it. An IPv4 address written as an IPv6 one (`::ffff:192.0.2.1`) is itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a range of addresses; write \"192.0.2.0/24\", \"fd00::/8\", or a single address")]
pub struct AddressRangeError(String);

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let fail = || AddressRangeError(text.chars().take(60).flat_map(char::escape_default).collect());
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| fail())?,
        };
        let IpNet::V6(mapped) = net else { return Ok(Self(net)) };
        let as_v4 = || {
            let prefix = mapped.prefix_len().checked_sub(96)?;
            Ipv4Net::new(mapped.addr().to_ipv4_mapped()?, prefix).ok()
        };
        Ok(Self(as_v4().map_or(net, IpNet::V4)))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

super::address::serde_as_text!(AddressRange, "a range of addresses in quotes, such as \"192.0.2.0/24\"");

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        range.parse::<AddressRange>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_its_addresses_however_they_are_written() {
        for (range, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.9", "192.0.2.9", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "8.8.8.8", false),
            ("fd00::/8", "fdab::1", true),
            ("fd00::/8", "fe80::1", false),
            // Somebody else's network may be written into an address of his.
            ("10.0.0.0/8", "2002:a00:1::1", false),
        ] {
            assert_eq!(contains(range, address), expected, "{address} in {range}");
        }
    }

    #[test]
    fn ranges_are_read_strictly() {
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "localhost", "10.0.0.0/8/8", "10.0.0.1:80"] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }
}
