//! What is held, what somebody asks to delete by filter, and events whose time is over.

use std::fs;
use std::time::Duration;

use livetape_catalog::{Change, DeletionRow, NewDeletion, RecordingFilter};
use livetape_finalize::{Finding, Policy, What};
use livetape_media::Format;
use livetape_record::RecordingId;

use crate::deleting_store::{Delete, DeletingStore};
use crate::retention::{Working, assert_gone_once, exists, findings, keep, minutes, quota, stored};
use crate::world::{World, start};

/// So many recordings of one session, in the store; the first ended first.
fn stored_many(world: &World, count: u32) -> Vec<RecordingId> {
    let session = world.session(1);
    let ids: Vec<_> = (1..=count).map(|sequence| RecordingId { session, format: Format::Mp4, sequence }).collect();
    ids.iter().for_each(|id| stored(world, *id, i64::from(id.sequence), 100));
    ids
}

/// What is wrong, but that the objects here have one byte.
async fn findings_but_size(world: &World) -> Vec<Finding> {
    let mut found = findings(world).await;
    found.retain(|finding| finding.what != What::ObjectSize);
    found
}

fn hold(id: RecordingId) -> Change {
    Change::RecordingHeld { id, at: start(), by: "court".to_owned(), reason: "case 7".to_owned() }
}

/// Asks for the deletion of all recordings there are.
fn ask(world: &World) -> DeletionRow {
    let as_of = start().plus_millis(3_600_000);
    let filter = RecordingFilter { prefix: Some(String::new()), ..RecordingFilter::default() };
    let plan = world.catalog.deletion_plan(&filter, as_of).unwrap();
    world.apply(Change::DeletionAsked(NewDeletion {
        token: "token".to_owned(),
        filter,
        as_of,
        asked_at: as_of,
        asked_by: "ci".to_owned(),
        recordings: plan.deletable.recordings,
        size_bytes: plan.deletable.size_bytes,
    }));
    deletion(world)
}

fn deletion(world: &World) -> DeletionRow {
    world.catalog.deletion_of("token").unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn neither_age_nor_quota_deletes_what_is_held_and_both_do_once_it_is_released() {
    for policy in [keep(1), quota(1)] {
        let world = World::new(&[]);
        let ids = stored_many(&world, 3);
        world.apply(hold(ids[0]));
        let working = Working::new(world.tools(), policy);
        minutes(5).await;
        assert_eq!(ids.iter().map(|id| exists(&world, *id)).collect::<Vec<_>>(), [true, false, false]);
        assert!(world.object(&world.row(ids[0]).key).is_some());
        world.apply(Change::RecordingReleased { id: ids[0], at: start() });
        minutes(2).await;
        assert_gone_once(&world, ids[0]);
        working.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_comes_on_top_of_the_quota_and_costs_no_other_recording() {
    let world = World::new(&[]);
    let ids = stored_many(&world, 6);
    ids[..3].iter().for_each(|id| world.apply(hold(*id)));
    // Those that are held alone have more.
    let working = Working::new(world.tools(), quota(250));
    minutes(5).await;
    let there = |world: &World| ids.iter().map(|id| exists(world, *id)).collect::<Vec<_>>();
    assert_eq!(there(&world), [true, true, true, false, true, true], "two of the others are within it");
    world.apply(Change::RecordingReleased { id: ids[0], at: start() });
    minutes(2).await;
    assert_eq!(there(&world), [false, true, true, false, true, true], "it counts again, and ended first");
    working.handle.set_policy(quota(100));
    minutes(2).await;
    assert_eq!(there(&world), [false, true, true, false, false, true]);
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_by_filter_goes_without_waiting_for_the_next_minute() {
    let world = World::new(&[]);
    let ids = stored_many(&world, 250);
    world.apply(hold(ids[7]));
    assert_eq!(ask(&world).recordings, 249);
    let working = Working::new(world.tools(), Policy::default());
    working.handle.wake();
    tokio::time::sleep(Duration::from_secs(30)).await;
    ids.iter().filter(|id| **id != ids[7]).for_each(|id| assert_gone_once(&world, *id));
    assert!(exists(&world, ids[7]));
    let row = deletion(&world);
    assert_eq!((row.begun, row.deleted, row.ended_at.is_some()), (249, 249, true));
    world.apply(Change::RecordingReleased { id: ids[7], at: start().plus_millis(7_200_000) });
    minutes(3).await;
    assert!(exists(&world, ids[7]), "it was not part of what was shown");
    assert_eq!(findings_but_size(&world).await, []);
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_with_what_was_asked_for() {
    let world = World::new(&[]);
    let ids = stored_many(&world, 220);
    ask(&world);
    // The store dies in the second hundred. What may be beside a recording is removed with it.
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let dying = DeletingStore::new(world.store.clone(), move |key| {
        if key.ends_with(".json") {
            return Delete::Works;
        }
        match seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 130 {
            true => Delete::Works,
            false => Delete::Hangs,
        }
    });
    let mut tools = world.tools();
    tools.store = dying;
    let working = Working::new(tools, Policy::default());
    tokio::time::sleep(Duration::from_secs(30)).await;
    working.kill().await;
    let row = deletion(&world);
    assert!(row.deleted >= 100 && row.deleted < 220 && row.ended_at.is_none(), "{row:?}");
    let world = world.restart();
    let working = Working::new(world.tools(), Policy::default());
    minutes(2).await;
    ids.iter().for_each(|id| assert_gone_once(&world, *id));
    let row = deletion(&world);
    assert_eq!((row.begun, row.deleted, row.ended_at.is_some()), (220, 220, true));
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_while_the_store_has_none_of_it() {
    let world = World::new(&[]);
    let ids = stored_many(&world, 3);
    fs::rename(world.path("media"), world.path("elsewhere")).unwrap();
    ask(&world);
    let working = Working::new(world.tools(), Policy::default());
    minutes(3).await;
    assert!(ids.iter().all(|id| exists(&world, *id) && world.row(*id).deleting.is_none()));
    let _ = fs::remove_dir_all(world.path("media"));
    fs::rename(world.path("elsewhere"), world.path("media")).unwrap();
    minutes(2).await;
    ids.iter().for_each(|id| assert_gone_once(&world, *id));
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn events_go_when_their_time_is_over_and_what_they_told_of_stays() {
    let world = World::new(&[]);
    let ids = stored_many(&world, 300);
    let before = world.events().len();
    assert!(before > 600);
    let policy = Policy { keep_events: Some(Duration::from_secs(150)), ..Policy::default() };
    let working = Working::new(world.tools(), policy);
    minutes(2).await;
    assert_eq!(world.events().len(), before, "they are not old enough");
    minutes(3).await;
    assert_eq!(world.events().len(), 0);
    assert!(ids.iter().all(|id| exists(&world, *id)));
    assert_eq!(findings_but_size(&world).await, [], "what is ready needs no event any more");
    working.kill().await;
}
