//! What is told of a stream's quality, pauses of recordings, and reports of their integrity.

use livetape_catalog::{Applied, CatalogError, Change, DeletionReason};
use livetape_media::{Phase, TrackKind, WallTime, WarningKind};
use livetape_record::report::Recovery;
use livetape_record::{Finding, Report};

use crate::fixture::{
    Fixture, at, deleted, deleting, discarded, evicted, finished, ready, recording, recording_id, session, session_id,
};

pub(crate) fn found(phase: Phase, track: Option<TrackKind>) -> Change {
    let (kind, detail) = (WarningKind::TimestampsStuck, "timestamps repeat".to_owned());
    let finding = Box::new(Finding { kind, track, phase, count: 7, detail });
    Change::Finding { session: session_id(1), finding, at: at(3) }
}

fn reported(number: u128, duration_ms: u64) -> Change {
    Change::Reported { id: recording_id(number), report: Box::new(Report { duration_ms, ..Report::default() }) }
}

fn report_of(fixture: &Fixture, number: u128) -> Option<serde_json::Value> {
    let report = fixture.catalog.report(&recording_id(number)).unwrap()?;
    Some(serde_json::from_str(&report).unwrap())
}

fn begun() -> Fixture {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture
}

#[test]
fn a_finding_says_the_track_the_phase_and_the_count() {
    let fixture = begun();
    fixture.done(found(Phase::GoesOn, Some(TrackKind::Video)));
    let event = fixture.events().pop().unwrap();
    assert!(event.id.ends_with("_warning_1"), "{}", event.id);
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    let data = &body["data"];
    let said = (&data["kind"], &data["track"], &data["phase"], &data["count"], &data["recording_id"]);
    let expected = ("timestamps_stuck".into(), "video".into(), "goes_on".into(), 7.into(), serde_json::Value::Null);
    assert_eq!(said, (&expected.0, &expected.1, &expected.2, &expected.3, &expected.4));
}

#[test]
fn findings_of_a_session_are_bounded() {
    let fixture = begun();
    let changes = (0..2_001).map(|_| fixture.apply(found(Phase::Once, None)).unwrap());
    let suppressed = changes.filter(|applied| *applied == Applied::Suppressed).count();
    assert_eq!((suppressed, fixture.events().len()), (1, 2_002));
}

#[test]
fn pauses_are_told_of_what_is_recorded_each_with_an_id_of_its_own() {
    let fixture = begun();
    let id = recording_id(1);
    for _ in 0..2 {
        fixture.done(Change::RecordingPaused { id, at: at(3) });
        fixture.done(Change::RecordingResumed { id, at: at(4) });
    }
    let events = fixture.events();
    let told: Vec<_> = events.iter().skip(2).map(|event| (event.kind.as_str(), &event.id[37..])).collect();
    let expected = [
        ("recording.paused", "mp4_1_paused_1"),
        ("recording.resumed", "mp4_1_resumed_2"),
        ("recording.paused", "mp4_1_paused_3"),
        ("recording.resumed", "mp4_1_resumed_4"),
    ];
    assert_eq!(told, expected);
    fixture.done(finished(1));
    let late = Change::RecordingPaused { id, at: at(20) };
    assert_eq!(fixture.apply(late).unwrap(), Applied::Already);
    let other = Change::RecordingPaused { id: recording_id(2), at: at(3) };
    assert!(matches!(fixture.apply(other), Err(CatalogError::UnknownRecording(_))));
}

#[test]
fn a_report_is_there_from_the_end_of_its_recording_until_that_is_deleted() {
    let fixture = begun();
    fixture.done(reported(1, 900));
    assert_eq!(report_of(&fixture, 1), None, "it grows");
    // What recovery says takes the place of what was said before.
    let recovery = Some(Recovery { reason: "crash".to_owned(), cut_bytes: 17, lost_ms: 300 });
    let from: WallTime = at(1);
    let report = Report { recovered: true, first_at: Some(from), recovery, duration_ms: 800, ..Report::default() };
    fixture.done(Change::Reported { id: recording_id(1), report: Box::new(report) });
    fixture.done(finished(1));
    let report = report_of(&fixture, 1).unwrap();
    assert_eq!((&report["recording_id"], &report["duration_ms"]), (&recording_id(1).to_string().into(), &800.into()));
    assert_eq!((&report["recovered"], &report["observed"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(report["recovery"]["cut_bytes"], 17);
    assert_eq!(report["first_at"], from.to_string());
    assert_eq!(fixture.apply(reported(1, 5)).unwrap(), Applied::Already, "it is finished");
    for change in [ready(1), evicted(1), deleting(1, DeletionReason::Request)] {
        fixture.done(change);
    }
    assert_eq!(report_of(&fixture, 1).unwrap()["duration_ms"], 800);
    fixture.done(deleted(1));
    assert_eq!(report_of(&fixture, 1), None);
    fixture.done(Change::RecordingOpened(recording(1)));
    assert_eq!(report_of(&fixture, 1), None);
}

#[test]
fn what_is_not_kept_has_no_report() {
    let fixture = begun();
    fixture.done(reported(1, 900));
    fixture.done(discarded(1));
    assert_eq!(report_of(&fixture, 1), None);
    assert!(matches!(fixture.apply(reported(2, 1)), Err(CatalogError::UnknownRecording(_))));
}
