//! Every input that is kept is survived, each once reached something of its own or was a finding, and so is much that
//! is like it. The fuzzer finds more, but never twice the same: here a change is held against no chance.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use livetape_fuzz::target::{TARGETS, named};
use livetape_testkit::dice::Dice;

/// No corpus may become larger: it is kept in the repository.
const MAX_BYTES: usize = 200_000;
/// Bytes at which numbers end or change their sign.
const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// Inputs with their names, in order.
fn inputs(name: &str) -> Vec<(String, Vec<u8>)> {
    let paths = fs::read_dir(corpus(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> = paths.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect();
    inputs.sort();
    inputs
}

fn replay(name: &str) {
    let (target, inputs) = (named(name).unwrap(), inputs(name));
    assert!(inputs.len() > 10, "the corpus of {name} is all but empty");
    for (path, input) in &inputs {
        // The last line is the input's name when it is not survived.
        println!("{path}");
        (target.run)(input);
    }
    let bytes: usize = inputs.iter().map(|(_, input)| input.len()).sum();
    assert!(bytes <= MAX_BYTES, "the corpus of {name} has {bytes} bytes");
}

/// Runs so many variations of each input.
fn vary(name: &str, times: usize) {
    let (target, inputs) = (named(name).unwrap(), inputs(name));
    let mut dice = Dice::new(1);
    for _ in 0..times {
        for (path, input) in &inputs {
            let (_, other) = &inputs[dice.below(inputs.len() as u64) as usize];
            let varied = variation(input, other, &mut dice);
            if let Err(finding) = catch_unwind(AssertUnwindSafe(|| (target.run)(&varied))) {
                let hex: String = varied.iter().map(|byte| format!("{byte:02x}")).collect();
                println!("a variation of {path}, to be kept as a finding: {hex}");
                resume_unwind(finding);
            }
        }
    }
}

/// `input` with one to four changes: bits, bytes, stretches that are missing, new or doubled, the rest of `other`.
fn variation(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut varied = input.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(varied.len() as u64 + 1) as usize;
        let end = varied.len().min(at + 1 + dice.below(16) as usize);
        match dice.below(7) {
            0 => varied.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            1 => varied.iter_mut().skip(at).take(1).for_each(|byte| *byte = EDGES[dice.below(6) as usize]),
            2 => varied[at..end].fill(EDGES[dice.below(6) as usize]),
            3 => drop(varied.drain(at..end)),
            4 => drop(varied.splice(at..at, dice.bytes(end - at))),
            5 => {
                let doubled = varied[at..end].to_vec();
                varied.splice(at..at, doubled);
            }
            _ => {
                varied.truncate(at);
                varied.extend_from_slice(&other[other.len().min(at)..]);
            }
        }
    }
    varied
}

macro_rules! held {
    ($($name:ident $times:literal)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        mod varied {
            $(
                #[test]
                fn $name() {
                    super::vary(stringify!($name), $times);
                }
            )*
        }

        #[test]
        fn every_target_has_a_corpus_that_is_held() {
            let kept = fs::read_dir(corpus("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
            assert_eq!(kept.collect::<BTreeSet<_>>(), targets);
            assert_eq!([$(stringify!($name)),*].map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), targets);
        }
    };
}

// As often as some seconds allow.
held! {
    amf 1000
    codecs 1000
    config 100
    http 1000
    playlist 40
    recorder 8
    salvage 8
    scan 1000
    secrets 1000
    session 20
    tags 500
}
