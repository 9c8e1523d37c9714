//! Chunks in every layout that clients are known to use, and in some that only attackers do.

mod properties;

use std::time::Duration;

use super::ChunkReader;
use crate::chunk::Format;
use crate::message::{Message, kind};
use crate::wire::{Fmt, Sent, Wire};
use crate::{Limits, SessionError};

const NOW: Duration = Duration::ZERO;

fn reader() -> ChunkReader {
    ChunkReader::new(&Limits::default(), 0, NOW)
}

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn audio(csid: u32, timestamp: u32, length: usize) -> Sent {
    Sent::new(csid, kind::AUDIO, timestamp, pattern(length, timestamp as u8))
}

fn video(csid: u32, timestamp: u32, length: usize) -> Sent {
    Sent::new(csid, kind::VIDEO, timestamp, pattern(length, timestamp as u8 ^ 0x55))
}

fn received(sent: &Sent) -> Message {
    Message {
        type_id: sent.type_id,
        stream_id: sent.stream_id,
        timestamp: sent.timestamp,
        body: sent.body.clone().into(),
    }
}

/// Reads the pieces, obeying chunk sizes and aborts as a session does.
fn read_with(reader: &mut ChunkReader, pieces: &[&[u8]]) -> Result<Vec<Message>, SessionError> {
    let mut messages = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(message) = reader.read(&mut input, NOW)? {
            let number = message.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            match (message.type_id, number) {
                (kind::SET_CHUNK_SIZE, Some(size)) => reader.set_chunk_size(size)?,
                (kind::ABORT, Some(csid)) => reader.abort(csid),
                _ => messages.push(message),
            }
        }
        assert!(input.is_empty());
    }
    Ok(messages)
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, SessionError> {
    read_with(&mut reader(), &[bytes])
}

/// Reads the bytes in one piece, byte by byte and in sevens, expecting the same each time.
fn check(wire: &Wire, expected: &[&Sent]) {
    let expected: Vec<_> = expected.iter().map(|sent| received(sent)).collect();
    for size in [wire.bytes.len(), 1, 7] {
        let pieces: Vec<_> = wire.bytes.chunks(size).collect();
        let mut reader = reader();
        assert_eq!(read_with(&mut reader, &pieces).unwrap(), expected, "in pieces of {size}");
        assert_eq!(reader.reserved, 0, "whole messages leave nothing reserved");
    }
}

#[test]
fn messages_of_any_size_come_through_at_any_chunk_size() {
    for chunk_size in [1, 2, 127, 128, 129, 4096, 60_000, 65_537, 0xFF_FFFF, i32::MAX as usize] {
        let mut wire = Wire::default();
        let sent = [audio(4, 0, 1), video(6, 20, 300), audio(4, 23, 0), video(6, 60, 70_000), audio(4, 46, 128)];
        wire.set_chunk_size(chunk_size);
        sent.iter().for_each(|message| {
            wire.message(message.clone());
        });
        check(&wire, &sent.each_ref());
    }
}

#[test]
fn everything_may_be_on_one_chunk_stream() {
    let mut wire = Wire::default();
    let sent = [audio(4, 0, 9), video(4, 0, 500), audio(4, 23, 9), audio(4, 46, 9), video(4, 40, 200)];
    sent.iter().for_each(|message| {
        wire.message(message.clone());
    });
    check(&wire, &sent.each_ref());
}

#[test]
fn messages_of_several_chunk_streams_may_be_interleaved() {
    let (first, second, third) = (video(6, 40, 1000), audio(4, 23, 300), video(7, 80, 400));
    let mut wire = Wire::default();
    let mut open = [&first, &second, &third].map(|message| Wire::open(message.clone()));
    for turn in [0, 1, 0, 2, 0, 1, 1, 2, 0, 0, 2, 0, 0, 0, 2] {
        wire.chunk(Fmt::Full, &mut open[turn]);
    }
    check(&wire, &[&second, &first, &third]);
}

