//! The suites: what is run, in which order.
//!
//! There is one build profile (cargo's `dev`, see the root's `Cargo.toml`) and one target directory,
//! so that the program under test and the tests share every compiled crate.

use std::process::Command;

use crate::run::{Outcome, cargo, command, root, run, step};
use crate::setup;

/// Everything that must pass before a change lands. Ends with the test runner's own summary.
pub(crate) fn test() -> Outcome {
    step("tools", setup::for_tests)?;
    step("format", || run(&mut cargo("fmt --all -- --check")))?;
    step("lint", || run(&mut cargo("clippy --quiet --workspace --all-targets -- --deny warnings")))?;
    step("documentation", || {
        // Links to private items lead somewhere here: they are documented too.
        let flags = "--deny warnings --allow rustdoc::private_intra_doc_links";
        run(cargo("doc --quiet --workspace --no-deps --document-private-items").env("RUSTDOCFLAGS", flags))
    })?;
    // The program is built with them: its package has tests that run it.
    step("compile the program and the tests", || run(&mut cargo("nextest run --workspace --no-run --cargo-quiet")))?;
    run(&mut cargo("nextest run --workspace --no-fail-fast"))
}

/// The end-to-end tests, or those whose names contain `filter`.
pub(crate) fn e2e(filter: Option<&str>) -> Outcome {
    step("tools", setup::for_tests)?;
    step("build", || run(&mut cargo("build --package livetape-server")))?;
    run(cargo("nextest run --package livetape-e2e --no-fail-fast").args(filter))
}

/// What takes a desktop program or a browser.
pub(crate) fn slow() -> Outcome {
    step("tools", setup::for_slow_tests)?;
    step("build", || run(&mut cargo("build --package livetape-server")))?;
    let mut nextest = cargo("nextest run --package livetape-e2e --no-fail-fast --run-ignored only");
    run(nextest.args(["--filterset", "test(/^slow::/)"]))
}

/// Every fuzz target for so many seconds. Coverage-guided fuzzing asks the compiler for
/// instrumentation that a stable one has behind a switch.
pub(crate) fn fuzz(seconds: &str) -> Outcome {
    let seconds: u32 = seconds.parse().map_err(|_| format!("'{seconds}' is not a number of seconds"))?;
    if !crate::run::succeeds(&mut cargo("fuzz --version")) {
        step("install cargo-fuzz", || run(&mut cargo("install cargo-fuzz --locked --quiet")))?;
    }
    let listed = fuzz_command("list").output().map_err(|error| format!("cannot list the fuzz targets: {error}"))?;
    if !listed.status.success() {
        return Err(format!("cargo fuzz list failed: {}", String::from_utf8_lossy(&listed.stderr)));
    }
    for target in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        step(&format!("fuzz {target} for {seconds} s"), || {
            let found = root().join("target/fuzz").join(target);
            std::fs::create_dir_all(&found).map_err(|error| format!("cannot create {}: {error}", found.display()))?;
            let mut fuzz = fuzz_command("run");
            fuzz.arg(target).arg(found).args(["--sanitizer", "none", "--"]);
            run(fuzz.arg(format!("-max_total_time={seconds}")).args(["-rss_limit_mb=2048", "-timeout=5"]))
        })?;
    }
    Ok(())
}

fn fuzz_command(verb: &str) -> Command {
    let mut fuzz = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    fuzz.args(["fuzz", verb, "--fuzz-dir"]).arg(root().join("crates/fuzz"));
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    fuzz
}

/// The benchmarks, in release mode.
pub(crate) fn bench() -> Outcome {
    run(&mut cargo("bench --package livetape-benches"))
}
