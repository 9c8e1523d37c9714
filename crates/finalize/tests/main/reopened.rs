//! Starting again after a crash where recordings wait for their publishers.

use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::Change;
use livetape_finalize::{
    Destination, Keep, Kept, KeptRecording, Recovered, Report, WallClock, Writer, recover_keeping,
};
use livetape_media::{EndReason, Format, Item, MediaTime, Now};
use livetape_mux::{FileName, Layout, Op};
use livetape_record::{Gap, NameTemplate, Policy, Recorder, RecordingId, StreamPath};

use crate::recovery::{event_ids, later, recovered, settled, torn};
use crate::torn::tape;
use crate::world::{PULSE_AFTER_MS, World, start};

const WINDOW: Duration = Duration::from_secs(60);

/// A calendar within the window.
fn soon() -> WallClock {
    Arc::new(|| start().plus_millis(PULSE_AFTER_MS + 5_000))
}

fn layout() -> Layout {
    Layout { segment: Duration::from_secs(1), ..Layout::default() }
}

fn keep() -> Keep {
    Keep { window: Box::new(|_| WINDOW), layout: Box::new(|_, _, _| Some(layout())) }
}

async fn keeping(world: &World, wall: &WallClock) -> (Recovered, Vec<Kept>) {
    recover_keeping(&world.catalog, &world.spool, wall, keep()).await.unwrap()
}

/// Ends a recording that waits, as its recorder does when nobody comes.
fn end(world: &World, kept: Kept) {
    let reports: Box<dyn Fn(Report) + Send + Sync> =
        Box::new(|report| assert!(!matches!(report, Report::Broken { .. })));
    let to = Arc::new(Destination {
        catalog: world.catalog.clone(),
        spool: world.spool.clone(),
        sync_interval: Duration::from_secs(5),
        min_free_bytes: 0,
        told: reports,
    });
    let now = Now { mono: Duration::from_secs(1), wall: soon()() };
    let (session, reason) = (kept.session.id, kept.reason);
    for KeptRecording { row, torn, files, .. } in kept.recordings {
        let policy = Policy {
            format: row.id.format,
            layout: layout(),
            max_duration: Duration::from_secs(3_600),
            max_bytes: None,
            align: None,
            min_duration: Duration::from_secs(1),
            track_wait: Duration::from_secs(1),
            names: NameTemplate::default(),
            playlists: false,
            keep: livetape_record::Keep::default(),
        };
        let stream = StreamPath { app: row.app.clone(), name: row.stream.clone() };
        let mut recorder = Recorder::new(policy, session, stream).reopened(torn);
        let mut effects = Vec::new();
        recorder.push(&Item::End(reason), now, &mut effects);
        let failed = Writer::reopened(to.clone(), session, row.id, files, now).perform(effects, now);
        assert_eq!(failed, []);
    }
}

