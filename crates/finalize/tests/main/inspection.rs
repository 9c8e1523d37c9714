//! Looking at a data directory: what is well is left alone, and what is not is found and named.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Change, Inspection, Use};
use livetape_disk::{Pulse, RealDisk, Spool};
use livetape_finalize::{Finding, InspectOptions, Inspected, Place, inspect, recover, system_clock};
use livetape_media::Format;
use livetape_record::RecordingId;
use livetape_store::DirectoryStore;

use crate::torn::{Tape, tape};
use crate::world::{World, start};

const LONG: Duration = Duration::from_secs(3600);

/// What an inspection finds.
async fn look_as(world: &World, used_by: Use, deep: bool) -> (Inspected, Vec<Finding>) {
    let disk = Arc::new(RealDisk);
    let place = Place {
        catalog: Inspection::open(&world.path("livetape.db"), used_by).unwrap(),
        spool: Spool::as_is(disk.clone(), world.directory.path()),
        store: Arc::new(DirectoryStore::existing(disk, &world.path("media")).unwrap()),
        fallback: None,
    };
    place.catalog.check(true).unwrap();
    let found = Arc::new(Mutex::new(Vec::new()));
    let told = found.clone();
    let options = InspectOptions { used_by, deep, moment: Duration::from_millis(100) };
    let inspected = inspect(place, options, move |finding| told.lock().unwrap().push(finding)).await.unwrap();
    let found = std::mem::take(&mut *found.lock().unwrap());
    let notes = found.iter().filter(|finding| finding.is_note()).count();
    assert_eq!((inspected.findings, inspected.notes), ((found.len() - notes) as u64, notes as u64));
    (inspected, found)
}

/// Kinds and subjects of what is found while nobody is at work.
pub(crate) async fn look(world: &World) -> Vec<(&'static str, String)> {
    let (_, found) = look_as(world, Use::Nobody, true).await;
    found.into_iter().map(|finding| (finding.what.name(), finding.subject)).collect()
}

fn one(what: &'static str, subject: impl ToString) -> Vec<(&'static str, String)> {
    vec![(what, subject.to_string())]
}

/// A recording of session `number` as a recorder finishes it.
pub(crate) fn finished(world: &World, number: u32, format: Format) -> RecordingId {
    let Tape { growing, ending, summary } = tape(format);
    let id = world.recording(world.session(number), format, 1);
    let mut writer = world.spool.writer(&id.to_string()).unwrap();
    writer.perform(&growing).unwrap();
    writer.perform(&ending).unwrap();
    let ended_at = start().plus_millis(4000);
    let (reason, facts) = ("unpublish".to_owned(), livetape_finalize::facts(&summary));
    let lost = Duration::ZERO;
    world.apply(Change::RecordingFinished { id, ended_at, reason: reason.clone(), facts, recovered: false, lost });
    world.apply(Change::SessionEnded { id: id.session, at: ended_at, reason });
    id
}

/// One recording of each format, ready.
async fn with_ready() -> (World, BTreeMap<Format, RecordingId>) {
    let world = World::new(&["hook"]);
    let ids = Format::ALL.into_iter().zip(1..).map(|(format, number)| (format, finished(&world, number, format)));
    let ids = ids.collect();
    assert_eq!(world.finalizer().handle.drain(LONG).await, 0);
    (world, ids)
}

/// Changes the catalog behind its back.
pub(crate) fn forge(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.path("livetape.db")).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

fn object(world: &World, id: RecordingId) -> std::path::PathBuf {
    world.path("media").join(world.row(id).key)
}

#[tokio::test]
async fn what_was_recorded_and_stored_is_well_whoever_is_at_work() {
    let (world, _) = with_ready().await;
    for (used_by, deep) in [(Use::Nobody, false), (Use::Nobody, true), (Use::Others, false), (Use::Others, true)] {
        let (inspected, found) = look_as(&world, used_by, deep).await;
        assert_eq!(found, []);
        assert_eq!((inspected.recordings, inspected.events), (3, 3));
        assert!(inspected.objects > 8, "{inspected:?}");
    }
}

