//! The dialogue by messages: the input is a list of messages, each put into well-formed chunks, so
//! that commands and media of every kind are reached in any order.
//!
//! ```text
//! message  choice u8 | timestamp u8 (x 40 ms) | length u8 | payload
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use livetape_fuzz::{greeting, items_of};

const KINDS: [u8; 16] = [1, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22, 8, 9, 9];

fuzz_target!(|data: &[u8]| {
    let mut bytes = greeting();
    // Connected, with a stream, publishing: from there on anything goes.
    message(&mut bytes, 3, 20, 0, 0, b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09");
    message(&mut bytes, 3, 20, 0, 0, b"\x02\0\x0ccreateStream\0\x40\0\0\0\0\0\0\0\x05");
    message(&mut bytes, 3, 20, 0, 1, b"\x02\0\x07publish\0\x40\x08\0\0\0\0\0\0\x05\x02\0\x01x\x02\0\x04live");
    let mut rest = data;
    let mut timestamp = 0u32;
    while let [choice, step, length, tail @ ..] = rest {
        let (payload, later) = tail.split_at(tail.len().min(usize::from(*length)));
        timestamp = timestamp.wrapping_add(u32::from(*step) * 40);
        let kind = KINDS[usize::from(choice & 15)];
        let csid = 3 + u32::from(choice >> 4 & 3);
        message(&mut bytes, csid, kind, timestamp, u32::from(choice >> 6 & 1), payload);
        rest = later;
    }
    let whole = items_of(&[&bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(1 + data.len() % 97).collect();
    assert_eq!(whole, items_of(&pieces), "the items depend on how the input is cut");
});

/// Appends a message in chunks of 128 bytes, the first with a full header.
fn message(out: &mut Vec<u8>, csid: u32, kind: u8, timestamp: u32, message_stream: u32, payload: &[u8]) {
    let extended = (timestamp >= 0xff_ffff).then(|| timestamp.to_be_bytes());
    out.push(csid as u8);
    out.extend_from_slice(&timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&message_stream.to_le_bytes());
    out.extend(extended.into_iter().flatten());
    for (number, piece) in payload.chunks(128).enumerate() {
        if number > 0 {
            out.push(0xc0 | csid as u8);
            out.extend(extended.into_iter().flatten());
        }
        out.extend_from_slice(piece);
    }
}
