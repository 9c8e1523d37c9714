//! What each change does, when it is refused, and what its repetition does.

use std::time::Duration;

use livetape_catalog::{Applied, CatalogError, Change, DeletionReason, RecordingState, StoreRole};
use livetape_record::RecordingId;

use crate::fixture::{
    Fixture, at, deleted, deleting, discarded, evicted, facts, failed, finished, ready, recording, recording_id,
    session, session_id, uploading,
};

fn whole_life() -> Vec<Change> {
    vec![
        Change::SessionStarted(session(1)),
        Change::RecordingOpened(recording(1)),
        finished(1),
        Change::SessionEnded { id: session_id(1), at: at(11), reason: "unpublish".to_owned() },
        uploading(1),
        ready(1),
        evicted(1),
    ]
}

#[test]
fn a_recording_goes_from_opened_to_ready_with_its_events() {
    let fixture = Fixture::new();
    for change in whole_life() {
        fixture.done(change);
    }
    let kinds = ["stream.started", "recording.started", "recording.ended", "stream.ended", "recording.ready"];
    assert_eq!(fixture.event_kinds(), kinds);
    let row = fixture.catalog.recording_row(&recording_id(1)).unwrap().unwrap();
    assert_eq!(row.state, RecordingState::Ready);
    assert_eq!(row.node, fixture.catalog.node());
    assert_eq!(row.duration, Some(facts().duration));
    assert_eq!(row.video, facts().video);
    assert!(row.spool_evicted);
    assert_eq!(fixture.catalog.spooled().unwrap(), []);
    assert_eq!(fixture.catalog.sessions_open().unwrap(), []);
    assert_eq!(fixture.catalog.recording_by_key(&row.key).unwrap().as_ref(), Some(&row));
    assert_eq!(fixture.catalog.session(&session_id(1)).unwrap().unwrap().end_reason.as_deref(), Some("unpublish"));
}

#[test]
fn repeating_a_change_right_away_or_after_later_ones_changes_nothing() {
    let fixture = Fixture::with_endpoints(&["a"]);
    for change in whole_life() {
        fixture.done(change.clone());
        let before = fixture.dump();
        assert_eq!(fixture.apply(change.clone()).unwrap(), Applied::Already, "{change:?}");
        assert_eq!(fixture.dump(), before, "{change:?}");
    }
    let before = fixture.dump();
    for change in whole_life() {
        // A finished upload cannot start again; everything else is known.
        if change == uploading(1) {
            assert!(matches!(fixture.apply(change), Err(CatalogError::Transition { .. })));
        } else {
            assert_eq!(fixture.apply(change.clone()).unwrap(), Applied::Already, "{change:?}");
        }
    }
    assert_eq!(fixture.dump(), before);
}

#[test]
fn only_the_drawn_transitions_are_possible() {
    use RecordingState::{Discarded, Failed, Finished, Ready, Recording, Uploading};
    let ways: [(RecordingState, Vec<Change>); 6] = [
        (Recording, vec![]),
        (Finished, vec![finished(1)]),
        (Uploading, vec![finished(1), uploading(1)]),
        (Ready, vec![finished(1), uploading(1), ready(1)]),
        (Failed, vec![failed(1)]),
        (Discarded, vec![discarded(1)]),
    ];
    // The states each change is made in, and those in which it was made before.
    let changes = [
        (finished(1), vec![Recording], vec![Finished, Uploading, Ready]),
        (uploading(1), vec![Finished], vec![Uploading]),
        (ready(1), vec![Finished, Uploading], vec![Ready]),
        (failed(1), vec![Recording, Finished, Uploading], vec![Failed]),
        (discarded(1), vec![Recording], vec![Discarded]),
        (evicted(1), vec![Ready, Failed, Discarded], vec![]),
        (deleting(1, DeletionReason::Quota), vec![Ready], vec![]),
        (deleted(1), vec![], vec![]),
    ];
    for (state, way) in ways {
        for (change, made_in, already_in) in &changes {
            let fixture = Fixture::new();
            fixture.done(Change::SessionStarted(session(1)));
            fixture.done(Change::RecordingOpened(recording(1)));
            way.iter().for_each(|change| fixture.done(change.clone()));
            let before = fixture.dump();
            let outcome = fixture.apply(change.clone());
            if made_in.contains(&state) {
                assert_eq!(outcome.unwrap(), Applied::Done, "{change:?} in {state}");
                assert_ne!(fixture.dump(), before);
            } else if already_in.contains(&state) {
                assert_eq!(outcome.unwrap(), Applied::Already, "{change:?} in {state}");
                assert_eq!(fixture.dump(), before);
            } else {
                let error = outcome.unwrap_err();
                assert!(matches!(error, CatalogError::Transition { from, .. } if from == state), "{change:?}: {error}");
                assert!(error.is_refusal());
                assert_eq!(fixture.dump(), before);
            }
        }
    }
}

