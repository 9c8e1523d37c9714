//! From finished recordings to objects, rows and events, with stores that work and that do not.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use livetape_catalog::{Change, Facts, StoreRole};
use livetape_disk::RealDisk;
use livetape_finalize::{Fallback, FinalizerOptions, Trouble, recover, system_clock};
use livetape_media::Format;
use livetape_record::RecordingId;
use livetape_store::{DirectoryStore, ObjectStore};

use crate::flaky_store::{FlakyStore, Put};
use crate::world::{World, files_of, start};

const LONG: Duration = Duration::from_secs(3600);

fn retries(counts: &livetape_finalize::Snapshot, trouble: Trouble) -> u64 {
    counts.retries.iter().find(|(one, _)| *one == trouble).unwrap().1
}

#[tokio::test]
async fn a_finished_recording_of_each_format_becomes_an_object_a_row_and_an_event() {
    let world = World::new(&[]);
    let working = world.finalizer();
    let session = world.session(1);
    for format in Format::ALL {
        let id = world.finished(session, format, 1);
        working.handle.recording_finished(id);
    }
    assert_eq!(working.handle.drain(LONG).await, 0);
    for format in Format::ALL {
        world.assert_ready_once(RecordingId { session, format, sequence: 1 });
    }
    let counts = working.counters.snapshot();
    assert_eq!((counts.ready, counts.evicted, counts.failed), (3, 3, 0));
    assert_eq!(counts.stored_media, Duration::from_secs(6));
    let hls = world.row(RecordingId { session, format: Format::Hls, sequence: 1 });
    let bytes: usize = files_of(hls.id).iter().map(|(_, text)| text.len()).sum();
    assert_eq!(hls.size_bytes, Some(bytes as u64));
    assert_eq!(counts.stored_bytes, bytes as u64 + 22);
}

#[tokio::test]
async fn of_a_playlist_the_segments_come_first_and_the_index_last() {
    let world = World::new(&[]);
    let store = FlakyStore::new(world.store.clone(), |_, _| Put::Works);
    let world = world.with_store(store.clone());
    let id = world.finished(world.session(1), Format::Hls, 1);
    let working = world.finalizer();
    assert_eq!(working.handle.drain(LONG).await, 0, "taken up without being told");
    assert_eq!(
        store.puts(),
        ["init-0.mp4", "segment-000000.m4s", "segment-000001.m4s", "media.m3u8", "vod.m3u8", "index.m3u8"]
    );
    world.assert_ready_once(id);
}

