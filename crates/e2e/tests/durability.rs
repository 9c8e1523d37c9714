//! In which order a finished recording reaches the disk, seen from the kernel's side.

use std::process::Command;
use std::time::Duration;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::program::Running;
use livetape_testkit::{Livetape, clip};

/// One system call: its name and its whole line.
struct Call {
    name: String,
    line: String,
}

/// Everything the program did to files while `work` was done.
fn traced(livetape: &Livetape, work: impl FnOnce()) -> Vec<Call> {
    let file = livetape.scratch().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--decode-fds=path", "--string-limit=8", "--output"]).arg(&file);
    strace
        .args(["--trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2,linkat,link"]);
    strace.arg(format!("--attach={}", livetape.pid()));
    let strace = Running::start(&mut strace);
    eventually("strace is attached", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", livetape.pid())).unwrap();
        if status.contains("TracerPid:\t0") { Err("not yet".to_owned()) } else { Ok(()) }
    });
    work();
    strace.signal(rustix::process::Signal::INT);
    strace.end(Duration::from_secs(10));
    let trace = std::fs::read_to_string(file).unwrap();
    // `PID NAME(ARGUMENTS) = RESULT`; a call that was interrupted by another has two lines.
    let calls = trace.lines().filter_map(|line| {
        let (_, call) = line.split_once(char::is_whitespace)?;
        let (name, _) = call.trim_start().split_once('(')?;
        Some(Call { name: name.to_owned(), line: line.to_owned() })
    });
    calls.collect()
}

fn syncs(call: &Call) -> bool {
    matches!(call.name.as_str(), "fsync" | "fdatasync")
}

#[test]
fn a_file_is_synced_before_it_gets_its_name_and_no_media_is_written_twice() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4"]));
    let mut recording = None;
    let calls = traced(&livetape, || {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("order"));
        recording = livetape.wait_ready("order", &["mp4"], 1).pop();
    });
    let recording = recording.unwrap();
    let all = || calls.iter().map(|call| call.line.as_str()).collect::<Vec<_>>().join("\n");
    let find = |what: &str, after: usize, wanted: &dyn Fn(&Call) -> bool| -> usize {
        let found = calls.iter().enumerate().skip(after).find(|(_, call)| wanted(call));
        found.unwrap_or_else(|| panic!("no {what} after line {after} of\n{}", all())).0
    };
    let growing = |call: &Call| call.line.contains("recording.mp4.part");
    let named = find("rename in the spool", 0, &|call| call.name.starts_with("rename") && growing(call));
    let written = calls[..named].iter().rposition(|call| call.name.contains("write") && growing(call)).unwrap();
    find("sync of the whole file", written, &|call| syncs(call) && growing(call));
    let synced = calls[written..named].iter().any(|call| syncs(call) && growing(call));
    assert!(synced, "the file is renamed before it is synced:\n{}", all());
    find("sync of the directory", named, &|call| syncs(call) && call.line.contains("/spool/"));

    let stored = find("object", named, &|call| {
        (call.name.starts_with("rename") || call.name.starts_with("link")) && call.line.contains("/media/")
    });
    find("sync of the object's directory", stored, &|call| syncs(call) && call.line.contains("/media/"));

    // What is written to the file, all together, is the file and its index, not the media again.
    let bytes: i64 = calls
        .iter()
        .filter(|call| call.name.contains("write") && (growing(call) || call.line.contains("/media/")))
        .filter_map(|call| call.line.rsplit("= ").next()?.trim().parse::<i64>().ok())
        .sum();
    let size = recording.number("size_bytes");
    assert!(bytes > 0 && bytes < size + 64 * 1024, "{bytes} bytes are written for a file of {size}");
}
