//! Servers that tests need: started on this machine with throw-away data, and stopped whatever happens.
//!
//! ```text
//! target/servers/ceph-4711/     the Ceph of the xtask with that process id: ends when that does
//! target/servers/ceph/          the Ceph that somebody started: stays until somebody stops it
//!     NAME.pid, NAME.log        one for each of its processes
//! ```
//!
//! The processes of a run are killed by it when it ends, and by the kernel when it dies before (`setpriv --pdeathsig`).
//! Should one still be there, or its directory, the next run sees that its owner is gone and clears it away. A process is
//! killed by its id only while its command line names the directory: ids are used again.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Outcome, command, root, run};

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(120);

/// The variables by which tests find a server.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// One server's processes and files. When it is dropped they go, unless it is to stay.
pub(crate) struct Server {
    directory: PathBuf,
    stays: bool,
    complete: bool,
    processes: Vec<(&'static str, Child)>,
}

impl Server {
    /// A place for a server of this kind that ends with us. What runs left that are over is cleared away.
    pub(crate) fn of_this_run(kind: &str) -> Outcome<Self> {
        for left in left_over(kind) {
            println!("clearing away {}, which a run left that was interrupted", left.display());
            clear(&left)?;
        }
        Self::at(servers().join(format!("{kind}-{}", std::process::id())), false)
    }

    /// The place of the server of this kind that stays after us. One that is there is stopped.
    pub(crate) fn that_stays(kind: &str) -> Outcome<Self> {
        stop(kind)?;
        Self::at(servers().join(kind), true)
    }

    fn at(directory: PathBuf, stays: bool) -> Outcome<Self> {
        fs::create_dir_all(&directory).map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
        Ok(Self { directory, stays, complete: false, processes: Vec::new() })
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Outcome {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    pub(crate) fn make_directory(&self, name: &str) -> Outcome {
        let path = self.directory.join(name);
        fs::create_dir(&path).map_err(|error| format!("cannot create {}: {error}", path.display()))
    }

    /// Starts a process that stays in the foreground. Its command line must name the directory.
    pub(crate) fn spawn(&mut self, name: &'static str, program: &Command) -> Outcome {
        let mut started = if self.stays {
            let mut started = command(program.get_program());
            // Not ours: an interrupt of the terminal is not meant for it.
            started.process_group(0);
            started
        } else {
            let mut started = command("setpriv");
            started.args(["--pdeathsig", "KILL", "--"]).arg(program.get_program());
            started
        };
        let log = self.directory.join(format!("{name}.log"));
        let file = fs::File::create_new(&log).map_err(|error| format!("cannot create {}: {error}", log.display()))?;
        let errors = file.try_clone().map_err(|error| format!("cannot use {} twice: {error}", log.display()))?;
        started.args(program.get_args()).stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = started.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let id = child.id();
        self.processes.push((name, child));
        self.write(&format!("{name}.pid"), &id.to_string())
    }

    /// All that belongs to it was started.
    pub(crate) fn completed(&mut self) {
        self.complete = true;
    }

    /// Waits until something takes connections at `port` of this machine.
    pub(crate) fn wait_for(&mut self, port: u16) -> Outcome {
        let (address, begun) = (SocketAddr::from(([127, 0, 0, 1], port)), Instant::now());
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            for (name, process) in &mut self.processes {
                if let Ok(Some(status)) = process.try_wait() {
                    return Err(format!("{name} ended: {status}{}", last_lines(&self.directory, name)));
                }
            }
            if begun.elapsed() > START_MAX {
                let (name, _) = self.processes.last().map_or(("nothing", 0), |(name, child)| (*name, child.id()));
                let lines = last_lines(&self.directory, name);
                return Err(format!("{name} does not answer at port {port} within {} s{lines}", START_MAX.as_secs()));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is to stay and was not started to the end would be of no use.
        if self.stays && self.complete {
            return;
        }
        for (_, process) in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
        if let Err(problem) = clear(&self.directory) {
            eprintln!("xtask: {problem}");
        }
    }
}

/// Stops the server of this kind that stays; whether there was one.
pub(crate) fn stop(kind: &str) -> Outcome<bool> {
    let directory = servers().join(kind);
    let there = directory.exists();
    clear(&directory)?;
    Ok(there)
}

/// So many ports of this machine that nobody uses.
pub(crate) fn free_ports<const N: usize>() -> Outcome<[u16; N]> {
    let failed = |error| format!("cannot find a free port: {error}");
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        // Or the next would be the same.
        held.push(listener);
    }
    Ok(ports)
}

fn servers() -> PathBuf {
    root().join("target/servers")
}

/// The directories of runs that are over.
fn left_over(kind: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(servers()) else { return Vec::new() };
    let over = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-'));
        owner.is_some_and(|owner| fs::read_to_string(format!("/proc/{owner}/comm")).ok().as_deref() != Some("xtask\n"))
    });
    over.map(|entry| entry.path()).collect()
}

/// Kills what is still there of a server, and removes its files.
fn clear(directory: &Path) -> Outcome {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "pid") {
            kill(&fs::read_to_string(&path).unwrap_or_default(), directory)?;
        }
    }
    fs::remove_dir_all(directory).map_err(|error| format!("cannot remove {}: {error}", directory.display()))
}

/// Kills a process if it is one of the server in `directory`, and waits until it is gone.
fn kill(id: &str, directory: &Path) -> Outcome {
    let ours = || {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*directory.to_string_lossy())
    };
    if !ours() {
        return Ok(());
    }
    run(command("kill").args(["-KILL", id]))?;
    let begun = Instant::now();
    while ours() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err(format!("process {id} was killed and does not end"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What a process said last, for an error.
fn last_lines(directory: &Path, name: &str) -> String {
    let text = fs::read_to_string(directory.join(format!("{name}.log"))).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().map(|line| format!("\n    {line}")).collect()
}
