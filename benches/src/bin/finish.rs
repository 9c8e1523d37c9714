//! What finishing a recording costs, by its length, beside copying the same file.
//!
//! Recordings are made at full speed with the real muxers and the real disk. The time of the end is
//! that of the muxer's last operations, including their syncs; media written before it is synced
//! first, as the recorder does while it records.
//!
//! `cargo run --release -p livetape-benches --bin finish [-- SECONDS...]`; the files go to `TMPDIR`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use livetape_benches::{Stream, now_at, policy};
use livetape_disk::{RealDisk, Spool, SpoolWriter};
use livetape_media::{EndReason, Format, Item};
use livetape_record::{Effect, Recorder, SessionId, StreamPath};

/// Low, so that hours fit on the disk; the end's cost does not depend on it.
const BITS_PER_SECOND: u64 = 500_000;

fn main() -> anyhow::Result<()> {
    let lengths: Vec<u64> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let lengths = if lengths.is_empty() { vec![10, 1_800, 7_200, 43_200] } else { lengths };
    println!("format  length   media MB   end ms (CPU)   copy ms   index KB   peak RSS growth KB");
    for format in Format::ALL {
        for seconds in &lengths {
            measure(format, *seconds)?;
        }
    }
    Ok(())
}

fn measure(format: Format, seconds: u64) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let spool = Spool::open(Arc::new(RealDisk), directory.path())?;
    let stream = StreamPath { app: "live".into(), name: "bench".into() };
    let mut recorder = Recorder::new(policy(format), SessionId(uuid::Uuid::from_u128(1)), stream);
    let mut writer = None;
    let mut effects = Vec::new();
    for item in Stream::tracks() {
        recorder.push(&item, now_at(Duration::ZERO), &mut effects);
    }
    let before_kb = resident_kb()?;
    let mut growth_kb = 0;
    let mut id = String::new();
    for (n, frame) in Stream::new(BITS_PER_SECOND).enumerate() {
        let at = frame.dts.to_duration();
        if at >= Duration::from_secs(seconds) {
            break;
        }
        recorder.push(&Item::Frame(frame), now_at(at), &mut effects);
        perform(&spool, &mut writer, &mut effects, &mut id)?;
        if n % 100_000 == 99_999 {
            growth_kb = growth_kb.max(resident_kb()?.saturating_sub(before_kb));
        }
    }
    if let Some(writer) = &mut writer {
        writer.sync_growing()?;
    }
    let media_bytes = size_of(directory.path())?;
    let (started, cpu) = (Instant::now(), cpu_time()?);
    recorder.push(&Item::End(EndReason::Unpublish), now_at(Duration::from_secs(seconds)), &mut effects);
    perform(&spool, &mut writer, &mut effects, &mut id)?;
    let (end, end_cpu) = (started.elapsed(), cpu_time()? - cpu);
    let total_bytes = size_of(directory.path())?;
    growth_kb = growth_kb.max(resident_kb()?.saturating_sub(before_kb));

    let copy = tempfile::tempdir()?;
    let started = Instant::now();
    let recording = directory.path().join("spool").join(&id);
    let status = std::process::Command::new("cp").arg("-r").arg(recording).arg(copy.path()).status()?;
    anyhow::ensure!(status.success(), "cp failed");
    let status = std::process::Command::new("sync").arg("-f").arg(copy.path()).status()?;
    anyhow::ensure!(status.success(), "sync failed");
    println!(
        "{format:<6} {:>6} s {:>10.1} {:>8.1} ({:>5.1}) {:>9.1} {:>10} {:>12}",
        seconds,
        media_bytes as f64 / 1e6,
        end.as_secs_f64() * 1e3,
        end_cpu.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3,
        total_bytes.saturating_sub(media_bytes) / 1024,
        growth_kb,
    );
    Ok(())
}

fn perform(
    spool: &Spool,
    writer: &mut Option<SpoolWriter>,
    effects: &mut Vec<Effect>,
    id: &mut String,
) -> anyhow::Result<()> {
    for effect in effects.drain(..) {
        match effect {
            Effect::Open(opening) => {
                *id = opening.id.to_string();
                *writer = Some(spool.create_recording(id, b"")?);
            }
            Effect::Op(op) => writer.as_mut().context("an operation before the opening")?.perform(&[op])?,
            Effect::Close(_) => *writer = None,
            other => anyhow::bail!("not expected: {other:?}"),
        }
    }
    Ok(())
}

/// Bytes of disk space used below `path`.
fn size_of(path: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(total)
}

/// Resident memory of this process, in KB (`proc_pid_status(5)`).
fn resident_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Time this thread, the only one, has run (`proc_pid_schedstat`, in nanoseconds).
fn cpu_time() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos = stat.split_whitespace().next().context("schedstat is empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
