//! Fuzzing: every target of `crates/fuzz` for so many seconds, two at a time.
//!
//! The fuzzer is built in the ordinary profile and directory: crates from outside are those of the other
//! suites, ours are compiled once more with the fuzzer's counters (`crates/fuzz/rustc`). What a run finds
//! stays under `target/fuzz`; only `fuzz keep` changes the corpora in the repository.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::run::{Outcome, cargo, command, root, run, step};

/// Targets that run at once.
const AT_ONCE: usize = 2;
/// A corpus in the repository stays below so many bytes.
const CORPUS_MAX_BYTES: u64 = 190_000;
/// Inputs that were findings are called so, and are kept whatever else there is.
const FINDING: &str = "finding-";

/// Every target, or one of them, for so many seconds, going on from what was found before.
pub(crate) fn fuzz(seconds: &str, only: Option<&str>) -> Outcome {
    let seconds: u32 = seconds.parse().map_err(|_| format!("'{seconds}' is not a number of seconds"))?;
    step("build the fuzzer", build)?;
    let targets = targets(only)?;
    step(&format!("fuzz {} targets for {seconds} s each", targets.len()), || {
        each(targets, |target| fuzz_one(target, seconds))
    })
}

/// Merges what was found into the corpora in the repository.
pub(crate) fn keep(only: Option<&str>) -> Outcome {
    step("build the fuzzer", build)?;
    each(targets(only)?, keep_one)
}

fn build() -> Outcome {
    let mut build = cargo("build --quiet --package livetape-fuzz --features fuzzer --bin fuzz");
    run(build.env("RUSTC_WORKSPACE_WRAPPER", root().join("crates/fuzz/rustc")))
}

/// The targets are those that have a corpus; a test of theirs holds the two against each other.
fn targets(only: Option<&str>) -> Outcome<VecDeque<String>> {
    let names = names(&corpora())?.into_keys();
    let chosen: VecDeque<String> = names.filter(|name| only.is_none_or(|only| only == name)).collect();
    match (chosen.is_empty(), only) {
        (true, Some(only)) => Err(format!("there is no fuzz target '{only}'")),
        (true, None) => Err("there is no fuzz target".to_owned()),
        _ => Ok(chosen),
    }
}

/// Does `work` for each target, [`AT_ONCE`] at a time, to the end whatever fails.
fn each(targets: VecDeque<String>, work: impl Fn(&str) -> Outcome<String> + Sync) -> Outcome {
    let waiting = Mutex::new(targets);
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().ok()?.pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next() {
                    match work(&target) {
                        Ok(line) => println!("    {target:<10} {line}"),
                        Err(problem) => {
                            eprintln!("    {target:<10} FAILED\n{problem}");
                            if let Ok(mut failed) = failed.lock() {
                                failed.push(target);
                            }
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().map_err(|_| "a fuzz target's thread panicked".to_owned())?;
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in {}", failed.join(", "))) }
}

fn fuzz_one(target: &str, seconds: u32) -> Outcome<String> {
    let artifacts = place("findings", target)?;
    let mut fuzz = fuzzer(target);
    fuzz.arg(place("found", target)?).arg(corpora().join(target));
    fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzz.args(["-rss_limit_mb=1024", "-timeout=30", "-print_final_stats=1"]);
    let told = told(&mut fuzz)?;
    let figure =
        |name: &str| told.lines().rev().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    let edges = told.lines().rev().find_map(|line| line.split("cov: ").nth(1)?.split(' ').next()).unwrap_or("?");
    let executions = figure("stat::number_of_executed_units:");
    Ok(format!("{executions} executions, {edges} edges, {} MB", figure("stat::peak_rss_mb:")))
}

/// The smallest inputs that reach all that is reached, within the bound.
fn keep_one(target: &str) -> Outcome<String> {
    let kept = corpora().join(target);
    let merged = place("merged", target)?;
    fs::remove_dir_all(&merged).map_err(|error| format!("cannot empty {}: {error}", merged.display()))?;
    let merged = place("merged", target)?;
    // By the branches taken, not how often each: hundreds of inputs instead of thousands.
    told(fuzzer(target).args(["-merge=1", "-use_counters=0"]).arg(&merged).arg(&kept).arg(place("found", target)?))?;
    let findings: u64 =
        names(&kept)?.into_iter().filter(|(name, _)| name.starts_with(FINDING)).map(|(_, len)| len).sum();
    let mut smallest: Vec<(u64, String)> = names(&merged)?.into_iter().map(|(name, len)| (len, name)).collect();
    smallest.sort();
    let mut room = CORPUS_MAX_BYTES.saturating_sub(findings);
    smallest.retain(|(len, _)| room.checked_sub(*len).map(|left| room = left).is_some());
    let problem = |error: std::io::Error| format!("cannot change {}: {error}", kept.display());
    for name in names(&kept)?.into_keys().filter(|name| !name.starts_with(FINDING)) {
        fs::remove_file(kept.join(name)).map_err(problem)?;
    }
    for (_, name) in &smallest {
        fs::copy(merged.join(name), kept.join(name)).map_err(problem)?;
    }
    Ok(format!("{} inputs, {} bytes", smallest.len(), CORPUS_MAX_BYTES - room))
}

/// The fuzzer, told its target.
fn fuzzer(target: &str) -> Command {
    let mut fuzzer = command(target_directory().join("debug/fuzz"));
    fuzzer.env("LIVETAPE_FUZZ_TARGET", target).stdin(Stdio::null());
    fuzzer
}

/// What the fuzzer says; its failure is an error with the end of it.
fn told(fuzzer: &mut Command) -> Outcome<String> {
    let output = fuzzer.output().map_err(|error| format!("cannot run the fuzzer: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(told);
    }
    let lines: Vec<&str> = told.lines().collect();
    let end = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
    Err(format!("{}\nthe fuzzer ended with {}", end.join("\n"), output.status))
}

fn corpora() -> PathBuf {
    root().join("crates/fuzz/corpus")
}

fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |directory| root().join(directory))
}

/// A directory of this target's for something, made when it is not there.
fn place(what: &str, target: &str) -> Outcome<PathBuf> {
    let place = target_directory().join("fuzz").join(what).join(target);
    fs::create_dir_all(&place).map_err(|error| format!("cannot create {}: {error}", place.display()))?;
    Ok(place)
}

/// What a directory holds, by name, with its size.
fn names(directory: &Path) -> Outcome<BTreeMap<String, u64>> {
    let problem = |error: std::io::Error| format!("cannot list {}: {error}", directory.display());
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        names.insert(entry.file_name().to_string_lossy().into_owned(), entry.metadata().map_err(problem)?.len());
    }
    Ok(names)
}
