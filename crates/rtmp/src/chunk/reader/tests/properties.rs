//! What holds for every sequence of messages and for noise.

use proptest::prelude::*;
use rml_rtmp::chunk_io::ChunkDeserializer;

use super::{NOW, pattern, read, read_with, reader, received};
use crate::Limits;
use crate::chunk::ChunkReader;
use crate::message::{Message, kind};
use crate::wire::{Fmt, Open, Sent, Wire};

/// Messages on a few chunk streams with steps of time that clients make, some of them equal.
fn messages(largest: usize) -> impl Strategy<Value = Vec<Sent>> {
    let step = prop_oneof![4 => Just(23u32), 3 => 0..60u32, 1 => Just(20_000_000), 1 => Just(0xFF_FFFF)];
    let csid = prop_oneof![Just(4u32), Just(6), Just(7), Just(64), Just(400)];
    let length = prop_oneof![3 => Just(9usize), 3 => 0..400usize, 1 => 0..largest];
    let one =
        (csid, prop_oneof![Just(8u8), Just(9), Just(18)], prop_oneof![6 => Just(1u32), 1 => 0..4u32], step, length);
    (any::<u32>(), proptest::collection::vec(one, 1..40)).prop_map(|(start, parts)| {
        let mut timestamp = start;
        let sent = parts.into_iter().map(|(csid, type_id, stream_id, step, length)| {
            timestamp = timestamp.wrapping_add(step);
            Sent { csid, type_id, stream_id, timestamp, body: pattern(length, timestamp as u8) }
        });
        sent.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_written_is_read_in_any_order_format_and_cut(
        sent in messages(9000),
        chunk_sizes in proptest::collection::vec(prop_oneof![Just(128usize), 1..5000usize], 1..5),
        repeats_extended: bool,
        choices in proptest::collection::vec(any::<u16>(), 1..200),
        cuts in proptest::collection::vec(prop_oneof![3 => 1usize..400, 1 => Just(100_000)], 1..50),
    ) {
        let mut choices = choices.into_iter().cycle().map(usize::from);
        let mut choose = |among: usize| choices.next().unwrap_or(0) % among;
        let mut wire = Wire { repeats_extended, ..Wire::default() };
        let mut waiting = sent.iter();
        let mut open: Vec<(usize, Fmt, Open)> = Vec::new();
        let mut expected = Vec::new();
        let (mut numbered, mut resizes) = (0, 20);
        loop {
            // A chunk stream carries one message at a time; others may begin while it lasts.
            let next = waiting.as_slice().first().filter(|next| {
                open.len() < 8 && open.iter().all(|(number, ..)| sent[*number].csid != next.csid)
            });
            match next {
                Some(next) if open.is_empty() || choose(3) == 0 => {
                    let formats = wire.formats(next);
                    let format = formats[choose(formats.len())];
                    let mut begun = Wire::open(next.clone());
                    if wire.chunk(format, &mut begun) {
                        open.push((numbered, format, begun));
                    } else {
                        expected.push(received(next));
                    }
                    numbered += 1;
                    waiting.next();
                }
                _ if open.is_empty() => break,
                _ if resizes > 0 && choose(10) == 0 => {
                    resizes -= 1;
                    wire.set_chunk_size(chunk_sizes[choose(chunk_sizes.len())]);
                },
                _ => {
                    let turn = choose(open.len());
                    let (number, format, begun) = &mut open[turn];
                    if !wire.chunk(*format, begun) {
                        expected.push(received(&sent[*number]));
                        open.remove(turn);
                    }
                }
            }
        }
        // Behind a type 3 header that repeats no timestamp, a last byte or two may look like one.
        let last = Sent::new(2, kind::ACKNOWLEDGEMENT, 0, [0; 4]);
        wire.message(last.clone());
        expected.push(received(&last));

        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (wire.bytes.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        let limits = Limits { short_chunks_per_second: u32::MAX / 10_000, ..Limits::default() };
        let mut cut = ChunkReader::new(&limits, 0, NOW);
        prop_assert_eq!(read_with(&mut cut, &pieces).unwrap(), expected.clone());
        let mut whole = ChunkReader::new(&limits, 0, NOW);
        prop_assert_eq!(read_with(&mut whole, &[&wire.bytes]).unwrap(), expected);
        for reader in [cut, whole] {
            prop_assert_eq!((reader.position(), reader.reserved), (wire.bytes.len() as u64, 0));
        }
    }

    #[test]
    fn another_implementation_reads_the_same_where_it_can(sent in messages(5000), choices in proptest::collection::vec(any::<u16>(), 1..50)) {
        let mut wire = Wire::default();
        let mut choices = choices.into_iter().cycle().map(usize::from);
        for message in &sent {
            let formats = wire.formats(message);
            wire.message_as(formats[choices.next().unwrap_or(0) % formats.len()], message.clone());
        }
        let mut other = ChunkDeserializer::new();
        let mut theirs = Vec::new();
        let mut input: &[u8] = &wire.bytes;
        while let Some(payload) = other.get_next_message(input).unwrap() {
            input = &[];
            theirs.push(Message {
                type_id: payload.type_id,
                stream_id: payload.message_stream_id,
                timestamp: payload.timestamp.value,
                body: payload.data,
            });
        }
        prop_assert_eq!(read(&wire.bytes).unwrap(), theirs);
    }

    #[test]
    fn noise_never_panics_nor_reserves_more_than_came(noise in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1usize..100) {
        let mut reader = reader();
        for piece in noise.chunks(cut) {
            let mut input = piece;
            while let Ok(Some(_)) = reader.read(&mut input, NOW) {}
            prop_assert!(reader.reserved <= 8 * (64 << 10));
        }
    }
}
