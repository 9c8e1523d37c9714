//! Catalogs of earlier versions are brought to this one's, with everything in them.

use std::path::PathBuf;
use std::time::Duration;

use livetape_catalog::{Applied, Catalog, Change, RecordingState};
use livetape_media::MediaTime;
use tempfile::TempDir;

use crate::fixture::{at, facts, options, recording, recording_id, session, session_id, video};

/// A catalog as version 1 made it, with a ready recording, one that grows, and an event of each
/// owed to the endpoint `hook`.
fn version_1() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "application_id", 0x4C54_4150).unwrap();
    connection.execute_batch(include_str!("../../src/schema/1.sql")).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    (directory, path)
}

#[test]
fn a_catalog_of_version_1_keeps_all_it_holds_and_goes_on() {
    let (_directory, path) = version_1();
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.node(), "0192f0c1-0000-7000-8000-00000000000a");
    let row = catalog.recording_row(&recording_id(1)).unwrap().unwrap();
    assert_eq!((row.state, row.size_bytes), (RecordingState::Ready, Some(3_000_000)));
    assert_eq!((row.start, row.lost, row.video), (None, None, Some(video(300))));
    assert_eq!(catalog.events_after(0, 100).unwrap().len(), 6);
    assert_eq!(catalog.deliveries_due("hook", at(3600), 10).unwrap().len(), 2);

    let growing = catalog.recording_row(&recording_id(2)).unwrap().unwrap();
    assert_eq!((growing.state, growing.start), (RecordingState::Recording, None));
    // As recovery would: this one was cut off by the update.
    let finish = Change::RecordingFinished {
        id: recording_id(2),
        ended_at: at(11),
        reason: "crash".to_owned(),
        facts: facts(),
        recovered: true,
        lost: Duration::from_millis(120),
    };
    assert_eq!(catalog.apply(finish).unwrap(), Applied::Done);
    assert_eq!(catalog.recording_row(&recording_id(2)).unwrap().unwrap().lost, Some(Duration::from_millis(120)));
    for change in [Change::SessionStarted(session(3)), Change::RecordingOpened(recording(3))] {
        assert_eq!(catalog.apply(change).unwrap(), Applied::Done);
    }
    let start = catalog.recording_row(&recording_id(3)).unwrap().unwrap().start;
    assert_eq!(start, Some(MediaTime::from_millis(700)));
    assert!(catalog.session(&session_id(1)).unwrap().is_some());
    drop(catalog);
    // Once is enough.
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    let counts = catalog.counts().unwrap();
    assert_eq!((counts.recordings[&RecordingState::Ready], counts.stored_bytes), (1, 3_000_000));
}

#[test]
fn both_ways_to_this_version_lead_to_the_same_schema() {
    let schema = |path: &std::path::Path| -> Vec<(String, String)> {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut select = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
            .unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let (_directory, old) = version_1();
    drop(Catalog::open(&old, options(&[])).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let new = directory.path().join("livetape.db");
    drop(Catalog::open(&new, options(&[])).unwrap());
    assert_eq!(schema(&old), schema(&new));
}
