//! What every frame of the workload carries in its payload, so that recordings can be judged frame by
//! frame.

/// The mark of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker {
    /// Which stream of the workload.
    pub stream: u8,
    /// Picture or sound.
    pub video: bool,
    /// Which frame of its track, from 0.
    pub number: u32,
}

/// What a marker begins with.
const MAGIC: [u8; 4] = *b"Tape";
/// How long one is.
pub const MARKER_BYTES: usize = 16;

impl Marker {
    /// As bytes; never like a start code.
    pub fn bytes(self) -> [u8; MARKER_BYTES] {
        let mut bytes = [0x55; MARKER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = 0x10 + self.stream;
        bytes[5] = 0x20 + u8::from(self.video);
        for (place, shift) in (6..14).zip((0..8).rev()) {
            bytes[place] = 0x40 + (self.number >> (4 * shift) & 0xf) as u8;
        }
        bytes
    }

    /// The marker within a frame's payload. Panics when there is not exactly one.
    pub fn of(payload: &[u8]) -> Self {
        let mut found = payload.windows(MARKER_BYTES).filter(|window| window.starts_with(&MAGIC));
        let bytes = found.next().unwrap_or_else(|| panic!("{} bytes hold no marker: {payload:02x?}", payload.len()));
        assert!(found.next().is_none(), "two markers in one frame");
        let number = bytes[6..14].iter().fold(0, |number, byte| number << 4 | u32::from(byte - 0x40));
        Self { stream: bytes[4] - 0x10, video: bytes[5] == 0x21, number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_the_payload_that_holds_it() {
        let marker = Marker { stream: 1, video: true, number: 0x1234_5678 };
        let payload = [&[0, 0, 0, 99, 0x65][..], &marker.bytes(), &[7; 20]].concat();
        assert_eq!(Marker::of(&payload), marker);
    }
}
