//! Deletions by filter: what a dry run shows is what goes, a few at a time, whatever happens meanwhile.

use livetape_catalog::{
    Applied, CatalogError, Change, DeletionPlan, DeletionReason, NewDeletion, PlaylistFacts, RecordingFilter,
    RecordingState,
};
use livetape_media::Format;
use livetape_record::RecordingId;

use crate::fixture::{
    Fixture, at, deleted, deleting, evicted, facts, failed, finished, ready, recording, recording_id, session,
};

fn stored(fixture: &Fixture, number: u128) {
    fixture.done(Change::SessionStarted(session(number)));
    fixture.done(Change::RecordingOpened(recording(number)));
    for change in [finished(number), ready(number), evicted(number)] {
        fixture.done(change);
    }
}

fn held(number: u128, seconds: i64) -> Change {
    Change::RecordingHeld { id: recording_id(number), at: at(seconds), by: "court".to_owned(), reason: "7".to_owned() }
}

fn plan(fixture: &Fixture, filter: &RecordingFilter) -> DeletionPlan {
    fixture.catalog.deletion_plan(filter, at(100)).unwrap()
}

fn ask(fixture: &Fixture, filter: &RecordingFilter) -> i64 {
    let plan = plan(fixture, filter);
    let new = NewDeletion {
        token: format!("{:x}", plan.digest),
        filter: filter.clone(),
        as_of: plan.as_of,
        asked_at: at(101),
        asked_by: "ci".to_owned(),
        recordings: plan.deletable.recordings,
        size_bytes: plan.deletable.size_bytes,
    };
    assert_eq!(fixture.apply(Change::DeletionAsked(new.clone())).unwrap(), Applied::Done);
    assert_eq!(fixture.apply(Change::DeletionAsked(new.clone())).unwrap(), Applied::Already);
    fixture.catalog.deletion_of(&new.token).unwrap().unwrap().id
}

/// Goes on with what was asked for first, looking at so many; how many were chosen.
fn advance(fixture: &Fixture, limit: usize) -> Option<usize> {
    let open = fixture.catalog.deletion_open().unwrap()?;
    let (rows, place) = fixture.catalog.deletion_next(&open, limit).unwrap();
    let ids: Vec<RecordingId> = rows.iter().map(|row| row.id).collect();
    fixture.done(Change::DeletionAdvanced { deletion: open.id, ids: ids.clone(), place, at: at(110) });
    Some(ids.len())
}

fn being_deleted(fixture: &Fixture) -> Vec<RecordingId> {
    fixture.catalog.being_deleted("", 1000).unwrap().into_iter().map(|row| row.id).collect()
}

#[test]
fn a_plan_tells_apart_what_goes_what_is_held_and_what_cannot_go() {
    let fixture = Fixture::new();
    for number in 1..=5 {
        stored(&fixture, number);
    }
    fixture.done(held(2, 50));
    fixture.done(deleting(3, DeletionReason::Quota));
    fixture.done(Change::SessionStarted(session(6)));
    fixture.done(Change::RecordingOpened(recording(6)));
    fixture.done(Change::SessionStarted(session(7)));
    fixture.done(Change::RecordingOpened(recording(7)));
    fixture.done(failed(7));
    let all = RecordingFilter { app: Some("live".to_owned()), ..Default::default() };
    let found = plan(&fixture, &all);
    let count = |found: &livetape_catalog::Found| (found.recordings, found.size_bytes);
    assert_eq!(count(&found.deletable), (3, 9_000_000));
    assert_eq!(found.deletable.first, [5, 4, 1].map(recording_id), "the newest first");
    assert_eq!((count(&found.held), count(&found.going)), ((1, 3_000_000), (1, 3_000_000)));
    assert_eq!(found.not_ready.recordings, 2);
    // What was not ready at that time is not part of it.
    let early = fixture.catalog.deletion_plan(&all, at(11)).unwrap();
    assert_eq!((early.deletable.recordings, early.digest), (0, 0));
    let one = RecordingFilter { stream: Some("s4".to_owned()), ..Default::default() };
    let other = RecordingFilter { stream: Some("s5".to_owned()), ..Default::default() };
    assert_ne!(plan(&fixture, &one).digest, plan(&fixture, &other).digest);
    assert_eq!(plan(&fixture, &one), plan(&fixture, &one));
    let failed = RecordingFilter { state: Some(RecordingState::Failed), ..all.clone() };
    assert_eq!((plan(&fixture, &failed).deletable.recordings, plan(&fixture, &failed).not_ready.recordings), (0, 1));
}

