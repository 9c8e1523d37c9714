//! Writing boxes: nested, with sizes filled in when a box is closed.

/// A growing run of boxes.
#[derive(Debug, Default)]
pub(crate) struct BoxWriter {
    bytes: Vec<u8>,
}

impl BoxWriter {
    /// Nothing yet, with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// What has been written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A box: `size:u32 kind:4`, then what `body` writes.
    pub(crate) fn boxed(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.u32(0);
        self.raw(kind);
        body(self);
        let size = self.bytes.len() - start;
        self.set_u32(start, saturated(size));
    }

    /// A full box: a box that begins with `version:u8 flags:u24`.
    pub(crate) fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Self)) {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags & 0x00ff_ffff);
            body(w);
        });
    }

    /// Two bytes.
    pub(crate) fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes.
    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, two's complement.
    pub(crate) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes.
    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes when `wide`, else four; what does not fit in four becomes the largest.
    pub(crate) fn u32_or_u64(&mut self, wide: bool, value: u64) {
        if wide { self.u64(value) } else { self.u32(u32::try_from(value).unwrap_or(u32::MAX)) }
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `count` zero bytes.
    pub(crate) fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// The four bytes at `at`; `None` when they have not been written.
    pub(crate) fn u32_at(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// Overwrites the four bytes at `at`, which have been written.
    pub(crate) fn set_u32(&mut self, at: usize, value: u32) {
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }
}

impl From<Vec<u8>> for BoxWriter {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

/// As 32 bits; the largest when it does not fit.
pub(crate) fn saturated(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_nested_boxes_count_their_headers() {
        let mut writer = BoxWriter::default();
        writer.boxed(b"moov", |w| w.full(b"mvhd", 1, 7, |w| w.u16(0x0102)));
        let expected = [&[0, 0, 0, 22][..], b"moov", &[0, 0, 0, 14], b"mvhd", &[1, 0, 0, 7], &[1, 2]].concat();
        assert_eq!(writer.into_bytes(), expected);
    }
}
