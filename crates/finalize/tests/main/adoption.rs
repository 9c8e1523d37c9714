//! A catalog that lost rows gets them back from what is in the spool.

use std::fs;
use std::time::Duration;

use livetape_catalog::{Change, NewRecording};
use livetape_finalize::{Adopted, Label, adopt, recover, system_clock};
use livetape_media::{Format, MediaTime};
use livetape_record::{Keep, RecordingId, SessionId};

use crate::inspection::{finished, forge, look};
use crate::torn::{Tape, tape};
use crate::world::{World, start};

const LONG: Duration = Duration::from_secs(3600);

/// A recording of session `number` with its label, which grows.
fn growing(world: &World, session: SessionId, format: Format) -> RecordingId {
    let row = world.catalog.session(&session).unwrap().unwrap();
    let id = RecordingId { session, format, sequence: 1 };
    let opened = NewRecording {
        task: None,
        keep: Keep::For(Duration::from_secs(7)),
        id,
        app: row.app.clone(),
        stream: row.stream.clone(),
        key: match format {
            Format::Hls => format!("{}/{}/first/index.m3u8", row.app, row.stream),
            other => format!("{}/{}/first.{other}", row.app, row.stream),
        },
        started_at: start(),
        start: MediaTime::from_millis(120),
        start_reason: "publish".into(),
        video: None,
        audio: None,
    };
    let label = Label::new(&row, &opened, None).to_bytes();
    world.apply(Change::RecordingOpened(opened));
    let mut writer = world.spool.create_recording(&id.to_string(), &label).unwrap();
    writer.perform(&tape(format).growing).unwrap();
    id
}

/// The catalog is lost, and another one is begun.
fn lose_catalog(world: World) -> World {
    let paths = ["livetape.db", "livetape.db-wal", "livetape.db-shm"].map(|name| world.path(name));
    world.restart_after(|| {
        for path in paths {
            let _ = fs::remove_file(path);
        }
    })
}

/// The next start, to its end.
async fn start_again(world: World) -> World {
    let world = world.restart();
    let recovered = recover(&world.catalog, &world.spool, &system_clock()).await.unwrap();
    assert_eq!((recovered.left.len(), recovered.failed.len()), (0, 0), "{recovered:?}");
    assert_eq!(world.finalizer().handle.drain(LONG).await, 0);
    world
}

fn ready_event(id: RecordingId) -> String {
    id.to_string().replace("rec_", "evt_") + "_ready"
}

#[tokio::test]
async fn recordings_whose_catalog_is_lost_come_back_as_what_they_were() {
    let world = World::new(&["hook"]);
    let session = world.session(1);
    let ids = Format::ALL.map(|format| growing(&world, session, format));
    let before = ids.map(|id| world.row(id));
    let world = lose_catalog(world);
    let adopted = adopt(&world.catalog, &world.spool).unwrap();
    let mut expected = ids.to_vec();
    expected.sort_by_key(RecordingId::to_string);
    assert_eq!(adopted, Adopted { labelled: expected, ..Adopted::default() });
    for row in before {
        let now = world.row(row.id);
        assert_eq!(livetape_catalog::RecordingRow { node: row.node.clone(), ..now }, row);
    }
    assert_eq!(adopt(&world.catalog, &world.spool).unwrap(), Adopted::default(), "once is enough");

    let world = start_again(world).await;
    for id in ids {
        assert_eq!(world.state(id), "ready");
        let pictures = world.row(id).video.unwrap().frames;
        assert!(pictures > 80, "{id}: {pictures} pictures of 100");
        assert_eq!(world.events_of("recording.ready").iter().filter(|event| **event == ready_event(id)).count(), 1);
    }
    assert_eq!(look(&world).await, []);
}

