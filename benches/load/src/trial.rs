//! One thing that is measured, and its figures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::machine;

use crate::crowd::{self, Script, Seat};
use crate::recorder::Recorder;
use crate::usage::{Held, Usage};
use crate::wire::Wire;

/// How often it is looked what the recorder holds.
const LOOK: Duration = Duration::from_secs(1);

/// A recorder with so many streams in these formats.
pub(crate) struct Trial {
    recorder: Box<dyn Recorder>,
    /// What is recorded at once.
    pub(crate) formats: Vec<String>,
    /// Publishers.
    pub(crate) streams: u32,
    /// Of each run.
    pub(crate) figures: Vec<Figures>,
    /// Why it is not run again.
    pub(crate) failed: Option<String>,
}

/// Of one run.
pub(crate) struct Figures {
    /// Bytes that were sent, in 10^9.
    pub(crate) gigabytes: f64,
    /// What the recorder used from its start until all was finished.
    pub(crate) used: Usage,
    /// What it used while all played, and bytes that were sent meanwhile, in 10^9; live only.
    pub(crate) steady: Option<(Usage, f64)>,
    /// How long it ran.
    pub(crate) took: Duration,
    /// The most it held.
    pub(crate) held: Held,
    /// Processor time of the publishers.
    pub(crate) crowd: Duration,
    /// See [`crowd::Outcome`].
    pub(crate) stuck_max: Duration,
    /// See [`crowd::Outcome`].
    pub(crate) unread_max: u64,
    /// From the common goodbye to ready, in ascending order, in milliseconds.
    pub(crate) finish_ms: Vec<i64>,
    /// From ready to the arrival of the event, in ascending order, in milliseconds.
    pub(crate) webhook_ms: Vec<i64>,
    /// Frames in all recordings.
    pub(crate) frames: usize,
    /// Frames that are in none; `None`: nobody looked.
    pub(crate) lost: Option<usize>,
    /// What is not as it must be.
    pub(crate) problems: Vec<String>,
}

impl Trial {
    /// One that has not run.
    pub(crate) fn new(recorder: Box<dyn Recorder>, formats: Vec<String>, streams: u32) -> Self {
        Self { recorder, formats, streams, figures: Vec::new(), failed: None }
    }

    /// The recorder's name.
    pub(crate) fn name(&self) -> String {
        self.recorder.name()
    }

    /// See [`Recorder::is_ours`].
    pub(crate) fn is_ours(&self) -> bool {
        self.recorder.is_ours()
    }

    /// See [`Recorder::about`].
    pub(crate) fn about(&self) -> String {
        self.recorder.about()
    }

    /// Runs once, with everything below `directory`.
    pub(crate) fn run(&mut self, wire: &Wire, script: &Script, directory: &Path) -> anyhow::Result<()> {
        let formats: Vec<&str> = self.formats.iter().map(String::as_str).collect();
        let begun = Instant::now();
        let mut running = self.recorder.start(directory, &formats, self.streams)?;
        let processes = running.processes();
        let crowd_time = || machine::cpu(std::process::id());
        let crowd_before = crowd_time();
        let watch = Watch::begin(processes.clone());
        let mut marks = Vec::new();
        let outcome = crowd::perform(&running.rtmp(), wire, script, |seats| {
            marks.push((Usage::of(&processes), seats.iter().map(Seat::sent_bytes).sum::<u64>()));
        })?;
        let steady = match marks[..] {
            [(begin, sent_before), (end, sent)] if script.break_after.is_none() => {
                Some((end - begin, (sent - sent_before) as f64 / 1e9))
            }
            _ => None,
        };
        let crowd = crowd_time().saturating_sub(crowd_before);
        running.settle()?;
        let (used, took, held) = (Usage::of(&processes), begun.elapsed(), watch.end());
        let used = marks.iter().fold(used, |used, (before, _)| used.at_least(*before));
        let mut verdict = running.judge(wire.film(), &outcome);
        verdict.finish_ms.sort_unstable();
        verdict.webhook_ms.sort_unstable();
        verdict.problems.iter().take(20).for_each(|problem| eprintln!("    {problem}"));
        self.figures.push(Figures {
            gigabytes: outcome.bytes() as f64 / 1e9,
            used,
            steady,
            took,
            held,
            crowd,
            stuck_max: outcome.stuck_max,
            unread_max: outcome.unread_max,
            finish_ms: verdict.finish_ms,
            webhook_ms: verdict.webhook_ms,
            frames: verdict.frames,
            lost: verdict.lost,
            problems: verdict.problems,
        });
        Ok(())
    }
}

/// Looks again and again at what processes hold.
struct Watch {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Held>,
}

impl Watch {
    fn begin(processes: Vec<u32>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut most = Held::default();
            while !ends.load(Ordering::Relaxed) {
                most = most.max(Held::by(&processes));
                thread::park_timeout(LOOK);
            }
            most
        });
        Self { over, thread }
    }

    fn end(self) -> Held {
        self.over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}
