//! ETags, and what they say of an object's contents.
//!
//! ```text
//! 900150983cd24fb0d6963f7d28e17f72      MD5 of the contents (put at once, or one part)
//! d41d8cd98f00b204e9800998ecf8427e-3    MD5 of the parts' three MD5s, 16 bytes each
//! anything else                         nothing
//! ```
//!
//! Where the service encrypts with keys that are not its own (SSE-KMS, SSE-C), which may be the bucket's setting and not
//! ours, ETags have the same shapes, and no more than the number of parts can be believed. Answers say so in the header
//! `x-amz-server-side-encryption`.

use aws_sdk_s3::types::ServerSideEncryption;
use md5::{Digest as _, Md5};

/// What an ETag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ETag {
    /// The MD5 of the contents.
    Md5([u8; 16]),
    /// The MD5 of the MD5s of so many parts.
    Composite([u8; 16], u32),
    /// Nothing of the contents, but that they were put in so many parts.
    Parts(u32),
    /// Nothing that can be compared.
    Other,
}

impl ETag {
    /// Reads an ETag without its quotes.
    pub(crate) fn parse(tag: &str) -> Self {
        match tag.split_once('-') {
            None => unhex(tag).map_or(Self::Other, Self::Md5),
            Some((hash, count)) => match (unhex(hash), count.parse()) {
                (Some(hash), Ok(count)) => Self::Composite(hash, count),
                _ => Self::Other,
            },
        }
    }

    /// What is left of it where sums mean nothing.
    pub(crate) fn without_sum(self) -> Self {
        match self {
            Self::Composite(_, count) | Self::Parts(count) => Self::Parts(count),
            Self::Md5(_) | Self::Other => Self::Other,
        }
    }

    /// What the object made of parts with these tags has, when every one of them is an MD5.
    pub(crate) fn of_parts<'a>(tags: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut whole = Md5::new();
        let mut count = 0u32;
        for tag in tags {
            let Self::Md5(part) = Self::parse(tag) else { return None };
            whole.update(part);
            count += 1;
        }
        Some(Self::Composite(whole.finalize().into(), count))
    }
}

/// An ETag as HTTP carries it, without its quotes.
pub(crate) fn unquote(tag: &str) -> &str {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

/// Whether the service encrypted so that its ETags mean nothing.
pub(crate) fn opaque(encryption: Option<&ServerSideEncryption>, customer_key: Option<&str>) -> bool {
    customer_key.is_some() || encryption.is_some_and(|encryption| encryption.as_str().starts_with("aws:kms"))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The 16 bytes of 32 hexadecimal digits, and of nothing else.
fn unhex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_tag_says_what_it_means() {
        let abc = "900150983cd24fb0d6963f7d28e17f72";
        let hash: [u8; 16] = Md5::digest(b"abc").into();
        assert_eq!(ETag::parse(abc), ETag::Md5(hash));
        assert_eq!(ETag::parse(&abc.to_uppercase()), ETag::Md5(hash));
        assert_eq!(ETag::parse(&format!("{abc}-12")), ETag::Composite(hash, 12));
        for other in ["", "-", "-3", "abc", &format!("{abc}-"), &format!("{abc}-x"), &format!("{abc}0")] {
            assert_eq!(ETag::parse(other), ETag::Other, "{other}");
        }
        assert_eq!(ETag::parse("+00150983cd24fb0d6963f7d28e17f72"), ETag::Other, "a sign is no digit");
        assert_eq!(hex(&hash), abc);
        let without = |tag: &str| ETag::parse(tag).without_sum();
        assert_eq!((without(&format!("{abc}-12")), without(abc)), (ETag::Parts(12), ETag::Other));
    }

    #[test]
    fn a_composite_tag_is_the_sum_of_the_sums() {
        let tags = ["900150983cd24fb0d6963f7d28e17f72", "d41d8cd98f00b204e9800998ecf8427e"];
        // (printf abc | md5sum; printf '' | md5sum) | xxd -r -p | md5sum
        let expected = ETag::parse("fdf1fdf1567f6942ffe1743f1e72301e-2");
        let composite = ETag::of_parts(tags.into_iter());
        assert!(matches!(composite, Some(ETag::Composite(_, 2))), "{composite:?}");
        assert_eq!(composite, Some(expected));
        assert_eq!(ETag::of_parts(["900150983cd24fb0d6963f7d28e17f72", "x"].into_iter()), None);
    }

    #[test]
    fn quotes_come_off() {
        for (tag, bare) in [("\"a\"", "a"), ("a", "a"), ("W/\"a\"", "a"), ("\"", "\""), ("", "")] {
            assert_eq!(unquote(tag), bare);
        }
    }

    #[test]
    fn tags_mean_nothing_under_a_customers_keys() {
        for (encryption, customer_key, expected) in [
            (None, None, false),
            (Some(ServerSideEncryption::Aes256), None, false),
            (Some(ServerSideEncryption::AwsKms), None, true),
            (Some(ServerSideEncryption::AwsKmsDsse), None, true),
            (None, Some("AES256"), true),
        ] {
            assert_eq!(opaque(encryption.as_ref(), customer_key), expected, "{encryption:?}");
        }
    }
}
