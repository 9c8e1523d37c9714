//! The program under test, as an operator runs it: its own process, a data directory, a
//! configuration file, a log.

mod launch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::deadline::{eventually, within};
use crate::http::Client;
use crate::place;
use crate::program::text;
use crate::receiver::{Receiver, SECRET};

pub use launch::Launch;

/// A configuration file in the making.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    tables: BTreeMap<String, BTreeMap<String, String>>,
    webhooks: Vec<String>,
}

impl Settings {
    /// The defaults, on free ports of this host, with a log for programs and no wish for free space.
    pub fn new() -> Self {
        Self::default().set("log.format", "\"json\"").set("log.level", "\"info\"").set("record.min_free", "\"0B\"")
    }

    /// Sets `TABLE.KEY` to a TOML value.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let (table, key) = name.split_once('.').unwrap();
        self.tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Records these formats only.
    #[must_use]
    pub fn formats(self, formats: &[&str]) -> Self {
        self.set("record.formats", &format!("{formats:?}"))
    }

    /// Tells `receiver` of every event.
    #[must_use]
    pub fn webhook(mut self, receiver: &Receiver) -> Self {
        let name = format!("receiver-{}", self.webhooks.len() + 1);
        let url = receiver.url();
        self.webhooks.push(format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n"));
        self
    }

    /// One more webhook, as a `[[webhooks]]` table.
    #[must_use]
    pub fn webhook_as(mut self, table: &str) -> Self {
        self.webhooks.push(table.to_owned());
        self
    }

    /// The file.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for (table, keys) in &self.tables {
            writeln!(text, "[{table}]").unwrap();
            for (key, value) in keys {
                writeln!(text, "{key} = {value}").unwrap();
            }
        }
        text + &self.webhooks.concat()
    }
}

/// The running program.
pub struct Livetape {
    home: TempDir,
    /// Where finished files are looked for.
    media: Option<PathBuf>,
    how: Launch,
    child: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
    /// Where encoders push to.
    pub rtmp: SocketAddr,
    /// Asks its HTTP side.
    pub http: Client,
    /// Where that is.
    pub http_address: SocketAddr,
}

impl Livetape {
    /// Starts it in a new data directory and waits until it is ready.
    pub fn start(settings: &Settings) -> Self {
        Self::start_as(settings, Launch::default())
    }

    /// As [`Livetape::start`], under the circumstances that `how` says.
    pub fn start_as(settings: &Settings, how: Launch) -> Self {
        let home = tempfile::Builder::new().prefix("livetape-").tempdir().unwrap();
        fs::write(home.path().join("livetape.toml"), settings.to_toml()).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut livetape = Self {
            home,
            media: None,
            how,
            child: None,
            log: Arc::default(),
            rtmp: nowhere,
            http: Client::new(nowhere),
            http_address: nowhere,
        };
        livetape.launch();
        livetape
    }

