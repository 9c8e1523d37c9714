//! Recordings that wait for their publisher, and go on.

use std::time::Duration;

use livetape_catalog::{Applied, CatalogError, Change, GapView, NewSession};
use livetape_record::{Gap, RecordingId};
use serde_json::Value;

use crate::fixture::{Fixture, at, failed, finished, ready, recording, recording_id, session, session_id};

pub(crate) fn waits(number: u128, at_s: i64, until_s: i64) -> Change {
    Change::RecordingWaits { id: recording_id(number), at: at(at_s), until: at(until_s), lost: Duration::ZERO }
}

pub(crate) fn gap(from_s: i64, to_s: i64, at_s: u64) -> Gap {
    let length = Duration::from_secs(u64::try_from(to_s - from_s).unwrap());
    Gap { from: at(from_s), to: at(to_s), at: Duration::from_secs(at_s), length, apart: length, lost: Duration::ZERO }
}

pub(crate) fn continued(id: RecordingId, by: u128, gap: Gap) -> Change {
    Change::RecordingContinued { id, session: session_id(by), gap }
}

/// It is finished, and plays so long.
fn plays(number: u128, seconds: u64) -> Change {
    let mut change = finished(number);
    if let Change::RecordingFinished { facts, .. } = &mut change {
        facts.duration = Duration::from_secs(seconds);
    }
    change
}

fn opened() -> Fixture {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture
}

#[test]
fn a_recording_says_until_when_it_waits_and_what_lay_in_between() {
    let fixture = opened();
    let id = recording_id(1);
    fixture.done(waits(1, 5, 65));
    assert_eq!(fixture.catalog.apply(waits(1, 6, 65)).unwrap(), Applied::Already);
    let view = |fixture: &Fixture| fixture.catalog.recording(&id).unwrap().unwrap();
    assert_eq!((view(&fixture).waiting_until, view(&fixture).gaps.len()), (Some(at(65)), 0));

    fixture.done(Change::SessionEnded { id: session_id(1), at: at(6), reason: "drop".to_owned() });
    fixture.done(Change::SessionStarted(NewSession { id: session_id(2), ..session(1) }));
    fixture.done(continued(id, 2, gap(5, 20, 5)));
    assert_eq!(fixture.catalog.apply(continued(id, 2, gap(5, 20, 5))).unwrap(), Applied::Already);
    fixture.done(waits(1, 30, 90));
    fixture.done(continued(id, 2, gap(30, 33, 30)));
    let shown = view(&fixture);
    assert_eq!(shown.waiting_until, None);
    let expected = [(5, 20, 5_000, 15_000), (30, 33, 30_000, 3_000)];
    let expected = expected.map(|(from, to, at_ms, length_ms)| GapView {
        from: at(from),
        to: at(to),
        at_ms,
        length_ms,
        lost_ms: None,
    });
    assert_eq!(shown.gaps, expected);

    fixture.done(waits(1, 40, 100));
    fixture.done(Change::Reported { id, report: Box::default() });
    fixture.done(plays(1, 40));
    fixture.done(ready(1));
    let report: Value = serde_json::from_str(&fixture.catalog.report(&id).unwrap().unwrap()).unwrap();
    assert_eq!(report["gaps"], serde_json::to_value(expected).unwrap(), "as the recording shows them");
    let shown = view(&fixture);
    assert_eq!((shown.waiting_until, shown.gaps.len()), (None, 2));
    let events = fixture.events();
    let told: Vec<_> = events.iter().map(|event| event.kind.strip_prefix("recording.").unwrap_or("")).collect();
    let expected = ["", "started", "waiting", "", "", "continued", "waiting", "continued", "waiting", "ended", "ready"];
    assert_eq!(told, expected);
    let body: Value = serde_json::from_str(&events.last().unwrap().body).unwrap();
    assert_eq!(body["data"]["gaps"][1]["length_ms"], 3_000);
    assert_eq!(body["data"].get("waiting_until"), None);
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), events.len());
}

#[test]
fn a_gap_that_turns_out_to_have_nothing_behind_it_is_forgotten() {
    let fixture = opened();
    let id = recording_id(1);
    for (from, to) in [(2, 9), (12, 40)] {
        fixture.done(waits(1, from, from + 60));
        fixture.done(continued(id, 1, gap(from, to, from.unsigned_abs())));
    }
    // A crash came before any of what it went on with was on the disk.
    fixture.done(plays(1, 12));
    let shown = fixture.catalog.recording(&id).unwrap().unwrap();
    assert_eq!(shown.gaps.iter().map(|gap| gap.at_ms).collect::<Vec<_>>(), [2_000]);
}

#[test]
fn only_what_is_being_recorded_waits_and_only_its_own_stream_goes_on_with_it() {
    let fixture = opened();
    let id = recording_id(1);
    let apply = |change| fixture.catalog.apply(change);
    assert!(matches!(apply(continued(id, 9, gap(1, 2, 1))), Err(CatalogError::UnknownSession(_))));
    // Another stream's.
    fixture.done(Change::SessionStarted(session(2)));
    assert!(matches!(apply(continued(id, 2, gap(1, 2, 1))), Err(CatalogError::Conflict { .. })));
    fixture.done(waits(1, 5, 65));
    fixture.done(failed(1));
    assert!(fixture.catalog.recording_row(&id).unwrap().unwrap().waiting_until.is_none());
    assert!(matches!(apply(waits(1, 7, 70)), Err(CatalogError::Transition { .. })));
    assert!(matches!(apply(continued(id, 1, gap(1, 2, 1))), Err(CatalogError::Transition { .. })));
}

#[test]
fn playlists_over_an_mp4_wait_with_it_and_go_straight_on() {
    let fixture = opened();
    let id = recording_id(1);
    fixture.done(Change::PlaylistsOpened { of: id, key: "live/cam/playlists/index.m3u8".to_owned() });
    for (from, to, place) in [(5, 20, 5), (30, 90, 30)] {
        fixture.done(waits(1, from, from + 60));
        let row = fixture.catalog.recording_row(&id.playlists()).unwrap().unwrap();
        assert_eq!(row.waiting_until, Some(at(from + 60)));
        fixture.done(continued(id, 1, gap(from, to, place)));
    }
    let gaps = fixture.catalog.recording(&id.playlists()).unwrap().unwrap().gaps;
    let shown: Vec<_> = gaps.iter().map(|gap| (gap.from, gap.at_ms, gap.length_ms)).collect();
    assert_eq!(shown, [(at(5), 5_000, 0), (at(30), 15_000, 0)]);
}
