//! How far every live session had come a moment ago, for the process that comes after.
//!
//! ```text
//! livetape pulse 1
//! at 1795381200000              calendar time, ms
//! ses_0192... 81240             media time received on the session's timeline, ms
//! ses_0192... -                 live, and nothing received yet
//! sum 9ae16a3b2f90404f          FNV-1a of everything before this line
//! ```
//!
//! Contract: written whole under a temporary name and renamed, never synced. A kill leaves the last
//! one that was written; a power cut may leave an older one, none, or a torn one, which the sum shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::path::Path;

use crate::copy::{read_small, write_all};
use crate::{Disk, DiskError};

const NAME: &str = "pulse";
const TEMPORARY: &str = ".pulse.new";
const HEAD: &str = "livetape pulse 1";
/// No pulse is longer: it has room for a hundred thousand sessions.
const MAX_BYTES: u64 = 8 << 20;

/// How far every live session had come at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The moment: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Media time received of each live session, by its id, in milliseconds on its timeline; `None`
    /// while nothing has been received. Ids have neither spaces nor line ends.
    pub sessions: BTreeMap<String, Option<i64>>,
}

impl Pulse {
    /// Puts it in the place of the one before in the data directory `root`. Not durable.
    ///
    /// # Errors
    /// When the disk fails; the one before is then still there.
    pub fn write(&self, disk: &dyn Disk, root: &Path) -> Result<(), DiskError> {
        let (path, temporary) = (root.join(NAME), root.join(TEMPORARY));
        let file = match disk.create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left over from a crash, or a full disk, in the middle of this.
                disk.unlink(&temporary).map_err(DiskError::io("removing", &temporary))?;
                disk.create_new(&temporary)
            }
            result => result,
        }
        .map_err(DiskError::io("creating", &temporary))?;
        let text = self.to_text();
        write_all(&*file, 0, &mut [IoSlice::new(text.as_bytes())]).map_err(DiskError::io("writing", &temporary))?;
        disk.rename_over(&temporary, &path).map_err(DiskError::io("renaming", &temporary))
    }

    /// The last one in the data directory `root`; `None` when there is none that is whole.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(disk: &dyn Disk, root: &Path) -> Result<Option<Self>, DiskError> {
        let bytes = read_small(disk, &root.join(NAME), MAX_BYTES)?;
        Ok(bytes.and_then(|bytes| Self::parse(std::str::from_utf8(&bytes).ok()?)))
    }

    fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\nat {}\n", self.at_ms);
        // Writing to a string cannot fail.
        for (session, received_ms) in &self.sessions {
            let _ = match received_ms {
                Some(ms) => writeln!(text, "{session} {ms}"),
                None => writeln!(text, "{session} -"),
            };
        }
        let _ = writeln!(text, "sum {:016x}", sum(&text));
        text
    }

    /// `None` unless `text` is one that was written, whole.
    fn parse(text: &str) -> Option<Self> {
        let (body, last) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let body = text.get(..=body.len())?;
        if last != format!("sum {:016x}", sum(body)) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let at_ms = lines.next()?.strip_prefix("at ")?.parse().ok()?;
        let session = |line: &str| {
            let (session, received) = line.split_once(' ')?;
            let received_ms = if received == "-" { None } else { Some(received.parse().ok()?) };
            Some((session.to_owned(), received_ms))
        };
        Some(Self { at_ms, sessions: lines.map(session).collect::<Option<_>>()? })
    }
}

/// FNV-1a, 64 bits.
fn sum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;

    fn pulse(received_ms: Option<i64>) -> Pulse {
        let sessions = [("ses_a".to_owned(), received_ms), ("ses_b".to_owned(), None)].into_iter().collect();
        Pulse { at_ms: 1_795_381_200_000, sessions }
    }

    #[test]
    fn the_last_one_written_is_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Pulse::read(&RealDisk, root.path()).unwrap(), None);
        for pulse in [pulse(Some(81_240)), pulse(Some(-5)), pulse(None), Pulse::default()] {
            pulse.write(&RealDisk, root.path()).unwrap();
            assert_eq!(Pulse::read(&RealDisk, root.path()).unwrap(), Some(pulse));
        }
    }

    #[test]
    fn what_a_crash_left_half_written_is_in_nobodys_way() {
        let root = tempfile::tempdir().unwrap();
        pulse(Some(1)).write(&RealDisk, root.path()).unwrap();
        std::fs::write(root.path().join(TEMPORARY), "livetape pul").unwrap();
        assert_eq!(Pulse::read(&RealDisk, root.path()).unwrap(), Some(pulse(Some(1))));
        pulse(Some(2)).write(&RealDisk, root.path()).unwrap();
        assert_eq!(Pulse::read(&RealDisk, root.path()).unwrap(), Some(pulse(Some(2))));
        assert!(!root.path().join(TEMPORARY).exists());
    }

    #[test]
    fn one_that_is_torn_or_changed_anywhere_counts_as_none() {
        let text = pulse(Some(81_240)).to_text();
        assert_eq!(Pulse::parse(&text), Some(pulse(Some(81_240))));
        for end in 0..text.len() {
            assert_eq!(Pulse::parse(&text[..end]), None, "{end} bytes");
            let zeroed = text[..end].to_owned() + &"\0".repeat(text.len() - end);
            assert_eq!(Pulse::parse(&zeroed), None, "zeroes from {end}");
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let found = std::str::from_utf8(&bytes).ok().and_then(Pulse::parse);
            assert_eq!(found, None, "byte {at}");
        }
        assert_eq!(Pulse::parse(&(text + "more\n")), None);
    }

    #[test]
    fn a_file_without_end_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        std::fs::File::create_new(root.path().join(NAME)).unwrap().set_len(1 << 40).unwrap();
        let error = Pulse::read(&RealDisk, root.path()).unwrap_err();
        assert!(error.to_string().contains("pulse"), "{error}");
    }
}
