//! Everything a data directory holds, held against what was pushed and what was announced:
//!
//! - every recording is whole, and its frames are those pushed, bit for bit, each once, in order;
//! - what is missing of a session is at its end, and how much that is;
//! - every row has its files, every file has its row, nothing is left in the spool or put aside;
//! - every recording, and every session, has its events once, each accepted by the receiver, in order;
//! - the program's own `fsck` finds nothing either.

mod announced;
mod filed;
mod tracked;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deadline::within;
use crate::film::Film;
use crate::fleet::SessionLog;
use crate::index;
use crate::livetape::{Livetape, files_below};
use crate::receiver::Receiver;

/// What was found.
#[derive(Debug, Default)]
pub struct Census {
    /// Whatever is not as it must be, in a sentence each.
    pub problems: Vec<String>,
    /// Recordings that are ready.
    pub ready: usize,
    /// Those of them that were completed after a crash.
    pub recovered: usize,
    /// Recordings that were discarded.
    pub discarded: usize,
    /// Frames in all recordings.
    pub frames: usize,
    /// Bytes of all recordings.
    pub bytes: u64,
    /// Events.
    pub events: usize,
    /// Deliveries of an event that had been accepted before.
    pub repeated: usize,
    /// What each session lost, in each format.
    pub losses: Vec<Loss>,
    /// Media that is missing between two recordings, in milliseconds.
    pub gaps: Vec<u32>,
    allowed: Gaps,
}

/// Where media may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gaps {
    /// At the end of a session.
    #[default]
    None,
    /// Between two of its recordings as well.
    BetweenRecordings,
}

/// What one session lost in one format.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The stream.
    pub stream: u32,
    /// The session.
    pub session: u32,
    /// Which kill ended the session; `None`: it ended well.
    pub kill: Option<u32>,
    /// The format.
    pub format: String,
    /// Milliseconds of media that had reached the process and are in no recording.
    pub ms: u32,
    /// Milliseconds of media that were handed to the kernel and are in no recording.
    pub of_sent_ms: u32,
    /// What the last recording's row says is lost.
    pub said_ms: Option<u32>,
}

impl Census {
    /// Waits until nothing is on its way any more, and looks at all of it.
    ///
    /// The receiver must be the only one and have been there from the beginning.
    pub fn take(livetape: &Livetape, film: &Film, sessions: &[SessionLog], receiver: &Receiver) -> Self {
        Self::look(livetape, film, sessions, Some(receiver), Gaps::None)
    }

    /// As [`Census::take`], where nobody is told of events.
    pub fn take_unheard(livetape: &Livetape, film: &Film, sessions: &[SessionLog]) -> Self {
        Self::look(livetape, film, sessions, None, Gaps::None)
    }

    /// As [`Census::take`], where media may be missing between two recordings of a session; how much
    /// that is at most, for each session and format, is in [`Census::gaps`].
    pub fn take_with_gaps(livetape: &Livetape, film: &Film, sessions: &[SessionLog], receiver: &Receiver) -> Self {
        Self::look(livetape, film, sessions, Some(receiver), Gaps::BetweenRecordings)
    }

    fn look(
        livetape: &Livetape,
        film: &Film,
        sessions: &[SessionLog],
        receiver: Option<&Receiver>,
        gaps: Gaps,
    ) -> Self {
        wait_settled(livetape, Duration::from_secs(120));
        let mut census = Self { allowed: gaps, ..Self::default() };
        let rows = index::query(livetape, "select * from recordings order by rowid");
        for row in &rows {
            match row["state"].as_str() {
                Some("ready") => {
                    census.ready += 1;
                    census.recovered += usize::from(row["recovered"] == 1);
                    census.bytes += row["size_bytes"].as_u64().unwrap_or(0);
                }
                Some("discarded") => census.discarded += 1,
                _ => census.problems.push(format!("{} is {}: {}", row["id"], row["state"], row["error"])),
            }
        }
        census.check_files(livetape, &rows);
        census.check_media(livetape, film, sessions, &rows);
        census.check_events(livetape, receiver, &rows);
        census.problems.extend(livetape.fsck().err());
        census
    }

    /// Looks at what another receiver, which has been there from the beginning as well, was told.
    pub fn check_receiver(&mut self, livetape: &Livetape, receiver: &Receiver) {
        let rows = index::query(livetape, "select * from recordings");
        self.check_events(livetape, Some(receiver), &rows);
    }

    /// The greatest loss of each kill, in order: the sessions it ended, in every format.
    pub fn lost_by_kill(&self) -> Vec<(u32, u32)> {
        let mut kills = std::collections::BTreeMap::new();
        for loss in &self.losses {
            if let Some(kill) = loss.kill {
                let most = kills.entry(kill).or_insert(0);
                *most = (*most).max(loss.ms);
            }
        }
        kills.into_iter().collect()
    }

    /// Panics with every problem unless there is none.
    pub fn assert_sound(&self) {
        let shown = &self.problems[..self.problems.len().min(40)];
        assert!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), shown.join("\n"));
    }
}

/// Waits until every recording is ready or discarded, out of the spool, and every event is delivered.
pub fn wait_settled(livetape: &Livetape, limit: Duration) {
    within(limit, "nothing is on its way", || {
        let left = index::query(
            livetape,
            "select (select count(*) from recordings where state not in ('ready', 'discarded', 'failed')) as recordings,
                    (select count(*) from recordings where spool_evicted = 0) as spooled,
                    (select count(*) from sessions where ended_ms is null) as sessions,
                    (select count(*) from deliveries where state not in ('delivered')) as deliveries",
        );
        let left = left.first().cloned().unwrap_or_default();
        let none = left.as_object().is_some_and(|counts| counts.values().all(|count| *count == 0));
        if none { Ok(()) } else { Err(left.to_string()) }
    });
    // Rows go first, then the files. Those that stay are told by the census.
    let begun = Instant::now();
    while begun.elapsed() < EVICTION && !files_below(&livetape.data().join("spool")).is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How long files may take to go after their rows have.
const EVICTION: Duration = Duration::from_secs(10);

fn words<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_else(|| panic!("no {column} in {row}"))
}