    fn launch(&mut self) {
        self.spawn();
        self.rtmp = self.address("rtmp");
        self.http_address = self.address("http");
        self.http = Client::new(self.http_address);
        eventually("/readyz says yes", || match self.http.try_get("/readyz", &[]) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.text())),
            Err(problem) => Err(problem),
        });
    }

    /// Starts the process and does not wait for anything.
    fn spawn(&mut self) {
        let mut command = self.how.command();
        command.arg("serve").arg("--config").arg(self.home.path().join("livetape.toml"));
        command.arg("--data").arg(self.data());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(self.home.path());
        let mut child = command.spawn().unwrap();
        // The log of the process before may still be arriving in the old one.
        self.log = Arc::default();
        keep(child.stdout.take().unwrap(), &self.log);
        keep(child.stderr.take().unwrap(), &self.log);
        self.child = Some(child);
    }

    /// The address the log says one side listens on.
    fn address(&mut self, side: &str) -> SocketAddr {
        eventually(format!("the log says where {side} listens"), || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("the program ended: {status}\n{}", self.log().join("\n"));
            }
            let found = self.log().iter().find_map(|line| {
                let entry: Value = serde_json::from_str(line).ok()?;
                let field = entry["fields"][side].as_str().or(entry[side].as_str())?;
                field.parse().ok()
            });
            found.ok_or_else(|| self.log().join("\n"))
        })
    }

    /// Has the program itself look at its data directory, running or not; what it found, if anything.
    pub fn fsck(&self) -> Result<(), String> {
        let mut fsck = Command::new(place::livetape());
        fsck.args(["fsck", "--deep", "--config"]).arg(self.home.path().join("livetape.toml"));
        let output = fsck.arg("--data").arg(self.data()).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
    }

    /// Where it keeps everything.
    pub fn data(&self) -> PathBuf {
        self.how.data.clone().unwrap_or_else(|| self.home.path().join("data"))
    }

    /// The path of the finished file of a recording.
    pub fn file(&self, recording: &Recording) -> PathBuf {
        self.media().join(recording.text("key"))
    }

    /// Where finished files are: in the directory store, unless they were fetched to elsewhere.
    pub fn media(&self) -> PathBuf {
        self.media.clone().unwrap_or_else(|| self.data().join("media"))
    }

    /// Finished files have been fetched from where they are to this directory.
    pub fn look_in(&mut self, media: PathBuf) {
        self.media = Some(media);
    }

    /// A directory for the test's own files.
    pub fn scratch(&self) -> PathBuf {
        let path = self.home.path().join("scratch");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The URL to push a stream of `live` to.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}", self.rtmp)
    }

    /// Every line of its log since it started.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Ends it as an operator does (`SIGTERM`); panics unless it ends well and in time.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        let ended = within(Duration::from_secs(60), "the program ends after SIGTERM", || {
            child.try_wait().unwrap().ok_or_else(|| self.log().join("\n"))
        });
        assert!(ended.success(), "after SIGTERM: {ended}\n{}", self.log().join("\n"));
    }

    /// Ends it as a crash does (`SIGKILL`).
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// Forgets a process that has ended by itself, so that it can be started again.
    pub fn wait_ended(&mut self) -> std::process::ExitStatus {
        let ended = eventually("the process ends", || self.ended().ok_or_else(|| "it runs".to_owned()));
        self.child = None;
        ended
    }

    /// Starts it again in the same data directory, at the addresses it was told ([`Launch::at_fixed_addresses`]), and
    /// waits for nothing: it may be killed before it is ready.
    pub fn start_again_unwatched(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.spawn();
    }

    /// Waits until a process that was started unwatched is ready.
    pub fn wait_started(&mut self) {
        self.rtmp = self.address("rtmp");
        within(Duration::from_secs(120), "/readyz says yes", || match self.http.try_get("/readyz", &[]) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.text())),
            Err(problem) => Err(problem),
        });
    }

    /// From now on it is started under these circumstances.
    pub fn relaunch_as(&mut self, how: Launch) {
        self.how = how;
    }

    /// Starts it again in the same data directory.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.launch();
    }

    /// Every recording the API knows of, oldest first.
    pub fn recordings(&self) -> Vec<Recording> {
        let list = self.http.json("/v1/recordings?limit=100");
        assert!(list["next_cursor"].is_null(), "more than one page");
        let mut recordings: Vec<Recording> = list["items"].as_array().unwrap().iter().cloned().map(Recording).collect();
        recordings.sort_by_key(|recording| (recording.text("session_id"), recording.sequence()));
        recordings
    }

    /// The newest recordings that are ready, at most so many.
    pub fn newest_ready(&self, count: usize) -> Vec<Recording> {
        let list = self.http.json(&format!("/v1/recordings?state=ready&limit={count}"));
        list["items"].as_array().unwrap().iter().cloned().map(Recording).collect()
    }

    /// Waits until `stream` of `live` has `count` recordings of each format in `formats`, all
    /// ready, and nothing else is on its way.
    pub fn wait_ready(&self, stream: &str, formats: &[&str], count: usize) -> Vec<Recording> {
        self.wait_ready_each(stream, &formats.iter().map(|format| (*format, count)).collect::<Vec<_>>())
    }

    /// Waits until `stream` of `live` has so many recordings of each of these formats, all ready,
    /// and nothing else is on its way.
    pub fn wait_ready_each(&self, stream: &str, counts: &[(&str, usize)]) -> Vec<Recording> {
        eventually(format!("{counts:?} recordings of {stream} are ready"), || {
            let recordings = self.of_stream(stream);
            let whole = counts.iter().all(|(format, count)| {
                recordings.iter().filter(|recording| recording.text("format") == *format).count() == *count
            });
            let ready = recordings.iter().all(|recording| recording.text("state") == "ready");
            let total: usize = counts.iter().map(|(_, count)| count).sum();
            if whole && ready && recordings.len() == total { Ok(recordings) } else { Err(brief(&recordings)) }
        })
    }

    /// Waits until `stream` of `live` is over and each of its recordings is ready.
    pub fn wait_settled(&self, stream: &str) -> Vec<Recording> {
        eventually(format!("all recordings of {stream} are ready"), || {
            let live = self.http.json("/v1/streams").to_string().contains(&format!("\"{stream}\""));
            let recordings = self.of_stream(stream);
            let ready = recordings.iter().all(|recording| recording.text("state") == "ready");
            if !live && ready && !recordings.is_empty() { Ok(recordings) } else { Err(brief(&recordings)) }
        })
    }

    /// Waits until a directory of the data directory holds no file.
    pub fn wait_empty(&self, directory: &str) {
        let path = self.data().join(directory);
        eventually(format!("{directory} is empty"), || {
            let files = files_below(&path);
            if files.is_empty() { Ok(()) } else { Err(format!("{files:?}")) }
        });
    }

    /// The recordings of one stream of `live`, oldest first.
    pub fn of_stream(&self, stream: &str) -> Vec<Recording> {
        self.recordings().into_iter().filter(|recording| recording.text("stream") == stream).collect()
    }

    /// Waits until `stream` is live and every recording of it holds `seconds` of media.
    pub fn wait_live(&self, stream: &str, seconds: f64) {
        eventually(format!("{seconds} s of {stream} are recorded"), || {
            let recordings = self.of_stream(stream);
            let grown = recordings.iter().filter(|recording| {
                recording.text("state") == "recording" && recording.0["duration_ms"].as_f64() >= Some(seconds * 1000.0)
            });
            if !recordings.is_empty() && grown.count() == recordings.len() { Ok(()) } else { Err(brief(&recordings)) }
        });
    }

    /// The metrics page.
    pub fn metrics(&self) -> String {
        let answer = self.http.get("/metrics");
        assert_eq!(answer.status, 200);
        answer.text()
    }
}

