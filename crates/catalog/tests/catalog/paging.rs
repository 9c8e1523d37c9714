//! Listing page by page, against a model.

use std::time::Duration;

use livetape_catalog::{
    CatalogError, Change, Facts, NewRecording, NewSession, RecordingFilter, RecordingState, StoreRole,
};
use livetape_media::{Format, MediaTime, WallTime};
use livetape_record::RecordingId;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::fixture::{Fixture, START_MS, at, session, session_id};

/// A recording as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    id: RecordingId,
    app: String,
    stream: String,
    state: RecordingState,
    started_at: WallTime,
    ended_at: Option<WallTime>,
    held: bool,
}

const APPS: [&str; 3] = ["live", "live2", "l%_ve"];

/// Recordings of every kind; many begin in the same millisecond.
fn fill(fixture: &Fixture, numbers: std::ops::Range<u128>) -> Vec<Known> {
    let submit = |change: Change| fixture.catalog.submit(change, |outcome| assert!(outcome.is_ok()));
    let mut known = Vec::new();
    for n in numbers {
        let spread = usize::try_from(n * 7919 % 1_000_003).unwrap();
        let app = APPS[spread % 3].to_owned();
        // More streams than are merged, and some that share a prefix.
        let stream = format!("cam{}", spread % 260);
        let started_at = at((spread % 97) as i64 * 10);
        let format = Format::ALL[spread / 3 % 3];
        let state = RecordingState::ALL[if spread % 5 == 0 { spread / 5 % 6 } else { 3 }];
        let id = RecordingId { session: session_id(n), format, sequence: 1 + spread as u32 % 3 };
        let ended_at = started_at.plus_millis((spread % 13) as i64 * 60_000);
        submit(Change::SessionStarted(NewSession { app: app.clone(), stream: stream.clone(), ..session(n) }));
        submit(Change::RecordingOpened(NewRecording {
            task: None,
            keep: livetape_record::Keep::default(),
            id,
            app: app.clone(),
            stream: stream.clone(),
            key: format!("{n}"),
            started_at,
            start: MediaTime::ZERO,
            start_reason: "publish".to_owned(),
            video: None,
            audio: None,
        }));
        let finish = Change::RecordingFinished {
            id,
            ended_at,
            reason: "drop".to_owned(),
            facts: Facts::default(),
            recovered: false,
            lost: Duration::ZERO,
        };
        match state {
            RecordingState::Recording => {}
            RecordingState::Finished => submit(finish),
            RecordingState::Uploading => {
                submit(finish);
                submit(Change::UploadStarted { id });
            }
            RecordingState::Ready => {
                submit(finish);
                submit(Change::RecordingReady { id, at: ended_at, size_bytes: 1, store: StoreRole::Primary });
            }
            RecordingState::Failed => submit(Change::RecordingFailed { id, at: ended_at, error: "x".to_owned() }),
            RecordingState::Discarded => {
                submit(Change::RecordingDiscarded {
                    id,
                    at: ended_at,
                    reason: "too_short".to_owned(),
                    lost: Duration::ZERO,
                });
            }
        }
        let ended_at = (state != RecordingState::Recording).then_some(ended_at);
        let held = spread % 11 == 0;
        if held {
            submit(Change::RecordingHeld {
                id,
                at: ended_at.unwrap_or(started_at),
                by: "x".into(),
                reason: "y".into(),
            });
        }
        known.push(Known { id, app, stream, state, started_at, ended_at, held });
    }
    // Changes are made in order: when this one is, all are.
    fixture.done(Change::SessionStarted(session(1_000_000 + known.len() as u128)));
    known
}

