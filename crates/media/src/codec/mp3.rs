//! MP3: the frame header is the configuration (ISO/IEC 11172-3, 2.4.1.3).

use crate::{AudioFormat, CodecError};

/// What every frame header of an MP3 track repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp3Config {
    /// What was read from the header.
    pub format: AudioFormat,
}

impl Mp3Config {
    /// Reads the header at the start of a frame.
    pub fn parse_frame(frame: &[u8]) -> Result<Self, CodecError> {
        let _ = frame;
        Err(CodecError::Invalid { what: "MP3 frame", problem: "not read yet" })
    }
}
