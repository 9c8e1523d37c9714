//! AV1: AV1CodecConfigurationRecord (av1-isobmff, 2.3).

use bytes::Bytes;

use crate::{CodecError, VideoFormat};

/// AV1: AV1CodecConfigurationRecord (av1-isobmff, 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Config {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: VideoFormat,
}

impl Av1Config {
    /// Reads a configuration record.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "Av1Config", problem: "not read yet" })
    }

    /// As RFC 6381 writes it.
    pub fn rfc6381(&self) -> String {
        String::new()
    }
}