#[tokio::test]
async fn a_recording_cut_off_anywhere_is_found_and_what_becomes_of_it_is_foretold() {
    for format in Format::ALL {
        let Tape { growing, ending, .. } = tape(format);
        let ops = [growing, ending].concat();
        for cut in (0..ops.len()).step_by(3) {
            let world = World::new(&[]);
            let id = world.recording(world.session(1), format, 1);
            world.spool.writer(&id.to_string()).unwrap().perform(&ops[..cut]).unwrap();
            let (_, found) = look_as(&world, Use::Nobody, true).await;
            let torn: Vec<_> = found.iter().filter(|finding| finding.what.name() == "recording_torn").collect();
            assert!(torn.len() == 1 && torn[0].subject == id.to_string(), "{format} {cut}: {found:?}");
            assert!(found.iter().any(|f| f.what.name() == "session_cut_off" && f.subject == id.session.to_string()));
            // Beside a process at work it is what should be.
            assert_eq!(look_as(&world, Use::Others, true).await.1, []);

            let world = world.restart();
            let recovered = recover(&world.catalog, &world.spool, &system_clock()).await.unwrap();
            let done =
                if recovered.completed == 1 { "the next start completes it" } else { "the next start discards it" };
            assert!(torn[0].remedy.starts_with(done), "{format} {cut}: {} / {recovered:?}", torn[0].remedy);
            assert_eq!(world.finalizer().handle.drain(LONG).await, 0);
            assert_eq!(look(&world).await, [], "{format} {cut}");
        }
    }
}

#[tokio::test]
async fn a_finished_recording_that_waits_is_a_note_and_one_that_changed_is_a_finding() {
    let world = World::new(&[]);
    let id = finished(&world, 1, Format::Mp4);
    let other = finished(&world, 2, Format::Flv);
    let (inspected, found) = look_as(&world, Use::Nobody, true).await;
    assert_eq!((inspected.findings, inspected.notes), (0, 2), "{found:?}");
    assert_eq!(look_as(&world, Use::Others, true).await.1, []);

    let file = world.spooled(id).join("recording.mp4");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_dir_all(world.spooled(other)).unwrap();
    let mut found = look(&world).await;
    found.sort();
    assert_eq!(found, [("spool_damaged", id.to_string()), ("spool_missing", other.to_string())]);
    assert_eq!(look_as(&world, Use::Others, false).await.1.len(), 2, "nothing in flight explains it");
}

#[tokio::test]
async fn an_object_that_is_gone_or_shorter_is_named() {
    let (world, ids) = with_ready().await;
    fs::remove_file(object(&world, ids[&Format::Mp4])).unwrap();
    let flv = object(&world, ids[&Format::Flv]);
    let bytes = fs::read(&flv).unwrap();
    fs::remove_file(&flv).unwrap();
    fs::write(&flv, &bytes[..100]).unwrap();
    fs::remove_file(object(&world, ids[&Format::Hls])).unwrap();
    for used_by in [Use::Nobody, Use::Others] {
        let (_, found) = look_as(&world, used_by, false).await;
        let mut found: Vec<_> = found.iter().map(|f| (f.what.name(), f.subject.clone())).collect();
        found.sort();
        let mut expected = vec![
            ("object_missing", ids[&Format::Mp4].to_string()),
            ("object_missing", ids[&Format::Hls].to_string()),
            ("object_size", ids[&Format::Flv].to_string()),
        ];
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_playlist_that_lists_what_is_gone_is_named_and_so_is_an_object_it_does_not_list() {
    let (world, ids) = with_ready().await;
    let id = ids[&Format::Hls];
    let directory = object(&world, id).parent().unwrap().to_owned();
    fs::write(directory.join("segment-000099.m4s"), "surplus").unwrap();
    let (_, found) = look_as(&world, Use::Nobody, false).await;
    assert_eq!((found[0].what.name(), found.len()), ("object_size", 1), "{found:?}");
    assert!(found[0].detail.contains("segment-000099.m4s"), "{found:?}");
    fs::remove_file(directory.join("segment-000099.m4s")).unwrap();

    fs::remove_file(directory.join("segment-000001.m4s")).unwrap();
    let (_, found) = look_as(&world, Use::Nobody, false).await;
    assert!(found.iter().all(|f| f.what.name() == "playlist_dangling" && f.subject == id.to_string()), "{found:?}");
    assert!(!found.is_empty() && found.iter().all(|f| f.detail.contains("segment-000001.m4s")), "{found:?}");
}

#[tokio::test]
async fn an_object_of_the_right_size_and_the_wrong_contents_is_named() {
    type Damage = fn(&mut Vec<u8>);
    // Of which format, in which file beside the key, how, and whether only a deep look finds it.
    let damage: [(Format, &str, Damage, bool); 7] = [
        (Format::Mp4, "", |bytes| bytes[..8].fill(0xff), false),
        (Format::Mp4, "", |bytes| bytes[8..12].copy_from_slice(b"iso6"), false),
        // The head of the first fragment, within the finished file's mdat.
        (
            Format::Mp4,
            "",
            |bytes| {
                let at = bytes.windows(4).position(|four| four == b"moof").unwrap();
                bytes[at..at + 4].fill(0);
            },
            true,
        ),
        (Format::Flv, "", |bytes| bytes[0] = 0, false),
        (Format::Flv, "", |bytes| *bytes.last_mut().unwrap() ^= 1, false),
        (
            Format::Flv,
            "",
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle..].fill(7);
                let size = u32::try_from(bytes.len() - middle).unwrap();
                let end = bytes.len() - 4;
                bytes[end..].copy_from_slice(&size.to_be_bytes());
            },
            false,
        ),
        (Format::Hls, "segment-000001.m4s", |bytes| bytes[..4].fill(0xff), true),
    ];
    for (index, (format, beside, change, only_deep)) in damage.into_iter().enumerate() {
        let (world, ids) = with_ready().await;
        let mut path = object(&world, ids[&format]);
        if !beside.is_empty() {
            path.set_file_name(beside);
        }
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        assert_eq!(look(&world).await, one("object_damaged", ids[&format]), "{index}");
        let (_, quickly) = look_as(&world, Use::Nobody, false).await;
        assert_eq!(quickly.is_empty(), only_deep, "{index}: {quickly:?}");
    }
}

