//! Queues of deliveries: in order per stream and endpoint, and nobody held up for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use livetape_catalog::{Applied, Attempt, CatalogError, Change, DeliveryState, NewSession};
use livetape_media::WallTime;
use proptest::prelude::*;

use crate::fixture::{Fixture, at, session, session_id};

/// Starts a session of stream `stream` at `seconds`: one event.
pub fn start(fixture: &Fixture, number: u128, stream: &str, seconds: i64) {
    fixture.done(Change::SessionStarted(NewSession {
        stream: stream.to_owned(),
        started_at: at(seconds),
        ..session(number)
    }));
}

pub fn event(number: u128) -> String {
    format!("evt_{}_started", session_id(number).0.simple())
}

/// What is said to be pending is what a count finds, and every queue has the head it should have.
pub fn check_queues(fixture: &Fixture) {
    let connection = fixture.raw();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let wrong = count(
        "SELECT count(*) FROM endpoints WHERE pending <> (SELECT count(*) FROM deliveries \
         WHERE endpoint = endpoints.id AND state IN ('waiting', 'head', 'aside'))",
    );
    assert_eq!(wrong, 0, "tallies of what is pending");
    let headless = count(
        "SELECT count(*) FROM deliveries AS w WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM deliveries AS h \
         WHERE h.endpoint = w.endpoint AND h.subject = w.subject AND h.state = 'head' AND h.event < w.event)",
    );
    assert_eq!(headless, 0, "something waits behind nothing");
}

/// Numbers of the sessions whose events are due.
pub fn due(fixture: &Fixture, endpoint: &str, now: WallTime) -> Vec<u128> {
    let due = fixture.catalog.deliveries_due(endpoint, now, 100).unwrap();
    due.iter().map(|due| (0..1000).find(|number| event(*number) == due.event.id).unwrap()).collect()
}

pub fn tried(number: u32) -> Attempt {
    Attempt { number, at: at(0), took: Duration::from_millis(12), status: None, answer: String::new() }
}

pub fn succeeded(number: u128, endpoint: &str, attempt: u32) -> Change {
    let attempt = Attempt { status: Some(204), answer: "thanks".to_owned(), ..tried(attempt) };
    Change::DeliverySucceeded { event: event(number), endpoint: endpoint.to_owned(), attempt }
}

pub fn failed(number: u128, endpoint: &str, attempt: u32, retry_at: Option<WallTime>) -> Change {
    Change::DeliveryFailed {
        event: event(number),
        endpoint: endpoint.to_owned(),
        attempt: Attempt { status: Some(503), ..tried(attempt) },
        error: "503 Service Unavailable".to_owned(),
        retry_at,
    }
}

pub fn state(fixture: &Fixture, number: u128, endpoint: &str) -> DeliveryState {
    let views = fixture.catalog.deliveries(&event(number)).unwrap();
    views.into_iter().find(|view| view.endpoint == endpoint).unwrap().state
}

#[test]
fn events_of_a_stream_come_one_at_a_time_and_other_streams_are_not_held() {
    let fixture = Fixture::with_endpoints(&["a", "b"]);
    for (number, stream) in [(1, "x"), (2, "x"), (3, "y"), (4, "x")] {
        start(&fixture, number, stream, 0);
    }
    assert_eq!(due(&fixture, "a", at(0)), [1, 3]);
    fixture.done(succeeded(1, "a", 1));
    assert_eq!(due(&fixture, "a", at(0)), [2, 3]);
    assert_eq!(due(&fixture, "b", at(0)), [1, 3], "endpoints do not wait for each other");
    fixture.done(succeeded(2, "a", 1));
    fixture.done(succeeded(4, "a", 1));
    assert_eq!(due(&fixture, "a", at(0)), [3]);
    fixture.done(succeeded(3, "a", 1));
    assert_eq!(due(&fixture, "a", at(0)), [0; 0]);
    assert_eq!(fixture.catalog.next_due_at("a").unwrap(), None);
    let counts = fixture.catalog.counts().unwrap();
    assert_eq!(counts.endpoints.iter().map(|counts| counts.pending).collect::<Vec<_>>(), [0, 4]);
    assert_eq!(counts.endpoints[1].oldest_pending, Some(at(0)));
}

#[test]
fn a_head_that_fails_holds_its_stream_until_it_is_taken() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    start(&fixture, 2, "x", 1);
    fixture.done(failed(1, "a", 1, Some(at(30))));
    assert_eq!(due(&fixture, "a", at(29)), [0; 0]);
    assert_eq!(fixture.catalog.next_due_at("a").unwrap(), Some(at(30)));
    assert_eq!(due(&fixture, "a", at(30)), [1]);
    assert_eq!(fixture.catalog.deliveries_due("a", at(30), 1).unwrap()[0].attempts, 1);
    fixture.done(succeeded(1, "a", 2));
    assert_eq!(due(&fixture, "a", at(30)), [2]);
}