#[test]
fn a_control_message_may_stand_between_the_chunks_of_a_frame() {
    let frame = video(6, 40, 400);
    let control = Sent { csid: 2, type_id: kind::ACKNOWLEDGEMENT, stream_id: 0, timestamp: 0, body: vec![0, 1, 2, 3] };
    let mut wire = Wire::default();
    let mut open = Wire::open(frame.clone());
    wire.chunk(Fmt::Full, &mut open);
    wire.message(control.clone());
    while wire.chunk(Fmt::Full, &mut open) {}
    check(&wire, &[&control, &frame]);
}

#[test]
fn the_chunk_size_may_change_in_the_middle_of_a_message() {
    for (before, after) in [(128, 1000), (500, 3)] {
        let frame = video(6, 40, 1400);
        let mut wire = Wire::default();
        wire.set_chunk_size(before);
        let mut open = Wire::open(frame.clone());
        wire.chunk(Fmt::Full, &mut open);
        wire.set_chunk_size(after);
        while wire.chunk(Fmt::Full, &mut open) {}
        check(&wire, &[&frame]);
    }
}

#[test]
fn a_header_of_type_3_that_begins_a_message_repeats_the_delta() {
    let mut wire = Wire::default();
    let sent = [audio(4, 100, 9), audio(4, 123, 9), audio(4, 146, 9), audio(4, 169, 9)];
    wire.message_as(Fmt::Full, sent[0].clone()).message_as(Fmt::Delta, sent[1].clone());
    wire.message_as(Fmt::Nothing, sent[2].clone()).message_as(Fmt::Nothing, sent[3].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn a_header_of_type_3_behind_a_full_one_repeats_its_timestamp_as_the_delta() {
    let mut wire = Wire::default();
    let sent = [audio(4, 23, 9), audio(4, 46, 9), audio(4, 69, 9)];
    wire.message_as(Fmt::Full, sent[0].clone());
    wire.message_as(Fmt::Nothing, sent[1].clone()).message_as(Fmt::Nothing, sent[2].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn the_first_header_of_a_chunk_stream_may_lack_the_message_stream() {
    let mut wire = Wire::default();
    let mut sent = audio(9, 20, 30);
    wire.message_as(Fmt::SameStream, sent.clone());
    sent.stream_id = 0;
    check(&wire, &[&sent]);
}

#[test]
fn the_first_header_of_a_chunk_stream_must_not_lack_more_than_that() {
    for (format, named) in [(Fmt::Delta, Format::Delta), (Fmt::Nothing, Format::Nothing)] {
        let mut wire = Wire::default();
        wire.message(audio(4, 0, 3)).message_as(format, audio(5, 0, 3));
        let error = read(&wire.bytes).unwrap_err();
        assert_eq!(error, SessionError::NoEarlierChunk { at: 15, csid: 5, format: named });
        assert!(error.to_string().starts_with("byte 15: the first chunk of chunk stream 5"), "{error}");
    }
}

#[test]
fn a_new_message_replaces_the_unfinished_one_of_its_chunk_stream() {
    for format in [Fmt::Full, Fmt::SameStream] {
        let frame = video(6, 80, 200);
        let mut wire = Wire::default();
        wire.message(video(6, 0, 10));
        let mut abandoned = Wire::open(video(6, 40, 1000));
        wire.chunk(Fmt::Full, &mut abandoned);
        wire.chunk(Fmt::Full, &mut abandoned);
        wire.message_as(format, frame.clone());
        check(&wire, &[&video(6, 0, 10), &frame]);
    }
}

#[test]
fn an_abort_forgets_the_unfinished_message_of_the_chunk_stream_it_names() {
    let (kept, after) = (audio(4, 20, 300), video(6, 80, 90));
    let abort = |csid: u32| Sent::new(2, kind::ABORT, 0, csid.to_be_bytes());
    let mut wire = Wire::default();
    let mut abandoned = Wire::open(video(6, 40, 1000));
    let mut open = Wire::open(kept.clone());
    wire.chunk(Fmt::Full, &mut abandoned);
    wire.chunk(Fmt::Full, &mut open);
    wire.message(abort(6)).message(abort(99)).message_as(Fmt::SameStream, after.clone());
    while wire.chunk(Fmt::Full, &mut open) {}
    check(&wire, &[&after, &kept]);
}

#[test]
fn chunk_stream_ids_may_take_two_and_three_bytes() {
    let sent: Vec<_> = [2, 63, 64, 319, 320, 65_599].map(|csid| video(csid, csid, 300)).into();
    let mut wire = Wire::default();
    sent.iter().for_each(|message| {
        wire.message(message.clone());
    });
    check(&wire, &sent.iter().collect::<Vec<_>>());
}

#[test]
fn timestamps_beyond_24_bits_come_through_whether_or_not_type_3_headers_repeat_them() {
    for repeats_extended in [true, false] {
        let mut wire = Wire { repeats_extended, ..Wire::default() };
        let sent = [
            video(6, 0xFF_FFFE, 300),
            video(6, 0xFF_FFFF, 500),
            video(6, 20_000_000, 129),
            video(6, 20_000_040, 300),
            video(6, u32::MAX, 300),
        ];
        sent.iter().for_each(|message| {
            wire.message_as(Fmt::Full, message.clone());
        });
        check(&wire, &sent.each_ref());
    }
}

#[test]
fn a_delta_beyond_24_bits_is_repeated_or_not_as_well() {
    for repeats_extended in [true, false] {
        let mut wire = Wire { repeats_extended, ..Wire::default() };
        let sent = [video(6, 0, 20), video(6, 20_000_000, 500), video(6, 20_000_040, 300), video(6, 20_000_080, 300)];
        wire.message_as(Fmt::Full, sent[0].clone()).message_as(Fmt::SameStream, sent[1].clone());
        wire.message_as(Fmt::SameStream, sent[2].clone()).message_as(Fmt::Nothing, sent[3].clone());
        check(&wire, &sent.each_ref());
    }
}

#[test]
fn payload_that_looks_like_nothing_in_particular_is_not_taken_for_an_extended_timestamp() {
    // The chunk behind the header is shorter than an extended timestamp would be.
    for length in [129, 130, 131, 132, 133] {
        let mut wire = Wire { repeats_extended: false, ..Wire::default() };
        let sent = [video(6, 20_000_000, length), audio(4, 5, 2), audio(4, 10, 2)];
        sent.iter().for_each(|message| {
            wire.message(message.clone());
        });
        check(&wire, &sent.each_ref());
    }
}

#[test]
fn an_extended_delta_that_is_a_timestamp_is_taken_for_one() {
    let mut wire = Wire { absolute_deltas: true, ..Wire::default() };
    let sent = [video(6, 20_000_000, 20), video(6, 20_000_040, 300), video(6, 19_999_990, 300)];
    wire.message_as(Fmt::Full, sent[0].clone());
    wire.message_as(Fmt::SameStream, sent[1].clone()).message_as(Fmt::Delta, sent[2].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn a_message_that_begins_with_type_3_behind_an_extended_timestamp_keeps_or_moves_it() {
    // Old librtmp writes type 3 when size, type and timestamp are those of the last message.
    let body = [1, 2, 3, 4, 5];
    let stamp = 20_000_000u32.to_be_bytes();
    let full = [&[0x06, 0xFF, 0xFF, 0xFF, 0, 0, 5, kind::VIDEO, 1, 0, 0, 0][..], &stamp, &body].concat();
    let timestamps = |behind: &[u8]| {
        let messages = read(&[&full[..], behind].concat()).unwrap();
        assert!(messages.iter().all(|message| message.body[..] == body));
        messages.iter().map(|message| message.timestamp).collect::<Vec<_>>()
    };
    assert_eq!(timestamps(&[&[0xC6], &stamp[..], &body].concat()), [20_000_000, 20_000_000]);
    assert_eq!(timestamps(&[&[0xC6], &body[..]].concat()), [20_000_000, 20_000_000]);
    let later = 20_000_040u32.to_be_bytes();
    assert_eq!(timestamps(&[&[0xC6], &later[..], &body].concat()), [20_000_000, 20_000_040]);
}

#[test]
fn an_extended_delta_may_be_followed_by_the_timestamp_it_leads_to() {
    let (first, second) = (video(6, 5_000_000, 20), video(6, 25_000_000, 200));
    let mut wire = Wire { repeats_extended: false, ..Wire::default() };
    let mut open = Wire::open(second.clone());
    wire.message_as(Fmt::Full, first.clone()).chunk(Fmt::SameStream, &mut open);
    wire.raw(&[0xC6]).raw(&25_000_000u32.to_be_bytes()).raw(&second.body[128..]);
    check(&wire, &[&first, &second]);
}

#[test]
fn once_a_client_left_out_an_extended_timestamp_payload_is_not_taken_for_one() {
    let mut wire = Wire { repeats_extended: false, ..Wire::default() };
    let mut sent = [video(6, 20_000_000, 200), video(6, 20_000_000, 200)];
    // The second message begins with what might be a timestamp a little later.
    sent[1].body[..4].copy_from_slice(&20_000_005u32.to_be_bytes());
    wire.message_as(Fmt::Full, sent[0].clone()).message_as(Fmt::Nothing, sent[1].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn a_step_back_is_a_delta_near_two_to_the_32() {
    let mut wire = Wire::default();
    let sent = [video(4, 46, 20), video(4, 40, 300), video(4, 80, 20)];
    wire.message_as(Fmt::Full, sent[0].clone());
    wire.message_as(Fmt::SameStream, sent[1].clone()).message_as(Fmt::SameStream, sent[2].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn timestamps_wrap_at_32_bits() {
    let mut wire = Wire::default();
    let sent = [video(6, u32::MAX - 10, 20), video(6, 29, 20), video(6, 69, 20)];
    wire.message_as(Fmt::Full, sent[0].clone());
    wire.message_as(Fmt::Delta, sent[1].clone()).message_as(Fmt::Delta, sent[2].clone());
    check(&wire, &sent.each_ref());
}

#[test]
fn a_chunk_size_of_zero_or_with_the_top_bit_is_refused() {
    for size in [0, 0x8000_0000u32, u32::MAX] {
        assert_eq!(reader().set_chunk_size(size), Err(SessionError::ChunkSize { at: 0, size }));
    }
}

#[test]
fn a_message_may_have_the_limit_of_its_type_and_no_more() {
    let limits = Limits::default();
    let types = [
        (kind::ACKNOWLEDGEMENT, limits.control_message_bytes),
        (kind::COMMAND_AMF0, limits.command_message_bytes),
        (kind::COMMAND_AMF3, limits.command_message_bytes),
        (kind::DATA_AMF0, limits.data_message_bytes),
        (16, limits.data_message_bytes),
        (kind::AUDIO, limits.media_message_bytes),
        (kind::VIDEO, limits.media_message_bytes),
        (kind::AGGREGATE, limits.media_message_bytes),
    ];
    for (type_id, limit) in types {
        let mut wire = Wire { chunk_size: 1 << 20, ..Wire::default() };
        wire.message(Sent::new(6, type_id, 0, vec![7; limit as usize]));
        let mut reader = reader();
        reader.set_chunk_size(1 << 20).unwrap();
        assert_eq!(read_with(&mut reader, &[&wire.bytes]).unwrap()[0].body.len(), limit as usize);

        wire.bytes.clear();
        wire.message(Sent::new(7, type_id, 0, vec![7; limit as usize + 1]));
        let error = read_with(&mut reader, &[&wire.bytes]).unwrap_err();
        assert!(matches!(error, SessionError::MessageTooLong { length, .. } if length == limit + 1), "{error}");
    }
}

#[test]
fn what_is_reserved_follows_what_came_and_not_what_was_declared() {
    let mut wire = Wire { chunk_size: 1 << 20, ..Wire::default() };
    wire.message(video(6, 0, 8 << 20));
    let mut reader = reader();
    reader.set_chunk_size(1 << 20).unwrap();
    let mut most = 0;
    for (index, piece) in wire.bytes.chunks(10_000).enumerate() {
        read_with(&mut reader, &[piece]).unwrap();
        assert!(reader.reserved <= ((index + 1) * 20_000).max(64 << 10), "{} behind {index}", reader.reserved);
        most = most.max(reader.reserved);
    }
    assert_eq!((most, reader.reserved), (8 << 20, 0));
}

#[test]
fn a_large_message_has_a_buffer_of_its_own_and_of_its_size_and_small_ones_share() {
    for length in [1, 1000, 33_000, 100_000, 300_001] {
        let mut wire = Wire::default();
        wire.set_chunk_size(4096);
        wire.message(video(6, 0, length)).message(audio(4, 0, 10));
        let mut messages = read(&wire.bytes).unwrap();
        let [sound, picture] = [messages.remove(1).body, messages.remove(0).body];
        if length > 32 << 10 {
            assert_eq!(picture.try_into_mut().unwrap().capacity(), length);
        } else {
            assert_eq!(picture.as_ptr().addr() + length, sound.as_ptr().addr());
        }
    }
}

#[test]
fn a_client_may_use_so_many_chunk_streams_and_no_more() {
    let mut wire = Wire::default();
    (0..32).for_each(|index| {
        wire.message(audio(index * 3 + 2, 0, 5));
    });
    assert_eq!(read(&wire.bytes).unwrap().len(), 32);
    let at = wire.bytes.len() as u64;
    wire.message(audio(200, 0, 5));
    assert_eq!(read(&wire.bytes), Err(SessionError::TooManyChunkStreams { at, csid: 200, limit: 32 }));
}

#[test]
fn so_many_messages_may_be_unfinished_and_no_more() {
    let mut wire = Wire::default();
    let mut open: Vec<_> = (0..9).map(|index| Wire::open(video(index + 3, 0, 200))).collect();
    open.iter_mut().take(8).for_each(|open| {
        wire.chunk(Fmt::Full, open);
    });
    assert_eq!(read(&wire.bytes), Ok(vec![]));
    let at = wire.bytes.len() as u64;
    wire.chunk(Fmt::Full, &mut open[8]);
    assert_eq!(read(&wire.bytes), Err(SessionError::TooManyUnfinished { at, limit: 8 }));
}

#[test]
fn unfinished_messages_hold_so_much_together_and_no_more() {
    let mut wire = Wire { chunk_size: 3 << 20, ..Wire::default() };
    let mut reader = reader();
    reader.set_chunk_size(3 << 20).unwrap();
    let mut open: Vec<_> = (0..6).map(|index| Wire::open(video(index + 3, 0, 4 << 20))).collect();
    open.iter_mut().for_each(|open| {
        wire.chunk(Fmt::Full, open);
    });
    let error = read_with(&mut reader, &[&wire.bytes]).unwrap_err();
    assert!(matches!(error, SessionError::UnfinishedTooLarge { limit: 16_777_216, .. }), "{error}");
    assert!(reader.reserved <= 16 << 20);
}

#[test]
fn masses_of_very_short_chunks_are_refused_and_time_forgives() {
    let mut wire = Wire::default();
    wire.set_chunk_size(1);
    wire.message(video(6, 0, 150_000));
    let error = read(&wire.bytes).unwrap_err();
    assert!(matches!(error, SessionError::ShortChunks { limit: 20_000, at } if at > 200_000), "{error}");

    let mut reader = reader();
    reader.set_chunk_size(1).unwrap();
    let mut messages = 0;
    for (tenth, piece) in wire.bytes[16..].chunks(4000).enumerate() {
        let mut input = piece;
        messages += usize::from(reader.read(&mut input, Duration::from_millis(100 * tenth as u64)).unwrap().is_some());
    }
    assert_eq!(messages, 1);
}

#[test]
fn masses_of_empty_messages_are_refused() {
    let mut wire = Wire::default();
    wire.message(video(6, 0, 0));
    wire.raw(&[0xC6; 200_000]);
    assert!(matches!(read(&wire.bytes), Err(SessionError::ShortChunks { .. })));
}
