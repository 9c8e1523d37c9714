//! Starting again after a crash at any point: every row with every state of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::Change;
use livetape_finalize::{Recovered, WallClock, recover, system_clock};
use livetape_media::{Format, MediaTime};
use livetape_mux::{FileName, Op};
use livetape_record::RecordingId;

use crate::torn::{Tape, tape};
use crate::watched_disk::WatchedDisk;
use crate::world::{World, start};

const LONG: Duration = Duration::from_secs(3600);

/// A calendar long after everything in these tests.
pub(crate) fn later() -> WallClock {
    Arc::new(|| start().plus_millis(3_600_000))
}

pub(crate) async fn recovered(world: &World) -> Recovered {
    recover(&world.catalog, &world.spool, &later()).await.unwrap()
}

/// A recording that has begun, with these operations done.
pub(crate) fn torn(world: &World, format: Format, ops: &[Op]) -> RecordingId {
    let id = world.recording(world.session(1), format, 1);
    world.spool.writer(&id.to_string()).unwrap().perform(ops).unwrap();
    id
}

/// Every file below `path`, by its name from there.
pub(crate) fn tree(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                waiting.push(entry);
            } else {
                let name = entry.strip_prefix(path).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&entry).unwrap());
            }
        }
    }
    found
}

/// Lets the normal path go on to its end, and returns what is then in the store.
pub(crate) async fn settled(world: &World) -> BTreeMap<String, Vec<u8>> {
    let working = world.finalizer();
    assert_eq!(working.handle.drain(LONG).await, 0);
    let spool = world.spool.list().unwrap();
    assert!(spool.recordings.is_empty() && spool.unknown.is_empty(), "{spool:?}");
    tree(&world.path("media"))
}

pub(crate) fn event_ids(world: &World) -> Vec<String> {
    world.events().into_iter().map(|event| event.id).collect()
}

#[tokio::test]
async fn a_recording_cut_off_after_any_operation_is_completed_or_held_nothing() {
    for format in Format::ALL {
        let Tape { growing, .. } = tape(format);
        let mut last = 0;
        for cut in 0..=growing.len() {
            let world = World::new(&["hook"]);
            let id = torn(&world, format, &growing[..cut]);
            let world = world.restart();
            let found = recovered(&world).await;
            assert_eq!((found.sessions, found.left.len(), found.failed.len()), (1, 0, 0), "{format} {cut}");
            assert_eq!(found.completed + found.discarded, 1, "{format} {cut}");
            let row = world.row(id);
            assert_eq!(row.end_reason.as_deref(), Some("crash"));
            let session = world.catalog.session(&id.session).unwrap().unwrap();
            assert_eq!(session.end_reason.as_deref(), Some("crash"));
            let objects = settled(&world).await;
            let events = event_ids(&world);
            if found.completed == 1 {
                let duration = row.duration.unwrap();
                let pictures = row.video.unwrap().frames;
                assert!(row.recovered && pictures >= last, "{format} {cut}: {pictures} pictures after {last}");
                last = pictures;
                assert_eq!(row.ended_at, Some(start().plus_millis(duration.as_millis() as i64)));
                assert_eq!(session.ended_at, row.ended_at);
                let shown = Duration::from_millis(40 * pictures);
                assert!(
                    duration >= shown && duration < shown + Duration::from_millis(100),
                    "{format} {cut}: {duration:?} of {pictures} pictures"
                );
                assert_eq!(world.state(id), "ready");
                let bytes: usize = objects.values().map(Vec::len).sum();
                assert_eq!(world.row(id).size_bytes, Some(bytes as u64));
                assert!(objects.keys().all(|name| !name.ends_with(".part")));
                assert!(objects.contains_key(&row.key));
            } else {
                assert_eq!((world.state(id), session.ended_at), ("discarded", Some(start())));
                assert!(objects.is_empty() && last == 0, "{format} {cut}: what was there before is gone");
            }
            assert_eq!(events.len(), if found.completed == 1 { 5 } else { 4 }, "{events:?}");
            assert!(world.quarantined().is_empty());
            // A second look finds nothing to do.
            let world = world.restart();
            assert_eq!(recovered(&world).await, Recovered::default());
            assert_eq!(event_ids(&world), events);
        }
        assert!(last >= 88, "{format}: of 100 pictures {last} were saved");
    }
}

