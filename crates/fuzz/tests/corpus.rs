//! Every input that is kept is survived: each once reached something of its own, or was a finding.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use livetape_fuzz::target::{TARGETS, named};

/// No corpus may become larger: it is kept in the repository.
const MAX_BYTES: u64 = 200_000;

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn replay(name: &str) {
    let target = named(name).unwrap();
    let mut bytes = 0;
    let mut inputs: Vec<PathBuf> = fs::read_dir(corpus(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() > 10, "the corpus of {name} is all but empty");
    for path in inputs {
        let input = fs::read(&path).unwrap();
        bytes += input.len() as u64;
        // The last line is the input's name when it is not survived.
        println!("{}", path.display());
        (target.run)(&input);
    }
    assert!(bytes <= MAX_BYTES, "the corpus of {name} has {bytes} bytes");
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_corpus_that_is_replayed() {
            let kept = fs::read_dir(corpus("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
            assert_eq!(kept.collect::<BTreeSet<_>>(), targets);
            assert_eq!([$(stringify!($name)),*].map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), targets);
        }
    };
}

replayed! { amf codecs config http playlist recorder salvage scan secrets session tags }