/// What a listing should show, in order.
fn expected(known: &[Known], filter: &RecordingFilter) -> Vec<String> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let mut matching: Vec<&Known> = known
        .iter()
        .filter(|row| is(&filter.app, &row.app) && is(&filter.stream, &row.stream))
        .filter(|row| {
            let subject = format!("{}/{}", row.app, row.stream);
            filter.prefix.as_deref().is_none_or(|prefix| subject.starts_with(prefix))
        })
        .filter(|row| filter.format.is_none_or(|format| row.id.format == format))
        .filter(|row| filter.state.is_none_or(|state| row.state == state))
        .filter(|row| filter.held.is_none_or(|held| row.held == held))
        .filter(|row| filter.from.is_none_or(|from| row.ended_at.is_none_or(|ended_at| ended_at > from)))
        .filter(|row| filter.to.is_none_or(|to| row.started_at < to))
        .collect();
    matching.sort_by_key(|row| (row.started_at, row.id.to_string()));
    matching.iter().rev().map(|row| row.id.to_string()).collect()
}

fn filters() -> impl Strategy<Value = RecordingFilter> {
    let text = |choices: &'static [&'static str]| {
        proptest::option::weighted(0.3, proptest::sample::select(choices).prop_map(str::to_owned))
    };
    let time = || proptest::option::weighted(0.3, (-100i64..1800).prop_map(at));
    (
        text(&["live", "live2", "l%_ve", "none"]),
        text(&["cam1", "cam17", "cam200", "none"]),
        text(&["", "l", "live", "live/", "live/cam1", "live2/cam25", "l%", "l_", "live/cam17", "\u{10ffff}", "x"]),
        proptest::option::weighted(0.2, proptest::sample::select(&Format::ALL[..])),
        proptest::option::weighted(0.3, proptest::sample::select(&RecordingState::ALL[..])),
        proptest::option::weighted(0.2, any::<bool>()),
        (time(), time()),
        1usize..60,
    )
        .prop_map(|(app, stream, prefix, format, state, held, (from, to), limit)| {
            let (from, to) = match (from, to) {
                (Some(from), Some(to)) if from >= to => (Some(to), Some(from.plus_millis(1))),
                span => span,
            };
            RecordingFilter { app, stream, prefix, format, state, held, from, to, cursor: None, limit }
        })
}

/// Reads all pages, calling `between` after each.
fn read_all(fixture: &Fixture, filter: &RecordingFilter, mut between: impl FnMut()) -> Vec<String> {
    let mut ids = Vec::new();
    let mut filter = filter.clone();
    loop {
        let page = fixture.catalog.recordings(&filter).unwrap();
        assert!(page.items.len() <= filter.limit);
        assert!(page.next_cursor.is_none() || page.items.len() == filter.limit);
        ids.extend(page.items.iter().map(|view| view.id.to_string()));
        between();
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => return ids,
        }
    }
}

