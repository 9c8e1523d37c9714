//! What a break costs: how much media had arrived and is in no recording, and when the session ended.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use livetape_catalog::{Change, NewRecording, NewSession};
use livetape_finalize::{recover, recover_with};
use livetape_media::{Format, MediaTime};
use livetape_record::{Gap, RecordingId, SessionId};

use crate::recovery::{event_ids, later, recovered, settled};
use crate::torn::tape;
use crate::world::{PULSE_AFTER_MS, World, start};

fn ms(millis: i64) -> Option<MediaTime> {
    Some(MediaTime::from_millis(millis))
}

/// A recording of the session that begins at this moment of its timeline, with a tape of four
/// seconds less its last `missing` operations.
fn torn_at(
    world: &World,
    session: SessionId,
    format: Format,
    sequence: u32,
    start_ms: i64,
    missing: usize,
) -> RecordingId {
    let id = RecordingId { session, format, sequence };
    world.open_row_at(id, MediaTime::from_millis(start_ms));
    let growing = tape(format).growing;
    let mut writer = world.spool.create_recording(&id.to_string(), b"").unwrap();
    writer.perform(&growing[..growing.len() - missing]).unwrap();
    id
}

fn lost_ms(world: &World, id: RecordingId) -> u128 {
    world.row(id).lost.unwrap_or_default().as_millis()
}

fn duration_ms(world: &World, id: RecordingId) -> u128 {
    world.row(id).duration.unwrap().as_millis()
}

/// The data of an event.
fn told(world: &World, id: RecordingId, verb: &str) -> serde_json::Value {
    let id = id.to_string().replace("rec_", "evt_") + "_" + verb;
    let event = world.catalog.event(&id).unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
    body["data"].clone()
}

#[tokio::test]
async fn what_had_arrived_by_the_pulse_and_is_in_no_file_is_lost() {
    for format in Format::ALL {
        let world = World::new(&[]);
        let session = world.session(1);
        let id = torn_at(&world, session, format, 1, 90_000, 0);
        world.pulse(&[(session, ms(94_500))]);
        recovered(&world).await;
        settled(&world).await;
        let (duration, lost) = (duration_ms(&world, id), lost_ms(&world, id));
        assert!((3_500..=4_000).contains(&duration), "{format}: {duration}");
        assert_eq!(duration + lost, 4_500, "{format}");
        let data = told(&world, id, "ready");
        assert_eq!(data["lost_ms"], u64::try_from(lost).unwrap());
        assert_eq!((&data["recovered"], &data["end_reason"]), (&true.into(), &"crash".into()));
    }
}

#[tokio::test]
async fn of_one_that_went_on_with_another_session_what_the_next_of_that_holds_is_not_lost() {
    for format in Format::ALL {
        let world = World::new(&[]);
        let first = world.session(1);
        let id = torn_at(&world, first, format, 1, 90_000, 0);
        let second: SessionId = format!("ses_{:032x}", 2).parse().unwrap();
        world.apply(Change::SessionStarted(NewSession {
            id: second,
            app: "live".into(),
            stream: "room1".into(),
            query: String::new(),
            remote_addr: "192.0.2.1:40000".into(),
            tc_url: String::new(),
            encoder: String::new(),
            started_at: start().plus_millis(1_000),
        }));
        let length = Duration::from_millis(500);
        let (from, to) = (start().plus_millis(1_000), start().plus_millis(1_500));
        let gap = Gap { from, to, at: Duration::from_secs(1), length, apart: length, lost: Duration::ZERO };
        world.apply(Change::RecordingContinued { id, session: second, gap });
        // The disk failed at four seconds, and from six on there is the next.
        let next = RecordingId { session: second, format, sequence: 1 };
        let row = world.row(id);
        world.apply(Change::RecordingOpened(NewRecording {
            task: None,
            keep: livetape_record::Keep::default(),
            id: next,
            app: row.app,
            stream: row.stream,
            key: row.key.replace("room1-1", "room1-2"),
            started_at: start().plus_millis(6_000),
            start: MediaTime::from_millis(96_000),
            start_reason: "publish".into(),
            video: None,
            audio: None,
        }));
        world.spool.create_recording(&next.to_string(), b"").unwrap();
        // The session that took it over has gone on for a minute.
        world.pulse(&[(first, ms(150_000)), (second, ms(150_000))]);
        recovered(&world).await;
        settled(&world).await;
        assert_eq!(duration_ms(&world, id) + lost_ms(&world, id), 6_000, "{format}");
    }
}

