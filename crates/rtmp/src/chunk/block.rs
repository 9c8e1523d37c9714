//! Room for small messages: one block for many, so that the memory of a frame costs no allocation of its own.
//!
//! A message lives as long as its block and a block as long as any of its messages; frames that came together go
//! together. What comes next gets another block, unless it was very little that came: as soon as those frames are written
//! their memory is free for whoever reads then, while it is still in the cache. The last of much has a block of its own:
//! muxers hold a frame back until they know when the next one is shown, and it would keep all the others. Blocks are
//! somewhat larger than what came before: who sends little holds little.

use bytes::BytesMut;

/// The largest message that gets room in a block.
const MESSAGE_MAX: usize = 32 << 10;
/// The size of the smallest block, and of the largest.
const BLOCK_BYTES: [usize; 2] = [8 << 10, 128 << 10];
/// Of what came at once, so much is the last.
const LAST_BYTES: usize = 32 << 10;

/// The block that is being filled.
#[derive(Debug, Default)]
pub(super) struct Block {
    rest: BytesMut,
    /// The size of the next one.
    next: usize,
    /// How much room was given since the end of what came before.
    given: usize,
    /// What is filled is the block of the last of it, before which so much was given.
    last: Option<usize>,
}

impl Block {
    /// Room for exactly `len` bytes, of which none are there; `None` where that is too much for a block. No more than
    /// `here` bytes, these among them, are left of what came at once.
    pub(super) fn room(&mut self, len: usize, here: usize) -> Option<BytesMut> {
        if len == 0 || len > MESSAGE_MAX {
            return None;
        }
        if self.last.is_none() && self.given >= LAST_BYTES && here <= LAST_BYTES {
            self.last = Some(self.given);
            self.rest = BytesMut::with_capacity(here.max(len));
        } else if self.rest.capacity() < len {
            let [smallest, largest] = BLOCK_BYTES;
            let size = self.next.clamp(smallest, largest).max(len);
            self.next = size * 2;
            self.rest = BytesMut::with_capacity(size);
        }
        self.given += len;
        let rest = self.rest.split_off(len);
        Some(std::mem::replace(&mut self.rest, rest))
    }

    /// All that came at once is read.
    pub(super) fn end(&mut self) {
        let given = std::mem::take(&mut self.given);
        let before = self.last.take().unwrap_or(given);
        if given >= BLOCK_BYTES[0] / 2 {
            self.rest = BytesMut::new();
            self.next = before + before / 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More is here than anybody asks for.
    const MUCH: usize = 1 << 30;

    #[test]
    fn messages_share_blocks_that_grow_and_none_reaches_into_another() {
        let mut block = Block::default();
        let mut rooms: Vec<(u8, BytesMut)> = Vec::new();
        let mut largest = 0;
        for number in 0..200u8 {
            let mut room = block.room(1_000, MUCH).unwrap();
            assert_eq!((room.len(), room.capacity()), (0, 1_000));
            largest = largest.max(block.rest.capacity() + 1_000);
            room.extend_from_slice(&[number; 1_000]);
            rooms.push((number, room));
        }
        assert!(rooms.iter().all(|(number, room)| room.iter().all(|byte| byte == number) && room.len() == 1_000));
        assert_eq!(largest, BLOCK_BYTES[1]);
        assert!(block.room(MESSAGE_MAX + 1, MUCH).is_none() && block.room(0, MUCH).is_none());
        assert!(block.room(MESSAGE_MAX, MUCH).is_some());
    }

    #[test]
    fn what_comes_at_once_gets_a_block_of_its_size_and_little_shares_one() {
        let mut block = Block::default();
        // How large the block is of the first of so many messages, and what is left behind the last.
        let mut come = |messages: usize| {
            let first = block.room(1_000, MUCH).unwrap();
            let size = first.capacity() + block.rest.capacity();
            (1..messages).for_each(|_| drop(block.room(1_000, MUCH).unwrap()));
            block.end();
            (size, block.rest.capacity())
        };
        assert_eq!(come(2), (8 << 10, (8 << 10) - 2_000), "the rest is for what comes next");
        assert_eq!(come(2).1, (8 << 10) - 4_000);
        assert_eq!(come(100).1, 0);
        for _ in 0..3 {
            assert_eq!(come(100), (125_000, 0), "one block is enough");
        }
        assert_eq!(come(20), (125_000, 0));
        assert_eq!(come(20), (25_000, 0), "blocks become small again");
        assert_eq!(come(1).0, 25_000);
    }

    #[test]
    fn the_last_of_much_has_a_block_of_its_own() {
        for (messages, last) in [(100, 32), (70, 32), (40, 8), (32, 0), (10, 0)] {
            let mut block = Block::default();
            // Where one begins, among so many messages of 1 KiB that come at once.
            let mut come = || {
                let left = (1..=messages).rev();
                let rooms: Vec<BytesMut> = left.map(|left| block.room(1 << 10, left << 10).unwrap()).collect();
                block.end();
                let follows = |at: usize| rooms[at - 1].as_ptr().addr() + (1 << 10) == rooms[at].as_ptr().addr();
                (1..messages).filter(|&at| !follows(at)).collect::<Vec<_>>()
            };
            let expected = if last == 0 { vec![] } else { vec![messages - last] };
            assert!(come().ends_with(&expected));
            assert_eq!(come(), expected, "{messages}");
        }
    }
}
