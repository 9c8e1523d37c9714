//! Recordings that are deleted: what is chosen, what is said meanwhile, and what is left.

use livetape_catalog::{
    Applied, Catalog, CatalogError, Change, Deletable, DeletionReason, Facts, Inspection, NewRecording,
    RecordingFilter, RecordingRow, RecordingState, StoreRole, Use, rebuild,
};
use livetape_record::{Keep, RecordingId};

use crate::fixture::{
    Fixture, at, deleted, deleting, evicted, finished, options, ready, recording, recording_id, session, session_id,
};

/// A recording that ended so many seconds after the start, has so many bytes, and is out of the spool.
fn stored(fixture: &Fixture, number: u128, ended: i64, size_bytes: u64, store: StoreRole) {
    stored_for(fixture, number, ended, size_bytes, store, Keep::AsOthers);
}

/// The same of one that is kept so long.
fn stored_for(fixture: &Fixture, number: u128, ended: i64, size_bytes: u64, store: StoreRole, keep: Keep) {
    fixture.done(Change::SessionStarted(session(number)));
    fixture.done(Change::RecordingOpened(NewRecording { keep, ..recording(number) }));
    let Change::RecordingFinished { id, reason, facts, recovered, lost, .. } = finished(number) else { unreachable!() };
    let facts = Facts { size_bytes, ..facts };
    fixture.done(Change::RecordingFinished { id, ended_at: at(ended), reason, facts, recovered, lost });
    fixture.done(Change::RecordingReady { id, at: at(ended), size_bytes, store });
    fixture.done(evicted(number));
}

fn ids(rows: &[RecordingRow]) -> Vec<RecordingId> {
    rows.iter().map(|row| row.id).collect()
}

#[test]
fn a_recording_is_deleted_with_its_event_and_the_repetition_changes_nothing() {
    let fixture = Fixture::with_endpoints(&["hook"]);
    stored(&fixture, 1, 11, 500, StoreRole::Primary);
    fixture.done(deleting(1, DeletionReason::Retention));
    let before = fixture.dump();
    assert_eq!(fixture.apply(deleting(1, DeletionReason::Retention)).unwrap(), Applied::Already);
    assert!(matches!(fixture.apply(deleting(1, DeletionReason::Quota)), Err(CatalogError::Conflict { .. })));
    assert_eq!(fixture.dump(), before);

    fixture.done(deleted(1));
    assert_eq!(fixture.catalog.recording(&recording_id(1)).unwrap(), None);
    assert_eq!(fixture.catalog.recordings(&RecordingFilter::default()).unwrap().items, []);
    assert_eq!(fixture.catalog.counts().unwrap().recordings[&RecordingState::Ready], 0);
    assert!(fixture.catalog.session(&session_id(1)).unwrap().is_some(), "its session stays");
    let event = fixture.events().pop().unwrap();
    assert_eq!(event.kind, "recording.deleted");
    assert_eq!(event.id, format!("evt_{}_mp4_1_deleted", session_id(1).0.simple()));
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    let data = &body["data"];
    assert_eq!((data["state"].as_str(), data["url"].as_str()), (Some("deleted"), None));
    assert_eq!(data["deletion_reason"], "retention");
    assert_eq!((data["size_bytes"].as_u64(), data["key"].as_str()), (Some(500), Some(recording(1).key.as_str())));
    assert_eq!(fixture.catalog.deliveries(&event.id).unwrap().len(), 1);

    let before = fixture.dump();
    assert_eq!(fixture.apply(deleted(1)).unwrap(), Applied::Already);
    assert!(matches!(fixture.apply(deleting(1, DeletionReason::Retention)), Err(CatalogError::UnknownRecording(_))));
    assert!(matches!(fixture.apply(deleted(2)), Err(CatalogError::UnknownRecording(_))));
    assert_eq!(fixture.dump(), before);
}

#[test]
fn the_row_goes_only_after_the_deletion_was_begun_and_the_spool_is_clear() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    for change in [finished(1), ready(1)] {
        assert!(matches!(fixture.apply(deleted(1)), Err(CatalogError::Transition { .. })));
        fixture.done(change);
    }
    assert!(matches!(fixture.apply(deleted(1)), Err(CatalogError::Transition { .. })), "not begun");
    fixture.done(deleting(1, DeletionReason::Request));
    assert!(matches!(fixture.apply(deleted(1)), Err(CatalogError::Transition { .. })), "in the spool");
    fixture.done(evicted(1));
    fixture.done(deleted(1));
}

#[test]
fn while_it_is_deleted_a_recording_is_listed_and_cannot_be_fetched() {
    let fixture = Fixture::new();
    stored(&fixture, 1, 11, 500, StoreRole::Primary);
    fixture.done(deleting(1, DeletionReason::LowSpace));
    let view = fixture.catalog.recording(&recording_id(1)).unwrap().unwrap();
    assert_eq!((view.url.as_deref(), view.deletion_reason), (None, Some(DeletionReason::LowSpace)));
    assert!(view.state == RecordingState::Ready);
    let row = fixture.catalog.recording_row(&recording_id(1)).unwrap().unwrap();
    assert_eq!(row.deleting, Some(DeletionReason::LowSpace));
    let kinds = fixture.event_kinds();
    assert!(!kinds.contains(&"recording.deleted".to_owned()), "{kinds:?}");
}