#[test]
fn what_was_shown_goes_a_few_at_a_time_and_nothing_that_came_or_was_held_or_released_since() {
    let fixture = Fixture::new();
    for number in 1..=9 {
        stored(&fixture, number);
    }
    fixture.done(held(2, 50));
    let prefix = RecordingFilter { prefix: Some("live/s".to_owned()), ..Default::default() };
    let id = ask(&fixture, &prefix);
    // After it was asked for: one is held, one released, one deleted, one new.
    fixture.done(held(5, 105));
    fixture.done(Change::RecordingReleased { id: recording_id(2), at: at(106) });
    fixture.done(deleting(7, DeletionReason::Retention));
    fixture.done(Change::SessionStarted(session(20)));
    fixture.done(Change::RecordingOpened(recording(20)));
    fixture.done(finished(20));
    let late = Change::RecordingReady {
        id: recording_id(20),
        at: at(120),
        size_bytes: 1,
        store: livetape_catalog::StoreRole::Primary,
    };
    fixture.done(late);
    let fixture = { fixture.reopened(&[]) };
    assert_eq!(advance(&fixture, 4), Some(2), "of the first four one came later, and one is being deleted");
    let row = fixture.catalog.deletion(id).unwrap().unwrap();
    assert_eq!((row.recordings, row.begun, row.deleted, row.chosen), (8, 2, 0, false));
    while advance(&fixture, 4).is_some() {}
    let mut expected: Vec<RecordingId> = [1, 3, 4, 6, 7, 8, 9].map(recording_id).to_vec();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(being_deleted(&fixture), expected);
    let row = fixture.catalog.deletion(id).unwrap().unwrap();
    assert_eq!((row.begun, row.chosen, row.ended_at), (6, true, None));
    for number in [1, 3, 4, 6, 7, 8, 9] {
        fixture.done(deleted(number));
    }
    let row = fixture.catalog.deletion(id).unwrap().unwrap();
    assert_eq!((row.deleted, row.ended_at), (6, Some(at(100))));
    assert_eq!(fixture.catalog.deletions(i64::MAX, 10).unwrap(), [row]);
    let again = Change::DeletionAdvanced { deletion: id, ids: vec![recording_id(2)], place: None, at: at(200) };
    assert_eq!(fixture.apply(again).unwrap(), Applied::Already);
    let unknown = Change::DeletionAdvanced { deletion: 77, ids: Vec::new(), place: None, at: at(200) };
    assert!(matches!(fixture.apply(unknown), Err(CatalogError::UnknownDeletion(77))));
}

#[test]
fn playlists_go_with_their_mp4_and_are_shown_and_counted_with_it() {
    for format in [Some(Format::Mp4), None, Some(Format::Hls)] {
        let fixture = Fixture::new();
        fixture.done(Change::SessionStarted(session(1)));
        fixture.done(Change::RecordingOpened(recording(1)));
        fixture.done(Change::PlaylistsOpened { of: recording_id(1), key: "live/s1/x/index.m3u8".to_owned() });
        let Change::RecordingFinished { id, ended_at, reason, recovered, lost, .. } = finished(1) else {
            unreachable!()
        };
        let playlists = Some(PlaylistFacts { size_bytes: 500, ..PlaylistFacts::default() });
        let facts = livetape_catalog::Facts { playlists, ..facts() };
        fixture.done(Change::RecordingFinished { id, ended_at, reason, facts, recovered, lost });
        fixture.done(ready(1));
        fixture.done(evicted(1));
        let filter = RecordingFilter { app: Some("live".to_owned()), format, ..Default::default() };
        let found = plan(&fixture, &filter).deletable;
        let expected = if format == Some(Format::Hls) { (1, 500) } else { (2, 3_000_500) };
        assert_eq!((found.recordings, found.size_bytes), expected, "{format:?}");
        let id = ask(&fixture, &filter);
        while advance(&fixture, 1).is_some() {}
        assert_eq!(being_deleted(&fixture).len() as u64, expected.0, "{format:?}");
        assert_eq!(fixture.catalog.deletion(id).unwrap().unwrap().begun, expected.0, "{format:?}");
    }
}