#[test]
fn pages_of_any_filter_are_exactly_the_rows_that_match_in_order() {
    let fixture = Fixture::new();
    let known = fill(&fixture, 0..1200);
    let mut runner = TestRunner::new(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() });
    runner
        .run(&filters(), |filter| {
            prop_assert_eq!(read_all(&fixture, &filter, || {}), expected(&known, &filter));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_prefix_counts_beside_an_exact_stream() {
    let fixture = Fixture::new();
    let known = fill(&fixture, 0..300);
    let row = &known[0];
    let exact = RecordingFilter { app: Some(row.app.clone()), stream: Some(row.stream.clone()), ..Default::default() };
    assert!(!fixture.catalog.recordings(&exact).unwrap().items.is_empty());
    let other = RecordingFilter { prefix: Some("elsewhere/".to_owned()), ..exact };
    assert_eq!(fixture.catalog.recordings(&other).unwrap().items, []);
}

#[test]
fn rows_that_come_in_above_do_not_shift_the_pages() {
    let fixture = Fixture::new();
    let known = fill(&fixture, 0..60);
    let filter = RecordingFilter { limit: 7, ..Default::default() };
    let mut newer = 0;
    let ids = read_all(&fixture, &filter, || {
        newer += 1;
        let n = 5000 + newer;
        fixture.done(Change::SessionStarted(session(n)));
        let mut new = crate::fixture::recording(n);
        new.started_at = at(100_000);
        fixture.done(Change::RecordingOpened(new));
    });
    assert!(newer > 8);
    assert_eq!(ids, expected(&known, &filter));
}

#[test]
fn a_recording_that_still_grows_is_found_however_long_ago_it_began() {
    let fixture = Fixture::new();
    let known = fill(&fixture, 0..300);
    let filter = RecordingFilter { from: Some(at(1_000_000)), ..Default::default() };
    let growing = known.iter().filter(|row| row.state == RecordingState::Recording).count();
    assert!(growing > 0);
    assert_eq!(fixture.catalog.recordings(&filter).unwrap().items.len(), growing);
}

#[test]
fn a_recording_that_lasts_into_the_span_is_found_when_nothing_grows() {
    let fixture = Fixture::new();
    for n in [1, 2] {
        fixture.done(Change::SessionStarted(session(n)));
        fixture.done(Change::RecordingOpened(crate::fixture::recording(n)));
    }
    // From 1 s to 11 s.
    fixture.done(crate::fixture::finished(1));
    fixture.done(crate::fixture::discarded(2));
    let found = |from: i64, to: i64| {
        let filter = RecordingFilter { from: Some(at(from)), to: Some(at(to)), ..Default::default() };
        fixture.catalog.recordings(&filter).unwrap().items.len()
    };
    assert_eq!([found(0, 1), found(0, 2), found(5, 6), found(10, 90), found(11, 90)], [0, 2, 2, 2, 0]);
}

#[test]
fn cursors_and_filters_that_make_no_sense_are_refused() {
    let fixture = Fixture::new();
    fill(&fixture, 0..20);
    let page = |filter: &RecordingFilter| fixture.catalog.recordings(filter);
    let first = RecordingFilter { limit: 3, ..Default::default() };
    let cursor = page(&first).unwrap().next_cursor;
    assert!(cursor.is_some());
    let other = RecordingFilter { app: Some("live".to_owned()), cursor, ..first.clone() };
    assert!(matches!(page(&other), Err(CatalogError::Cursor(_))));
    for garbage in ["", "x", "AAAA", "../../etc/passwd", &"A".repeat(100_000)] {
        let filter = RecordingFilter { cursor: Some(garbage.to_owned()), ..first.clone() };
        let error = page(&filter).unwrap_err();
        assert!(matches!(error, CatalogError::Cursor(_)) && error.is_refusal(), "{error}");
    }
    for limit in [0, 501] {
        assert!(matches!(page(&RecordingFilter { limit, ..first.clone() }), Err(CatalogError::Filter(_))));
    }
    let backwards = RecordingFilter { from: Some(at(5)), to: Some(at(5)), ..first };
    assert!(matches!(page(&backwards), Err(CatalogError::Filter(_))));
    assert_eq!(at(0).as_unix_millis(), START_MS);
}

#[test]
fn nothing_is_doubled_or_passed_over_while_rows_come_and_go_between_pages() {
    let fixture = Fixture::new();
    let known = fill(&fixture, 0..400);
    let filter = RecordingFilter { prefix: Some("l".to_owned()), limit: 9, ..Default::default() };
    let (mut turn, mut gone) = (0, Vec::new());
    let ids = read_all(&fixture, &filter, || {
        turn += 1;
        // One above, one below, and one that goes wherever it is.
        for (n, seconds) in [(6000 + turn, 100_000), (8000 + turn, -100)] {
            fixture.done(Change::SessionStarted(session(n)));
            let mut new = crate::fixture::recording(n);
            new.started_at = at(seconds);
            fixture.done(Change::RecordingOpened(new));
        }
        let going = known.iter().filter(|row| row.state == RecordingState::Ready && !row.held).nth(turn as usize * 5);
        if let Some(Known { id, .. }) = going {
            for change in [
                Change::SpoolEvicted { id: *id },
                Change::DeletionStarted { id: *id, reason: livetape_catalog::DeletionReason::Request },
                Change::RecordingDeleted { id: *id, at: at(2000) },
            ] {
                fixture.done(change);
            }
            gone.push(id.to_string());
        }
    });
    assert!(gone.len() > 20, "{}", gone.len());
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "some are there twice");
    let stayed: Vec<String> = expected(&known, &filter).into_iter().filter(|id| !gone.contains(id)).collect();
    let seen: Vec<String> = ids.into_iter().filter(|id| stayed.contains(id)).collect();
    assert_eq!(seen, stayed, "all that were there all along, in order");
}
