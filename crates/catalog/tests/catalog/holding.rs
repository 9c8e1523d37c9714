//! Recordings that somebody holds.

use livetape_catalog::{
    Applied, CatalogError, Change, Deletable, DeletionReason, Hold, RecordingFilter, RecordingRow, StoreRole, rebuild,
};
use livetape_record::RecordingId;

use crate::fixture::{
    Fixture, at, deleted, deleting, evicted, facts, finished, options, ready, recording, recording_id, session,
};

fn held(number: u128) -> Change {
    Change::RecordingHeld { id: recording_id(number), at: at(50), by: "court".to_owned(), reason: "case 7".to_owned() }
}

fn released(number: u128) -> Change {
    Change::RecordingReleased { id: recording_id(number), at: at(60) }
}

fn stored(fixture: &Fixture, number: u128) {
    fixture.done(Change::SessionStarted(session(number)));
    fixture.done(Change::RecordingOpened(recording(number)));
    for change in [finished(number), ready(number), evicted(number)] {
        fixture.done(change);
    }
}

fn row(fixture: &Fixture, id: RecordingId) -> RecordingRow {
    fixture.catalog.recording_row(&id).unwrap().unwrap()
}

#[test]
fn one_that_is_held_is_not_deleted_for_whatever_reason_and_goes_when_it_is_released() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    stored(&fixture, 2);
    fixture.done(held(1));
    assert_eq!(fixture.apply(held(1)).unwrap(), Applied::Already);
    for reason in DeletionReason::ALL {
        let error = fixture.apply(deleting(1, reason)).unwrap_err();
        assert!(
            matches!(&error, CatalogError::Held { by, reason, .. } if by == "court" && reason == "case 7"),
            "{error}"
        );
        assert!(error.is_refusal());
    }
    let oldest = fixture.catalog.deletable(Deletable::Oldest, StoreRole::Primary, 10).unwrap();
    assert_eq!(oldest.into_iter().map(|row| row.id).collect::<Vec<_>>(), [recording_id(2)]);

    fixture.done(released(1));
    assert_eq!(fixture.apply(released(1)).unwrap(), Applied::Already);
    assert_eq!(row(&fixture, recording_id(1)).released_at, Some(at(60)));
    fixture.done(deleting(1, DeletionReason::Request));
    assert!(matches!(fixture.apply(held(1)), Err(CatalogError::TooLate(_))));
    fixture.done(deleted(1));
    assert!(matches!(fixture.apply(held(1)), Err(CatalogError::UnknownRecording(_))));
    assert!(matches!(fixture.apply(released(1)), Err(CatalogError::UnknownRecording(_))));
}

#[test]
fn the_database_itself_lets_nothing_be_held_and_deleted_at_once() {
    let fixture = Fixture::new();
    stored(&fixture, 1);
    fixture.done(held(1));
    assert!(fixture.raw().execute("UPDATE recordings SET deleting = 'quota'", []).is_err());
}

#[test]
fn a_hold_is_seen_in_lists_and_not_in_events_and_may_be_told_anew() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(held(1));
    fixture.done(finished(1));
    fixture.done(ready(1));
    stored(&fixture, 2);
    assert!(fixture.events().iter().all(|event| !event.body.contains("case 7") && !event.body.contains("hold")));
    let listed = |held| {
        let filter = RecordingFilter { held: Some(held), ..Default::default() };
        let page = fixture.catalog.recordings(&filter).unwrap();
        page.items.into_iter().map(|view| (view.id, view.hold)).collect::<Vec<_>>()
    };
    let hold = |reason: &str| Hold { at: at(50), by: "court".to_owned(), reason: reason.to_owned() };
    assert_eq!(listed(true), [(recording_id(1), Some(hold("case 7")))]);
    assert_eq!(listed(false), [(recording_id(2), None)]);
    let again = Change::RecordingHeld {
        id: recording_id(1),
        at: at(70),
        by: "court".to_owned(),
        reason: "cases 7 and 8".to_owned(),
    };
    fixture.done(again);
    assert_eq!(listed(true), [(recording_id(1), Some(hold("cases 7 and 8")))]);
}

#[test]
fn an_mp4_and_the_playlists_over_it_are_held_together() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(held(1));
    // Playlists of one that is held already.
    fixture.done(Change::PlaylistsOpened { of: recording_id(1), key: "live/s1/x/index.m3u8".to_owned() });
    let playlists = recording_id(1).playlists();
    assert!(row(&fixture, playlists).hold.is_some());
    let Change::RecordingFinished { id, ended_at, reason, recovered, lost, .. } = finished(1) else { unreachable!() };
    let facts = livetape_catalog::Facts { playlists: Some(Default::default()), ..facts() };
    fixture.done(Change::RecordingFinished { id, ended_at, reason, facts, recovered, lost });
    fixture.done(ready(1));
    fixture.done(evicted(1));
    fixture.done(Change::RecordingReleased { id: playlists, at: at(60) });
    assert_eq!((row(&fixture, playlists).hold, row(&fixture, recording_id(1)).hold), (None, None));
    let again = Change::RecordingHeld { id: playlists, at: at(61), by: "a".to_owned(), reason: "b".to_owned() };
    fixture.done(again);
    for id in [recording_id(1), playlists] {
        let delete = Change::DeletionStarted { id, reason: DeletionReason::Request };
        assert!(matches!(fixture.apply(delete), Err(CatalogError::Held { .. })), "{id}");
    }
}

#[test]
fn a_rebuilt_catalog_holds_what_was_held() {
    let fixture = Fixture::new();
    for number in 1..=3 {
        stored(&fixture, number);
    }
    fixture.done(held(1));
    fixture.done(held(2));
    fixture.done(released(2));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    for suffix in ["", "-wal"] {
        let name = format!("livetape.db{suffix}");
        std::fs::copy(fixture.path.with_file_name(&name), path.with_file_name(&name)).unwrap();
    }
    rebuild(&path).unwrap();
    let catalog = livetape_catalog::Catalog::open(&path, options(&[])).unwrap();
    let holds: Vec<bool> =
        (1..=3).map(|number| catalog.recording_row(&recording_id(number)).unwrap().unwrap().hold.is_some()).collect();
    assert_eq!(holds, [true, false, false]);
}
