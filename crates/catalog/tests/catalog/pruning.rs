//! Old events go, from the first on, and never what is owed.

use livetape_catalog::{
    Applied, Attempt, Catalog, Change, DeletionReason, Inspection, NewRecording, NewSession, Use, rebuild,
};
use livetape_media::WallTime;

use crate::fixture::{
    Fixture, at, deleted, deleting, evicted, finished, options, ready, recording, recording_id, session, session_id,
};

/// A stream of one recording that is ready, with five events.
fn stored(fixture: &Fixture, number: u128) {
    stored_as(fixture, number, "x");
}

fn stored_as(fixture: &Fixture, number: u128, stream: &str) {
    let stream = stream.to_owned();
    fixture.done(Change::SessionStarted(NewSession { stream: stream.clone(), ..session(number) }));
    fixture.done(Change::RecordingOpened(NewRecording { stream, ..recording(number) }));
    for change in [finished(number), ready(number), evicted(number)] {
        fixture.done(change);
    }
    fixture.done(Change::SessionEnded { id: session_id(number), at: at(20), reason: "unpublish".to_owned() });
}

fn prune(catalog: &Catalog, before: WallTime, limit: usize) -> Applied {
    catalog.apply(Change::EventsPruned { before, now: at(100_000), limit }).unwrap()
}

fn places(fixture: &Fixture) -> Vec<i64> {
    fixture.events().into_iter().map(|event| event.sequence).collect()
}

#[test]
fn the_first_events_go_and_the_numbers_of_their_stream_go_on() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    assert_eq!((places(&fixture), fixture.catalog.first_event().unwrap()), (vec![1, 2, 3, 4, 5], 1));
    assert_eq!(prune(&fixture.catalog, at(0), 100), Applied::Already, "none is old enough");
    assert_eq!(prune(&fixture.catalog, at(12), 2), Applied::Done);
    assert_eq!((places(&fixture), fixture.catalog.first_event().unwrap()), (vec![3, 4, 5], 3));
    assert_eq!(prune(&fixture.catalog, at(12), 100), Applied::Done, "up to the first that is too young");
    assert_eq!(places(&fixture), [4, 5]);
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Done);
    assert_eq!(places(&fixture), [0i64; 0]);
    assert_eq!((fixture.catalog.first_event().unwrap(), fixture.catalog.counts().unwrap().events), (6, 5));

    let fixture = fixture.reopened(&[]);
    fixture.done(Change::SessionStarted(NewSession { stream: "x".to_owned(), ..session(2) }));
    let event = fixture.events().pop().unwrap();
    assert_eq!((event.sequence, event.seq), (6, Some(6)), "no number is given twice");
}

#[test]
fn what_is_owed_stays_and_everything_behind_it() {
    let fixture = Fixture::with_endpoints(&["hook"]);
    stored(&fixture, 1);
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Already);
    let attempt = |number| Attempt {
        number,
        at: at(30),
        took: std::time::Duration::ZERO,
        status: Some(200),
        answer: String::new(),
    };
    let ids: Vec<String> = fixture.events().into_iter().map(|event| event.id).collect();
    for event in [&ids[0], &ids[1]] {
        let taken =
            Change::DeliverySucceeded { event: event.clone(), endpoint: "hook".to_owned(), attempt: attempt(1) };
        fixture.done(taken);
    }
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Done);
    assert_eq!(places(&fixture), [3, 4, 5]);
    let failed = Change::DeliveryFailed {
        event: ids[2].clone(),
        endpoint: "hook".to_owned(),
        attempt: attempt(1),
        error: "no".to_owned(),
        retry_at: None,
    };
    fixture.done(failed);
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Done, "what is given up is owed no more");
    assert_eq!(places(&fixture), [4, 5]);
    let rows = |table: &str| {
        fixture.raw().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((rows("deliveries"), rows("attempts"), rows("pruned")), (2, 0, 1));
    assert_eq!(fixture.catalog.counts().unwrap().endpoints[0].pending, 2);
}

#[test]
fn a_ready_recording_without_its_event_is_in_order_when_that_was_pruned_also_in_a_rebuilt_catalog() {
    let fixture = Fixture::with_endpoints(&["hook"]);
    stored(&fixture, 1);
    let ids: Vec<String> = fixture.events().into_iter().map(|event| event.id).collect();
    fixture.done(Change::EndpointDisabled { endpoint: "hook".to_owned(), at: at(30), reason: "410".to_owned() });
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Done);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    for suffix in ["", "-wal"] {
        let name = format!("livetape.db{suffix}");
        std::fs::copy(fixture.path.with_file_name(&name), path.with_file_name(&name)).unwrap();
    }
    drop(Catalog::open(&path, options(&[])).unwrap());
    assert!(Inspection::open(&path, Use::Nobody).unwrap().announced(&recording_id(1)).unwrap());
    assert!(!Inspection::open(&path, Use::Nobody).unwrap().announced(&recording_id(2)).unwrap());

    let rebuilt = rebuild(&path).unwrap();
    assert_eq!(rebuilt.events_again, 0, "it was told of long ago");
    let catalog = Catalog::open(&path, options(&[])).unwrap();
    assert!(catalog.recording_row(&recording_id(1)).unwrap().is_some());
    catalog.apply(Change::SessionStarted(NewSession { stream: "x".to_owned(), ..session(2) })).unwrap();
    let event = catalog.events_after(0, 10).unwrap().pop().unwrap();
    assert_eq!((event.sequence, event.seq), (6, Some(6)));
    assert!(!ids.contains(&event.id));
}

