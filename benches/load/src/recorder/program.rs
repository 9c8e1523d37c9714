//! A foreign program that was started here.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use livetape_testkit::container;
use livetape_testkit::film::{Film, Mark};
use livetape_testkit::livetape::files_below;

use super::{Running, Verdict};
use crate::crowd::Outcome;

/// How long it may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// It is at rest when its files have not changed for so long.
const REST: Duration = Duration::from_millis(500);
/// How long it may take until it is.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// The running program. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    /// Where it takes streams.
    rtmp: SocketAddr,
}

impl Program {
    /// Starts `command` and waits until something listens at `rtmp`. What it says goes to `LOG` in `directory`.
    pub(crate) fn start(mut command: Command, directory: &Path, rtmp: SocketAddr) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = directory.join("log");
        let out = std::fs::File::create_new(&log).with_context(|| format!("creating {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        let mut program = Self { child, rtmp };
        let begun = Instant::now();
        while TcpStream::connect(rtmp).is_err() {
            if let Some(status) = program.child.try_wait()? {
                bail!("{name} ended: {status}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            if begun.elapsed() > START_MAX {
                bail!("{name} does not listen at {rtmp}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How what a program recorded is held against what was sent.
pub(crate) trait Judge {
    /// See [`Running::judge`]; everything is below `directory`.
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict;
}

/// A program that runs, and where it writes.
pub(crate) struct Foreign<J> {
    program: Program,
    directory: PathBuf,
    judge: J,
}

impl<J: Judge> Foreign<J> {
    /// With everything it writes below `directory`.
    pub(crate) fn new(program: Program, directory: &Path, judge: J) -> Self {
        Self { program, directory: directory.to_owned(), judge }
    }
}

impl<J: Judge> Running for Foreign<J> {
    fn rtmp(&self) -> SocketAddr {
        self.program.rtmp
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.program.child.id()]
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        settle(&self.directory)
    }

    fn judge(&self, film: &Film, sent: &Outcome) -> Verdict {
        self.judge.judge(&self.directory, film, sent)
    }
}

/// A port of this machine's that nobody uses.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until the files below `directory` do not change any more.
fn settle(directory: &Path) -> anyhow::Result<()> {
    let look = || -> BTreeSet<_> {
        let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        files_below(directory).into_iter().map(|path| (size(&path), path)).collect()
    };
    let begun = Instant::now();
    let mut before = look();
    loop {
        thread::sleep(REST);
        let now = look();
        if now == before {
            return Ok(());
        }
        if begun.elapsed() > SETTLE_MAX {
            bail!("the files below {} go on changing", directory.display());
        }
        before = now;
    }
}

/// Counts the frames of the film in files of these extensions, and says of each that it should hold what was sent.
pub(crate) fn judge(directory: &Path, extensions: &[&str], film: &Film, sent: &Outcome) -> Verdict {
    let mut verdict = Verdict::default();
    for extension in extensions {
        let mut found = 0;
        for file in files_below(directory) {
            if file.extension().and_then(|extension| extension.to_str()) != Some(extension) {
                continue;
            }
            match container::read(&file) {
                Ok(samples) => {
                    for sample in samples {
                        match Mark::read(sample.kind, &sample.data) {
                            Some(mark) if film.payload(mark) == sample.data => found += 1,
                            _ => verdict.problems.push(format!("{}: a frame that was not sent", file.display())),
                        }
                    }
                }
                Err(problem) => verdict.problems.push(problem),
            }
        }
        let wanted: usize = sent.sessions.iter().map(|session| session.frames.len()).sum();
        if found != wanted {
            verdict.problems.push(format!("of {wanted} frames {found} are in {extension}"));
        }
        verdict.frames += found;
    }
    verdict
}
