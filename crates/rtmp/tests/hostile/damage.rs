//! Seeds with bytes changed, put in, taken out, repeated and mixed.

use crate::seeds::seeds;
use crate::{Numbers, outcome};

/// Of all seeds together.
const MUTANTS: usize = 60_000;
/// What has broken readers of RTMP before: markers, names, headers, extremes.
const DICTIONARY: [&[u8]; 24] = [
    &[0x02],
    &[0x42],
    &[0x82],
    &[0xC2],
    &[0xC3],
    &[0x00, 0x00],
    &[0x01, 0xFF, 0xFF],
    &[0xFF, 0xFF, 0xFF],
    &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x00, 0x00, 0x00],
    &[0x03, 0x00, 0x01, b'a'],
    &[0x08, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x0A, 0x7F, 0xFF, 0xFF, 0xFF],
    &[0x0C, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x07, 0x00, 0x00],
    &[0x11, 0x0A, 0x0B],
    &[0x00, 0x00, 0x09],
    b"\x02\x00\x07connect",
    b"\x02\x00\x07publish",
    b"\x02\x00\x0cdeleteStream",
    b"\x02\x00\x0d@setDataFrame",
    &[0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0x02, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 6],
    &[0x04, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0],
];

fn damage(numbers: &mut Numbers, seeds: &[(&str, Vec<u8>)], which: usize) -> Vec<u8> {
    let mut bytes = seeds[which].1.clone();
    for _ in 0..=numbers.below(8) {
        // The handshake is 3,073 of the bytes and not worth as much of the damage.
        let first = if numbers.below(20) == 0 { 0 } else { 3073.min(bytes.len() - 1) };
        let at = first + numbers.below(bytes.len() - first);
        let to = (at + 1 + numbers.below(64)).min(bytes.len());
        match numbers.below(8) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.next() as u8,
            2 => {
                let word = DICTIONARY[numbers.below(DICTIONARY.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                let word = DICTIONARY[numbers.below(DICTIONARY.len())];
                let to = (at + word.len()).min(bytes.len());
                bytes.splice(at..to, word.iter().copied());
            }
            4 => drop(bytes.drain(at..to)),
            5 => {
                let copy = bytes[at..to].repeat(1 + numbers.below(4));
                bytes.splice(at..at, copy);
            }
            6 => bytes.truncate(to),
            _ => {
                let other = &seeds[numbers.below(seeds.len())].1;
                let from = 3073 + numbers.below(other.len() - 3073);
                let end = (from + 300).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
        }
        if bytes.is_empty() {
            bytes.push(3);
        }
    }
    bytes
}

#[test]
fn damaged_captures_do_no_harm() {
    let mut numbers = Numbers(0xDA_4A6E);
    let seeds = seeds();
    for mutant in 0..MUTANTS {
        let bytes = damage(&mut numbers, &seeds, mutant % seeds.len());
        let first = outcome(numbers.cut(&bytes, 4000).into_iter());
        // Byte by byte is slow; every tenth mutant must come to the same whatever the cut.
        if mutant % 10 == 0 {
            let again = outcome(numbers.cut(&bytes, 40).into_iter());
            if again != first {
                // Numbers that are none are not equal to themselves.
                assert_eq!(format!("{again:?}"), format!("{first:?}"), "mutant {mutant} depends on its cut");
            }
        }
    }
    assert_memory_within(300);
}

#[test]
fn noise_behind_a_handshake_does_no_harm() {
    let mut numbers = Numbers(0x0153);
    for _ in 0..3000 {
        let mut bytes = crate::script::handshake();
        if numbers.below(2) == 0 {
            bytes = crate::script::Script::publishing("key").take();
        }
        let length = numbers.below(3000);
        bytes.extend((0..length).map(|_| numbers.next() as u8));
        outcome(numbers.cut(&bytes, 500).into_iter());
    }
}

/// The greatest size of this process so far, where the system tells.
fn assert_memory_within(mebibytes: u64) {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return };
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < mebibytes << 10, "{kibibytes} KiB");
}