#[test]
fn an_event_that_a_wrong_calendar_dated_far_ahead_holds_up_nothing() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    // The third event, and the last of another stream.
    stored_as(&fixture, 2, "y");
    let ahead = at(1_000_000_000).as_unix_millis();
    fixture.raw().execute("UPDATE events SET timestamp_ms = ?1 WHERE sequence IN (3, 10)", [ahead]).unwrap();
    assert_eq!(prune(&fixture.catalog, at(12), 100), Applied::Done);
    assert_eq!(places(&fixture), [4, 5, 6, 7, 8, 9, 10], "the fourth is too young, and the third older than that");
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Done);
    assert_eq!(places(&fixture), [10], "how old the last one is nothing tells");
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Already);
    fixture.done(Change::SessionStarted(NewSession { started_at: at(2000), ..session(3) }));
    assert_eq!(prune(&fixture.catalog, at(1000), 100), Applied::Already);
    assert_eq!(prune(&fixture.catalog, at(3000), 100), Applied::Done, "one behind it is old");
    assert_eq!(places(&fixture), [0i64; 0]);
    let latest = "SELECT max(at_ms) FROM pruned";
    let latest: i64 = fixture.raw().query_row(latest, [], |row| row.get(0)).unwrap();
    assert!(latest <= at(3000).as_unix_millis(), "what is told again after a rebuilding is not held up either");
}

#[test]
fn a_calendar_that_ran_back_for_a_moment_prunes_nothing_too_early() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    fixture.raw().execute("UPDATE events SET timestamp_ms = 0 WHERE sequence = 5", []).unwrap();
    assert_eq!(prune(&fixture.catalog, at(0), 100), Applied::Already);
    assert_eq!(places(&fixture), [1, 2, 3, 4, 5]);
}

#[test]
fn what_was_deleted_long_ago_does_not_come_back_with_a_catalog_that_is_made_anew() {
    let fixture = Fixture::new();
    for number in 1..=60 {
        stored_as(&fixture, number, &format!("s{number}"));
    }
    let goes = |number: &u128| !number.is_multiple_of(10);
    for number in (1..=60).filter(goes) {
        fixture.done(deleting(number, DeletionReason::Retention));
        fixture.done(deleted(number));
    }
    assert_eq!(prune(&fixture.catalog, at(1000), 10_000), Applied::Done);
    assert_eq!(places(&fixture), [0i64; 0]);
    let free: i64 = fixture.raw().query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    assert!(free > 50, "pages that are not in use any more: {free}");
    // Those that said that they were deleted are written to again.
    (61..=70).for_each(|number| stored_as(&fixture, number, &format!("s{number}")));
    let fixture = fixture.reopened_after(|path| {
        let file = std::fs::read(path).unwrap();
        let finder = |number: u128| {
            let key = recording(number).key;
            file.windows(key.len()).any(|bytes| bytes == key.as_bytes())
        };
        let left: Vec<u128> = (1..=70).filter(|number| finder(*number)).collect();
        assert!(
            left.iter().all(|number| *number > 60 || !goes(number)),
            "of what was deleted nothing is left: {left:?}"
        );
        assert_eq!(left.len(), 6 + 10);
        let rebuilt = rebuild(path).unwrap();
        assert_eq!((rebuilt.recordings, rebuilt.events, rebuilt.recordings_inferred), (16, 50, 0), "{rebuilt:?}");
    });
    for number in (1..=60).filter(goes) {
        assert_eq!(fixture.catalog.recording_row(&recording_id(number)).unwrap(), None, "{number}");
    }
}

#[test]
fn events_that_were_deleted_are_not_kept_wherever_they_are_found() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    let connection = fixture.raw();
    // As they stand on pages of a catalog from before they were overwritten.
    connection
        .execute(
            "INSERT INTO pruned (subject, seq, sequence, at_ms) SELECT subject, 4, 4, timestamp_ms FROM events WHERE sequence = 4",
            [],
        )
        .unwrap();
    drop(connection);
    let fixture = fixture.reopened_after(|path| {
        let rebuilt = rebuild(path).unwrap();
        assert_eq!((rebuilt.events, rebuilt.recordings), (1, 1), "{rebuilt:?}");
    });
    assert_eq!(places(&fixture), [5]);
}