#[tokio::test]
async fn a_crash_between_the_last_operation_and_the_row_loses_nothing() {
    for format in Format::ALL {
        let Tape { growing, ending, summary } = tape(format);
        let mut expected = None;
        for missing in 0..=ending.len() {
            let world = World::new(&[]);
            let done = [&growing[..], &ending[..ending.len() - missing]].concat();
            let id = torn(&world, format, &done);
            let found = recovered(&world).await;
            assert_eq!(found.completed, 1, "{format}: {missing} operations missing");
            let row = world.row(id);
            let (video, audio) = (row.video.clone().unwrap(), row.audio.clone().unwrap());
            let objects = settled(&world).await;
            if missing == 0 {
                assert_eq!(Some(video.frames), summary.video.as_ref().map(|video| video.frames), "{format}");
                assert_eq!(Some(audio.frames), summary.audio.as_ref().map(|audio| audio.frames), "{format}");
                assert_eq!(row.duration.unwrap().as_millis(), summary.duration.as_millis(), "{format}");
                expected = Some(objects.clone());
            }
            assert!(objects.len() == expected.as_ref().unwrap().len(), "{format}: {missing} operations missing");
        }
    }
}

#[tokio::test]
async fn a_fragment_that_lacks_a_byte_is_cut_off() {
    for format in [Format::Mp4, Format::Flv] {
        let growing = tape(format).growing;
        let at = growing.iter().rposition(|op| matches!(op, Op::Append { .. })).unwrap();
        let Op::Append { file, slices } = &growing[at] else { unreachable!() };
        let whole = slices.concat();
        let world = World::new(&[]);
        let id = torn(&world, format, &growing[..at]);
        let torn_one = Op::Append { file: file.clone(), slices: vec![whole[..whole.len() - 1].to_vec().into()] };
        world.spool.writer(&id.to_string()).unwrap().perform(&[torn_one]).unwrap();
        let found = recovered(&world).await;
        assert_eq!(found.completed, 1);
        assert!(found.cut_bytes > 0, "{format}");
        settled(&world).await;
        assert_eq!(world.state(id), "ready");
    }
}

