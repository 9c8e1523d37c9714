//! VP9: VPCodecConfigurationRecord (vp-codec-iso-media-file-format).

use bytes::Bytes;

use crate::{CodecError, VideoFormat};

/// VP9: VPCodecConfigurationRecord (vp-codec-iso-media-file-format).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vp9Config {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: VideoFormat,
}

impl Vp9Config {
    /// Reads a configuration record.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "Vp9Config", problem: "not read yet" })
    }

    /// As RFC 6381 writes it.
    pub fn rfc6381(&self) -> String {
        String::new()
    }
}