impl Drop for Livetape {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let tail = &log[log.len().saturating_sub(80)..];
            eprintln!("--- the program's log, its last {} lines ---\n{}\n---", tail.len(), tail.join("\n"));
            if std::env::var_os("LIVETAPE_KEEP").is_some() {
                self.home.disable_cleanup(true);
                eprintln!("--- kept: {}", self.home.path().display());
            }
        }
    }
}

/// Keeps what the program prints, line by line.
fn keep(pipe: impl std::io::Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    });
}

/// A recording as the API shows it.
#[derive(Clone, Debug)]
pub struct Recording(pub Value);

impl Recording {
    /// A field that is text.
    pub fn text(&self, field: &str) -> String {
        self.0[field].as_str().unwrap_or_else(|| panic!("no {field} in {:#}", self.0)).to_owned()
    }

    /// A field that is a number.
    pub fn number(&self, field: &str) -> i64 {
        self.0[field].as_i64().unwrap_or_else(|| panic!("no {field} in {:#}", self.0))
    }

    /// Which of the session's recordings in its format.
    pub fn sequence(&self) -> i64 {
        self.number("sequence")
    }

    fn brief(&self) -> String {
        format!("{} {} {} ms {}", self.0["id"], self.0["state"], self.0["duration_ms"], self.0["error"])
    }
}

fn brief(recordings: &[Recording]) -> String {
    format!("recordings: {:#?}", recordings.iter().map(Recording::brief).collect::<Vec<_>>())
}

/// Those of one format, in order.
pub fn of_format(recordings: &[Recording], format: &str) -> Vec<Recording> {
    recordings.iter().filter(|recording| recording.text("format") == format).cloned().collect()
}

/// The path of a URL, without scheme and host.
pub fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// The names of the files in a directory, sorted; empty when there is none.
pub fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every file below a directory, by its path.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files.sort();
    files
}
