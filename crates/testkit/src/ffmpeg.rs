//! ffmpeg: pushing a file, and decoding one to see whether it is whole.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::place;
use crate::program::{Running, succeed, text};

/// Which ffmpeg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian's.
    Debian,
    /// The newest release.
    Current,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debian, Self::Current];

    /// Its command, without a banner.
    pub fn command(self) -> Command {
        let mut command = match self {
            Self::Debian => Command::new("ffmpeg"),
            Self::Current => Command::new(place::current_ffmpeg()),
        };
        command.args(["-hide_banner", "-nostdin"]);
        command
    }
}

/// How fast a file is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the server takes it.
    Full,
    /// As it plays.
    Live,
    /// As it plays, over and over.
    Loop,
}

/// Starts pushing the packets of `file`, unchanged, to `url`.
pub fn push(version: Version, file: &Path, url: &str, pace: Pace) -> Running {
    let mut command = version.command();
    command.args(["-loglevel", "warning"]);
    match pace {
        Pace::Full => {}
        Pace::Live => _ = command.arg("-re"),
        Pace::Loop => _ = command.args(["-re", "-stream_loop", "-1"]),
    }
    command.arg("-i").arg(file).args([
        "-map",
        "0",
        "-c",
        "copy",
        "-flvflags",
        "no_duration_filesize",
        "-f",
        "flv",
        url,
    ]);
    Running::start(&mut command)
}

/// Pushes the packets of `file`, unchanged, to its end.
pub fn push_all(version: Version, file: &Path, url: &str) {
    push(version, file, url, Pace::Full).succeed(Duration::from_secs(60));
}

/// Decodes every frame with both versions; panics if either has anything to say.
pub fn assert_decodes_silently(file: &Path) {
    for version in Version::ALL {
        let mut command = version.command();
        command.args(["-v", "error", "-i"]).arg(file).args(["-map", "0", "-f", "null", "-"]);
        let printed = text(&succeed(&mut command).stderr);
        assert!(printed.is_empty(), "{version:?} ffmpeg decoding {}: {printed}", file.display());
    }
}

/// Copies the packets of `file` into another container without touching them.
pub fn remux(file: &Path, to: &Path, arguments: &[&str]) {
    let mut command = Version::Debian.command();
    command.args(["-v", "error", "-y", "-i"]).arg(file).args(["-c", "copy"]).args(arguments).arg(to);
    succeed(&mut command);
}
