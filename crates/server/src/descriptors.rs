//! File descriptors. A recording needs new ones all the time: for its next segment, its next file, its
//! way to the store. So connections, which anybody can open, may not take the last.
//!
//! The kernel always gives the lowest number that is free. A descriptor with the number N therefore
//! says that at least N others are open, which costs nothing to find out.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as the system lets this process have; how many that is, `None` for no limit.
///
/// # Errors
/// When the system refuses.
pub fn raise() -> Result<Option<u64>, io::Error> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum)
}

/// Whether a connection that was just accepted must go: half of the descriptors are for recordings.
pub fn scarce_for_connections(newest: &impl AsRawFd) -> bool {
    is_past(newest.as_raw_fd(), getrlimit(Resource::Nofile).current, 2)
}

/// Whether an HTTP connection that was just accepted must go. Publishers alone, who stop at half of the
/// descriptors, cannot keep those out who ask how it is.
pub fn scarce_for_requests(newest: &impl AsRawFd) -> bool {
    is_past(newest.as_raw_fd(), getrlimit(Resource::Nofile).current, 4)
}

/// Whether no stream may begin: a quarter is for those that run.
pub fn scarce_for_streams() -> bool {
    match File::open(Path::new("/")) {
        Ok(newest) => is_past(newest.as_raw_fd(), getrlimit(Resource::Nofile).current, 4),
        Err(_) => true,
    }
}

/// Whether less than one part in `parts` of `limit` is left when `number` is the lowest that was free.
fn is_past(number: i32, limit: Option<u64>, parts: u64) -> bool {
    let number = u64::try_from(number).unwrap_or(0);
    limit.is_some_and(|limit| number >= limit - limit / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept() {
        assert!(!is_past(511, Some(1024), 2));
        assert!(is_past(512, Some(1024), 2));
        assert!(!is_past(767, Some(1024), 4));
        assert!(is_past(768, Some(1024), 4));
        assert!(!is_past(i32::MAX, None, 2));
    }

    #[test]
    fn a_process_with_few_files_open_has_some_left() {
        raise().unwrap();
        let file = File::open("/").unwrap();
        assert!(!scarce_for_connections(&file));
        assert!(!scarce_for_streams());
    }
}
