//! Events are numbered within their stream, without a gap.

use std::collections::BTreeMap;

use livetape_catalog::{Catalog, Change, EventRow, NewRecording, NewSession, rebuild};
use proptest::prelude::*;

use crate::fixture::{Fixture, at, failed, finished, options, ready, recording, session, session_id};

/// Numbers of each stream's events, in order.
fn numbers(events: &[EventRow]) -> BTreeMap<String, Vec<i64>> {
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in events {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!(body["seq"].as_i64(), event.seq, "{}", event.body);
        numbers.entry(event.subject.clone()).or_default().push(event.seq.unwrap());
    }
    numbers
}

fn assert_without_gap(events: &[EventRow]) {
    for (stream, numbers) in numbers(events) {
        assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>(), "{stream}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_happens_and_is_repeated(acts in proptest::collection::vec((0u128..6, 0u8..5), 1..60)) {
        let mut fixture = Fixture::with_endpoints(&["a"]);
        for (number, act) in acts {
            let stream = format!("s{}", number % 3);
            let change = match act {
                0 => Change::SessionStarted(NewSession { stream, ..session(number) }),
                1 => Change::RecordingOpened(NewRecording { stream, ..recording(number) }),
                2 => finished(number),
                3 => ready(number),
                _ => Change::SessionEnded { id: session_id(number), at: at(20), reason: "drop".to_owned() },
            };
            // Many of these are refused, or were made before.
            let _ = fixture.apply(change);
            if number == 5 && act == 0 {
                fixture = fixture.reopened(&["a"]);
            }
        }
        assert_without_gap(&fixture.events());
    }
}

#[test]
fn a_rebuilt_catalog_gives_the_numbers_that_were_lost_and_goes_on_behind_the_last() {
    let fixture = Fixture::new();
    for number in 1..=2 {
        fixture.done(Change::SessionStarted(NewSession { stream: "x".to_owned(), ..session(number) }));
        fixture.done(Change::RecordingOpened(NewRecording { stream: "x".to_owned(), ..recording(number) }));
        fixture.done(finished(number));
    }
    fixture.done(ready(1));
    fixture.done(failed(2));
    let before = numbers(&fixture.events());
    let path = fixture.path.clone();
    let connection = fixture.raw();
    connection.execute("DELETE FROM events WHERE type = 'recording.ready'", []).unwrap();
    drop(connection);
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("livetape.db");
    rusqlite::Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
    rebuild(&to).unwrap();
    let catalog = Catalog::open(&to, options(&[])).unwrap();
    catalog.apply(Change::SessionStarted(NewSession { stream: "x".to_owned(), ..session(3) })).unwrap();
    let mut after = numbers(&catalog.events_after(0, 100).unwrap());
    after.values_mut().for_each(|numbers| numbers.sort_unstable());
    let last = i64::try_from(before["live/x"].len()).unwrap();
    assert_eq!(after["live/x"], (1..=last + 1).collect::<Vec<_>>());
}
