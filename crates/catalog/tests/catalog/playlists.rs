//! Playlists over an MP4: their row follows that of the MP4, in the same transaction.

use std::time::Duration;

use livetape_catalog::{
    Applied, Catalog, CatalogError, Change, Deletable, DeletionReason, Facts, PlaylistFacts, RecordingRow,
    RecordingState, StoreRole, rebuild,
};
use livetape_media::Format;
use livetape_record::RecordingId;

use crate::fixture::{
    Fixture, at, deleted, deleting, evicted, facts, failed, finished, options, ready, recording, recording_id, session,
};

const KEY: &str = "live/s1/2026-11-22/s1-210000-1/index.m3u8";

fn opened() -> Change {
    Change::PlaylistsOpened { of: recording_id(1), key: KEY.to_owned() }
}

/// An MP4 that grows, and playlists over it.
fn growing() -> Fixture {
    let fixture = Fixture::with_endpoints(&["hook"]);
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(opened());
    fixture
}

fn row(fixture: &Fixture) -> RecordingRow {
    fixture.catalog.playlists_over(&recording_id(1)).unwrap().unwrap()
}

/// Finishes the MP4; its playlists list so many pictures.
fn finish(pictures: Option<u64>) -> Change {
    let Change::RecordingFinished { id, ended_at, reason, recovered, lost, .. } = finished(1) else { unreachable!() };
    let playlists = pictures.map(|pictures| PlaylistFacts {
        size_bytes: 2_000,
        duration: Duration::from_millis(pictures * 33),
        pictures,
        sounds: 469,
    });
    Change::RecordingFinished { id, ended_at, reason, facts: Facts { playlists, ..facts() }, recovered, lost }
}

/// Types of the events of recordings, in order.
fn told(fixture: &Fixture) -> Vec<String> {
    fixture.event_kinds().into_iter().filter(|kind| kind.starts_with("recording.")).collect()
}

#[test]
fn playlists_become_what_their_mp4_becomes_and_each_is_told_once() {
    let fixture = growing();
    let id = RecordingId { format: Format::Hls, ..recording_id(1) };
    let began = row(&fixture);
    assert_eq!((began.id, began.state, began.key.as_str()), (id, RecordingState::Recording, KEY));
    assert_eq!((began.media_of, began.start), (Some(recording_id(1)), Some(recording(1).start)));
    assert_eq!(fixture.apply(opened()).unwrap(), Applied::Already);

    fixture.done(finish(Some(300)));
    let done = row(&fixture);
    assert_eq!((done.state, done.size_bytes, done.lost), (RecordingState::Finished, Some(2_000), None));
    assert_eq!(done.duration, Some(Duration::from_millis(9_900)));
    fixture.done(Change::UploadStarted { id: recording_id(1) });
    assert_eq!(row(&fixture).state, RecordingState::Uploading);
    fixture.done(ready(1));
    let stored = row(&fixture);
    assert_eq!((stored.state, stored.size_bytes, stored.spool_evicted), (RecordingState::Ready, Some(2_000), false));
    fixture.done(evicted(1));
    assert!(row(&fixture).spool_evicted);

    let before = fixture.dump();
    for change in [finish(Some(300)), ready(1), evicted(1)] {
        assert_eq!(fixture.apply(change).unwrap(), Applied::Already);
    }
    assert_eq!(fixture.dump(), before);
    let both = ["recording.started", "recording.ended", "recording.ready"].map(|kind| [kind; 2]);
    assert_eq!(told(&fixture), both.as_flattened());
    let event = fixture.events().pop().unwrap();
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!(body["data"]["id"], id.to_string());
    assert_eq!(body["data"]["media_of"], recording_id(1).to_string());
    assert!(!fixture.events()[5].body.contains("media_of"), "the MP4 has its own media");
}

#[test]
fn what_a_torn_fragment_cost_is_lost_and_without_any_there_are_no_playlists() {
    let fixture = growing();
    fixture.done(finish(Some(290)));
    let torn = row(&fixture);
    assert_eq!(torn.video.unwrap().frames, 290);
    assert_eq!(torn.lost, Some(facts().duration - Duration::from_millis(290 * 33)));

    let fixture = growing();
    fixture.done(finish(None));
    assert_eq!((row(&fixture).state, row(&fixture).lost), (RecordingState::Discarded, Some(facts().duration)));
    for change in [Change::UploadStarted { id: recording_id(1) }, ready(1), evicted(1)] {
        fixture.done(change);
    }
    assert_eq!((row(&fixture).state, row(&fixture).spool_evicted), (RecordingState::Discarded, true));
}

#[test]
fn an_mp4_that_is_discarded_or_fails_takes_its_playlists_with_it() {
    let fixture = growing();
    let discarded =
        || Change::RecordingDiscarded { id: recording_id(1), at: at(3), reason: "x".into(), lost: Duration::ZERO };
    fixture.done(discarded());
    assert_eq!(fixture.apply(discarded()).unwrap(), Applied::Already);
    assert_eq!(row(&fixture).state, RecordingState::Discarded);
    assert!(matches!(fixture.apply(opened()), Err(CatalogError::Transition { .. })), "it grows no more");

    let fixture = growing();
    fixture.done(finish(Some(300)));
    fixture.done(failed(1));
    assert_eq!(row(&fixture).state, RecordingState::Failed);
}

#[test]
fn playlists_are_deleted_before_their_mp4_or_alone() {
    let whole = || {
        let fixture = growing();
        for change in [finish(Some(300)), ready(1), evicted(1)] {
            fixture.done(change);
        }
        fixture
    };
    let id = recording_id(1).playlists();
    let fixture = whole();
    let oldest = fixture.catalog.deletable(Deletable::Oldest, StoreRole::Primary, 10).unwrap();
    assert_eq!(oldest.iter().map(|row| row.id).collect::<Vec<_>>(), [recording_id(1)], "they go with it");
    fixture.done(deleting(1, DeletionReason::Retention));
    assert_eq!(row(&fixture).deleting, Some(DeletionReason::Retention));
    assert!(matches!(fixture.apply(deleted(1)), Err(CatalogError::Transition { .. })), "they still need it");
    fixture.done(Change::RecordingDeleted { id, at: at(20) });
    fixture.done(deleted(1));
    assert_eq!(told(&fixture)[6..], ["recording.deleted", "recording.deleted"]);

    let fixture = whole();
    fixture.done(Change::DeletionStarted { id, reason: DeletionReason::Request });
    fixture.done(Change::RecordingDeleted { id, at: at(20) });
    let media = fixture.catalog.recording_row(&recording_id(1)).unwrap().unwrap();
    assert_eq!((media.state, media.deleting), (RecordingState::Ready, None));
    fixture.done(deleting(1, DeletionReason::Quota));
    fixture.done(deleted(1));
}

#[test]
fn a_catalog_that_is_rebuilt_knows_whose_the_media_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    for change in [
        Change::SessionStarted(session(1)),
        Change::RecordingOpened(recording(1)),
        opened(),
        finish(Some(300)),
        ready(1),
    ] {
        catalog.apply(change).unwrap();
    }
    let before = catalog.playlists_over(&recording_id(1)).unwrap();
    assert!(before.is_some());
    drop(catalog);
    rebuild(&path).unwrap();
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.playlists_over(&recording_id(1)).unwrap(), before);
}
