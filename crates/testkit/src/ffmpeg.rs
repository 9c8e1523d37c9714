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
    /// Forty times as fast as it plays. Not faster: ffmpeg closes without waiting for what its kernel
    /// still holds, and an acknowledgement that comes then makes that kernel throw the rest away.
    Fast,
    /// As it plays.
    Live,
    /// As it plays, over and over.
    Loop,
}

/// Starts pushing the packets of `file`, unchanged, to `url`.
pub fn push(version: Version, file: &Path, url: &str, pace: Pace) -> Running {
    Running::start(&mut command(version, file, url, pace))
}

/// What [`push`] runs.
pub fn command(version: Version, file: &Path, url: &str, pace: Pace) -> Command {
    let mut command = version.command();
    command.args(["-loglevel", "warning"]);
    match pace {
        Pace::Fast => _ = command.args(["-readrate", "40"]),
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
    command
}

/// Pushes the packets of `file`, unchanged, to its end.
pub fn push_all(version: Version, file: &Path, url: &str) {
    push(version, file, url, Pace::Fast).succeed(Duration::from_secs(60));
}

/// Decodes every frame with both versions; panics if either has anything to say.
pub fn assert_decodes_silently(file: &Path) {
    assert_decodes(file, &[]);
}

/// As [`assert_decodes_silently`], for pictures some of which have one time, as they were pushed, or
/// that have a gap: ffmpeg's output wants them at a steady rate, the mean of what it finds unless it is
/// told, and complains otherwise, so it gets them so.
pub fn assert_decodes_unsteady(file: &Path) {
    assert_decodes(file, &["-vf", "setpts=N/25/TB", "-r", "25"]);
}

fn assert_decodes(file: &Path, options: &[&str]) {
    for version in Version::ALL {
        let mut command = version.command();
        command.args(["-v", "error", "-i"]).arg(file).args(["-map", "0"]).args(options).args(["-f", "null", "-"]);
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

/// Decodes both tracks: for each flash, by how many seconds the click that belongs to it comes
/// later.
pub fn flashes_to_clicks(file: &Path) -> Vec<f64> {
    let mut command = Version::Debian.command();
    command.args(["-i"]).arg(file).args(["-af", "silencedetect=noise=-30dB:duration=0.5"]);
    command.args(["-vf", "signalstats,metadata=mode=print:key=lavfi.signalstats.YAVG:file=-", "-f", "null", "-"]);
    let output = succeed(&mut command);
    let number =
        |line: &str, name: &str| -> Option<f64> { line.split(name).nth(1)?.split_whitespace().next()?.parse().ok() };
    let mut flashes = Vec::new();
    let mut shown = 0.0;
    for line in text(&output.stdout).lines() {
        shown = number(line, "pts_time:").unwrap_or(shown);
        if number(line, "YAVG=").is_some_and(|brightness| brightness > 128.0) {
            flashes.push(shown);
        }
    }
    let printed = text(&output.stderr);
    let clicks: Vec<f64> = printed.lines().filter_map(|line| number(line, "silence_end: ")).collect();
    let near = |flash: f64| clicks.iter().map(move |click| click - flash).find(|apart| apart.abs() < 0.5);
    flashes.into_iter().filter_map(near).collect()
}
