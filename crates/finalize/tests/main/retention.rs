//! Recordings that are deleted: what goes, in which order, and what never does.

use std::fs;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Catalog, Change, DeletionReason, Facts, Inspection, StoreRole, Use};
use livetape_finalize::{
    Fallback, Finding, InspectOptions, Place, Policy, Retention, Room, Tools, What, inspect, recover,
};
use livetape_media::{Format, WallTime};
use livetape_record::RecordingId;
use livetape_store::ObjectKey;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::deleting_store::{Delete, DeletingStore};
use crate::world::{World, files_of, start};

const LONG: Duration = Duration::from_secs(3600);

/// Retention at work until this is dropped.
pub(crate) struct Working {
    pub(crate) handle: Retention,
    task: tokio::task::JoinHandle<()>,
    _stop: DropGuard,
}

impl Working {
    pub(crate) fn new(tools: Tools, policy: Policy) -> Self {
        let stop = CancellationToken::new();
        let (handle, run) = Retention::new(tools, policy, stop.clone());
        Self { handle, task: tokio::spawn(run), _stop: stop.drop_guard() }
    }

    pub(crate) async fn kill(self) {
        let Self { handle, task, _stop } = self;
        drop(_stop);
        task.await.unwrap();
        drop(handle);
    }
}

pub(crate) fn keep(seconds: u64) -> Policy {
    Policy { keep: Some(Duration::from_secs(seconds)), ..Policy::default() }
}

pub(crate) fn quota(max_bytes: u64) -> Policy {
    Policy { max_bytes: Some(max_bytes), ..Policy::default() }
}

pub(crate) async fn minutes(count: u64) {
    tokio::time::sleep(Duration::from_secs(60 * count + 1)).await;
}

/// One recording of each format, in the store.
async fn ready_of_each(world: &World) -> Vec<RecordingId> {
    let working = world.finalizer();
    let session = world.session(1);
    let ids: Vec<_> = Format::ALL.into_iter().map(|format| world.finished(session, format, 1)).collect();
    ids.iter().for_each(|id| working.handle.recording_finished(*id));
    assert_eq!(working.handle.drain(LONG).await, 0);
    working.kill().await;
    ids
}

