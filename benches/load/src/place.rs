//! Where it is measured: the machine, and how much room there is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::recorder::first_words;

/// `f_type` of a file system in memory.
const TMPFS: u64 = 0x0102_1994;
/// What is left to everything else, in bytes.
const SPARE: u64 = 1 << 30;

/// The machine, the day and the command.
pub(crate) fn sentence() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let day = first_words(Command::new("date").args(["-u", "+%F"])).unwrap_or_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "{cores} cores ({}), Linux {}, {day}: `livetape-load {}`.",
        model.map_or("of what kind it does not say", |(_, model)| model.trim()),
        release.trim(),
        arguments.join(" ")
    )
}

/// Whether `bytes` fit below `directory`; on a RAM disk, into memory.
///
/// # Errors
/// When they do not.
pub(crate) fn ensure_room(directory: &Path, bytes: u64) -> anyhow::Result<()> {
    let named = || format!("looking how much room there is in {}", directory.display());
    let system = rustix::fs::statfs(directory).with_context(named)?;
    let mut free = system.f_bavail.saturating_mul(u64::try_from(system.f_bsize)?);
    if u64::try_from(system.f_type)? == TMPFS {
        free = free.min(available().saturating_sub(SPARE));
    }
    ensure!(
        bytes <= free,
        "{:.1} GB would be recorded, and {:.1} GB are free in {}: fewer --streams, fewer --seconds, or another --directory",
        bytes as f64 / 1e9,
        free as f64 / 1e9,
        directory.display()
    );
    Ok(())
}

/// Memory that nobody needs, in bytes.
fn available() -> u64 {
    let information = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = information.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_begun() {
        let directory = tempfile::tempdir().unwrap();
        ensure_room(directory.path(), 1 << 20).unwrap();
        let problem = ensure_room(directory.path(), 1 << 60).unwrap_err().to_string();
        assert!(problem.contains("GB are free in"), "{problem}");
    }
}
