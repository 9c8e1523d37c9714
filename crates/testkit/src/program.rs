//! Other programs, run to their end or in the background.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::within;

/// Runs the command to its end; panics with what it printed unless it succeeds.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, text(&output.stderr));
    output
}

/// What a program printed, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program in the background. Killed when dropped.
pub struct Running {
    child: Child,
    printed: Option<JoinHandle<String>>,
    name: String,
}

impl Running {
    /// Starts the command; what it prints to stderr is kept.
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut stderr = child.stderr.take().unwrap();
        let printed = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            text(&bytes)
        });
        Self { child, printed: Some(printed), name }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end: how it ended and what it printed.
    pub fn end(mut self, limit: Duration) -> (ExitStatus, String) {
        let name = self.name.clone();
        let status = within(limit, format!("{name} ends"), || {
            self.child.try_wait().unwrap().ok_or_else(|| "it still runs".to_owned())
        });
        let printed = self.printed.take().map(|thread| thread.join().unwrap()).unwrap_or_default();
        (status, printed)
    }

    /// Waits for its end, which must be a success; what it printed.
    pub fn succeed(self, limit: Duration) -> String {
        let name = self.name.clone();
        let (status, printed) = self.end(limit);
        assert!(status.success(), "{name}: {status}\n{printed}");
        printed
    }

    /// Kills it at once (`SIGKILL`), as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