#[tokio::test]
async fn a_recording_cut_off_after_any_operation_waits_if_it_holds_something() {
    for format in Format::ALL {
        let growing = tape(format).growing;
        for cut in (0..=growing.len()).step_by(2) {
            let completed = {
                let world = World::new(&[]);
                let id = torn(&world, format, &growing[..cut]);
                world.pulse(&[(id.session, Some(MediaTime::from_millis(4_000)))]);
                let found = recovered(&world).await;
                (found.completed == 1).then(|| (world.row(id), world.restart()))
            };
            let world = World::new(&["hook"]);
            let id = torn(&world, format, &growing[..cut]);
            world.pulse(&[(id.session, Some(MediaTime::from_millis(4_000)))]);
            let (found, kept) = keeping(&world, &soon()).await;
            assert_eq!((found.sessions, found.failed.len()), (1, 0), "{format} {cut}");
            let Some((expected, _)) = completed else {
                assert_eq!((kept.len(), found.discarded), (0, 1), "{format} {cut}");
                continue;
            };
            assert_eq!((kept.len(), found.waiting, found.completed), (1, 1, 0), "{format} {cut}");
            let until = start().plus_millis(PULSE_AFTER_MS + 60_000);
            let row = world.row(id);
            assert_eq!((world.state(id), row.waiting_until), ("recording", Some(until)), "{format} {cut}");
            let session = world.catalog.session(&id.session).unwrap().unwrap();
            let crashed_at = start().plus_millis(PULSE_AFTER_MS);
            assert_eq!((session.end_reason.as_deref(), session.ended_at), (Some("crash"), Some(crashed_at)));
            let events = event_ids(&world);
            assert_eq!(events.len(), 4, "{events:?}");
            drop(kept);

            // A crash while it waits.
            let world = world.restart();
            let (found, kept) = keeping(&world, &soon()).await;
            assert_eq!((found.waiting, found.sessions, found.cut_bytes), (1, 0, 0), "{format} {cut}");
            assert_eq!((world.row(id), event_ids(&world)), (row, events.clone()), "nothing is told twice");
            let [one] = kept.as_slice() else { panic!("one stream waits") };
            assert_eq!((one.until, one.reason, one.session.id), (until, EndReason::Crash, id.session));
            assert_eq!(one.recordings.len(), 1);
            end(&world, kept.into_iter().next().unwrap());

            // It ends as recovery would have completed it.
            let row = world.row(id);
            assert_eq!((row.duration, row.size_bytes), (expected.duration, expected.size_bytes), "{format} {cut}");
            // One counts from the length, to the millisecond, the other to the frame.
            let lost = |row: &livetape_catalog::RecordingRow| row.lost.unwrap_or_default();
            assert!(lost(&row).abs_diff(lost(&expected)) <= Duration::from_millis(1), "{format} {cut}");
            let frames = |row: &livetape_catalog::RecordingRow| row.video.as_ref().map(|video| video.frames);
            assert_eq!(
                (frames(&row), row.audio.clone()),
                (frames(&expected), expected.audio.clone()),
                "{format} {cut}"
            );
            assert_eq!(
                (row.recovered, row.end_reason.as_deref(), row.ended_at),
                (true, Some("crash"), expected.ended_at)
            );
            settled(&world).await;
            assert_eq!(world.state(id), "ready");
        }
    }
}

#[tokio::test]
async fn what_waits_beyond_its_time_is_completed() {
    for format in Format::ALL {
        let world = World::new(&["hook"]);
        let id = torn(&world, format, &tape(format).growing);
        world.pulse(&[(id.session, Some(MediaTime::from_millis(4_000)))]);
        let (_, kept) = keeping(&world, &soon()).await;
        assert_eq!(kept.len(), 1);
        drop(kept);
        let world = world.restart();
        let (found, kept) = keeping(&world, &later()).await;
        assert_eq!((found.completed, kept.len()), (1, 0));
        let row = world.row(id);
        assert_eq!((row.end_reason.as_deref(), row.waiting_until, row.recovered), (Some("crash"), None, true));
        settled(&world).await;
        assert_eq!(world.state(id), "ready");
    }
}

#[tokio::test]
async fn only_what_each_recorder_had_open_waits() {
    let world = World::new(&[]);
    let session = world.session(1);
    let growing = tape(Format::Flv).growing;
    let ids = [1, 2].map(|sequence| {
        let id = RecordingId { session, format: Format::Flv, sequence };
        world.open_row_at(id, MediaTime::from_millis(i64::from(sequence) * 10));
        world.spool.create_recording(&id.to_string(), b"").unwrap().perform(&growing).unwrap();
        id
    });
    // Of another format the last one is over.
    let tape = tape(Format::Mp4);
    let mp4 = world.recording(session, Format::Mp4, 1);
    let ended = [tape.growing, tape.ending].concat();
    world.spool.writer(&mp4.to_string()).unwrap().perform(&ended[..ended.len() - 2]).unwrap();
    world.pulse(&[(session, None)]);
    let (found, kept) = keeping(&world, &soon()).await;
    assert_eq!((found.completed, found.waiting, kept.len()), (2, 1, 1));
    let states = [ids[0], ids[1], mp4].map(|id| world.state(id));
    assert_eq!(states, ["finished", "recording", "finished"]);
}