#[test]
fn a_head_steps_aside_when_it_is_ten_minutes_old_and_not_before() {
    let fixture = Fixture::with_endpoints(&["a"]);
    for (number, seconds) in [(1, 0), (2, 5), (3, 6)] {
        start(&fixture, number, "x", seconds);
    }
    // Its next attempt comes after its ten minutes are over.
    fixture.done(failed(1, "a", 1, Some(at(900))));
    assert_eq!(state(&fixture, 1, "a"), DeliveryState::Aside);
    assert_eq!(due(&fixture, "a", at(599)), [0; 0]);
    assert_eq!(fixture.catalog.next_due_at("a").unwrap(), Some(at(600)));
    assert_eq!(due(&fixture, "a", at(600)), [2]);
    fixture.done(succeeded(2, "a", 1));
    assert_eq!(due(&fixture, "a", at(600)), [3]);
    fixture.done(succeeded(3, "a", 1));
    // One that comes when the queue is empty but for the one aside.
    start(&fixture, 4, "x", 650);
    assert_eq!(due(&fixture, "a", at(650)), [4]);
    assert_eq!(due(&fixture, "a", at(900)), [1], "the older one first");
    fixture.done(succeeded(1, "a", 2));
    assert_eq!(due(&fixture, "a", at(900)), [4]);
    check_queues(&fixture);
}

#[test]
fn an_event_that_comes_while_the_one_aside_is_young_waits_for_its_ten_minutes() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    fixture.done(failed(1, "a", 1, Some(at(1200))));
    start(&fixture, 2, "x", 60);
    assert_eq!(due(&fixture, "a", at(599)), [0; 0]);
    assert_eq!(due(&fixture, "a", at(600)), [2]);
}

#[test]
fn a_delivery_given_up_lets_the_next_one_go() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    start(&fixture, 2, "x", 0);
    fixture.done(failed(1, "a", 1, None));
    assert_eq!(state(&fixture, 1, "a"), DeliveryState::GivenUp);
    assert_eq!(due(&fixture, "a", at(0)), [2]);
    // One that was on its way then may still arrive, and moves nothing.
    fixture.done(succeeded(1, "a", 2));
    assert_eq!(due(&fixture, "a", at(0)), [2]);
    check_queues(&fixture);
}

#[test]
fn outcomes_are_counted_once_and_in_turn() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    start(&fixture, 2, "x", 0);
    fixture.done(failed(1, "a", 1, Some(at(5))));
    let before = fixture.dump();
    assert_eq!(fixture.apply(failed(1, "a", 1, Some(at(5)))).unwrap(), Applied::Already);
    assert!(matches!(fixture.apply(failed(1, "a", 3, Some(at(5)))), Err(CatalogError::Conflict { .. })));
    assert!(matches!(fixture.apply(succeeded(1, "a", 1)), Err(CatalogError::Conflict { .. })));
    assert!(matches!(fixture.apply(succeeded(2, "a", 1)), Err(CatalogError::Conflict { .. })), "it waits");
    assert!(matches!(fixture.apply(succeeded(1, "b", 1)), Err(CatalogError::UnknownDelivery { .. })));
    assert!(matches!(fixture.apply(succeeded(3, "a", 1)), Err(CatalogError::UnknownDelivery { .. })));
    assert_eq!(fixture.dump(), before);
    fixture.done(succeeded(1, "a", 2));
    assert_eq!(fixture.apply(succeeded(1, "a", 2)).unwrap(), Applied::Already);
}

#[test]
fn the_last_twenty_attempts_are_kept() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    for attempt in 1..=30 {
        fixture.done(failed(1, "a", attempt, Some(at(0))));
    }
    fixture.done(succeeded(1, "a", 31));
    let view = fixture.catalog.deliveries(&event(1)).unwrap().remove(0);
    assert_eq!((view.attempts, view.state, view.next_at), (31, DeliveryState::Delivered, None));
    let log: Vec<u32> = view.log.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(log, (12..=31).collect::<Vec<_>>());
    assert_eq!(view.log[18].error.as_deref(), Some("503 Service Unavailable"));
    assert_eq!((view.log[19].status, view.log[19].error.as_deref()), (Some(204), None));
    assert_eq!((view.log[19].took_ms, view.log[19].answer.as_deref()), (Some(12), Some("thanks")));
}

#[test]
fn a_disabled_endpoint_is_owed_nothing_until_the_next_start() {
    let fixture = Fixture::with_endpoints(&["a", "b"]);
    start(&fixture, 1, "x", 0);
    start(&fixture, 2, "x", 0);
    let disabled = Change::EndpointDisabled { endpoint: "a".to_owned(), at: at(1), reason: "410 Gone".to_owned() };
    fixture.done(disabled.clone());
    assert_eq!(fixture.apply(disabled).unwrap(), Applied::Already);
    assert_eq!(due(&fixture, "a", at(9999)), [0; 0]);
    // One that was on its way still counts, and moves nothing.
    fixture.done(succeeded(1, "a", 1));
    assert_eq!(state(&fixture, 2, "a"), DeliveryState::Dropped);
    start(&fixture, 3, "x", 2);
    assert_eq!(fixture.catalog.deliveries(&event(3)).unwrap().len(), 1, "of b only");
    assert_eq!(fixture.catalog.counts().unwrap().endpoints[0].disabled.as_deref(), Some("410 Gone"));
    assert_eq!(due(&fixture, "b", at(2)), [1]);

    let fixture = fixture.reopened(&["a", "b"]);
    start(&fixture, 4, "x", 3);
    assert_eq!(due(&fixture, "a", at(3)), [4]);
    check_queues(&fixture);
}

