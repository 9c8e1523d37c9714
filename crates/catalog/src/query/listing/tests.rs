//! The plans of every kind of listing, and the order of prefixes.

use livetape_media::{Format, WallTime};
use proptest::prelude::*;
use rusqlite::params_from_iter;

use super::*;
use crate::Options;

fn opened() -> (tempfile::TempDir, Catalog) {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("livetape.db"), Options::default()).unwrap();
    (directory, catalog)
}

fn plan(connection: &Connection, sql: &str, values: Vec<Value>) -> String {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps: Vec<String> =
        explain.query_map(params_from_iter(values), |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
    steps.join("; ")
}

#[test]
fn every_listing_walks_one_index_and_sorts_nothing() {
    let (_directory, catalog) = opened();
    let app = || Some("live".to_owned());
    let stream = || Some("cam".to_owned());
    let base = RecordingFilter::default;
    let prefixed = || RecordingFilter { prefix: Some("live/".to_owned()), ..base() };
    let cases = [
        (base(), "recordings_newest", ""),
        (RecordingFilter { held: Some(true), app: app(), ..base() }, "recordings_held", ""),
        (RecordingFilter { held: Some(false), ..base() }, "recordings_newest", ""),
        (RecordingFilter { app: app(), ..base() }, "recordings_app", "app=?"),
        (RecordingFilter { stream: stream(), ..base() }, "recordings_stream", "stream=?"),
        (RecordingFilter { state: Some(RecordingState::Failed), app: app(), ..base() }, "recordings_state", "state=?"),
        (RecordingFilter { state: Some(RecordingState::Ready), ..base() }, "recordings_state", "state=?"),
        (RecordingFilter { state: Some(RecordingState::Ready), app: app(), ..base() }, "recordings_app", "app=?"),
        (RecordingFilter { format: Some(Format::Hls), ..base() }, "recordings_newest", ""),
        (prefixed(), "recordings_newest", ""),
    ];
    let cursor = Cursor { started_ms: 5, id: "rec_x".to_owned() };
    for (case, index, equal) in cases {
        for (from, to, cursor) in [
            (None, None, None),
            (None, None, Some(&cursor)),
            (Some(1), None, None),
            (None, Some(9), None),
            (Some(1), Some(9), Some(&cursor)),
        ] {
            let filter = RecordingFilter {
                from: from.map(WallTime::from_unix_millis),
                to: to.map(WallTime::from_unix_millis),
                ..case.clone()
            };
            let plan = catalog
                .readers()
                .with("planning", |connection| {
                    let listing = Listing { connection, filter: &filter, cursor, earliest: from };
                    let (sql, values) = listing.query(index, None);
                    Ok(plan(connection, &sql, values))
                })
                .unwrap();
            let bounded = from.is_some() || to.is_some() || cursor.is_some();
            // Nothing to search by: the newest entries, from the top, until the page is full.
            let verb = if equal.is_empty() && !bounded { "SCAN" } else { "SEARCH" };
            assert!(plan.starts_with(&format!("{verb} recordings USING INDEX {index}")), "{filter:?}: {plan}");
            assert!(plan.contains(equal), "{filter:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains(';'), "{filter:?}: {plan}");
            assert_eq!(plan.contains("started_ms"), bounded, "{filter:?}: {plan}");
        }
    }
}

#[test]
fn one_streams_listing_is_bounded_by_the_cursor_and_the_span() {
    let (_directory, catalog) = opened();
    let filter = RecordingFilter { app: Some("a".into()), stream: Some("b".into()), ..Default::default() };
    let cursor = Cursor { started_ms: 5, id: "rec_x".to_owned() };
    let plan = catalog
        .readers()
        .with("planning", |connection| {
            let listing = Listing { connection, filter: &filter, cursor: Some(&cursor), earliest: Some(1) };
            let (sql, values) = listing.query("recordings_subject", Some("a/b"));
            Ok(plan(connection, &sql, values))
        })
        .unwrap();
    assert_eq!(
        plan,
        "SEARCH recordings USING INDEX recordings_subject (subject=? AND started_ms>? AND (started_ms,id)<(?,?))"
    );
}

#[test]
fn everything_else_that_is_asked_often_is_keyed() {
    let (_directory, catalog) = opened();
    let queries = [
        "SELECT min(subject) FROM recordings INDEXED BY recordings_subject WHERE subject > 'a'",
        "SELECT started_ms FROM recordings INDEXED BY recordings_open WHERE ended_ms IS NULL ORDER BY started_ms LIMIT 1",
        "SELECT id FROM recordings INDEXED BY recordings_state WHERE state IN ('finished', 'uploading') ORDER BY started_ms, id",
        "SELECT id FROM recordings INDEXED BY recordings_spooled WHERE spool_evicted = 0 ORDER BY started_ms, id",
        "SELECT id FROM sessions WHERE ended_ms IS NULL ORDER BY started_ms, id",
        "SELECT id FROM recordings WHERE key = 'a'",
        "SELECT id FROM events WHERE sequence > 5 ORDER BY sequence LIMIT 5",
        "SELECT event FROM deliveries WHERE endpoint = 'a' AND subject = 'b' AND state = 'waiting' ORDER BY event LIMIT 1",
        "SELECT created_ms FROM deliveries WHERE endpoint = 'a' AND subject = 'b' AND state = 'aside' ORDER BY created_ms DESC LIMIT 1",
        "SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = 'a' AND subject = 'b' AND state = 'head')",
        "SELECT min(next_ms) FROM deliveries INDEXED BY deliveries_due WHERE endpoint = 'a' AND state IN ('head', 'aside')",
        "SELECT min(created_ms) FROM deliveries INDEXED BY deliveries_pending WHERE endpoint = 'a' AND state IN ('waiting', 'head', 'aside')",
        "UPDATE deliveries INDEXED BY deliveries_pending SET state = 'dropped' WHERE endpoint = 'a' AND state IN ('waiting', 'head', 'aside')",
    ];
    for sql in queries {
        let plan = catalog.readers().with("planning", |connection| Ok(plan(connection, sql, Vec::new()))).unwrap();
        let by_partial_index =
            plan.contains("recordings_spooled") || plan.contains("sessions_open") || plan.contains("recordings_open");
        assert!(plan.contains("SEARCH") || by_partial_index, "{sql}: {plan}");
        if sql.contains("deliveries") {
            assert!(
                plan.contains("USING INDEX deliveries_") || plan.contains("USING COVERING INDEX deliveries_"),
                "{sql}: {plan}"
            );
        }
    }
}

#[test]
fn what_follows_a_prefix_skips_no_text() {
    assert_eq!(after_prefix("live/").as_deref(), Some("live0"));
    assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
    assert_eq!(after_prefix("\u{10ffff}\u{10ffff}"), None);
    assert_eq!(after_prefix(""), None);
}

proptest! {
    #[test]
    fn a_text_begins_with_a_prefix_exactly_when_it_is_in_its_range(prefix in "\\PC{0,4}", rest in "\\PC{0,4}", other in "\\PC{0,8}") {
        for text in [format!("{prefix}{rest}"), other] {
            let in_range = text >= prefix && after_prefix(&prefix).is_none_or(|end| text < end);
            prop_assert_eq!(in_range, text.starts_with(&prefix));
        }
    }
}
