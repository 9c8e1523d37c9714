//! Which addresses an event may be sent to.
//!
//! A receiver's URL comes from the operator, but what its name resolves to comes from whoever owns
//! the name. The policy is asked for every address just before it is connected to, and the
//! connection goes to that very address, so that a name cannot answer differently the second time.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, `fe80::/10`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    prefix: u8,
}

/// The text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a range of addresses like 10.0.0.0/8, fd00::/8 or 192.0.2.1")]
pub struct RangeError(String);

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let parse = || {
            let (address, prefix) = match text.split_once('/') {
                Some((address, prefix)) => (address, Some(prefix)),
                None => (text, None),
            };
            let first: IpAddr = address.parse().ok()?;
            let bits = if first.is_ipv4() { 32 } else { 128 };
            let prefix = match prefix {
                Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
                Some(_) => return None,
                None => bits,
            };
            (prefix <= bits).then_some(Self { first, prefix })
        };
        parse().ok_or_else(|| RangeError(text.chars().take(80).flat_map(char::escape_default).collect()))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl AddressRange {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(first: u128, prefix: u8) -> Self {
        Self { first: IpAddr::V6(Ipv6Addr::from_bits(first)), prefix }
    }

    /// Whether `address` is in it. An IPv4 range holds the IPv6 ways of writing its addresses too.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => same_prefix_v4(first, address, self.prefix),
            (IpAddr::V4(first), IpAddr::V6(address)) => {
                embedded_v4(address).is_some_and(|address| same_prefix_v4(first, address, self.prefix))
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                let high = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
                high(first.to_bits()) == high(address.to_bits())
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix_v4(first: Ipv4Addr, address: Ipv4Addr, prefix: u8) -> bool {
    let high = |bits: u32| bits.checked_shr(32 - u32::from(prefix)).unwrap_or(0);
    high(first.to_bits()) == high(address.to_bits())
}

/// The IPv4 address that an IPv6 one stands for: mapped (`::ffff:a.b.c.d`), NAT64
/// (`64:ff9b::a.b.c.d`, RFC 6052) or 6to4 (`2002:aabb:ccdd::`, RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let low = |bits: u128| u32::try_from(bits & 0xffff_ffff).ok().map(Ipv4Addr::from_bits);
    match bits >> 32 {
        0xffff | 0x0064_ff9b_0000_0000_0000_0000 => low(bits),
        _ if bits >> 112 == 0x2002 => low(bits >> 80),
        _ => None,
    }
}

/// Refused unless the operator allows them: the addresses at which clouds hand out credentials,
/// and what belongs to no other machine one could mean.
const REFUSED: [AddressRange; 8] = [
    AddressRange::v4(169, 254, 0, 0, 16), // link-local; metadata of most clouds
    AddressRange::v6(0xfe80_0000_0000_0000_0000_0000_0000_0000, 10), // link-local
    AddressRange::v6(0xfd00_0ec2_0000_0000_0000_0000_0000_0254, 128), // metadata of AWS
    AddressRange::v6(0xfd20_00ce_0000_0000_0000_0000_0000_0254, 128), // metadata of Google Cloud
    AddressRange::v4(100, 100, 100, 200, 32), // metadata of Alibaba Cloud
    AddressRange::v4(192, 0, 0, 192, 32), // metadata of Oracle Cloud
    AddressRange::v4(224, 0, 0, 0, 3),    // multicast, reserved, broadcast
    AddressRange::v6(0xff00_0000_0000_0000_0000_0000_0000_0000, 8), // multicast
];

/// Which addresses an event may be sent to.
///
/// By default all but link-local, metadata and multicast ones: receivers of a self-hosted service
/// are mostly on loopback or in a private network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Allowed although refused by default or by `refuse`.
    pub allow: Vec<AddressRange>,
    /// Refused besides those refused by default.
    pub refuse: Vec<AddressRange>,
}

impl AddressPolicy {
    /// Whether an event may be sent to `address`.
    pub fn allows(&self, address: IpAddr) -> bool {
        let within = |ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(address));
        within(&self.allow) || !(within(&REFUSED) || within(&self.refuse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &AddressPolicy, address: &str) -> bool {
        policy.allows(address.parse().unwrap())
    }

    #[test]
    fn metadata_addresses_are_refused_however_they_are_written() {
        let policy = AddressPolicy::default();
        for refused in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert!(!allows(&policy, refused), "{refused}");
        }
        for allowed in
            ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1", "169.253.1.1"]
        {
            assert!(allows(&policy, allowed), "{allowed}");
        }
    }

    #[test]
    fn the_operator_can_allow_and_refuse_ranges() {
        let policy = AddressPolicy {
            allow: vec!["169.254.10.0/24".parse().unwrap(), "10.1.2.3".parse().unwrap()],
            refuse: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()],
        };
        for (address, allowed) in
            [("169.254.10.9", true), ("169.254.11.9", false), ("10.1.2.3", true), ("10.1.2.4", false), ("::1", false)]
        {
            assert_eq!(allows(&policy, address), allowed, "{address}");
        }
        let everything = AddressPolicy { refuse: vec!["0.0.0.0/0".parse().unwrap()], ..AddressPolicy::default() };
        assert!(
            !allows(&everything, "8.8.8.8") && !allows(&everything, "::ffff:8.8.8.8") && allows(&everything, "::1")
        );
    }

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!("10.0.0.0/8".parse::<AddressRange>().unwrap().to_string(), "10.0.0.0/8");
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "localhost", "10.0.0.0/8/8"] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }
}