#[test]
fn those_that_ended_first_are_chosen_first_and_none_that_is_in_use() {
    let fixture = Fixture::new();
    for (number, ended) in [(1, 40), (2, 20), (3, 30), (4, 50)] {
        let store = if number == 3 { StoreRole::Fallback } else { StoreRole::Primary };
        stored(&fixture, number, ended, 100, store);
    }
    // One that is in the spool still, and one that grows.
    fixture.done(Change::SessionStarted(session(5)));
    fixture.done(Change::RecordingOpened(recording(5)));
    fixture.done(finished(5));
    fixture.done(ready(5));
    let second = RecordingId { sequence: 2, ..recording_id(5) };
    fixture.done(Change::RecordingOpened(NewRecording { id: second, key: "other".to_owned(), ..recording(5) }));

    let choose = |which, store, limit| ids(&fixture.catalog.deletable(which, store, limit).unwrap());
    let (first, second) = (StoreRole::Primary, StoreRole::Fallback);
    let [one, two, three, four] = [1, 2, 3, 4].map(recording_id);
    assert_eq!(choose(Deletable::Oldest, first, 10), [two, one, four]);
    assert_eq!(choose(Deletable::Oldest, first, 2), [two, one]);
    assert_eq!(choose(Deletable::Oldest, second, 10), [three]);
    assert_eq!(choose(Deletable::ReadyBefore(at(40)), first, 10), [two], "before, not at");

    fixture.done(deleting(2, DeletionReason::Request));
    fixture.done(deleting(3, DeletionReason::Quota));
    assert_eq!(choose(Deletable::Oldest, first, 10), [one, four]);
    assert_eq!(choose(Deletable::Oldest, second, 10), []);
    let being = |after: &str, limit| ids(&fixture.catalog.being_deleted(after, limit).unwrap());
    assert_eq!(being("", 10), [two, three]);
    assert_eq!(being("", 1), [two]);
    assert_eq!(being(&two.to_string(), 10), [three]);
}

#[test]
fn a_recording_is_kept_as_long_as_its_template_said_and_others_as_long_as_all() {
    let fixture = Fixture::new();
    let (first, second) = (StoreRole::Primary, StoreRole::Fallback);
    let seconds = |seconds| Keep::For(std::time::Duration::from_secs(seconds));
    for (number, ended, store, keep) in [
        (1, 40, first, seconds(10)),
        (2, 20, first, seconds(100)),
        (3, 30, first, Keep::Ever),
        (4, 10, first, Keep::AsOthers),
        (5, 41, second, seconds(5)),
        (6, 39, first, seconds(10)),
    ] {
        stored_for(&fixture, number, ended, 100, store, keep);
    }
    let choose = |which, store| ids(&fixture.catalog.deletable(which, store, 10).unwrap());
    let [one, two, three, four, five, six] = [1, 2, 3, 4, 5, 6].map(recording_id);
    assert_eq!(choose(Deletable::ExpiredBefore(at(50)), first), [six], "before, not at");
    assert_eq!(choose(Deletable::ExpiredBefore(at(51)), first), [six, one], "whose time was over first");
    assert_eq!(choose(Deletable::ExpiredBefore(at(100_000)), first), [six, one, two]);
    assert_eq!(choose(Deletable::ExpiredBefore(at(100_000)), second), [five]);
    assert_eq!(choose(Deletable::ReadyBefore(at(100_000)), first), [four]);
    assert_eq!(choose(Deletable::Oldest, first), [four, two, three, six, one], "for room all are alike");
    let hold = Change::RecordingHeld { id: six, at: at(60), by: "court".to_owned(), reason: "case 7".to_owned() };
    fixture.done(hold);
    assert_eq!(choose(Deletable::ExpiredBefore(at(51)), first), [one]);

    let view = |id| fixture.catalog.recording(&id).unwrap().unwrap();
    assert_eq!((view(one).retention_ms, view(one).expires_at), (Some(10_000), Some(at(50))));
    assert_eq!((view(three).retention_ms, view(three).expires_at), (Some(0), None));
    assert_eq!((view(four).retention_ms, view(four).expires_at), (None, None));
    let events = fixture.events();
    let told = |id: RecordingId, kind: &str| {
        let name = id.to_string().replace("rec_", "evt_") + kind;
        let event = events.iter().find(|event| event.id == name).unwrap();
        serde_json::from_str::<serde_json::Value>(&event.body).unwrap()["data"].clone()
    };
    let started = told(one, "_started");
    assert_eq!((started["retention_ms"].as_u64(), started.get("expires_at")), (Some(10_000), None));
    assert_eq!(told(one, "_ended").get("expires_at"), None, "it is not ready yet");
    assert_eq!(told(one, "_ready")["expires_at"], at(50).to_string());
    assert_eq!(told(four, "_ready").get("retention_ms"), None);
}

