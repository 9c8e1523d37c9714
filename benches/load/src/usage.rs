//! What processes use, as the kernel counts it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// Sums over some processes and their descendants, since each began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time in user mode, with that of children that have ended.
    pub(crate) user: Duration,
    /// Processor time in the kernel, with that of children that have ended.
    pub(crate) system: Duration,
    /// Times a thread gave its processor up to wait.
    pub(crate) waits: u64,
    /// Times a thread's processor was taken away.
    pub(crate) preemptions: u64,
    /// Calls that read and that write files, pipes and sockets (`read`, `write` and their kin; not `recv`, `send`).
    pub(crate) reads: u64,
    /// See `reads`.
    pub(crate) writes: u64,
    /// Bytes that those wrote.
    pub(crate) written_bytes: u64,
}

/// What they hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Memory in RAM, shared pages counted in each, in bytes.
    pub(crate) resident_bytes: u64,
    /// Memory in RAM, shared pages divided by their sharers, in bytes.
    pub(crate) proportional_bytes: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Processes.
    pub(crate) processes: u64,
}

impl Usage {
    /// User and system time together.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }

    /// As much as `earlier` of each: a thread or a process that has ended takes some of its counts along.
    pub(crate) fn at_least(self, earlier: Self) -> Self {
        Self {
            user: self.user.max(earlier.user),
            system: self.system.max(earlier.system),
            waits: self.waits.max(earlier.waits),
            preemptions: self.preemptions.max(earlier.preemptions),
            reads: self.reads.max(earlier.reads),
            writes: self.writes.max(earlier.writes),
            written_bytes: self.written_bytes.max(earlier.written_bytes),
        }
    }

    /// That of `roots` and their descendants.
    pub(crate) fn of(roots: &[u32]) -> Self {
        let mut sum = Self::default();
        for pid in family(roots) {
            // Behind the name in brackets: state is field 3; user, system, and those of ended children are 14 to 17.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<u64> = after_name(&stat).skip(11).take(4).map_while(|word| word.parse().ok()).collect();
            if let [user, system, of_ended, system_of_ended] = fields[..] {
                // In hundredths of a second.
                sum.user += Duration::from_millis((user + of_ended) * 10);
                sum.system += Duration::from_millis((system + system_of_ended) * 10);
            }
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok) {
                let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
                sum.waits += field(&status, "voluntary_ctxt_switches");
                sum.preemptions += field(&status, "nonvoluntary_ctxt_switches");
            }
            let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
            sum.reads += field(&io, "syscr");
            sum.writes += field(&io, "syscw");
            sum.written_bytes += field(&io, "wchar");
        }
        sum
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            waits: self.waits.saturating_sub(before.waits),
            preemptions: self.preemptions.saturating_sub(before.preemptions),
            reads: self.reads.saturating_sub(before.reads),
            writes: self.writes.saturating_sub(before.writes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

impl Held {
    /// That of `roots` and their descendants.
    pub(crate) fn by(roots: &[u32]) -> Self {
        let mut sum = Self::default();
        for pid in family(roots) {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            sum.resident_bytes += field(&status, "VmRSS") * 1024;
            sum.proportional_bytes += field(&rollup, "Pss") * 1024;
            sum.threads += field(&status, "Threads");
            sum.processes += 1;
        }
        sum
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            resident_bytes: self.resident_bytes.max(other.resident_bytes),
            proportional_bytes: self.proportional_bytes.max(other.proportional_bytes),
            threads: self.threads.max(other.threads),
            processes: self.processes.max(other.processes),
        }
    }
}

/// `roots` and all their descendants.
fn family(roots: &[u32]) -> BTreeSet<u32> {
    let mut found: BTreeSet<u32> = roots.iter().copied().collect();
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = after_name(&stat).nth(1).and_then(|word| word.parse().ok()) {
            parents.push((pid, parent));
        }
    }
    loop {
        let more: Vec<u32> = parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// The fields of `/proc/PID/stat` behind the name, which may hold anything.
fn after_name(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

/// The number behind `NAME:`; 0 where there is none.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_uses_grows_and_is_not_nothing() {
        let me = [std::process::id()];
        let before = Usage::of(&me);
        std::fs::write("/dev/null", "something").unwrap();
        let mut sum = 0u64;
        let used = livetape_testkit::deadline::eventually("work shows", || {
            (0..1_000_000).for_each(|number| sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(number)));
            let used = Usage::of(&me) - before;
            if used.cpu() >= Duration::from_millis(30) { Ok(used) } else { Err(format!("{used:?}")) }
        });
        assert!(used.writes >= 1 && used.written_bytes >= 9, "{used:?}");
        let held = Held::by(&me);
        assert!(held.resident_bytes > 1 << 20 && held.proportional_bytes > 0 && held.processes >= 1, "{held:?}");
    }
}