#[test]
fn the_same_change_with_other_contents_is_a_conflict() {
    let fixture = Fixture::new();
    let life = whole_life();
    let conflicts = |change: Change| {
        let before = fixture.dump();
        let error = fixture.apply(change.clone()).unwrap_err();
        assert!(matches!(error, CatalogError::Conflict { .. }), "{change:?}: {error}");
        assert_eq!(fixture.dump(), before);
    };
    fixture.done(life[0].clone());
    let mut other = session(1);
    other.remote_addr = "192.0.2.9:1".to_owned();
    conflicts(Change::SessionStarted(other));

    let mut other = recording(1);
    other.stream = "another".to_owned();
    conflicts(Change::RecordingOpened(other.clone()));
    fixture.done(life[1].clone());
    conflicts(Change::RecordingOpened(other));

    fixture.done(finished(1));
    let mut changed = facts();
    changed.video = None;
    for (facts, reason, recovered, lost_ms) in [
        (changed, "unpublish", false, 0),
        (facts(), "drop", false, 0),
        (facts(), "unpublish", true, 0),
        (facts(), "unpublish", false, 1),
    ] {
        let (id, reason, lost) = (recording_id(1), reason.to_owned(), Duration::from_millis(lost_ms));
        conflicts(Change::RecordingFinished { id, ended_at: at(11), reason, facts, recovered, lost });
    }
    fixture.done(ready(1));
    conflicts(Change::RecordingReady {
        id: recording_id(1),
        at: at(12),
        size_bytes: 2_999_999,
        store: StoreRole::Primary,
    });
    fixture.done(Change::SessionEnded { id: session_id(1), at: at(11), reason: "unpublish".to_owned() });
    conflicts(Change::SessionEnded { id: session_id(1), at: at(11), reason: "crash".to_owned() });
}

#[test]
fn two_recordings_cannot_have_one_key() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    let mut second = recording(1);
    second.id = RecordingId { sequence: 2, ..recording_id(1) };
    let error = fixture.apply(Change::RecordingOpened(second)).unwrap_err();
    assert!(error.to_string().contains(&recording_id(1).to_string()), "{error}");
}

#[test]
fn what_is_not_known_is_said_to_be_unknown() {
    let fixture = Fixture::with_endpoints(&["a"]);
    let unknown = |change: Change| fixture.apply(change).unwrap_err();
    assert!(matches!(unknown(Change::RecordingOpened(recording(1))), CatalogError::UnknownSession(_)));
    assert!(matches!(unknown(finished(1)), CatalogError::UnknownRecording(_)));
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::SessionStarted(session(2)));
    fixture.done(Change::RecordingOpened(recording(2)));
    // A recording of another session.
    assert!(matches!(unknown(warning(Some(recording_id(2)))), CatalogError::UnknownRecording(_)));
    assert!(matches!(unknown(warning(Some(recording_id(1)))), CatalogError::UnknownRecording(_)));
    let disabled = |endpoint: &str| Change::EndpointDisabled {
        endpoint: endpoint.to_owned(),
        at: at(0),
        reason: "410".to_owned(),
    };
    assert!(matches!(unknown(disabled("b")), CatalogError::UnknownEndpoint(_)));
    fixture.done(disabled("a"));
}

fn warning(recording: Option<RecordingId>) -> Change {
    Change::Warning {
        session: session_id(1),
        recording,
        kind: "timestamp_jump".to_owned(),
        detail: "the clock jumped by 3 s".to_owned(),
        at: at(2),
    }
}

#[test]
fn warnings_are_numbered_and_bounded() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(warning(None));
    for _ in 0..100 {
        fixture.done(warning(Some(recording_id(1))));
    }
    assert_eq!(fixture.apply(warning(Some(recording_id(1)))).unwrap(), Applied::Suppressed);
    fixture.done(warning(None));

    let ids: Vec<String> = fixture.events().into_iter().skip(2).map(|event| event.id).collect();
    let uuid = session_id(1).0.simple().to_string();
    assert_eq!(ids[0], format!("evt_{uuid}_warning_1"));
    assert_eq!(ids[1], format!("evt_{uuid}_mp4_1_warning_1"));
    assert_eq!(ids[100], format!("evt_{uuid}_mp4_1_warning_100"));
    assert_eq!(ids[101..], [format!("evt_{uuid}_warning_2")]);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(finished(1));
    let change =
        Change::RecordingReady { id: recording_id(1), at: at(12), size_bytes: u64::MAX, store: StoreRole::Primary };
    assert!(matches!(fixture.apply(change), Err(CatalogError::OutOfRange { .. })));
}

#[test]
fn any_text_survives() {
    let fixture = Fixture::new();
    let mut session = session(1);
    session.stream = "x'; DROP TABLE sessions; --\0\u{202e}\u{10ffff}%_".to_owned();
    let mut recording = recording(1);
    recording.stream.clone_from(&session.stream);
    fixture.done(Change::SessionStarted(session.clone()));
    fixture.done(Change::RecordingOpened(recording));
    assert_eq!(fixture.catalog.session(&session.id).unwrap().unwrap().stream, session.stream);
    let body: serde_json::Value = serde_json::from_str(&fixture.events()[1].body).unwrap();
    assert_eq!(body["data"]["stream"], session.stream.as_str());
}
