//! Input read as values: what a target does next is said by the next bytes.
//!
//! A plain format, so that seeds can be made from real traffic and stay valid when a target grows.

/// The rest of an input. Behind its end there are zeros.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// A whole input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next two bytes, the higher first.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// The next four bytes, the highest first.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    /// Up to `length` bytes, fewer at the end.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(self.0.len().min(length));
        self.0 = rest;
        taken
    }

    /// A length of two bytes and so many bytes.
    pub fn counted(&mut self) -> &'a [u8] {
        let length = self.u16();
        self.bytes(usize::from(length))
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// One of `choices`, of which there is at least one.
    pub fn choice<T: Copy>(&mut self, choices: &[T]) -> T {
        let which = usize::from(self.u8()) % choices.len();
        choices[which]
    }
}

/// `part` of 65,536 parts of `whole`.
pub fn share(whole: usize, part: u16) -> usize {
    whole * usize::from(part) / 65_536
}
