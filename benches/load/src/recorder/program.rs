//! Foreign programs that were started here.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use livetape_testkit::film::Film;
use livetape_testkit::livetape::files_below;
use livetape_testkit::machine;

use super::{Running, Verdict};
use crate::crowd::Outcome;

/// How long it may take until they listen.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether they do, or have ended.
const LOOK: Duration = Duration::from_millis(50);
/// How long it may take until they are at rest.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// How what programs recorded is held against what was sent.
pub(crate) trait Judge {
    /// See [`Running::judge`]; everything is below `directory`.
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict;
}

/// When everything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// When no file has changed for so long.
    Quiet(Duration),
    /// When the programs have ended, each by itself.
    Ended,
}

/// Programs that run, and where they write. They are killed when this is dropped.
pub(crate) struct Foreign<J> {
    children: Vec<Child>,
    rtmp: Vec<SocketAddr>,
    directory: PathBuf,
    rest: Rest,
    judge: J,
}

impl<J: Judge> Foreign<J> {
    /// Starts `commands` and waits until somebody listens at each of `rtmp`. Everything they write is below
    /// `directory`, what they say in `log` there.
    pub(crate) fn start(
        commands: Vec<Command>,
        rtmp: Vec<SocketAddr>,
        directory: &Path,
        rest: Rest,
        judge: J,
    ) -> anyhow::Result<Self> {
        let mut foreign = Self { children: Vec::new(), rtmp, directory: directory.to_owned(), rest, judge };
        let log = File::create_new(foreign.log()).context("creating the log")?;
        for mut command in commands {
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
            let name = command.get_program().to_string_lossy().into_owned();
            foreign.children.push(command.spawn().with_context(|| format!("starting {name}"))?);
        }
        foreign.wait_listening()?;
        Ok(foreign)
    }

    /// They are not asked by connecting: some take a single connection.
    fn wait_listening(&mut self) -> anyhow::Result<()> {
        let wanted: BTreeSet<u16> = self.rtmp.iter().map(SocketAddr::port).collect();
        let begun = Instant::now();
        while !machine::listening().is_superset(&wanted) {
            let said = || std::fs::read_to_string(self.log()).unwrap_or_default();
            if let Some(child) = self.children.iter().find(|child| has_ended(child)) {
                bail!("process {} ended before it listened\n{}", child.id(), said());
            }
            if begun.elapsed() > START_MAX {
                bail!("nobody listens at some of {:?}\n{}", self.rtmp, said());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }
}

impl<J: Judge> Running for Foreign<J> {
    fn rtmp(&self) -> Vec<SocketAddr> {
        self.rtmp.clone()
    }

    fn processes(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        match self.rest {
            Rest::Quiet(quiet) => settle(&self.directory, quiet),
            Rest::Ended => {
                let begun = Instant::now();
                while let Some(child) = self.children.iter().find(|child| !has_ended(child)) {
                    if begun.elapsed() > SETTLE_MAX {
                        bail!("process {} goes on after its stream has ended", child.id());
                    }
                    thread::sleep(LOOK);
                }
                Ok(())
            }
        }
    }

    fn judge(&self, film: &Film, sent: &Outcome) -> Verdict {
        self.judge.judge(&self.directory, film, sent)
    }
}

impl<J> Drop for Foreign<J> {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether it has ended, without asking for its status: what it used can be read until then.
fn has_ended(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

/// As many ports of this machine's that nobody uses.
pub(crate) fn free_addresses(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

/// One of them.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    free_addresses(1)?.pop().context("there is one")
}

/// The first line that a program says to these words; `None` when it cannot be run.
pub(crate) fn first_words(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    output.status.success().then(|| said.lines().next().unwrap_or_default().trim().to_owned())
}

/// Waits until the files below `directory` have not changed for `quiet`.
fn settle(directory: &Path, quiet: Duration) -> anyhow::Result<()> {
    let look = || -> BTreeSet<_> {
        let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        files_below(directory).into_iter().map(|path| (size(&path), path)).collect()
    };
    let begun = Instant::now();
    let mut before = look();
    loop {
        thread::sleep(quiet);
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
