//! The signals that stop the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, as often as they come.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes both over from their defaults.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> Result<Self, io::Error> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one; its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGHUP, as often as it comes.
///
/// # Errors
/// When the system refuses.
pub fn hangups() -> Result<Signal, io::Error> {
    signal(SignalKind::hangup())
}

/// Lets a write beyond the file size limit fail as a full disk does, instead of killing the process.
///
/// # Errors
/// When the system refuses.
pub fn survive_file_size_limit() -> Result<(), io::Error> {
    // Once installed, the handler stays for the life of the process.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}