#[tokio::test]
async fn a_row_that_is_lost_while_its_events_are_not_is_announced_once_under_the_same_ids() {
    for format in Format::ALL {
        let world = World::new(&["hook"]);
        let id = growing(&world, world.session(1), format);
        let other = finished(&world, 2, format);
        let before: Vec<_> = world.events().into_iter().map(|event| event.id).collect();
        forge(&world, &format!("DELETE FROM recordings WHERE id IN ('{id}', '{other}')"));
        forge(&world, "DELETE FROM sessions");
        let adopted = adopt(&world.catalog, &world.spool).unwrap();
        assert_eq!((adopted.labelled, adopted.unlabelled), (vec![id], vec![other]), "{format}");
        let world = start_again(world).await;
        let events: Vec<_> = world.events().into_iter().map(|event| event.id).collect();
        let mut sorted = events.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), events.len());
        assert!(before.iter().all(|event| events.contains(event)));
        assert!([id, other].iter().all(|id| world.state(*id) == "ready" && events.contains(&ready_event(*id))));
        assert_eq!(look(&world).await, [], "{format}");
    }
}

#[tokio::test]
async fn a_recording_without_a_label_is_recovered_under_its_sessions_stream_where_that_is_known() {
    let world = World::new(&[]);
    let known = world.session(1);
    let labelled = growing(&world, known, Format::Mp4);
    let torn = growing(&world, known, Format::Hls);
    fs::write(world.spooled(torn).join(".label.json"), "{\"version\":1,\"id").unwrap();
    let unknown = growing(&world, world.session(2), Format::Flv);
    fs::remove_file(world.spooled(unknown).join(".label.json")).unwrap();
    let world = lose_catalog(world);
    let adopted = adopt(&world.catalog, &world.spool).unwrap();
    assert_eq!((adopted.labelled, adopted.unlabelled), (vec![labelled], vec![torn, unknown]));

    let world = start_again(world).await;
    let found = |id| {
        let row = world.row(id);
        assert_eq!(row.state.name(), "ready");
        (row.app, row.stream, row.key)
    };
    let key = |id: RecordingId, ending: &str| format!("recovered/{}/{id}{ending}", id.session);
    assert_eq!(found(torn), ("live".into(), "room1".into(), key(torn, "/index.m3u8")));
    assert_eq!(found(unknown), ("recovered".into(), unknown.session.to_string(), key(unknown, ".flv")));
    assert_eq!(look(&world).await, []);
}

#[tokio::test]
async fn a_label_whose_key_is_another_recordings_does_not_keep_the_media_from_being_recovered() {
    let world = World::new(&[]);
    let id = growing(&world, world.session(1), Format::Mp4);
    let row = world.row(id);
    forge(&world, &format!("DELETE FROM recordings WHERE id = '{id}'"));
    let other = RecordingId { sequence: 2, ..id };
    world.apply(Change::RecordingOpened(NewRecording {
        task: None,
        keep: livetape_record::Keep::default(),
        id: other,
        app: row.app,
        stream: row.stream,
        key: row.key,
        started_at: start(),
        start: MediaTime::ZERO,
        start_reason: "publish".into(),
        video: None,
        audio: None,
    }));
    assert_eq!(adopt(&world.catalog, &world.spool).unwrap().unlabelled, [id]);
    let world = start_again(world).await;
    assert_eq!((world.state(id), world.state(other)), ("ready", "discarded"));
    assert_eq!(world.row(id).key, format!("recovered/{}/{id}.mp4", id.session));
}

#[tokio::test]
async fn a_recording_that_was_ready_and_not_evicted_becomes_ready_again_with_the_object_it_has() {
    for format in Format::ALL {
        let world = World::new(&["hook"]);
        let id = growing(&world, world.session(1), format);
        let Tape { ending, .. } = tape(format);
        world.spool.writer(&id.to_string()).unwrap().perform(&ending).unwrap();
        // Its files, as they are before they are evicted.
        let (spooled, kept) = (world.spooled(id), world.path("kept"));
        assert!(std::process::Command::new("cp").arg("-a").args([&spooled, &kept]).status().unwrap().success());
        let world = start_again(world).await;
        assert_eq!(world.state(id), "ready");
        fs::rename(&kept, &spooled).unwrap();
        forge(&world, &format!("DELETE FROM recordings WHERE id = '{id}'"));
        let before = world.events().len();
        assert_eq!(adopt(&world.catalog, &world.spool).unwrap().labelled, [id]);
        let world = start_again(world).await;
        assert_eq!((world.state(id), world.events().len()), ("ready", before), "{format}");
        assert_eq!(look(&world).await, [], "{format}");
    }
}
