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

    /// The marker within a frame's payload, whose filling follows it to the end; `None` when the payload is
    /// not as it was sent.
    pub fn of(payload: &[u8]) -> Option<Self> {
        let start = payload.windows(MARKER_BYTES).position(|window| window.starts_with(&MAGIC))?;
        let (bytes, filling) = payload[start..].split_at(MARKER_BYTES);
        let digits = bytes[6..14].iter().map(|byte| byte.checked_sub(0x40).filter(|digit| *digit < 16));
        let number =
            digits.collect::<Option<Vec<u8>>>()?.into_iter().fold(0, |number, digit| number << 4 | u32::from(digit));
        let marker = Self { stream: bytes[4].checked_sub(0x10)?, video: bytes[5] == 0x21, number };
        let whole = *bytes == marker.bytes() && filling.iter().all(|byte| *byte == marker.filling());
        whole.then_some(marker)
    }

    /// What fills the rest of the payload.
    pub fn filling(self) -> u8 {
        if self.video { 0x77 } else { 0x33 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_a_payload_that_is_whole() {
        let marker = Marker { stream: 1, video: true, number: 0x1234_5678 };
        let mut payload = [&[0, 0, 0, 99, 0x65][..], &marker.bytes(), &[0x77; 20]].concat();
        assert_eq!(Marker::of(&payload), Some(marker));
        payload[30] = 0;
        assert_eq!(Marker::of(&payload), None);
    }
}