#[tokio::test]
async fn a_crash_during_recovery_is_one_more_crash() {
    for format in Format::ALL {
        let growing = tape(format).growing;
        let arrived = Some(MediaTime::from_millis(5_000));
        let world = World::new(&["hook"]);
        let id = torn(&world, format, &growing);
        world.pulse(&[(id.session, arrived)]);
        recovered(&world).await;
        let (objects, events, lost) = (settled(&world).await, event_ids(&world), world.row(id).lost);
        assert!(lost.is_some());
        let mut completed = false;
        for changes in 0.. {
            assert!(changes < 1000, "it never comes to its end");
            let world = World::new(&["hook"]);
            let id = torn(&world, format, &growing);
            world.pulse(&[(id.session, arrived)]);
            let disk = Arc::new(WatchedDisk::with_changes(changes, 5));
            let world = world.with_disk(disk.clone());
            let found = recovered(&world).await;
            let ran_out = disk.ran_out() && found.completed == 0;
            if ran_out {
                assert_eq!(found.left, [(id, arrived)], "{format} {changes}");
                assert_eq!(world.state(id), "recording");
            }
            let world = world.restart();
            recovered(&world).await;
            assert_eq!(settled(&world).await, objects, "{format}, crash after {changes} changes");
            let mut now = event_ids(&world);
            now.sort();
            let mut expected = events.clone();
            expected.sort();
            assert_eq!(now, expected);
            assert_eq!(world.row(id).lost, lost, "{format}, crash after {changes} changes");
            if !ran_out {
                completed = true;
                break;
            }
        }
        assert!(completed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_full_disk_leaves_undone_is_done_when_there_is_room() {
    for format in Format::ALL {
        let world = World::new(&[]);
        let id = torn(&world, format, &tape(format).growing);
        let disk = Arc::new(WatchedDisk::with_changes(0, 28));
        let world = world.with_disk(disk.clone());
        let found = recovered(&world).await;
        assert_eq!(found.left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
        let working = world.finalizer();
        found.left.into_iter().for_each(|(id, received)| working.handle.recording_broken(id, received));
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(world.state(id), "recording");
        disk.allow(usize::MAX);
        while working.handle.pending() > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let row = world.row(id);
        assert_eq!((row.state.name(), row.end_reason.as_deref()), ("ready", Some("crash")));
        assert!(row.recovered);
    }
}

#[tokio::test]
async fn a_damaged_recording_fails_is_kept_aside_and_stops_no_other() {
    let world = World::new(&[]);
    let session = world.session(1);
    let rubbish = [b'x'; 10_000].to_vec();
    let mut damaged = Vec::new();
    for (format, file) in [(Format::Mp4, FileName::mp4()), (Format::Flv, FileName::flv())] {
        let id = world.recording(session, format, 1);
        let ops = [Op::Create { file: file.clone() }, Op::Append { file, slices: vec![rubbish.clone().into()] }];
        world.spool.writer(&id.to_string()).unwrap().perform(&ops).unwrap();
        damaged.push(id);
    }
    let good = world.recording(session, Format::Mp4, 2);
    world.spool.writer(&good.to_string()).unwrap().perform(&tape(Format::Mp4).growing).unwrap();
    let found = recovered(&world).await;
    assert_eq!((found.failed.len(), found.completed), (2, 1));
    settled(&world).await;
    assert_eq!(world.state(good), "ready");
    for id in &damaged {
        let error = world.row(*id).error.unwrap();
        assert!(error.contains("quarantine"), "{error}");
        let kept = tree(&world.path(&format!("quarantine/{id}")));
        assert!(kept.into_values().eq([rubbish.clone()]));
    }
    assert_eq!(world.events_of("recording.failed").len(), 2);
    assert_eq!(world.quarantined().len(), 2);
}

#[tokio::test]
async fn what_is_no_recording_is_moved_aside_and_never_deleted() {
    let world = World::new(&[]);
    fs::write(world.path("spool/notes.txt"), "mine").unwrap();
    fs::create_dir(world.path("spool/holiday")).unwrap();
    fs::write(world.path("spool/holiday/film.mp4"), "a film").unwrap();
    fs::create_dir(world.path("spool/rec_nonsense")).unwrap();
    let id = torn(&world, Format::Mp4, &tape(Format::Mp4).growing);
    fs::write(world.spooled(id).join("Read me"), "hello").unwrap();
    fs::create_dir(world.spooled(id).join("more")).unwrap();
    let found = recovered(&world).await;
    assert_eq!((found.quarantined, found.completed), (3, 1));
    settled(&world).await;
    assert_eq!(world.state(id), "ready");
    let kept = tree(&world.path("quarantine"));
    let expected = [("notes.txt", "mine"), ("holiday/film.mp4", "a film"), (&format!("{id}.Read me"), "hello")];
    for (name, text) in expected {
        assert_eq!(kept.get(name).map(Vec::as_slice), Some(text.as_bytes()), "{kept:?}");
    }
    assert!(world.quarantined().contains(&"rec_nonsense".to_owned()));
}

#[tokio::test]
async fn open_sessions_end_when_their_last_recording_did() {
    let world = World::new(&[]);
    let (idle, busy, over) = (world.session(1), world.session(2), world.session(3));
    world.finished(busy, Format::Flv, 1);
    let second = world.recording(busy, Format::Flv, 2);
    world.spool.writer(&second.to_string()).unwrap().perform(&tape(Format::Flv).growing).unwrap();
    let ended = start().plus_millis(500);
    world.apply(Change::SessionEnded { id: over, at: ended, reason: "unpublish".into() });
    let found = recovered(&world).await;
    assert_eq!(found.sessions, 2);
    let end = |id| {
        let session = world.catalog.session(&id).unwrap().unwrap();
        (session.ended_at.unwrap(), session.end_reason.unwrap())
    };
    assert_eq!(end(idle), (start(), "crash".to_owned()));
    assert_eq!(end(busy), (world.row(second).ended_at.unwrap(), "crash".to_owned()));
    assert!(end(busy).0 > start().plus_millis(3000));
    assert_eq!(end(over), (ended, "unpublish".to_owned()));
    assert_eq!(world.events_of("stream.ended").len(), 3);
    // In order: a stream's recordings are known before its end is told.
    let kinds: Vec<String> = world.events().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "stream.started").count(), 3);
}

#[tokio::test]
async fn a_recording_never_ends_in_the_future() {
    let world = World::new(&[]);
    let id = torn(&world, Format::Flv, &tape(Format::Flv).growing);
    let soon: WallClock = Arc::new(|| start().plus_millis(700));
    recover(&world.catalog, &world.spool, &soon).await.unwrap();
    assert_eq!(world.row(id).ended_at, Some(start().plus_millis(700)));
}

#[tokio::test]
async fn many_recordings_are_completed_each_once() {
    let world = World::new(&["hook"]);
    let growing = tape(Format::Flv).growing;
    let mut ids = Vec::new();
    for number in 1..=25 {
        let session = world.session(number);
        for sequence in 1..=2 {
            let id = world.recording(session, Format::Flv, sequence);
            world.spool.writer(&id.to_string()).unwrap().perform(&growing).unwrap();
            ids.push(id);
        }
    }
    let world = world.restart();
    let found = recover(&world.catalog, &world.spool, &system_clock()).await.unwrap();
    assert_eq!((found.completed, found.sessions), (50, 25));
    assert_eq!(settled(&world).await.len(), 50);
    assert_eq!(world.events_of("recording.ready").len(), 50);
    assert!(ids.into_iter().all(|id| world.state(id) == "ready"));
}