#[tokio::test]
async fn nothing_is_lost_of_a_recording_that_holds_all_that_arrived() {
    let world = World::new(&[]);
    let session = world.session(1);
    let id = torn_at(&world, session, Format::Flv, 1, 0, 0);
    world.pulse(&[(session, ms(1_000))]);
    recovered(&world).await;
    settled(&world).await;
    assert_eq!(world.row(id).lost, None);
    assert!(told(&world, id, "ready")["lost_ms"].is_null());
}

#[tokio::test]
async fn without_a_whole_pulse_the_recording_that_came_furthest_counts() {
    type Damage = fn(&World, SessionId);
    let damages: [Damage; 4] = [
        |_, _| {},
        |world, _| fs::write(world.path("pulse"), "livetape pulse 1\nat 179").unwrap(),
        |world, session| {
            world.pulse(&[(session, ms(99_000))]);
            let mut bytes = fs::read(world.path("pulse")).unwrap();
            let digit = bytes.iter().position(|byte| *byte == b'9').unwrap();
            bytes[digit] = b'8';
            fs::write(world.path("pulse"), bytes).unwrap();
        },
        // Another session's.
        |world, _| world.pulse(&[(format!("ses_{:032x}", 9).parse().unwrap(), ms(99_000))]),
    ];
    for damage in damages {
        let world = World::new(&[]);
        let session = world.session(1);
        let ahead = torn_at(&world, session, Format::Mp4, 1, 90_000, 0);
        let behind = torn_at(&world, session, Format::Flv, 1, 90_000, 5);
        damage(&world, session);
        recovered(&world).await;
        assert_eq!(world.row(ahead).lost, None);
        let (most, least) = (duration_ms(&world, ahead), duration_ms(&world, behind));
        assert!(most > least);
        assert_eq!(lost_ms(&world, behind), most - least);
        // Known to have lasted as long as its recordings.
        let ended = world.catalog.session(&session).unwrap().unwrap().ended_at;
        assert_eq!(ended, world.row(ahead).ended_at);
    }
}

#[tokio::test]
async fn a_recording_loses_what_came_before_the_next_one_and_no_more() {
    let world = World::new(&[]);
    let session = world.session(1);
    // The first broke off at a bad disk, and waited to be completed when the process died.
    let first = torn_at(&world, session, Format::Flv, 1, 0, 0);
    let second = torn_at(&world, session, Format::Flv, 2, 6_000, 0);
    world.pulse(&[(session, ms(10_300))]);
    recovered(&world).await;
    assert_eq!(duration_ms(&world, first) + lost_ms(&world, first), 6_000);
    assert_eq!(6_000 + duration_ms(&world, second) + lost_ms(&world, second), 10_300);
}

#[tokio::test]
async fn a_recording_that_waited_for_its_publisher_loses_nothing_of_what_came_next() {
    let world = World::new(&[]);
    let session = world.session(1);
    let id = torn_at(&world, session, Format::Flv, 1, 0, 0);
    let (at, until) = (start().plus_millis(4_000), start().plus_millis(60_000));
    world.apply(Change::RecordingWaits { id, at, until, lost: Duration::ZERO });
    world.pulse(&[(session, ms(30_500))]);
    recovered(&world).await;
    assert_eq!((lost_ms(&world, id), world.row(id).waiting_until), (0, None));
}

#[tokio::test]
async fn a_recording_that_went_on_and_holds_nothing_of_it_loses_what_came_and_not_the_gap() {
    for length_ms in [20_000, 0] {
        let world = World::new(&[]);
        let session = world.session(1);
        let id = torn_at(&world, session, Format::Mp4, 1, 0, 0);
        let ends_ms = 4_000;
        let (from, to) = (start().plus_millis(ends_ms), start().plus_millis(ends_ms + 20_000));
        world.apply(Change::RecordingWaits { id, at: from, until: start().plus_millis(60_000), lost: Duration::ZERO });
        let (at, apart) = (Duration::from_millis(4_000), Duration::from_millis(20_000));
        let gap = Gap { from, to, at, length: Duration::from_millis(length_ms), apart, lost: Duration::ZERO };
        world.apply(Change::RecordingContinued { id, session, gap });
        world.pulse(&[(session, ms(ends_ms + 20_000 + 350))]);
        recovered(&world).await;
        let row = world.row(id);
        assert!((300..=400).contains(&lost_ms(&world, id)), "{} ms", lost_ms(&world, id));
        let off_ms = row.ended_at.unwrap().as_unix_millis() - from.as_unix_millis();
        assert!((-400..=0).contains(&off_ms), "it ends {off_ms} ms behind its last frame");
        assert!(row.gaps.is_empty(), "{:?}", row.gaps);
    }
}

