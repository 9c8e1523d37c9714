//! A target for the fuzzer: `LIVETAPE_FUZZ_TARGET` names it, the arguments are libFuzzer's.

#![no_main]
#![allow(clippy::disallowed_methods, reason = "a macro of the fuzzer uses them")]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use livetape_fuzz::target::{TARGETS, Target, named};

fuzz_target!(|data: &[u8]| (chosen().run)(data));

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("LIVETAPE_FUZZ_TARGET").unwrap_or_default();
        named(&name).unwrap_or_else(|| {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("LIVETAPE_FUZZ_TARGET is '{name}'; the targets are {}", names.join(", "));
            std::process::exit(2)
        })
    })
}
