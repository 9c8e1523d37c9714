//! Group commit, order, and readers beside the writer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use livetape_catalog::{Applied, Catalog, CatalogError, Change, Options, RecordingFilter, RecordingState};

use crate::fixture::{Fixture, facts, finished, options, ready, recording, session, session_id};

/// Holds the writer within a callback until the sender is used or dropped.
fn hold(catalog: &Catalog) -> Sender<()> {
    let (release, held) = channel::<()>();
    let (reached, inside) = channel();
    catalog.submit(Change::SessionStarted(session(999_999)), move |_| {
        reached.send(()).unwrap();
        let _ = held.recv();
    });
    inside.recv().unwrap();
    release
}

type Outcomes = Receiver<(u128, Result<Applied, CatalogError>)>;

fn submit(catalog: &Catalog, changes: impl IntoIterator<Item = (u128, Change)>) -> Outcomes {
    let (sender, outcomes) = channel();
    for (number, change) in changes {
        let sender = sender.clone();
        catalog.submit(change, move |outcome| sender.send((number, outcome)).unwrap());
    }
    outcomes
}

#[test]
fn changes_that_wait_together_are_one_commit() {
    let fixture = Fixture::new();
    let release = hold(&fixture.catalog);
    let before = fixture.catalog.writer_stats();
    let outcomes = submit(&fixture.catalog, (0..1000).map(|n| (n, Change::SessionStarted(session(n)))));
    drop(release);
    let outcomes: Vec<_> = outcomes.iter().collect();
    assert!(
        outcomes
            .iter()
            .enumerate()
            .all(|(at, (n, outcome))| *n == at as u128 && *outcome.as_ref().unwrap() == Applied::Done)
    );
    let after = fixture.catalog.writer_stats();
    assert_eq!((after.changes - before.changes, after.commits - before.commits), (1000, 1));
    assert_eq!(fixture.events().len(), 1001);
}

#[test]
fn many_submitters_share_commits() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for worker in 0..16u128 {
            let catalog = fixture.catalog.clone();
            scope.spawn(move || {
                for n in 0..25 {
                    let number = worker * 100 + n;
                    assert_eq!(catalog.apply(Change::SessionStarted(session(number))).unwrap(), Applied::Done);
                }
            });
        }
    });
    let stats = fixture.catalog.writer_stats();
    assert_eq!(stats.changes, 400);
    assert!(stats.commits < 300, "{} commits for 400 changes of 16 submitters", stats.commits);
}

#[test]
fn a_refused_change_fails_alone_in_its_commit() {
    let fixture = Fixture::with_endpoints(&["a"]);
    let release = hold(&fixture.catalog);
    let before = fixture.catalog.writer_stats().commits;
    let changes = [
        Change::SessionStarted(session(1)),
        Change::RecordingOpened(recording(1)),
        // Of a recording that is not there.
        finished(2),
        finished(1),
        Change::SessionEnded {
            id: session_id(7),
            at: livetape_media::WallTime::from_unix_millis(0),
            reason: String::new(),
        },
        ready(1),
    ];
    let outcomes = submit(&fixture.catalog, (0..).zip(changes));
    drop(release);
    let good: Vec<bool> = outcomes.iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(good, [true, true, false, true, false, true]);
    assert_eq!(fixture.catalog.writer_stats().commits, before + 1);
    assert_eq!(
        fixture.event_kinds()[1..],
        ["stream.started", "recording.started", "recording.ended", "recording.ready"]
    );
}

#[test]
fn a_change_that_fails_half_way_leaves_nothing() {
    // The row is written before its event; an event of that id makes the second step fail.
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    let id = format!("evt_{}_mp4_1_started", session_id(1).0.simple());
    fixture
        .raw()
        .execute("INSERT INTO events (id, type, subject, timestamp_ms, body) VALUES (?1, 'x', 'x', 0, '{}')", [id])
        .unwrap();
    let before = fixture.dump();
    assert!(fixture.apply(Change::RecordingOpened(recording(1))).is_err());
    assert_eq!(fixture.dump(), before);
    assert_eq!(fixture.catalog.counts().unwrap().recordings[&RecordingState::Recording], 0);
}

#[test]
fn a_callback_that_panics_does_not_stop_the_writer() {
    let fixture = Fixture::new();
    fixture.catalog.submit(Change::SessionStarted(session(1)), |_| panic!("not the catalog's fault"));
    fixture.done(Change::SessionStarted(session(2)));
}