#[tokio::test]
async fn what_has_no_row_is_found_in_the_spool_and_in_the_store() {
    let (world, ids) = with_ready().await;
    let unlabelled = RecordingId { sequence: 7, ..ids[&Format::Mp4] };
    world.spool.create_recording(&unlabelled.to_string(), b"").unwrap();
    fs::create_dir(world.path("spool/rec_nonsense")).unwrap();
    fs::write(world.path("spool/notes.txt"), "x").unwrap();
    fs::write(world.path("media/holiday.mp4"), "x").unwrap();
    let mut found = look(&world).await;
    found.sort();
    let mut expected = vec![
        ("object_without_row", "holiday.mp4".to_owned()),
        ("spool_unknown", "spool/notes.txt".to_owned()),
        ("spool_without_row", unlabelled.to_string()),
        ("spool_without_row", "rec_nonsense".to_owned()),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(look_as(&world, Use::Others, false).await.1.len(), 4);
}

#[tokio::test]
async fn a_row_that_was_removed_leaves_objects_and_an_event_without_one() {
    for format in Format::ALL {
        let (world, ids) = with_ready().await;
        let (id, key) = (ids[&format], world.row(ids[&format]).key);
        forge(&world, &format!("DELETE FROM recordings WHERE id = '{id}'"));
        let directory = &key[..=key.rfind('/').unwrap()];
        let stray = if format == Format::Hls { directory } else { &key };
        let event = id.to_string().replace("rec_", "evt_") + "_ready";
        let mut found = look(&world).await;
        found.sort();
        assert_eq!(found, [("event_unfounded", event), ("object_without_row", stray.to_owned())], "{format}");
    }
}

#[tokio::test]
async fn an_event_that_is_missing_forged_or_doubled_is_named() {
    let (world, ids) = with_ready().await;
    let id = ids[&Format::Mp4];
    let event = id.to_string().replace("rec_", "evt_") + "_ready";
    let double = |other: &str, body: &str| {
        format!(
            "INSERT INTO events (id, type, subject, timestamp_ms, body) SELECT '{other}', type, subject, timestamp_ms, \
             {body} FROM events WHERE id = '{event}'"
        )
    };
    forge(&world, &double("evt_another_ready", "body"));
    assert_eq!(look(&world).await, one("event_forged", "evt_another_ready"));
    forge(&world, "DELETE FROM events WHERE id = 'evt_another_ready'");

    forge(&world, &double("evt_a", "'not JSON'"));
    assert_eq!(look(&world).await, one("event_forged", "evt_a"));
    forge(&world, "DELETE FROM events WHERE id = 'evt_a'");

    let growing = world.recording(world.session(9), Format::Mp4, 1);
    world.apply(Change::SessionEnded { id: growing.session, at: start(), reason: "unpublish".into() });
    let at = start();
    world.apply(Change::RecordingDiscarded { id: growing, at, reason: "unpublish".into(), lost: Duration::ZERO });
    world.spool.remove(&growing.to_string()).unwrap();
    assert_eq!(look(&world).await, []);
    forge(&world, &double("evt_b", &format!("replace(body, '{id}', '{growing}')")));
    assert_eq!(look(&world).await, one("event_unfounded", "evt_b"));
    forge(&world, "DELETE FROM events WHERE id = 'evt_b'");

    forge(&world, &format!("DELETE FROM deliveries WHERE event IN (SELECT sequence FROM events WHERE id = '{event}')"));
    forge(&world, &format!("DELETE FROM events WHERE id = '{event}'"));
    assert_eq!(look(&world).await, one("event_missing", id));
}

#[tokio::test]
async fn leftovers_and_temporaries_are_found_where_nobody_is_at_work() {
    let (world, ids) = with_ready().await;
    let id = ids[&Format::Flv].to_string();
    fs::create_dir(world.path("spool").join(&id)).unwrap();
    fs::write(world.path("spool").join(&id).join("recording.flv"), "x").unwrap();
    fs::create_dir(world.path("media/.incoming")).unwrap();
    fs::write(world.path("media/.incoming/0123456789abcdef"), "half").unwrap();
    fs::write(world.path("media/.put-0123456789abcdef"), "half").unwrap();
    fs::write(world.path("media/two words"), "x").unwrap();
    fs::write(world.path("quarantine/rec_x.thing"), "x").unwrap();
    let mut found = look(&world).await;
    found.sort();
    let expected = [
        ("quarantine", "quarantine"),
        ("spool_leftover", &id),
        ("store_temporary", ".incoming/0123456789abcdef"),
        ("store_temporary", ".put-0123456789abcdef"),
        ("store_unknown", "two words"),
    ];
    assert_eq!(found.iter().map(|(what, subject)| (*what, subject.as_str())).collect::<Vec<_>>(), expected);
    let (inspected, _) = look_as(&world, Use::Others, false).await;
    assert_eq!((inspected.findings, inspected.notes), (0, 2), "a process at work makes and removes such things");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_the_others_are_looked_at() {
    let (world, ids) = with_ready().await;
    let id = ids[&Format::Mp4];
    forge(&world, &format!("UPDATE recordings SET id = 'rec_nonsense' WHERE id = '{id}'"));
    let (inspected, found) = look_as(&world, Use::Nobody, false).await;
    assert_eq!(inspected.recordings, 3);
    let found: Vec<_> = found.iter().map(|finding| finding.what.name()).collect();
    assert_eq!(found, ["row_unreadable", "event_unfounded"]);
}

#[tokio::test]
async fn a_session_that_is_neither_live_nor_over_is_found_beside_a_process_at_work() {
    let world = World::new(&[]);
    let (live, lost) = (world.session(1), world.session(2));
    let mut pulse = Pulse { at_ms: 1, ..Pulse::default() };
    for session in [live, lost] {
        pulse.sessions.insert(session.to_string(), None);
    }
    pulse.write(&RealDisk, world.directory.path()).unwrap();
    assert_eq!(look_as(&world, Use::Others, false).await.1, []);
    pulse.sessions.remove(&lost.to_string());
    pulse.write(&RealDisk, world.directory.path()).unwrap();
    let (_, found) = look_as(&world, Use::Others, false).await;
    assert_eq!((found.len(), found[0].what.name(), &found[0].subject), (1, "session_cut_off", &lost.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_in_flight_is_no_finding() {
    let world = World::new(&["hook"]);
    let working = world.finalizer();
    let recording = |number: u32| {
        let id = finished(&world, number, Format::ALL[number as usize % 3]);
        working.handle.recording_finished(id);
    };
    let mut number = 0;
    let begun = std::time::Instant::now();
    let mut looks = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        let looking = look_as(&world, Use::Others, false);
        tokio::pin!(looking);
        loop {
            number += 1;
            tokio::task::block_in_place(|| recording(number));
            tokio::select! {
                (_, found) = &mut looking => {
                    assert_eq!(found, [], "after {number} recordings");
                    break;
                }
                () = tokio::task::yield_now() => {}
            }
        }
        looks += 1;
    }
    assert_eq!(working.handle.drain(LONG).await, 0);
    assert!(looks > 3 && number > 20, "{looks} looks, {number} recordings");
    assert_eq!(look(&world).await, []);
}

#[tokio::test]
async fn thousands_of_rows_are_all_looked_at() {
    let world = World::new(&[]);
    let session = world.session(1);
    for sequence in 1..=2500 {
        let id = RecordingId { session, format: Format::Mp4, sequence };
        world.catalog.submit(
            Change::RecordingOpened(livetape_catalog::NewRecording {
                id,
                task: None,
                keep: livetape_record::Keep::default(),
                app: "live".into(),
                stream: "room1".into(),
                key: format!("live/{sequence}.mp4"),
                started_at: start(),
                start: livetape_media::MediaTime::ZERO,
                start_reason: "publish".into(),
                video: None,
                audio: None,
            }),
            |opened| assert!(opened.is_ok()),
        );
        let (at, lost) = (start(), Duration::ZERO);
        let discarded = Change::RecordingDiscarded { id, at, reason: "unpublish".into(), lost };
        world.catalog.submit(discarded, |discarded| assert!(discarded.is_ok()));
    }
    world.apply(Change::SessionEnded { id: session, at: start(), reason: "unpublish".into() });
    let (inspected, found) = look_as(&world, Use::Nobody, true).await;
    assert_eq!((inspected.recordings, found), (2500, Vec::new()));
}