#[tokio::test]
async fn the_size_in_the_row_may_leave_out_the_playlists() {
    let world = World::new(&[]);
    let id = world.recording(world.session(1), Format::Hls, 1);
    world.write(id, &files_of(id));
    world.finish_row(id, 15);
    let working = world.finalizer();
    assert_eq!(working.handle.drain(LONG).await, 0);
    world.assert_ready_once(id);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_tried_until_it_works_and_there_is_one_event() {
    for trouble in [Put::Fails, Put::Denied, Put::TellsOtherSize, Put::HangsAfter, Put::Hangs, Put::Panics] {
        let world = World::new(&[]);
        let store =
            FlakyStore::new(world.store.clone(), move |_, number| if number < 7 { trouble } else { Put::Works });
        let world = world.with_store(store.clone());
        let id = world.finished(world.session(1), Format::Mp4, 1);
        let working = world.finalizer();
        while working.handle.pending() > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        world.assert_ready_once(id);
        assert_eq!(store.puts().len(), 8, "{trouble:?}");
        let counts = working.counters.snapshot();
        let expected = match trouble {
            Put::Denied => Some(Trouble::Denied),
            Put::Panics => None,
            _ => Some(Trouble::Store),
        };
        if let Some(expected) = expected {
            assert_eq!(retries(&counts, expected), 7, "{trouble:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_ends_with_everything_in_the_store_soon_after() {
    let world = World::new(&[]);
    let begun = tokio::time::Instant::now();
    let outage = Duration::from_secs(4 * 3600);
    let script = move |_: &str, _| if begun.elapsed() < outage { Put::Fails } else { Put::Works };
    let store = FlakyStore::new(world.store.clone(), script);
    let world = world.with_store(store.clone());
    let session = world.session(1);
    let ids: Vec<_> = (1..=30).map(|sequence| world.finished(session, Format::Mp4, sequence)).collect();
    let working = world.finalizer();
    while working.handle.pending() > 0 {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(begun.elapsed() < outage + Duration::from_secs(40), "{:?}", begun.elapsed() - outage);
    ids.into_iter().for_each(|id| world.assert_ready_once(id));
    let attempts = store.puts().len();
    assert!(attempts < 4 * 120 + 60, "{attempts} puts: the store was not hammered");
}

#[tokio::test(start_paused = true)]
async fn what_the_first_store_does_not_take_for_long_goes_to_the_other_and_the_first_is_tried_again() {
    let world = World::new(&[]);
    let begun = tokio::time::Instant::now();
    let outage = Duration::from_secs(3600);
    let script = move |_: &str, _| if begun.elapsed() < outage { Put::Fails } else { Put::Works };
    let first = FlakyStore::new(world.store.clone(), script);
    let directory = world.path("fallback");
    fs::create_dir(&directory).unwrap();
    let other: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::open(Arc::new(RealDisk), &directory).unwrap());
    let mut world = world.with_store(first);
    world.fallback = Some(Fallback { store: other.clone(), after: Duration::from_secs(600) });
    let session = world.session(1);
    let early: Vec<_> = (1..=30).map(|sequence| world.finished(session, Format::Mp4, sequence)).collect();
    let working = world.finalizer();
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert!(early.iter().all(|id| world.state(*id) != "ready"), "it is too early to give the first one up");
    // Each is tried again within five minutes.
    tokio::time::sleep(Duration::from_secs(330)).await;
    for id in &early {
        assert_eq!((world.state(*id), world.row(*id).store), ("ready", StoreRole::Fallback), "{id}");
        assert!(other.local_path(&world.row(*id).key.parse().unwrap()).is_some());
    }
    tokio::time::sleep(outage).await;
    // One that has just ended.
    let late = world.recording(session, Format::Mp4, 31);
    let size_bytes = world.write(late, &files_of(late));
    let ended_at = start().plus_millis(i64::try_from(begun.elapsed().as_millis()).unwrap());
    let facts = Facts { size_bytes, ..Facts::default() };
    let (reason, lost) = ("unpublish".to_owned(), Duration::ZERO);
    world.apply(Change::RecordingFinished { id: late, ended_at, reason, facts, recovered: false, lost });
    working.handle.recording_finished(late);
    while working.handle.pending() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.row(late).store, StoreRole::Primary);
    world.assert_ready_once(late);
}

#[tokio::test(start_paused = true)]
async fn one_recording_that_the_store_will_not_take_holds_up_no_other() {
    let world = World::new(&[]);
    let script = |key: &str, _| if key.contains("room1/") { Put::Denied } else { Put::Works };
    let world_store = FlakyStore::new(world.store.clone(), script);
    let world = world.with_store(world_store);
    let refused = world.finished(world.session(1), Format::Mp4, 1);
    let session = world.session(2);
    let ids: Vec<_> = (1..=20).map(|sequence| world.finished(session, Format::Flv, sequence)).collect();
    let working = world.finalizer_with(FinalizerOptions { transfers: 1, ..FinalizerOptions::default() });
    tokio::time::sleep(Duration::from_secs(60)).await;
    ids.into_iter().for_each(|id| world.assert_ready_once(id));
    assert_eq!(world.state(refused), "uploading");
    assert_eq!(working.handle.drain(LONG).await, 1, "what waits is not waited for");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_on_their_way_at_once_and_the_oldest_first() {
    let world = World::new(&[]);
    let store = FlakyStore::new(world.store.clone(), |_, _| Put::Slow);
    let world = world.with_store(store.clone());
    let session = world.session(1);
    let ids: Vec<_> = (1..=12).map(|sequence| world.finished(session, Format::Mp4, sequence)).collect();
    let working = world.finalizer_with(FinalizerOptions { transfers: 3, ..FinalizerOptions::default() });
    assert_eq!(working.handle.drain(LONG).await, 0);
    ids.into_iter().for_each(|id| world.assert_ready_once(id));
    assert_eq!(store.most_under_way.load(Ordering::SeqCst), 3);
    assert!(store.puts()[..3].contains(&"room1-1.mp4".to_owned()));
    let position = store.puts().iter().position(|name| name == "room1-12.mp4").unwrap();
    assert!(position >= 9, "the youngest was put as number {position}");
}

#[tokio::test]
async fn damage_on_our_side_fails_the_recording_clearly_and_keeps_what_is_left() {
    let world = World::new(&[]);
    let session = world.session(1);
    let finished = |format, sequence| world.finished(session, format, sequence);
    let gone = finished(Format::Mp4, 1);
    fs::remove_dir_all(world.spooled(gone)).unwrap();
    let missing = finished(Format::Flv, 2);
    fs::remove_file(world.spooled(missing).join("recording.flv")).unwrap();
    let shorter = finished(Format::Mp4, 3);
    fs::write(world.spooled(shorter).join("recording.mp4"), "an mp4").unwrap();
    let unlisted = finished(Format::Hls, 4);
    fs::remove_file(world.spooled(unlisted).join("segment-000001.m4s")).unwrap();
    let no_index = finished(Format::Hls, 5);
    fs::remove_file(world.spooled(no_index).join("index.m3u8")).unwrap();
    let taken = finished(Format::Mp4, 6);
    fs::create_dir_all(world.path("media/live/room1")).unwrap();
    fs::write(world.path("media/live/room1/room1-6.mp4"), "somebody else's").unwrap();
    let good = finished(Format::Mp4, 7);

    let working = world.finalizer();
    assert_eq!(working.handle.drain(LONG).await, 0);
    world.assert_ready_once(good);
    let failed = [
        (gone, "gone"),
        (missing, "recording.flv is missing"),
        (shorter, "have 6 bytes"),
        (unlisted, "segment-000001.m4s, which is missing"),
        (no_index, "index.m3u8 is missing"),
        (taken, "already in the store"),
    ];
    for (id, problem) in failed {
        let row = world.row(id);
        assert_eq!(row.state.name(), "failed", "{id}");
        let error = row.error.unwrap();
        assert!(error.contains(problem) && error.contains("quarantine"), "{error}");
        assert!(!world.spooled(id).exists(), "{id}");
    }
    assert_eq!(world.events_of("recording.failed").len(), failed.len());
    let kept: Vec<String> = failed[1..].iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(world.quarantined(), {
        let mut kept = kept;
        kept.sort();
        kept
    });
    assert_eq!(world.object("live/room1/room1-6.mp4").as_deref(), Some("somebody else's"));
    let counts = working.counters.snapshot();
    assert_eq!((counts.ready, counts.failed), (1, 6));
}

#[tokio::test]
async fn told_of_what_is_not_finished_it_does_nothing() {
    let world = World::new(&[]);
    let session = world.session(1);
    let growing = world.recording(session, Format::Mp4, 1);
    let working = world.finalizer();
    working.handle.recording_finished(growing);
    working.handle.recording_finished(RecordingId { session, format: Format::Flv, sequence: 9 });
    assert_eq!(working.handle.drain(LONG).await, 0);
    assert_eq!(world.state(growing), "recording");
    assert!(world.spooled(growing).exists());
}

#[tokio::test]
async fn a_recording_that_broke_before_its_first_file_is_discarded() {
    let world = World::new(&[]);
    let session = world.session(1);
    let empty = world.recording(session, Format::Mp4, 1);
    let never_made = RecordingId { session, format: Format::Flv, sequence: 2 };
    world.open_row(never_made);
    let working = world.finalizer();
    working.handle.recording_broken(empty, None);
    working.handle.recording_broken(never_made, None);
    assert_eq!(working.handle.drain(LONG).await, 0);
    for id in [empty, never_made] {
        let row = world.row(id);
        assert_eq!((row.state.name(), row.end_reason.as_deref()), ("discarded", Some("disk_trouble")));
        assert!(row.spool_evicted && !world.spooled(id).exists());
    }
    assert_eq!(world.events_of("recording.discarded").len(), 2);
}

/// The steps from a finished recording to one that is done with, as the finalizer takes them.
fn take_step(world: &World, id: RecordingId, step: usize) {
    let put = |names: &[&str]| {
        let (directory, _) = world.row(id).key.rsplit_once('/').map(|(d, n)| (d.to_owned(), n.to_owned())).unwrap();
        for name in names {
            let target = world.path("media").join(&directory).join(name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::hard_link(world.spooled(id).join(name), target).unwrap();
        }
    };
    match step {
        0 => world.apply(Change::UploadStarted { id }),
        1 => put(&["init-0.mp4", "segment-000000.m4s"]),
        2 => put(&["segment-000001.m4s"]),
        3 => put(&["media.m3u8", "vod.m3u8"]),
        4 => put(&["index.m3u8"]),
        5 => {
            let size_bytes = files_of(id).iter().map(|(_, text)| text.len() as u64).sum();
            world.apply(Change::RecordingReady {
                id,
                at: start().plus_millis(3000),
                size_bytes,
                store: StoreRole::Primary,
            });
        }
        6 => world.apply(Change::SpoolEvicted { id }),
        7 => fs::remove_file(world.spooled(id).join("segment-000000.m4s")).unwrap(),
        _ => world.spool.remove(&id.to_string()).unwrap(),
    }
}

#[tokio::test]
async fn a_crash_after_any_step_ends_in_the_same_state_with_one_event() {
    for crash_after in 0..=9 {
        let world = World::new(&["hook"]);
        let id = world.finished(world.session(1), Format::Hls, 1);
        (0..crash_after).for_each(|step| take_step(&world, id, step));
        let world = world.restart();
        recover(&world.catalog, &world.spool, &system_clock()).await.unwrap();
        let working = world.finalizer();
        assert_eq!(working.handle.drain(LONG).await, 0, "after step {crash_after}");
        world.assert_ready_once(id);
        let event = &world.events_of("recording.ready")[0];
        assert_eq!(event, "evt_00000000000000000000000000000001_hls_1_ready");
        assert_eq!(world.catalog.deliveries(event).unwrap().len(), 1, "owed once");
        assert!(world.quarantined().is_empty());
    }
}

#[tokio::test]
async fn a_transfer_that_is_dropped_at_any_file_is_made_again() {
    for at in 0..6 {
        for how in [Put::Hangs, Put::HangsAfter] {
            let world = World::new(&[]);
            let script = move |_: &str, number| if number == at { how } else { Put::Works };
            let store = FlakyStore::new(world.store.clone(), script);
            let world = world.with_store(store.clone());
            let id = world.finished(world.session(1), Format::Hls, 1);
            let working = world.finalizer();
            while store.puts().len() <= at {
                tokio::task::yield_now().await;
            }
            working.kill().await;
            drop(store);
            assert_eq!(world.state(id), "uploading");
            assert!(world.events_of("recording.ready").is_empty());
            let world = world.restart();
            recover(&world.catalog, &world.spool, &system_clock()).await.unwrap();
            let working = world.finalizer();
            assert_eq!(working.handle.drain(LONG).await, 0);
            world.assert_ready_once(id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn files_are_removed_only_when_the_row_says_so_and_a_disk_that_fails_then_is_tried_again() {
    let world = World::new(&[]);
    let disk = Arc::new(crate::watched_disk::WatchedDisk::default());
    let world = world.with_disk(disk.clone());
    let id = world.finished(world.session(1), Format::Hls, 1);
    disk.failures.store(4, Ordering::SeqCst);
    let catalog = world.catalog.clone();
    disk.before_unlink(move |path| {
        let row = catalog.recording_row(&id).unwrap().unwrap();
        assert!(row.state.name() == "ready" && row.spool_evicted, "{} goes too early", path.display());
    });
    let working = world.finalizer();
    while working.handle.pending() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.assert_ready_once(id);
    assert_eq!(disk.failures.load(Ordering::SeqCst), 0);
    assert_eq!(retries(&working.counters.snapshot(), Trouble::Spool), 4);
    assert!(disk.unlinks.load(Ordering::SeqCst) >= 6 + 4);
    disk.before_unlink(|_| {});
}
