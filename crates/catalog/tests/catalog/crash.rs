//! The process is killed at any moment; what was answered is there, and nothing is there by half.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use livetape_catalog::{Catalog, Change, RecordingState};
use livetape_record::RecordingId;

use crate::fixture::{finished, options, ready, recording, recording_id, session, uploading};

const DIRECTORY: &str = "LIVETAPE_CATALOG_CRASH_DIRECTORY";
const FIRST: &str = "LIVETAPE_CATALOG_CRASH_FIRST";
const WORKERS: u128 = 4;

/// Not a test: what the killed process does. Says each recording that it was told is ready.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn write_until_killed() {
    let (Ok(directory), Ok(first)) = (std::env::var(DIRECTORY), std::env::var(FIRST)) else { return };
    let first: u128 = first.parse().unwrap();
    let catalog = Catalog::open(&Path::new(&directory).join("livetape.db"), options(&["a"])).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let catalog = catalog.clone();
            scope.spawn(move || {
                for n in (first + worker..).step_by(WORKERS as usize) {
                    for change in [
                        Change::SessionStarted(session(n)),
                        Change::RecordingOpened(recording(n)),
                        finished(n),
                        uploading(n),
                        ready(n),
                    ] {
                        catalog.apply(change).unwrap();
                    }
                    println!("\nready {n}");
                }
            });
        }
    });
}

#[test]
fn whatever_was_answered_outlasts_a_kill_and_nothing_is_half_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let mut answered: BTreeSet<u128> = BTreeSet::new();
    for round in 0..10u128 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::write_until_killed", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ready = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("ready ").map(|number| number.parse::<u128>().unwrap()));
        // From hardly anything to several checkpoints of the log.
        answered.extend(ready.by_ref().take(5 + 37 * round as usize));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts as well.
        answered.extend(ready);
        check(&path, &answered);
    }
    assert!(answered.len() > 1500);
}

fn check(path: &Path, answered: &BTreeSet<u128>) {
    let catalog = Catalog::open(path, options(&["a"])).unwrap();
    for number in answered {
        let row = catalog.recording_row(&recording_id(*number)).unwrap().unwrap();
        assert_eq!(row.state, RecordingState::Ready, "{number}");
    }
    let events = catalog.events_after(0, usize::MAX).unwrap();
    assert!(events.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence));
    let of_kind = |kind: &str| -> BTreeSet<String> {
        let events = events.iter().filter(|event| event.kind == kind);
        events.map(|event| event.id.trim_start_matches("evt_").rsplit_once('_').unwrap().0.to_owned()).collect()
    };
    let in_states = |states: &[RecordingState]| -> BTreeSet<String> {
        let name = |id: RecordingId| id.to_string().trim_start_matches("rec_").to_owned();
        catalog.recordings_in(states).unwrap().into_iter().map(|row| name(row.id)).collect()
    };
    assert_eq!(of_kind("recording.ready"), in_states(&[RecordingState::Ready]));
    assert_eq!(of_kind("recording.started"), in_states(&RecordingState::ALL));
    assert_eq!(of_kind("stream.started").len(), catalog.sessions_open().unwrap().len());

    let counts = catalog.counts().unwrap();
    assert_eq!(counts.endpoints[0].pending, events.len() as u64, "each event is owed once");
    for state in RecordingState::ALL {
        assert_eq!(counts.recordings[&state], in_states(&[state]).len() as u64);
    }
}