#[tokio::test]
async fn what_arrived_for_a_recording_that_holds_nothing_is_lost() {
    let world = World::new(&[]);
    let session = world.session(1);
    let id = RecordingId { session, format: Format::Mp4, sequence: 1 };
    world.open_row_at(id, MediaTime::from_millis(7_000));
    world.pulse(&[(session, ms(7_390))]);
    recovered(&world).await;
    let row = world.row(id);
    assert_eq!((row.state.name(), row.lost), ("discarded", Some(Duration::from_millis(390))));
    assert_eq!(told(&world, id, "discarded")["lost_ms"], 390);
}

#[tokio::test]
async fn a_session_ends_at_the_moment_of_the_pulse_but_not_in_the_future() {
    let world = World::new(&[]);
    let (silent, live) = (world.session(1), world.session(2));
    torn_at(&world, live, Format::Flv, 1, 0, 0);
    world.pulse(&[(silent, None), (live, ms(4_000))]);
    recovered(&world).await;
    for session in [silent, live] {
        let row = world.catalog.session(&session).unwrap().unwrap();
        assert_eq!(
            (row.ended_at, row.end_reason.as_deref()),
            (Some(start().plus_millis(PULSE_AFTER_MS)), Some("crash"))
        );
    }

    let world = World::new(&[]);
    let session = world.session(1);
    world.pulse(&[(session, None)]);
    let early: livetape_finalize::WallClock = Arc::new(|| start().plus_millis(700));
    recover(&world.catalog, &world.spool, &early).await.unwrap();
    let ended = world.catalog.session(&session).unwrap().unwrap().ended_at;
    assert_eq!(ended, Some(start().plus_millis(700)), "the calendar was set back");
}

#[tokio::test]
async fn a_recording_that_breaks_while_others_go_on_says_what_it_lost() {
    let world = World::new(&[]);
    let session = world.session(1);
    let (known, unknown) =
        (torn_at(&world, session, Format::Flv, 1, 0, 0), torn_at(&world, session, Format::Mp4, 1, 0, 0));
    let working = world.finalizer();
    working.handle.recording_broken(known, ms(5_100));
    working.handle.recording_broken(unknown, None);
    assert_eq!(working.handle.drain(Duration::from_secs(3600)).await, 0);
    assert_eq!(duration_ms(&world, known) + lost_ms(&world, known), 5_100);
    assert_eq!(world.row(unknown).lost, None);
    let data = told(&world, known, "ready");
    assert_eq!((&data["recovered"], &data["end_reason"]), (&true.into(), &"disk_trouble".into()));
    assert_eq!(data["lost_ms"], u64::try_from(lost_ms(&world, known)).unwrap());
}

/// Two streams with all that can be cut off.
fn two_streams() -> World {
    let world = World::new(&["hook"]);
    for number in 1..=2 {
        let session = world.session(number);
        for format in Format::ALL {
            torn_at(&world, session, format, 1, 0, 3);
            torn_at(&world, session, format, 2, 5_000, 1);
        }
    }
    let id = |number: u32| format!("ses_{number:032x}").parse().unwrap();
    world.pulse(&[(id(1), ms(9_400)), (id(2), ms(9_100))]);
    world
}

/// What is known of every recording in the end.
fn ends(world: &World) -> Vec<(RecordingId, &'static str, Option<Duration>, Option<Duration>)> {
    let mut rows = world.catalog.recordings_in(&livetape_catalog::RecordingState::ALL).unwrap();
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(|row| (row.id, row.state.name(), row.duration, row.lost)).collect()
}

#[tokio::test]
async fn a_crash_before_any_commit_of_recovery_loses_no_knowledge() {
    let world = two_streams();
    assert_eq!(recovered(&world).await.completed, 12);
    let expected_objects = settled(&world).await;
    let mut expected_events = event_ids(&world);
    expected_events.sort();
    let expected = ends(&world);
    assert!(expected.iter().all(|(_, state, _, lost)| *state == "ready" && lost.is_some()), "{expected:?}");
    for workers in [1, 8] {
        for commits in 0.. {
            let left = Arc::new(AtomicUsize::new(commits));
            let gate = left.clone();
            let take = |left: usize| left.checked_sub(1);
            let world = two_streams()
                .with_gate(Arc::new(move || gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()));
            let found = recover_with(&world.catalog, &world.spool, &later(), workers).await;
            let through = left.load(Ordering::SeqCst) > 0;
            assert!(!through || found.unwrap().left.is_empty());
            let world = world.restart();
            recovered(&world).await;
            assert_eq!(settled(&world).await, expected_objects, "{commits} commits");
            assert_eq!(ends(&world), expected, "{commits} commits");
            let mut events = event_ids(&world);
            events.sort();
            assert_eq!(events, expected_events, "{commits} commits");
            if through {
                break;
            }
            assert!(commits < 100, "it never comes to its end");
        }
    }
}
