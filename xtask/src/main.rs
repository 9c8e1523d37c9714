//! The project's chores: `cargo xtask test` and its parts. Uses the standard library only, so that
//! it builds in a moment on a bare machine.

mod ceph;
mod fuzz;
mod garage;
mod peers;
mod run;
mod server;
mod setup;
mod soak;
mod suite;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test              everything that must pass: tools, formatting, lints, unit, property and golden
                    tests, tidy, and end to end with real clients
  e2e [FILTER]      the end-to-end tests alone, or those whose names contain FILTER
  s3 [ceph|garage]  the tests of the S3 store against a Ceph, or a Garage (which is compiled first)
  ceph start|stop   a Ceph of one node to try things with
  slow              the end-to-end tests with a browser and with OBS
  soak NAME [K=N]   real faults for minutes, with figures; without a name, which there are
  fuzz SECONDS [TARGET]  every fuzz target, or one, for SECONDS each
  fuzz keep [TARGET]     merges what was found into the corpora
  bench             the benchmarks of the parts
  bench load|peers [OPTIONS]  many streams at once, Livetape alone or beside others; --help lists the options
  setup             only installs what the tests need";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => suite::test(),
        ["e2e"] => suite::e2e(None),
        ["e2e", filter] => suite::e2e(Some(filter)),
        ["s3"] | ["s3", "ceph"] => suite::s3_on_ceph(),
        ["s3", "garage"] => suite::s3_on_garage(),
        ["ceph", arguments @ ..] => ceph::ceph(arguments),
        ["slow"] => suite::slow(),
        ["soak", arguments @ ..] => soak::soak(arguments),
        ["fuzz", "keep"] => fuzz::keep(None),
        ["fuzz", "keep", target] => fuzz::keep(Some(target)),
        ["fuzz", seconds] => fuzz::fuzz(seconds, None),
        ["fuzz", seconds, target] => fuzz::fuzz(seconds, Some(target)),
        ["bench", arguments @ ..] => suite::bench(arguments),
        ["setup"] => setup::for_tests(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(format!("unknown command '{}'\n\n{USAGE}", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
