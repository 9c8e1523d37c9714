//! How many instructions a frame takes, as callgrind counts them in an optimised build.
#![allow(missing_docs, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use livetape_benches::{Figure, Stage, hold};

/// What twice as much costs beyond this is the cost of frames alone, without beginnings and ends.
const SECONDS: u64 = 12;
/// Otherwise the C library copies memory as the processor at hand does it best.
const SAME_COPIES: &str = "glibc.cpu.hwcaps=-AVX2_Usable,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,\
                           -Prefer_ERMS,-AVX_Fast_Unaligned_Load";

#[test]
fn a_frame_takes_as_many_instructions_as_are_written_down() {
    let program = built();
    let mut figures = Vec::new();
    for stage in Stage::all() {
        let [(frames, once), (more_frames, twice)] =
            [SECONDS, 2 * SECONDS].map(|seconds| counted(&program, &stage, seconds));
        let each = (twice - once) / (more_frames - frames);
        let name = stage.name();
        figures.push(Figure { name: format!("{name}: for a frame"), value: each, within: 0.05 });
        let session = once - each * frames;
        figures.push(Figure { name: format!("{name}: for a session"), value: session, within: 0.2 });
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/instructions.txt");
    let about =
        format!("{}\ninstructions, profile `counted`\nwritten by UPDATE_GOLDEN=1; see docs/performance.md", compiler());
    hold(&file, &about, &figures).unwrap_or_else(|problem| panic!("{problem}"));
}

/// The program that goes the path, optimised; made when it is not current.
fn built() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--profile", "counted", "--package", "livetape-benches", "--bin", "path"]);
    // Whatever the build around this does, this one is always made in the same way.
    let output = build.env("CARGO_INCREMENTAL", "0").output().expect("cargo runs");
    assert!(output.status.success(), "{build:?}: {}", String::from_utf8_lossy(&output.stderr));
    // This is TARGET/PROFILE/deps/instructions-HASH.
    let this = std::env::current_exe().expect("this has a path");
    this.ancestors().nth(3).expect("a target directory").join("counted/path")
}

/// How many frames went in, and how many instructions that took.
fn counted(program: &Path, stage: &Stage, seconds: u64) -> (f64, f64) {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"]);
    valgrind.arg(program).args([&stage.name(), &seconds.to_string()]).env("GLIBC_TUNABLES", SAME_COPIES);
    let output = valgrind.output().unwrap_or_else(|error| panic!("valgrind: {error}: `cargo xtask setup` installs it"));
    let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let collected = told.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match (out.trim().parse(), collected) {
        (Ok(frames), Some(instructions)) if instructions > 0.0 => (frames, instructions),
        _ => panic!("{valgrind:?}: {}\n{out}{told}", output.status),
    }
}

/// The compiler, in one line.
fn compiler() -> String {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-Vv").output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).expect("rustc runs");
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    format!("{}, {host}", told.lines().next().unwrap_or_default())
}
