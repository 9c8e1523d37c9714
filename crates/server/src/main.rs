//! The program `livetape`.

use std::process::ExitCode;

fn main() -> ExitCode {
    livetape_server::cli::run(std::env::args_os())
}
