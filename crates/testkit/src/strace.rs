//! Faults in the kernel's answers: `strace` kills the program at a system call, lets calls fail, or
//! holds them up.
//!
//! A call is counted for each thread by itself, so "the third sync" is the first third sync of any
//! thread; going through the numbers until none is reached meets every call of every thread.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::deadline::{eventually, within};
use crate::livetape::Livetape;
use crate::machine;
use crate::program::Running;

/// `strace`, attached to the program.
pub struct Strace {
    running: Running,
    output: PathBuf,
}

impl Strace {
    /// Attaches with one fault, as `--inject` takes it: `fdatasync:error=EIO:when=3`.
    pub fn inject(livetape: &Livetape, fault: &str) -> Self {
        Self::attach(livetape, &[&format!("--inject={fault}")])
    }

    /// Attaches with these arguments and waits until every thread is watched.
    pub fn attach(livetape: &Livetape, arguments: &[&str]) -> Self {
        let output = livetape.scratch().join("strace");
        let mut strace = Command::new("strace");
        strace.args(["--follow-forks", "--string-limit=8", "--output"]).arg(&output).args(arguments);
        let pid = livetape.pid();
        let running = Running::start(strace.arg(format!("--attach={pid}")));
        eventually("strace is attached to every thread", || {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| error.to_string())?;
            for task in tasks.filter_map(Result::ok) {
                let thread = task.file_name().to_string_lossy().parse().unwrap();
                if machine::status(thread, "TracerPid").is_none_or(|tracer| tracer == "0") {
                    return Err(format!("thread {thread} is not watched"));
                }
            }
            Ok(())
        });
        Self { running, output }
    }

    /// What it has printed so far: a line for each call it was told to look at.
    pub fn lines(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// How many calls it has let fail or held up so far.
    pub fn injected(&self) -> usize {
        let lines = self.lines();
        lines.matches("(INJECTED").count() + lines.matches("(DELAYED)").count()
    }

    /// Waits until a fault has happened.
    pub fn wait_injected(&self, limit: Duration) {
        within(limit, "the fault has happened", || if self.injected() > 0 { Ok(()) } else { Err(self.lines()) });
    }

    /// Lets the program go; what it printed.
    pub fn detach(self) -> String {
        self.running.signal(Signal::INT);
        self.running.end(Duration::from_secs(60));
        fs::read_to_string(self.output).unwrap_or_default()
    }
}
