//! The suites: what is run, in which order.
//!
//! There is one build profile (cargo's `dev`, see the root's `Cargo.toml`) and one target directory,
//! so that the program under test and the tests share every compiled crate. Only the frame path is compiled once more, in
//! the profile `counted`, for the test that counts its instructions.

use crate::ceph::Ceph;
use crate::garage::{self, Garage};
use crate::peers;
use crate::run::{Outcome, cargo, command, root, run, step};
use crate::server::Variables;
use crate::setup;

/// Everything that must pass before a change lands. Ends with the test runner's own summary.
pub(crate) fn test() -> Outcome {
    step("tools", setup::for_tests)?;
    step("format", || run(&mut cargo("fmt --all -- --check")))?;
    step("lint", || {
        // The fuzzer too: it is built for this alone, as it finds other things each time.
        let everything = "--workspace --all-targets --features livetape-fuzz/fuzzer";
        run(&mut cargo(&format!("clippy --quiet {everything} -- --deny warnings")))
    })?;
    step("documentation", || {
        // Links to private items lead somewhere here: they are documented too.
        let flags = "--deny warnings --allow rustdoc::private_intra_doc_links";
        run(cargo("doc --quiet --workspace --no-deps --document-private-items").env("RUSTDOCFLAGS", flags))
    })?;
    // The program is built with them: its package has tests that run it.
    step("compile the program and the tests", || run(&mut cargo("nextest run --workspace --no-run --cargo-quiet")))?;
    step("compile what is counted", || {
        // As the test does that finds it made.
        let build = "build --quiet --profile counted --package livetape-benches --bin path";
        run(cargo(build).env("CARGO_INCREMENTAL", "0"))
    })?;
    let ceph = step("start a Ceph", Ceph::of_this_run)?;
    run(cargo("nextest run --workspace --no-fail-fast").envs(ceph.variables()))
}

/// The tests of the S3 store, and among them those against a real Ceph.
pub(crate) fn s3_on_ceph() -> Outcome {
    step("tools", || setup::ceph().and_then(|()| setup::nextest()))?;
    let ceph = step("start a Ceph", Ceph::of_this_run)?;
    s3(ceph.variables())
}

/// The tests of the S3 store, and among them those against a real Garage.
pub(crate) fn s3_on_garage() -> Outcome {
    step("tools", || setup::nextest().and_then(|()| garage::install()))?;
    let garage = step("start a Garage", Garage::of_this_run)?;
    s3(garage.variables())
}

fn s3(server: Variables) -> Outcome {
    let packages = "--package livetape-store-s3 --package livetape-fake-s3";
    run(cargo(&format!("nextest run {packages} --no-fail-fast")).envs(server))
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

/// The benchmarks, in release mode: those of the parts; or the whole under load, alone or beside others.
pub(crate) fn bench(arguments: &[&str]) -> Outcome {
    match arguments {
        [] => run(&mut cargo("bench --package livetape-benches")),
        ["load", arguments @ ..] => load(arguments),
        ["peers", arguments @ ..] => {
            step("peers", peers::install)?;
            load(&peers::arguments(arguments))
        }
        _ => Err("it is `cargo xtask bench`, `cargo xtask bench load ...` or `cargo xtask bench peers ...`".into()),
    }
}

fn load(arguments: &[&str]) -> Outcome {
    step("tools", setup::for_tests)?;
    let build = "build --release --package livetape-server --package livetape-load";
    step("build", || run(&mut cargo(build)))?;
    let release = root().join("target/release");
    run(command(release.join("livetape-load")).args(arguments).env("LIVETAPE_BIN", release.join("livetape")))
}
