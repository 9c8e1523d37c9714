//! What the kernel says of a process and its connections.

use std::collections::{BTreeMap, BTreeSet};
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

/// For each connection to the server at `server`, by its client's port: bytes that have arrived and
/// have not been read.
pub fn unread(server: SocketAddr) -> BTreeMap<u16, u64> {
    let mut unread = BTreeMap::new();
    each_socket(|socket| {
        if socket.state == ESTABLISHED && socket.local == server.port() {
            unread.insert(socket.remote, socket.unread);
        }
    });
    unread
}

/// The most bytes that have arrived and have not been read, of all connections to these servers.
pub fn unread_max(servers: &BTreeSet<u16>) -> u64 {
    let mut most = 0;
    each_socket(|socket| {
        if socket.state == ESTABLISHED && servers.contains(&socket.local) {
            most = most.max(socket.unread);
        }
    });
    most
}

/// The ports at which somebody listens.
pub fn listening() -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    each_socket(|socket| {
        if socket.state == LISTENING {
            ports.insert(socket.local);
        }
    });
    ports
}

const ESTABLISHED: &str = "01";
const LISTENING: &str = "0A";

/// One of this machine's TCP sockets of version 4.
struct Socket<'a> {
    /// Its port.
    local: u16,
    /// The other side's.
    remote: u16,
    state: &'a str,
    unread: u64,
}

fn each_socket(mut seen: impl FnMut(Socket<'_>)) {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
    // `N: LOCAL REMOTE STATE TX_QUEUE:RX_QUEUE ...`, all hexadecimal.
    for line in table.lines() {
        let mut words = line.split_whitespace().skip(1);
        let [Some(local), Some(remote), Some(state), Some(queues)] = [(); 4].map(|()| words.next()) else { continue };
        let (Some(local), Some(remote)) = (port(local), port(remote)) else { continue };
        let unread = queues.split_once(':').map_or(0, |(_, rx)| u64::from_str_radix(rx, 16).unwrap_or(0));
        seen(Socket { local, remote, state, unread });
    }
}
