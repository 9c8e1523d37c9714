//! A whole connection: the first byte says where it is cut in two, the rest is what the peer sends
//! after the handshake. However it is cut, the items are the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use livetape_fuzz::{greeting, items_of};

fuzz_target!(|data: &[u8]| {
    let Some((cut, rest)) = data.split_first() else { return };
    let mut bytes = greeting();
    bytes.extend_from_slice(rest);
    let whole = items_of(&[&bytes]);
    let (one, two) = bytes.split_at(bytes.len() * usize::from(*cut) / 256);
    let halves = items_of(&[one, two]);
    assert_eq!(whole, halves, "the items depend on how the input is cut");
    let single: Vec<&[u8]> = bytes.chunks(1 + usize::from(*cut) / 16).collect();
    assert_eq!(whole, items_of(&single), "the items depend on how the input is cut");
});
