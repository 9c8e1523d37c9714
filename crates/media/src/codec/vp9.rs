//! VP9: VPCodecConfigurationRecord (vp-codec-iso-media-file-format, 2.2).
//!
//! ```text
//! [ version=1:8 flags:24 ] profile:8 | level:8 | depth:4 chroma:3 full_range:1 | primaries:8 | transfer:8 | matrix:8
//! | init_size:16 init bytes
//! ```
//!
//! The four bytes of version and flags belong to the box of MP4; publishers send the record with them or without.

use bytes::Bytes;

use crate::{CodecError, VideoFormat};

const WHAT: &str = "VPCodecConfigurationRecord";

/// VP9: VPCodecConfigurationRecord (vp-codec-iso-media-file-format).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vp9Config {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it: nothing, since the record does not tell the size, so 0 x 0.
    pub format: VideoFormat,
}

impl Vp9Config {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn or names a bit depth that VP9 does not have.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let Some([_, _, depth]) = fields(&record) else {
            return Err(CodecError::Truncated { what: WHAT, field: "its fixed bytes", at: record.len() });
        };
        if !matches!(depth, 8 | 10 | 12) {
            return Err(CodecError::Invalid { what: WHAT, problem: "its bit depth is none of 8, 10 and 12" });
        }
        Ok(Self { format: VideoFormat { width: 0, height: 0, frame_rate: None }, record })
    }

    /// As RFC 6381 writes it: `vp09.00.11.08` names the profile, level and bit depth.
    pub fn rfc6381(&self) -> String {
        match fields(&self.record) {
            Some([profile, level, depth]) => format!("vp09.{profile:02}.{level:02}.{depth:02}"),
            None => "vp09".to_owned(),
        }
    }
}

/// Profile, level and bit depth.
fn fields(record: &[u8]) -> Option<[u8; 3]> {
    // Without the box's version, 01 00 00 would be a bit depth of zero.
    let body = record.strip_prefix(&[1, 0, 0, 0]).unwrap_or(record);
    match body {
        [profile, level, depth, _, _, _, _, _, ..] => Some([*profile, *level, depth >> 4]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::bytes;

    #[test]
    fn records_are_read_with_and_without_version_and_flags() {
        for (hex, codec) in [
            ("01000000000b820202020000", "vp09.00.11.08"),
            ("01000000020ba20202020000", "vp09.02.11.10"),
            ("000b820202020000", "vp09.00.11.08"),
        ] {
            let config = Vp9Config::parse(bytes(hex)).unwrap();
            assert_eq!((config.rfc6381().as_str(), &config.record), (codec, &bytes(hex)));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for hex in ["", "01000000000b8202020200", "01000000000b920202020000", "000b8202020200"] {
            assert!(Vp9Config::parse(bytes(hex)).is_err(), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Vp9Config::parse(record.into()).map(|config| config.rfc6381());
        }
    }
}