#[test]
fn everything_submitted_is_committed_before_the_catalog_closes() {
    let fixture = Fixture::new();
    let release = hold(&fixture.catalog);
    let done = Arc::new(AtomicUsize::new(0));
    for n in 0..100 {
        let done = Arc::clone(&done);
        fixture.catalog.submit(Change::SessionStarted(session(n)), move |outcome| {
            outcome.unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        });
    }
    drop(release);
    let fixture = fixture.reopened(&[]);
    assert_eq!(done.load(Ordering::SeqCst), 100);
    assert_eq!(fixture.catalog.sessions_open().unwrap().len(), 101);
}

#[test]
fn the_last_clone_may_be_dropped_by_a_callback() {
    let fixture = Fixture::new();
    let slot = Arc::new(Mutex::new(Some(fixture.catalog.clone())));
    let (sender, dropped) = channel();
    let (go, wait) = channel::<()>();
    fixture.catalog.submit(Change::SessionStarted(session(1)), move |_| {
        wait.recv().unwrap();
        drop(slot.lock().unwrap().take());
        sender.send(()).unwrap();
    });
    let Fixture { catalog, .. } = fixture;
    drop(catalog);
    go.send(()).unwrap();
    dropped.recv().unwrap();
}

#[test]
fn readers_see_whole_commits_while_the_writer_writes() {
    const RECORDINGS: u128 = 150;
    let fixture = Fixture::with_endpoints(&["a"]);
    let writing = AtomicBool::new(true);
    let rounds = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let (mut sequence, mut ready_events) = (0, 0);
                while writing.load(Ordering::SeqCst) {
                    let events = fixture.catalog.events_after(sequence, 1000).unwrap();
                    for event in &events {
                        assert_eq!(event.sequence, sequence + 1, "a gap or a late event");
                        sequence = event.sequence;
                        ready_events += u64::from(event.kind == "recording.ready");
                    }
                    let counts = fixture.catalog.counts().unwrap();
                    assert!(counts.recordings[&RecordingState::Ready] >= ready_events);
                    assert!(counts.events >= sequence.unsigned_abs());
                    let filter = RecordingFilter { limit: 500, ..Default::default() };
                    for view in fixture.catalog.recordings(&filter).unwrap().items {
                        assert_eq!(view.state == RecordingState::Recording, view.ended_at.is_none());
                        assert_eq!(view.state == RecordingState::Recording, view.size_bytes.is_none());
                    }
                    rounds.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for n in 0..RECORDINGS {
            let catalog = &fixture.catalog;
            catalog.submit(Change::SessionStarted(session(n)), |outcome| assert!(outcome.is_ok()));
            catalog.submit(Change::RecordingOpened(recording(n)), |outcome| assert!(outcome.is_ok()));
            catalog.submit(finished(n), |outcome| assert!(outcome.is_ok()));
            assert_eq!(catalog.apply(ready(n)).unwrap(), Applied::Done);
        }
        writing.store(false, Ordering::SeqCst);
    });
    assert!(rounds.load(Ordering::SeqCst) > 6);
    let counts = fixture.catalog.counts().unwrap();
    assert_eq!(counts.recordings[&RecordingState::Ready], RECORDINGS as u64);
    assert_eq!(counts.events, 4 * RECORDINGS as u64);
    assert_eq!(counts.endpoints[0].pending, 4 * RECORDINGS as u64);
    assert_eq!(
        fixture.catalog.recording(&recording(0).id).unwrap().unwrap().duration_ms,
        Some(facts().duration.as_millis() as u64)
    );
}

#[test]
fn a_closed_gate_takes_the_commit_back_and_later_ones_go_through() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let (open, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let gate: livetape_catalog::Gate = {
        let (open, asked) = (open.clone(), asked.clone());
        Arc::new(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            open.load(Ordering::SeqCst)
        })
    };
    let catalog = Catalog::open(&path, Options { gate: Some(gate), ..options(&["hook"]) }).unwrap();
    let refused = catalog.apply(Change::SessionStarted(session(1))).unwrap_err();
    assert!(matches!(refused, CatalogError::Stopped), "{refused}");
    assert!(catalog.sessions_open().unwrap().is_empty() && catalog.events_after(0, 10).unwrap().is_empty());
    assert_eq!(catalog.next_due_at("hook").unwrap(), None);
    open.store(true, Ordering::SeqCst);
    assert_eq!(catalog.apply(Change::SessionStarted(session(1))).unwrap(), Applied::Done);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "once before each commit");
    drop(catalog);
    assert_eq!(Catalog::open(&path, options(&["hook"])).unwrap().sessions_open().unwrap().len(), 1);
}