/// The row of a recording of so many bytes that is in the store, and ended so long after the start. Its
/// object is there and has one byte.
pub(crate) fn stored(world: &World, id: RecordingId, ended_ms: i64, size_bytes: u64) {
    world.open_row(id);
    let facts = Facts { size_bytes, duration: Duration::from_millis(2000), ..Facts::default() };
    let (ended_at, reason) = (start().plus_millis(ended_ms), "unpublish".to_owned());
    world.apply(Change::RecordingFinished { id, ended_at, reason, facts, recovered: false, lost: Duration::ZERO });
    world.apply(Change::RecordingReady { id, at: ended_at, size_bytes, store: StoreRole::Primary });
    world.apply(Change::SpoolEvicted { id });
    let path = world.path("media").join(world.row(id).key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

pub(crate) fn exists(world: &World, id: RecordingId) -> bool {
    world.catalog.recording_row(&id).unwrap().is_some()
}

fn deleted_event(id: RecordingId) -> String {
    id.to_string().replace("rec_", "evt_") + "_deleted"
}

/// Everything that is promised of a recording that is gone.
pub(crate) fn assert_gone_once(world: &World, id: RecordingId) {
    assert!(!exists(world, id), "{id}");
    let events = world.events_of("recording.deleted");
    assert_eq!(events.iter().filter(|event| **event == deleted_event(id)).count(), 1, "{id}: {events:?}");
}

pub(crate) async fn findings(world: &World) -> Vec<Finding> {
    let place = Place {
        catalog: Inspection::open(&world.path("livetape.db"), Use::Nobody).unwrap(),
        spool: world.spool.clone(),
        store: world.store.clone(),
        fallback: None,
    };
    let found = Arc::new(Mutex::new(Vec::new()));
    let options = InspectOptions { used_by: Use::Nobody, deep: false, moment: Duration::ZERO };
    let keeping = found.clone();
    inspect(place, options, move |finding| keeping.lock().unwrap().push(finding)).await.unwrap();
    let mut found = found.lock().unwrap().clone();
    // What these recordings hold is no media.
    found.retain(|finding| finding.what != What::ObjectDamaged && finding.what != What::SessionCutOff);
    found
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_long_enough_goes_with_its_objects_and_its_event() {
    let world = World::new(&["hook"]);
    let ids = ready_of_each(&world).await;
    let working = Working::new(world.tools(), keep(100));
    minutes(2).await;
    assert!(ids.iter().all(|id| exists(&world, *id)), "they ended after two seconds, and a minute is not sure yet");
    minutes(1).await;
    ids.iter().for_each(|id| assert_gone_once(&world, *id));
    assert_eq!(fs::read_dir(world.path("media")).unwrap().count(), 0, "no directory is left");
    assert_eq!(findings(&world).await, []);
    let event = world.catalog.event(&deleted_event(ids[0])).unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!(body["data"]["deletion_reason"], "retention");
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_playlist_the_playlists_go_first_and_nothing_that_is_not_its_own() {
    let world = World::new(&[]);
    let ids = ready_of_each(&world).await;
    let hls = ids.into_iter().find(|id| id.format == Format::Hls).unwrap();
    let key: ObjectKey = world.row(hls).key.parse().unwrap();
    let media = world.path("media");
    let beside = |name: &str| media.join(key.sibling(name).unwrap().as_str());
    fs::write(beside("notes.txt"), "mine").unwrap();
    fs::create_dir(beside("deeper")).unwrap();
    fs::write(beside("deeper").join("segment-000000.m4s"), "not of this playlist").unwrap();
    // A recording of its own with the name of a segment.
    let alien = RecordingId { session: world.session(2), format: Format::Mp4, sequence: 1 };
    stored(&world, alien, 2000, 1);
    let alien_key = key.sibling("init-7.mp4").unwrap();
    fs::rename(media.join(world.row(alien).key), media.join(alien_key.as_str())).unwrap();
    rusqlite::Connection::open(world.path("livetape.db"))
        .unwrap()
        .execute("UPDATE recordings SET key = ?1 WHERE id = ?2", [alien_key.as_str(), &alien.to_string()])
        .unwrap();

    let store = DeletingStore::new(world.store.clone(), |_| Delete::Works);
    let world = world.with_store(store.clone());
    world.apply(Change::DeletionStarted { id: hls, reason: DeletionReason::Request });
    let working = Working::new(world.tools(), Policy::default());
    minutes(0).await;
    assert_gone_once(&world, hls);
    // What may be beside it went first.
    let beside_it = ["index.m3u8.json", "recording-started.json", "recording-ended.json", "recording-failed.json"];
    assert_eq!(store.deletes()[..4], beside_it);
    assert_eq!(
        store.deletes()[4..],
        ["index.m3u8", "vod.m3u8", "media.m3u8", "init-0.mp4", "segment-000000.m4s", "segment-000001.m4s"]
    );
    assert!(beside("notes.txt").exists() && beside("deeper").join("segment-000000.m4s").exists());
    assert!(beside("init-7.mp4").exists() && exists(&world, alien));
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_calendar_that_jumps_for_less_than_a_minute_deletes_nothing_and_one_that_stays_a_batch_a_round() {
    let world = World::new(&[]);
    let session = world.session(1);
    let ids: Vec<_> = (1..=250).map(|sequence| RecordingId { session, format: Format::Mp4, sequence }).collect();
    ids.iter().for_each(|id| stored(&world, *id, i64::from(id.sequence), 1));
    let ahead = Arc::new(AtomicI64::new(0));
    let set = ahead.clone();
    let mut tools = world.tools();
    let right = tools.wall.clone();
    tools.wall = Arc::new(move || -> WallTime { right().plus_millis(ahead.load(Ordering::SeqCst)) });
    let working = Working::new(tools, keep(3600));
    let left = || ids.iter().filter(|id| exists(&world, **id)).count();
    minutes(1).await;
    set.store(10 * 365 * 86_400_000, Ordering::SeqCst);
    minutes(0).await;
    tokio::time::sleep(Duration::from_secs(58)).await;
    set.store(0, Ordering::SeqCst);
    minutes(3).await;
    assert_eq!(left(), 250);
    set.store(10 * 365 * 86_400_000, Ordering::SeqCst);
    for expected in [250, 150, 50, 0] {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(left(), expected);
    }
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn above_the_quota_the_oldest_go_until_it_is_kept() {
    let world = World::new(&[]);
    let session = world.session(1);
    let ids: Vec<_> = (1..=5).map(|sequence| RecordingId { session, format: Format::Flv, sequence }).collect();
    // The last one ended first.
    ids.iter().zip([50, 40, 30, 20, 10]).for_each(|(id, ended)| stored(&world, *id, ended, 100));
    let working = Working::new(world.tools(), quota(250));
    minutes(0).await;
    let left: Vec<u32> = ids.iter().filter(|id| exists(&world, **id)).map(|id| id.sequence).collect();
    assert_eq!(left, [1, 2]);
    assert_eq!(world.catalog.stored_bytes().unwrap().all, 200);
    minutes(5).await;
    assert_eq!(world.catalog.stored_bytes().unwrap().all, 200, "enough is enough");
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn on_a_disk_that_is_low_the_oldest_of_the_first_store_go_until_there_is_room() {
    let world = World::new(&[]);
    let session = world.session(1);
    let id = |sequence| RecordingId { session, format: Format::Mp4, sequence };
    (1..=5).for_each(|sequence| stored(&world, id(sequence), i64::from(sequence), 100));
    // What the store to fall back to has makes no room here.
    rusqlite::Connection::open(world.path("livetape.db"))
        .unwrap()
        .execute("UPDATE recordings SET store = 'fallback' WHERE id = ?1", [id(1).to_string()])
        .unwrap();
    let catalog: Catalog = world.catalog.clone();
    // A disk of 1000 bytes of which others have 550.
    let free = Arc::new(move || {
        let gone = 5 - catalog.recordings(&livetape_catalog::RecordingFilter::default()).unwrap().items.len() as u64;
        Ok(50 + 100 * gone)
    });
    let policy = Policy { room: Some(Room { free, min_free_bytes: 220 }), ..Policy::default() };
    let working = Working::new(world.tools(), policy);
    minutes(5).await;
    let left: Vec<u32> = (1..=5).filter(|sequence| exists(&world, id(*sequence))).collect();
    assert_eq!(left, [1, 4, 5]);
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_in_use_is_deleted_whatever_is_asked_for() {
    let world = World::new(&[]);
    let session = world.session(1);
    let growing = world.recording(session, Format::Mp4, 1);
    let finished = world.finished(session, Format::Mp4, 2);
    let spooled = world.finished(session, Format::Mp4, 3);
    world.apply(Change::RecordingReady { id: spooled, at: start(), size_bytes: 11, store: StoreRole::Primary });
    let policy = Policy { max_bytes: Some(1), ..keep(1) };
    let working = Working::new(world.tools(), policy);
    minutes(5).await;
    assert_eq!([growing, finished, spooled].map(|id| world.state(id)), ["recording", "finished", "ready"]);
    // On request, once it is out of the spool.
    world.apply(Change::DeletionStarted { id: spooled, reason: DeletionReason::Request });
    working.handle.wake();
    minutes(2).await;
    assert!(world.spooled(spooled).exists() && exists(&world, spooled));
    world.apply(Change::SpoolEvicted { id: spooled });
    minutes(1).await;
    assert!(exists(&world, spooled), "its files are still there");
    world.spool.remove(&spooled.to_string()).unwrap();
    minutes(1).await;
    assert_gone_once(&world, spooled);
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_somebody_asks_for_is_made_at_once() {
    let world = World::new(&[]);
    let ids = ready_of_each(&world).await;
    let working = Working::new(world.tools(), Policy::default());
    minutes(0).await;
    world.apply(Change::DeletionStarted { id: ids[0], reason: DeletionReason::Request });
    working.handle.wake();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_gone_once(&world, ids[0]);
    assert!(exists(&world, ids[1]) && exists(&world, ids[2]));
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_tried_again_and_holds_up_no_other_recording() {
    for trouble in [Delete::Fails, Delete::Hangs, Delete::Panics] {
        let world = World::new(&[]);
        let down = Arc::new(AtomicUsize::new(1));
        let (is_down, session) = (down.clone(), world.session(1));
        let script = move |key: &str| match is_down.load(Ordering::SeqCst) == 1 && key.ends_with("room1-3.mp4") {
            true => trouble,
            false => Delete::Works,
        };
        let store = DeletingStore::new(world.store.clone(), script);
        let world = world.with_store(store);
        let ids: Vec<_> = (1..=6).map(|sequence| RecordingId { session, format: Format::Mp4, sequence }).collect();
        ids.iter().for_each(|id| stored(&world, *id, 2000, 100));
        let working = Working::new(world.tools(), quota(50));
        minutes(5).await;
        assert_eq!(ids.iter().filter(|id| exists(&world, **id)).collect::<Vec<_>>(), [&ids[2]], "{trouble:?}");
        let view = world.catalog.recording(&ids[2]).unwrap().unwrap();
        assert_eq!((view.url, view.deletion_reason), (None, Some(DeletionReason::Quota)));
        let found = findings(&world).await;
        assert!(found.len() == 1 && found[0].what == What::Deleting && found[0].is_note(), "{found:?}");
        down.store(0, Ordering::SeqCst);
        minutes(3).await;
        ids.iter().for_each(|id| assert_gone_once(&world, *id));
        working.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_deletion_is_not_asked_for_ever_more() {
    let world = World::new(&[]);
    let session = world.session(1);
    let store = DeletingStore::new(world.store.clone(), |_| Delete::Fails);
    let world = world.with_store(store.clone());
    let ids: Vec<_> = (1..=150).map(|sequence| RecordingId { session, format: Format::Mp4, sequence }).collect();
    ids.iter().for_each(|id| stored(&world, *id, 2000, 100));
    let working = Working::new(world.tools(), quota(0));
    minutes(30).await;
    assert_eq!(world.catalog.being_deleted("", 1000).unwrap().len(), 100);
    assert!(store.deletes().len() < 31 * 12, "{}", store.deletes().len());
    let mut tried = store.deletes();
    tried.sort();
    tried.dedup();
    assert!(tried.len() > 50, "each comes to its turn: {}", tried.len());
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_store_has_that_is_not_configured_any_more_is_left_alone() {
    let world = World::new(&[]);
    let id = RecordingId { session: world.session(1), format: Format::Mp4, sequence: 1 };
    stored(&world, id, 2000, 100);
    rusqlite::Connection::open(world.path("livetape.db"))
        .unwrap()
        .execute("UPDATE recordings SET store = 'fallback' WHERE id = ?1", [id.to_string()])
        .unwrap();
    let working = Working::new(world.tools(), quota(0));
    minutes(3).await;
    assert!(exists(&world, id) && world.object(&world.row(id).key).is_some());
    working.kill().await;
    let fallback = Fallback { store: world.store.clone(), after: LONG };
    let working = Working::new(Tools { fallback: Some(fallback), ..world.tools() }, quota(0));
    minutes(0).await;
    assert_gone_once(&world, id);
    working.kill().await;
}

/// The effects of a deletion, deletes of objects and commits alike, of which so many happen and no more.
async fn deleted_up_to(world: World, effects: usize) -> (World, usize) {
    let left = Arc::new(AtomicUsize::new(effects));
    let take =
        |left: &AtomicUsize| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let of_commits = left.clone();
    let of_deletes = left.clone();
    let script = move |_: &str| if take(&of_deletes) { Delete::Works } else { Delete::Hangs };
    let store = DeletingStore::new(world.store.clone(), script);
    let inner = world.store.clone();
    let world = world.with_store(store).with_gate(Arc::new(move || take(&of_commits)));
    let working = Working::new(world.tools(), quota(0));
    tokio::time::sleep(Duration::from_secs(30)).await;
    working.kill().await;
    (world.with_store(inner), left.load(Ordering::SeqCst))
}

/// Everything that holds after a crash in the middle of deletions.
async fn assert_sound(world: &World, ids: &[RecordingId], case: usize) {
    let deleted = world.events_of("recording.deleted");
    for id in ids {
        assert_eq!(deleted.contains(&deleted_event(*id)), !exists(world, *id), "{case}: {id}");
    }
    let hls = ids.iter().find(|id| id.format == Format::Hls).unwrap();
    let directory = world.path("media/live/room1/room1-1");
    for (name, text) in files_of(*hls).into_iter().filter(|(name, _)| directory.join(name).exists()) {
        for listed in livetape_mux::hls::listed(if name.ends_with(".m3u8") { text } else { "" }) {
            assert!(directory.join(listed).exists(), "{case}: {name} lists {listed}");
        }
    }
    let wrong: Vec<_> = findings(world).await.into_iter().filter(|finding| !finding.is_note()).collect();
    assert_eq!(wrong, [], "{case}");
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_any_two_steps_leaves_what_the_next_start_completes() {
    let mut effects = 0;
    loop {
        let world = World::new(&["hook"]);
        let ids = ready_of_each(&world).await;
        let (world, left) = deleted_up_to(world, effects).await;
        let world = world.restart();
        assert_sound(&world, &ids, effects).await;
        // The next one is cut off as well, in another place.
        let (world, _) = deleted_up_to(world, effects % 5).await;
        let world = world.restart();
        assert_sound(&world, &ids, effects).await;
        recover(&world.catalog, &world.spool, &world.tools().wall).await.unwrap();
        let working = Working::new(world.tools(), quota(0));
        minutes(2).await;
        working.kill().await;
        ids.iter().for_each(|id| assert_gone_once(&world, *id));
        assert_eq!(world.events_of("recording.ready").len(), 3);
        assert_eq!(findings(&world).await, []);
        assert_eq!(fs::read_dir(world.path("media")).unwrap().count(), 0);
        if left > 0 {
            break;
        }
        effects += 1;
    }
    // Three rows begun, eight objects, three rows gone.
    assert!(effects >= 14, "{effects}");
}