#[tokio::test]
async fn what_nobody_is_to_go_on_with_and_what_is_damaged_is_as_without_a_window() {
    let nobody = || Keep { window: Box::new(|_| WINDOW), layout: Box::new(|_, _, _| None) };
    let world = World::new(&[]);
    let id = torn(&world, Format::Mp4, &tape(Format::Mp4).growing);
    world.pulse(&[(id.session, None)]);
    let (found, kept) = recover_keeping(&world.catalog, &world.spool, &soon(), nobody()).await.unwrap();
    assert_eq!((found.completed, kept.len(), world.state(id)), (1, 0, "finished"));

    let world = World::new(&[]);
    let id = world.recording(world.session(1), Format::Flv, 1);
    let file = FileName::flv();
    let ops = [Op::Create { file: file.clone() }, Op::Append { file, slices: vec![vec![7; 90_000].into()] }];
    world.spool.writer(&id.to_string()).unwrap().perform(&ops).unwrap();
    let (found, kept) = keeping(&world, &soon()).await;
    assert_eq!((found.failed.len(), kept.len(), world.state(id)), (1, 0, "failed"));

    // A session that ended waits for nobody unless its rows say so.
    let world = World::new(&[]);
    let id = torn(&world, Format::Hls, &tape(Format::Hls).growing);
    world.apply(Change::SessionEnded { id: id.session, at: start(), reason: "drop".to_owned() });
    assert_eq!(keeping(&world, &soon()).await.0.completed, 1);
    let world = World::new(&[]);
    let id = torn(&world, Format::Hls, &tape(Format::Hls).growing);
    world.apply(Change::RecordingWaits { id, at: start(), until: start().plus_millis(15_000), lost: Duration::ZERO });
    world.apply(Change::SessionEnded { id: id.session, at: start(), reason: "drop".to_owned() });
    let (found, kept) = keeping(&world, &soon()).await;
    let [kept] = kept.as_slice() else { panic!("{found:?}") };
    assert_eq!((kept.until, kept.reason), (start().plus_millis(15_000), EndReason::Drop));
}

#[tokio::test]
async fn a_gap_with_nothing_behind_it_is_no_gap_and_what_crashes_cost_is_kept() {
    for format in Format::ALL {
        let world = World::new(&["hook"]);
        let id = torn(&world, format, &tape(format).growing);
        // Of 4 s something more than 3.9 s are there; the publisher was back at 60 s, and nothing of that is here.
        let ms = Duration::from_millis;
        let length = if format == Format::Hls { Duration::ZERO } else { ms(56_000) };
        let gap = Gap {
            from: start().plus_millis(4_000),
            to: start().plus_millis(60_000),
            at: ms(4_000),
            length,
            apart: ms(56_000),
            lost: ms(30),
        };
        world.apply(Change::RecordingWaits { id, at: start(), until: start().plus_millis(9_000), lost: ms(30) });
        assert_eq!(world.row(id).lost, Some(ms(30)));
        world.apply(Change::RecordingContinued { id, session: id.session, gap });
        assert_eq!(world.row(id).lost, None, "its gap says it");
        world.pulse(&[(id.session, Some(MediaTime::from_millis(60_200)))]);
        for _ in 0..2 {
            let (_, kept) = keeping(&world, &soon()).await;
            let [kept] = kept.as_slice() else { panic!("one stream waits") };
            let torn = &kept.recordings[0].torn;
            assert_eq!((torn.gaps.len(), kept.ends < MediaTime::from_millis(4_100)), (0, true));
            let lost = torn.lost.as_millis();
            // 200 ms behind the gap, what is missing of the 4 s, and what was lost before.
            assert!((230..800).contains(&lost), "{format}: {lost} ms");
            assert_eq!(world.row(id).lost, Some(torn.lost));
        }
        let again = Gap { to: start().plus_millis(90_000), lost: ms(260), ..gap };
        world.apply(Change::RecordingContinued { id, session: id.session, gap: again });
        let shown = world.catalog.recording(&id).unwrap().unwrap().gaps;
        assert_eq!((shown.len(), shown[0].to), (1, start().plus_millis(90_000)));
        let continued = world.events_of("recording.continued");
        assert_eq!(continued.len(), 2, "{continued:?}");
        // After the window it is completed, and says all that is lost.
        let (found, _) = keeping(&world, &later()).await;
        assert_eq!(found.completed, 1);
        let row = world.row(id);
        assert!(row.lost.unwrap_or_default() >= ms(260), "{row:?}");
        assert!(world.catalog.recording(&id).unwrap().unwrap().gaps.is_empty(), "nothing lies behind it");
    }
}
