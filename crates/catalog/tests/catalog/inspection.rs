//! Looking at a catalog without using it.

use std::fs;

use livetape_catalog::{Catalog, CatalogError, Change, FoundRow, Inspection, Use, ready_event_id};
use livetape_record::RecordingId;

use crate::fixture::{Fixture, finished, options, ready, recording, recording_id, session};

/// A recording that is ready, of a session that goes on.
fn make_ready(catalog: &Catalog, number: u128) -> RecordingId {
    let opened = [Change::SessionStarted(session(number)), Change::RecordingOpened(recording(number))];
    opened
        .into_iter()
        .chain([finished(number), ready(number)])
        .for_each(|change| assert!(catalog.apply(change).is_ok()));
    recording_id(number)
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn looking_at_a_closed_catalog_makes_no_file_and_changes_none() {
    // A name that means something in a URI.
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("50% of #1?immutable=0 \u{fc}");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("livetape.db");
    drop(Catalog::open(&path, options(&[])).unwrap());
    let before = (names(&directory), fs::read(&path).unwrap());
    let inspection = Inspection::open(&path, Use::Nobody).unwrap();
    inspection.check(true).unwrap();
    assert!(inspection.recordings("", 10).unwrap().is_empty());
    assert_eq!((names(&directory), fs::read(&path).unwrap()), before);
    drop(inspection);
    assert_eq!((names(&directory), fs::read(&path).unwrap()), before);
}

#[test]
fn what_is_in_the_log_only_is_seen_whoever_uses_the_catalog() {
    let fixture = Fixture::new();
    let id = make_ready(&fixture.catalog, 1);
    assert!(fs::metadata(fixture.path.with_extension("db-wal")).unwrap().len() > 0);
    for used_by in [Use::Others, Use::Nobody] {
        let inspection = Inspection::open(&fixture.path, used_by).unwrap();
        inspection.check(true).unwrap();
        let rows = inspection.recordings("", 10).unwrap();
        assert!(matches!(&rows[..], [FoundRow::Whole(row)] if row.id == id), "{rows:?}");
        assert!(inspection.announced(&id).unwrap());
        let (events, next) = inspection.ready_events(0, 2).unwrap();
        assert_eq!((events.len(), next), (0, Some(2)), "events of other types are passed by");
        let (events, next) = inspection.ready_events(2, 100).unwrap();
        assert_eq!((events.len(), next), (1, Some(events[0].sequence)));
        assert_eq!((&events[0].id, &events[0].recording), (&ready_event_id(&id), &Some(id.to_string())));
        assert_eq!(inspection.ready_events(events[0].sequence, 100).unwrap(), (Vec::new(), None));
        let row = inspection.recording(&id).unwrap().unwrap();
        assert!(inspection.holds_key(&row.key).unwrap() && !inspection.holds_key("another").unwrap());
        assert_eq!(inspection.sessions_open().unwrap().len(), 1);
    }
}

#[test]
fn pages_hold_every_row_once() {
    let fixture = Fixture::new();
    let ids: Vec<_> = (1..=7).map(|number| make_ready(&fixture.catalog, number).to_string()).collect();
    let inspection = Inspection::open(&fixture.path, Use::Others).unwrap();
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = inspection.recordings(&after, 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = last.id();
        seen.extend(page.iter().map(FoundRow::id));
    }
    seen.sort();
    assert_eq!(seen, ids);
}

#[test]
fn one_that_is_missing_damaged_or_of_another_version_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let missing = Inspection::open(&home.path().join("livetape.db"), Use::Nobody).err().unwrap();
    assert!(missing.to_string().contains("livetape.db"), "{missing}");
    assert!(names(home.path()).is_empty(), "nothing is made");

    let path = home.path().join("livetape.db");
    let catalog = Catalog::open(&path, options(&[])).unwrap();
    (1..=50).for_each(|number| assert_eq!(make_ready(&catalog, number), recording_id(number)));
    drop(catalog);
    let whole = fs::read(&path).unwrap();
    let refused = || {
        let opened = Inspection::open(&path, Use::Nobody);
        opened.and_then(|inspection| inspection.check(false)).err().unwrap()
    };
    for (from, to) in [(0, 16), (8192, 12288), (whole.len() - 4096, whole.len())] {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        let error = refused();
        assert!(matches!(error, CatalogError::Damaged { .. }), "{from}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::write(&path, "").unwrap();
    assert!(matches!(refused(), CatalogError::Damaged { .. }));
    fs::write(&path, &whole).unwrap();
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    assert!(matches!(refused(), CatalogError::Older { found: 1, .. }));
}