#[test]
fn an_endpoint_that_is_not_configured_any_more_is_owed_nothing() {
    let fixture = Fixture::with_endpoints(&["a"]);
    start(&fixture, 1, "x", 0);
    let fixture = fixture.reopened(&["b"]);
    assert_eq!(due(&fixture, "a", at(0)), [0; 0]);
    assert_eq!(state(&fixture, 1, "a"), DeliveryState::Dropped);
    assert_eq!(due(&fixture, "b", at(0)), [0; 0], "an endpoint gets no events from before it was known");
    start(&fixture, 2, "x", 1);
    assert_eq!(due(&fixture, "b", at(1)), [2]);
    // Back again: what was dropped stays so.
    let fixture = fixture.reopened(&["a", "b"]);
    start(&fixture, 3, "x", 1);
    assert_eq!(due(&fixture, "a", at(1)), [3]);
    check_queues(&fixture);
}

#[test]
fn whoever_delivers_is_woken_when_something_may_be_due() {
    let fixture = Fixture::with_endpoints(&["a"]);
    let woken = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&woken);
    fixture.catalog.when_events(move || {
        seen.fetch_add(1, Ordering::SeqCst);
    });
    start(&fixture, 1, "x", 0);
    start(&fixture, 2, "x", 0);
    fixture.done(succeeded(1, "a", 1));
    assert_eq!(fixture.apply(succeeded(1, "a", 1)).unwrap(), Applied::Already);
    fixture.done(failed(2, "a", 1, Some(at(5))));
    // Calls are made after the answers; the next answer comes after them.
    assert_eq!(fixture.apply(succeeded(1, "a", 1)).unwrap(), Applied::Already);
    assert_eq!(woken.load(Ordering::SeqCst), 3);
}

#[test]
fn a_long_backlog_of_one_stream_does_not_hide_the_others() {
    let fixture = Fixture::with_endpoints(&["a"]);
    for number in 1..=200 {
        start(&fixture, number, "x", 0);
        fixture.done(failed(number, "a", 1, Some(at(700))));
    }
    start(&fixture, 201, "y", 1);
    assert_eq!(due(&fixture, "a", at(700)), [201, 1]);
    assert_eq!(fixture.catalog.deliveries_due("a", at(700), 1).unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn while_attempts_succeed_within_ten_minutes_every_stream_is_in_order(
        streams in proptest::collection::vec(0u8..4, 1..40),
        failures in proptest::collection::vec((any::<u16>(), 1i64..20), 0..60),
    ) {
        let fixture = Fixture::with_endpoints(&["a"]);
        let mut failures = failures.into_iter();
        let mut next_failure = failures.next();
        let mut delivered: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let (mut now, mut started, mut tries) = (0, 0, 0u16);
        loop {
            if let Some(stream) = streams.get(started) {
                start(&fixture, started as u128, &format!("s{stream}"), now);
                started += 1;
            }
            let due = fixture.catalog.deliveries_due("a", at(now), 3).unwrap();
            if due.is_empty() && started == streams.len() {
                match fixture.catalog.next_due_at("a").unwrap() {
                    None => break,
                    Some(next) => now = (next.as_unix_millis() - at(0).as_unix_millis()) / 1000,
                }
            }
            for delivery in due {
                let attempt = delivery.attempts + 1;
                let (event, endpoint) = (delivery.event.id.clone(), "a".to_owned());
                tries += 1;
                // Twelve attempts at most 20 s apart, and 40 s of starts, stay within ten minutes.
                let fails = next_failure.is_some_and(|(chance, _)| chance % 3 != 0) && attempt < 12;
                let change = if fails {
                    let retry_at = Some(at(now + next_failure.unwrap().1));
                    Change::DeliveryFailed {
                        event, endpoint, attempt: tried(attempt), error: "refused".to_owned(), retry_at,
                    }
                } else {
                    delivered.entry(delivery.event.subject).or_default().push(delivery.event.sequence);
                    Change::DeliverySucceeded { event, endpoint, attempt: tried(attempt) }
                };
                next_failure = failures.next();
                prop_assert_eq!(fixture.apply(change).unwrap(), Applied::Done);
            }
            check_queues(&fixture);
            now += 1;
            prop_assert!(tries < 1000, "no progress");
        }
        prop_assert_eq!(delivered.values().map(Vec::len).sum::<usize>(), streams.len());
        for sequences in delivered.values() {
            prop_assert!(sequences.is_sorted(), "{:?}", sequences);
        }
    }
}
