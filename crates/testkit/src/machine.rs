//! What the kernel says of a process and its connections.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use crate::deadline::eventually;

/// A field of `/proc/PID/status`.
pub fn status(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The memory a process holds now, in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    kib(pid, "VmRSS")
}

/// The most memory a process has held, in KiB.
pub fn peak_kib(pid: u32) -> u64 {
    kib(pid, "VmHWM")
}

fn kib(pid: u32, field: &str) -> u64 {
    let value = status(pid, field).unwrap_or_else(|| panic!("no {field} of process {pid}"));
    value.trim_end_matches(" kB").parse().unwrap()
}

/// The processor time a process has used, in all its threads.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name in brackets: state is field 3; user and system time are 14 and 15, in hundredths.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// How many files a process has open.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Waits until a process that was told to stop (`SIGSTOP`) stands still.
pub fn wait_stopped(pid: u32) {
    eventually(format!("process {pid} stands still"), || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| error.to_string())?;
        for task in tasks.filter_map(Result::ok) {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('?');
            // A thread that waits for its disk (D) goes on to the end of that call, whatever comes.
            if !"TtDXZ?".contains(state) {
                return Err(format!("a thread is in state {state}"));
            }
        }
        Ok(())
    });
}

/// For each connection to the server at `server`, by its client's address: bytes that have arrived and
/// have not been read.
pub fn unread(server: SocketAddr) -> BTreeMap<u16, u64> {
    let port = format!("{:04X}", server.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    // `N: LOCAL REMOTE STATE TX_QUEUE:RX_QUEUE ...`, all hexadecimal; 01 is an established connection.
    let mut unread = BTreeMap::new();
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, "01", queues, ..] = words.as_slice() else { continue };
        let (Some((_, local)), Some((_, remote))) = (local.split_once(':'), remote.split_once(':')) else { continue };
        if local == port {
            let waiting = queues.split_once(':').map_or(0, |(_, rx)| u64::from_str_radix(rx, 16).unwrap_or(0));
            unread.insert(u16::from_str_radix(remote, 16).unwrap_or(0), waiting);
        }
    }
    unread
}
