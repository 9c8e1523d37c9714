//! FLAC: the metadata blocks, STREAMINFO first (RFC 9639, 8).

use bytes::Bytes;

use crate::{AudioFormat, CodecError};

/// FLAC: the metadata blocks, STREAMINFO first (RFC 9639, 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlacConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: AudioFormat,
}

impl FlacConfig {
    /// Reads a configuration record.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "FlacConfig", problem: "not read yet" })
    }
}
