//! How long recordings are kept whose template says so.

use std::time::Duration;

use livetape_catalog::{Change, Facts, NewRecording, StoreRole};
use livetape_finalize::{FinalizerOptions, Policy, recover};
use livetape_media::{Format, MediaTime};
use livetape_record::{Keep, RecordingId};

use crate::retention::{Working, assert_gone_once, exists, keep, minutes, quota};
use crate::torn::tape;
use crate::world::{self, World, start};

const LONG: Duration = Duration::from_secs(3600);

fn open(world: &World, number: u32, keep: Keep) -> RecordingId {
    let id = RecordingId { session: world.session(number), format: Format::Mp4, sequence: 1 };
    world.apply(Change::RecordingOpened(NewRecording {
        task: None,
        keep,
        id,
        app: "live".into(),
        stream: format!("room{number}"),
        key: format!("live/room{number}/1.mp4"),
        started_at: start(),
        start: MediaTime::ZERO,
        start_reason: "publish".into(),
        video: None,
        audio: None,
    }));
    id
}

/// A recording of 100 bytes, as its row says, that was in the store two seconds after the start.
fn stored(world: &World, number: u32, keep: Keep) -> RecordingId {
    let id = open(world, number, keep);
    let facts = Facts { size_bytes: 100, duration: Duration::from_secs(2), ..Facts::default() };
    let (at, reason) = (start().plus_millis(2_000), "unpublish".to_owned());
    world.apply(Change::RecordingFinished { id, ended_at: at, reason, facts, recovered: false, lost: Duration::ZERO });
    world.apply(Change::RecordingReady { id, at, size_bytes: 100, store: StoreRole::Primary });
    world.apply(Change::SpoolEvicted { id });
    let path = world.path("media").join(world.row(id).key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "x").unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn each_is_kept_as_long_as_its_template_said_and_the_others_as_long_as_all() {
    let world = World::new(&[]);
    let minute = |count: u64| Keep::For(Duration::from_secs(60 * count));
    let [brief, longer, ever, other, held] = [minute(1), minute(10), Keep::Ever, Keep::AsOthers, minute(1)];
    let mut number = 0;
    let ids = [brief, longer, ever, other, held].map(|keep| {
        number += 1;
        stored(&world, number, keep)
    });
    let [brief, longer, ever, other, held] = ids;
    world.apply(Change::RecordingHeld { id: held, at: start(), by: "court".into(), reason: "case 7".into() });
    let there = |world: &World| ids.map(|id| exists(world, id));
    let working = Working::new(world.tools(), keep(5 * 60));
    minutes(2).await;
    assert_eq!(there(&world), [true; 5], "its time was not over a minute ago");
    minutes(1).await;
    assert_gone_once(&world, brief);
    assert_eq!(there(&world), [false, true, true, true, true]);
    minutes(4).await;
    assert_gone_once(&world, other);
    assert_eq!(there(&world), [false, true, true, false, true]);
    // That nothing is configured any more is nothing to those whose template said it.
    working.handle.set_policy(Policy::default());
    minutes(6).await;
    assert_gone_once(&world, longer);
    assert_eq!(there(&world), [false, false, true, false, true]);
    world.apply(Change::RecordingReleased { id: held, at: start() });
    minutes(1).await;
    assert_gone_once(&world, held);
    minutes(600).await;
    assert!(exists(&world, ever));
    working.handle.set_policy(quota(1));
    minutes(1).await;
    assert_gone_once(&world, ever);
    working.kill().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_cut_off_is_kept_from_when_it_is_ready_however_long_the_machine_was_away() {
    let world = World::new(&["hook"]);
    let id = open(&world, 1, Keep::For(Duration::from_secs(600)));
    let mut writer = world.spool.create_recording(&id.to_string(), b"").unwrap();
    writer.perform(&tape(Format::Mp4).growing).unwrap();
    drop(writer);
    // It ended an hour ago, and would be over long since.
    let world = world.restart();
    let mut tools = world.tools();
    let right = tools.wall.clone();
    tools.wall = std::sync::Arc::new(move || right().plus_millis(3_600_000));
    recover(&world.catalog, &world.spool, &tools.wall).await.unwrap();
    let finalizer = world::Working::new(tools.clone(), FinalizerOptions::default());
    assert_eq!(finalizer.handle.drain(LONG).await, 0);
    finalizer.kill().await;
    let row = world.row(id);
    assert_eq!((row.recovered, row.keep), (true, Keep::For(Duration::from_secs(600))));
    assert!(row.ended_at.unwrap() < start().plus_millis(10_000));
    let over = start().plus_millis(3_600_000 + 600_000);
    assert!(row.expires_at().unwrap() >= over);

    let working = Working::new(tools.clone(), keep(1));
    minutes(10).await;
    assert!(exists(&world, id));
    working.kill().await;
    // A kill and a start make it no older.
    let working = Working::new(tools, keep(1));
    minutes(0).await;
    assert!(exists(&world, id));
    minutes(3).await;
    assert_gone_once(&world, id);
    working.kill().await;
}