#[test]
fn what_is_chosen_for_deletion_is_found_by_an_index_alone() {
    let fixture = Fixture::new();
    let plan = |index: &str, condition: &str, order: &str| -> String {
        let connection = fixture.raw();
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM recordings INDEXED BY {index} WHERE state = 'ready' AND deleting IS NULL \
             AND held_ms IS NULL AND store IS NULL AND {condition} ORDER BY {order}, id LIMIT 100"
        );
        let mut select = connection.prepare(&sql).unwrap();
        let steps = select.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (index, condition, order) in [
        ("recordings_stored", "ended_ms < 9", "ended_ms"),
        ("recordings_common", "retention_ms IS NULL AND ready_ms < 9", "ready_ms"),
        ("recordings_expiring", "retention_ms > 0 AND ready_ms + retention_ms < 9", "ready_ms + retention_ms"),
    ] {
        let found = plan(index, condition, order);
        assert!(found.starts_with("SEARCH") && found.contains("store=?"), "{index}: {found}");
        assert!(found.contains("<?") && !found.contains("TEMP B-TREE"), "{index}: {found}");
    }
}

#[test]
fn what_is_stored_is_kept_count_of() {
    let fixture = Fixture::new();
    let bytes = || {
        let bytes = fixture.catalog.stored_bytes().unwrap();
        let counts = fixture.catalog.counts().unwrap();
        assert_eq!((counts.stored_bytes, counts.held_bytes), (bytes.all, bytes.held));
        bytes.all
    };
    assert_eq!(bytes(), 0);
    stored(&fixture, 1, 11, 500, StoreRole::Primary);
    stored(&fixture, 2, 12, 30, StoreRole::Fallback);
    assert_eq!(bytes(), 530);
    let held = |number, by: &str| {
        let (id, reason) = (recording_id(number), "case 7".to_owned());
        fixture.apply(Change::RecordingHeld { id, at: at(20), by: by.to_owned(), reason }).unwrap();
        fixture.catalog.stored_bytes().unwrap().held
    };
    assert_eq!([held(2, "court"), held(2, "another court"), held(1, "court")], [30, 30, 530]);
    let release = Change::RecordingReleased { id: recording_id(1), at: at(30) };
    fixture.done(release);
    assert_eq!(fixture.catalog.stored_bytes().unwrap().held, 30);
    fixture.done(Change::RecordingReleased { id: recording_id(2), at: at(30) });
    assert_eq!(fixture.catalog.stored_bytes().unwrap().held, 0);
    // Held before it was ready: it counts from then on.
    fixture.done(Change::SessionStarted(session(3)));
    fixture.done(Change::RecordingOpened(recording(3)));
    assert_eq!(held(3, "court"), 0);
    for change in [finished(3), ready(3)] {
        fixture.done(change);
    }
    assert_eq!(held(3, "court"), 3_000_000);
    fixture.done(Change::RecordingReleased { id: recording_id(3), at: at(30) });
    fixture.done(deleting(3, DeletionReason::Request));
    fixture.done(deleting(1, DeletionReason::Quota));
    assert_eq!(bytes(), 30);
    fixture.done(deleted(1));
    assert_eq!(bytes(), 30);
}

#[test]
fn what_was_deleted_does_not_come_back_with_a_catalog_that_is_made_anew() {
    let fixture = Fixture::with_endpoints(&["hook"]);
    let keep = Keep::For(std::time::Duration::from_secs(7));
    stored(&fixture, 1, 11, 500, StoreRole::Primary);
    stored(&fixture, 2, 11, 500, StoreRole::Primary);
    stored_for(&fixture, 3, 11, 500, StoreRole::Primary, keep);
    fixture.done(deleting(1, DeletionReason::Retention));
    fixture.done(deleted(1));
    fixture.done(deleting(2, DeletionReason::Request));
    // Its log holds every former version of each row.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    for suffix in ["", "-wal"] {
        let name = format!("livetape.db{suffix}");
        std::fs::copy(fixture.path.with_file_name(&name), path.with_file_name(&name)).unwrap();
    }
    rebuild(&path).unwrap();
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.recording_row(&recording_id(1)).unwrap(), None);
    let row = catalog.recording_row(&recording_id(2)).unwrap().unwrap();
    assert_eq!(row.deleting, Some(DeletionReason::Request));
    assert_eq!(catalog.stored_bytes().unwrap().all, 500);
    assert_eq!(catalog.recording_row(&recording_id(3)).unwrap().unwrap().keep, keep);
    assert_eq!(catalog.apply(deleted(1)).unwrap(), Applied::Already);
    drop(catalog);
    let inspection = Inspection::open(&path, Use::Nobody).unwrap();
    assert!(inspection.deleted(&recording_id(1)).unwrap());
    assert!(!inspection.deleted(&recording_id(2)).unwrap());
}
