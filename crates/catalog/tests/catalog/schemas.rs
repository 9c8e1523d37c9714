//! Every event is what `docs/events` says, judged by another implementation of JSON Schema.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use livetape_catalog::{Change, DeletionReason, NewRecording};
use livetape_media::{Phase, TrackKind};

use crate::waiting::{continued, gap, waits};

use crate::fixture::{
    Fixture, at, deleted, deleting, discarded, evicted, failed, finished, ready, recording, recording_id, session,
    session_id,
};
use crate::quality::found;

/// Runs the judge over these lines: whether it is content, and what it says.
fn judged(lines: &[String]) -> (bool, String) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Command::new("python3")
        .arg(here.join("tests/catalog/validate.py"))
        .arg(here.join("../../docs/events"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Bodies of events of every type, and of recordings with and without sound.
fn every_event() -> Vec<String> {
    let fixture = Fixture::new();
    for number in 1..=4 {
        fixture.done(Change::SessionStarted(session(number)));
    }
    fixture.done(Change::RecordingOpened(NewRecording { audio: None, ..recording(1) }));
    (2..=4).for_each(|number| fixture.done(Change::RecordingOpened(recording(number))));
    for recording in [Some(recording_id(1)), None] {
        let (kind, detail) = ("timestamp_jump".to_owned(), "it jumped".to_owned());
        fixture.done(Change::Warning { session: session_id(1), recording, kind, detail, at: at(2) });
    }
    fixture.done(waits(1, 5, 65));
    fixture.done(continued(recording_id(1), 1, gap(5, 20, 5)));
    let (id, at_3) = (recording_id(1), at(3));
    for change in [Change::RecordingPaused { id, at: at_3 }, Change::RecordingResumed { id, at: at_3 }] {
        fixture.done(change);
    }
    fixture.done(found(Phase::Ended, Some(TrackKind::Audio)));
    for change in [finished(1), ready(1), finished(2), ready(2), evicted(2), discarded(3), failed(4)] {
        fixture.done(change);
    }
    fixture.done(deleting(2, DeletionReason::Request));
    fixture.done(deleted(2));
    fixture.done(Change::SessionEnded { id: session_id(1), at: at(20), reason: "unpublish".to_owned() });
    fixture.events().into_iter().map(|event| event.body).collect()
}

#[test]
fn every_type_of_event_is_what_its_schema_says() {
    let (content, said) = judged(&every_event());
    assert!(content, "{said}");
    let schemas = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events")).unwrap();
    let mut described: Vec<String> = schemas
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "common")
        .collect();
    described.sort();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), described);
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let events = every_event();
    for (from, to, place) in [
        ("\"seq\":1,", "", "'seq' is a required property"),
        ("\"seq\":1,", "\"seq\":0,", "$.seq"),
        ("\"app\":\"live\"", "\"app\":7", "$.data"),
        ("\"stream.started\"", "\"stream.exploded\"", "has no schema"),
        ("\"ended_at\":null", "\"ended_at\":\"2026-11-22T21:00:00.000Z\"", "$.data"),
        ("21:00:00.000Z", "21:00:00Z", "$.timestamp"),
        ("\"push\":{", "\"more\":1,\"push\":{", "'more' was unexpected"),
    ] {
        let broken = events[0].replacen(from, to, 1);
        assert_ne!(broken, events[0], "{from}");
        let (content, said) = judged(&[broken]);
        assert!(!content && said.contains(place), "{to}: {said}");
    }
}
