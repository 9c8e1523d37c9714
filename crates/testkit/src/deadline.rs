//! Waiting for something that must happen.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long most things may take on a busy machine. They usually take a hundredth of it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is there, at most for [`PATIENCE`].
///
/// Panics with `what` and the last thing seen when the time is up.
pub fn eventually<T>(what: impl Display, ask: impl FnMut() -> Result<T, String>) -> T {
    within(PATIENCE, what, ask)
}

/// Asks until the answer is there, at most for `limit`.
///
/// Panics with `what` and the last thing seen when the time is up.
pub fn within<T>(limit: Duration, what: impl Display, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(seen) if begun.elapsed() > limit => panic!("after {limit:?} still not: {what}; {seen}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
