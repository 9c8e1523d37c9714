//! Room for small messages: one block for many, so that the memory of a frame costs no allocation of its own.
//!
//! A message lives as long as its block and a block as long as any of its messages; frames that came together go
//! together. The first blocks are small: who sends little holds little.

use bytes::BytesMut;

/// The largest message that gets room in a block.
const MESSAGE_MAX: usize = 32 << 10;
/// The size of the first block, and of the largest.
const BLOCK_BYTES: [usize; 2] = [8 << 10, 128 << 10];

/// The block that is being filled.
#[derive(Debug, Default)]
pub(super) struct Block {
    rest: BytesMut,
    /// The size of the block it is the rest of.
    size: usize,
}

impl Block {
    /// Room for exactly `len` bytes, of which none are there; `None` where that is too much for a block.
    pub(super) fn room(&mut self, len: usize) -> Option<BytesMut> {
        if len == 0 || len > MESSAGE_MAX {
            return None;
        }
        if self.rest.capacity() < len {
            let [first, largest] = BLOCK_BYTES;
            self.size = (self.size * 2).clamp(first, largest).max(len);
            self.rest = BytesMut::with_capacity(self.size);
        }
        let rest = self.rest.split_off(len);
        Some(std::mem::replace(&mut self.rest, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_share_blocks_that_grow_and_none_reaches_into_another() {
        let mut block = Block::default();
        let mut rooms: Vec<(u8, BytesMut)> = Vec::new();
        for number in 0..200u8 {
            let mut room = block.room(1_000).unwrap();
            assert_eq!((room.len(), room.capacity()), (0, 1_000));
            room.extend_from_slice(&[number; 1_000]);
            rooms.push((number, room));
        }
        assert!(rooms.iter().all(|(number, room)| room.iter().all(|byte| byte == number) && room.len() == 1_000));
        assert_eq!(block.size, BLOCK_BYTES[1]);
        assert!(block.room(MESSAGE_MAX + 1).is_none() && block.room(0).is_none());
        assert!(block.room(MESSAGE_MAX).is_some());
    }
}
