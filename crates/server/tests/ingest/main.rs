//! Ingest under a disk that hangs or is full, and under publishers that pause or take too much.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod disk;
mod encoder;
mod world;

use std::time::{Duration, Instant};

use encoder::Encoder;
use livetape_testkit::deadline::eventually;
use livetape_testkit::publisher::chunk::{self, Header};
use livetape_testkit::publisher::{Publisher, kind};
use world::World;

/// Notices and gives up sooner than a real one would.
const HASTY: &str = r#"
[record]
min_free = 0
max_held_size = "1MiB"
stall_grace = "300ms"
stall_warning = "2s"
track_wait = "100ms"
min_duration = "0s"
sync_interval = "500ms"
"#;

const MIB: usize = 1 << 20;

fn metric(name: &str) -> f64 {
    let metrics = livetape_server::metrics::render();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not shown")).parse().unwrap()
}

#[test]
fn a_stalled_disk_costs_one_recording_some_media_and_the_others_nothing() {
    let world = World::new(HASTY);
    let names = ["stalled", "one", "two", "three"];
    // The stalled one sends a megabyte a second.
    let encoders =
        names.map(|name| Encoder::start(world.address, name, if name == "stalled" { 40_000 } else { 8_000 }));
    let views = names.map(|name| world.wait_recorded(name, 3));
    let lags = |most: &mut [u64; 4]| {
        for (name, most) in names.iter().zip(most) {
            let view = world.stream(name).unwrap();
            *most = (*most).max(view.duration_ms - view.durable_until_ms.min(view.duration_ms));
        }
    };
    let watch = |length: Duration| {
        let (begun, mut most, mut held) = (Instant::now(), [0; 4], 0);
        while begun.elapsed() < length {
            lags(&mut most);
            held = held.max(world.context.held.held());
            std::thread::sleep(Duration::from_millis(20));
        }
        (most, held)
    };
    let (before, held_before) = watch(Duration::from_secs(2));

    let mp4 = world.recording("stalled", "mp4").unwrap();
    world.disk.hang(&mp4.id);
    let (during, held_during) = watch(Duration::from_secs(5));
    println!("lag in ms before: {before:?}, while the first one's MP4 stalls: {during:?}");
    println!("bytes waiting for the disk at most: {held_before} before, {held_during} meanwhile");

    // Its other formats go on, and so do the other streams.
    let (stalled, hls) = (world.recording("stalled", "mp4").unwrap(), world.recording("stalled", "hls").unwrap());
    assert!(!stalled.growing && hls.growing, "{stalled:?} {hls:?}");
    assert!(hls.durable_until_ms > stalled.durable_until_ms + 2_000, "{hls:?} {stalled:?}");
    for (name, (before, during)) in names.iter().zip(before.iter().zip(&during)).skip(1) {
        assert!(*during < 1_500 + before, "{name} lags by {during} ms");
        assert!(world.stream(name).unwrap().recordings.iter().all(|recording| recording.growing));
    }
    // What waits is bounded: the stalled recording's share, and little of the others.
    assert!(held_during < 3 * MIB, "{held_during}");
    let session = &views[0].session_id;
    let told = world.warnings(session, "recording_stalled");
    assert!(told.iter().filter(|detail| detail.contains("mp4")).count() == 1, "{told:?}");
    // Other tests of this process may raise it as well.
    assert!(metric("livetape_recordings_stalled") >= 1.0);

    world.disk.heal();
    let next = eventually("the next recording begins", || match world.recording("stalled", "mp4") {
        Some(next) if next.id != mp4.id && next.growing && next.durable_until_ms > 0 => Ok(next),
        other => Err(format!("{other:?}")),
    });
    assert!(next.key != mp4.key);
    let sent: Vec<u64> = encoders.into_iter().map(Encoder::end).collect();

    let rows = world.rows(&views[0].session_id, "mp4");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((rows[0].end_reason.as_deref(), rows[1].start_reason.as_str()), (Some("disk_slow"), "disk_slow"));
    let lost = rows[0].lost.unwrap();
    assert!(lost > Duration::from_secs(2) && lost < Duration::from_secs(30), "{lost:?}");
    assert!(rows[1].lost.is_none());
    // Every frame is in a recording or was counted.
    let told = world.warnings(session, "frames_dropped");
    let dropped: u64 = told.iter().map(|detail| detail.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    let recorded: u64 = rows.iter().map(|row| row.video.as_ref().unwrap().frames).sum();
    println!(
        "{} pictures sent, {recorded} in MP4, {dropped} dropped in {} episode, {lost:?} lost",
        sent[0],
        told.len()
    );
    assert_eq!((told.len(), recorded + dropped), (1, sent[0]));
    assert_eq!(world.told_of(session, "recording.paused"), [rows[0].id.to_string()]);
    assert_eq!(world.told_of(session, "recording.resumed"), [rows[1].id.to_string()]);
    let left_out = world.report(&rows[0])["observed"]["left_out"].clone();
    let lost_ms = u64::try_from(lost.as_millis()).unwrap();
    let counted = (left_out["disk_slow_frames"].as_u64(), left_out["disk_slow_ms"].as_u64());
    assert_eq!(counted, (Some(dropped), Some(lost_ms)), "{left_out}");
    assert_eq!(world.report(&rows[1])["observed"]["left_out"]["disk_slow_frames"], 0);
    assert!(world.warnings(session, "recording_resumed").iter().any(|detail| detail.contains("mp4")));
    for (view, sent) in views.iter().zip(&sent) {
        for format in ["mp4", "hls", "flv"] {
            if (view.stream.as_str(), format) != ("stalled", "mp4") {
                let rows = world.rows(&view.session_id, format);
                let frames = rows.iter().map(|row| row.video.as_ref().unwrap().frames);
                assert_eq!((rows.len(), frames.sum()), (1, *sent), "{} {format}", view.stream);
            }
        }
    }
}

#[test]
fn what_comes_does_not_wait_for_the_end_of_the_recording_before() {
    let world = World::new(&format!("{HASTY}mp4_max_duration = \"3s\"\nformats = [\"mp4\"]\n"));
    let encoder = Encoder::start(world.address, "cam", 4_000);
    let first = world.wait_recorded("cam", 1);
    let before = world.recording("cam", "mp4").unwrap();
    world.disk.hang(&format!("finish:{}", before.id));
    let beside = eventually("the next recording grows", || match world.recording("cam", "mp4") {
        Some(next) if next.id != before.id && next.growing => Ok(next),
        other => Err(format!("{other:?}")),
    });
    // It is on the disk, while the one before has not got its name yet.
    let written = eventually("its pictures are on the disk", || {
        let grown = world.spooled(&beside.id, "recording.mp4.part");
        if grown > 20_000 { Ok(grown) } else { Err(format!("{grown} bytes")) }
    });
    assert_eq!(world.spooled(&before.id, "recording.mp4"), 0);
    assert!(world.spooled(&before.id, "recording.mp4.part") > 0, "{written}");
    // What a kill leaves of the session is told only as far as nothing before it is missing.
    let stream = world.stream("cam").unwrap();
    assert!(stream.durable_until_ms < stream.duration_ms, "{stream:?}");
    world.disk.heal();
    let sent = encoder.end();
    let rows = world.rows(&first.session_id, "mp4");
    assert!(rows.len() > 1 && rows.iter().all(|row| row.lost.is_none()), "{rows:?}");
    assert_eq!(rows.iter().map(|row| row.video.as_ref().unwrap().frames).sum::<u64>(), sent);
}

#[test]
fn a_publisher_may_come_back_while_the_last_of_it_still_waits_for_the_disk() {
    let world = World::new(HASTY);
    let encoder = Encoder::start(world.address, "cam", 4_000);
    let first = world.wait_recorded("cam", 3);
    for recording in &first.recordings {
        world.disk.hang(&recording.id);
    }
    let sent = encoder.end();
    let begun = Instant::now();
    let encoder = Encoder::start(world.address, "cam", 4_000);
    let waited = begun.elapsed();
    println!("it was back after {waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let second = world.wait_recorded("cam", 3);
    assert_ne!(first.session_id, second.session_id);
    world.disk.heal();
    let rows = world.rows(&first.session_id, "flv");
    assert_eq!((rows.len(), rows[0].video.as_ref().unwrap().frames), (1, sent));
    encoder.end();
    assert_eq!(world.rows(&second.session_id, "mp4").len(), 1);
}

#[test]
fn a_session_that_ends_with_more_waiting_than_may_is_written_when_the_disk_is_back() {
    let world = World::new(HASTY);
    let encoder = Encoder::start(world.address, "cam", 60_000);
    let view = world.wait_recorded("cam", 3);
    for recording in &view.recordings {
        world.disk.hang(&recording.id);
    }
    eventually("all of it is dropped", || {
        let growing = world.stream("cam").map_or(0, |view| view.recordings.iter().filter(|open| open.growing).count());
        (growing == 0).then_some(()).ok_or_else(|| growing.to_string())
    });
    let sent = encoder.end();
    eventually("its stream is free", || world.stream("cam").map_or(Ok(()), |view| Err(format!("{view:?}"))));
    assert!(world.context.held.held() > MIB);
    world.disk.heal();
    for format in ["mp4", "hls", "flv"] {
        let rows = world.rows(&view.session_id, format);
        assert_eq!((rows.len(), rows[0].end_reason.as_deref()), (1, Some("unpublish")));
        assert!(rows[0].lost.unwrap() > Duration::ZERO && rows[0].video.as_ref().unwrap().frames < sent);
    }
    eventually("nothing is held", || {
        let held = world.context.held.held();
        (held == 0).then_some(()).ok_or_else(|| held.to_string())
    });
}

#[test]
fn a_paused_encoder_is_told_of_and_stays() {
    let world = World::new(HASTY);
    let encoder = Encoder::start(world.address, "cam", 2_000);
    let view = world.wait_recorded("cam", 3);
    assert!(!view.silent);
    encoder.pause(true);
    eventually("its silence is told", || match world.stream("cam") {
        Some(view) if view.silent && view.recordings.iter().all(|recording| !recording.growing) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Everything but the frame that waits for the next one survives a power cut, though nothing comes.
    eventually("all of it is synced", || match world.stream("cam") {
        Some(view) if view.synced_until_ms + 40 >= view.duration_ms && view.oldest_unsynced_ms == 0 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    encoder.pause(false);
    eventually("it is heard again", || match world.stream("cam") {
        Some(view) if !view.silent && view.recordings.iter().all(|recording| recording.growing) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let sent = encoder.end();
    let rows = world.rows(&view.session_id, "mp4");
    assert_eq!((rows.len(), rows[0].video.as_ref().unwrap().frames), (1, sent));
    let told = ["stream_silent", "stream_resumed"].map(|kind| world.warnings(&view.session_id, kind).len());
    assert_eq!(told, [1, 1]);
}

#[test]
fn a_stream_has_not_ended_before_its_recordings_are_known_to_wait() {
    let waits = "resume_window = \"10min\"\nresume_on_unpublish = true\nformats = [\"mp4\"]";
    let world = World::new(&HASTY.replace("min_free = 0", &format!("min_free = 0\n{waits}")));
    let encoder = Encoder::start(world.address, "cam", 2_000);
    let view = world.wait_recorded("cam", 1);
    let session = view.session_id.parse().unwrap();
    let known = || {
        let ended = world.catalog.session(&session).unwrap().unwrap().ended_at.is_some();
        let row = world.catalog.recordings_of(&session).unwrap().pop().unwrap();
        (ended, row.waiting_until.is_some())
    };
    world.disk.hang(&view.recordings[0].id);
    encoder.end();
    eventually("it is seen to wait", || match world.stream("cam") {
        Some(view) if view.waiting_until.is_some() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(800) {
        assert_eq!(known(), (false, false), "a crash now: its publisher was there");
        std::thread::sleep(Duration::from_millis(20));
    }
    world.disk.heal();
    eventually("that it waits, and then that the stream has ended, is in the catalog", || match known() {
        (true, true) => Ok(()),
        (true, false) => panic!("a crash now: its recording was over"),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn low_space_is_told_once_and_once_when_it_is_over() {
    let world = World::new(
        &HASTY.replace("min_free = 0", "min_free = 1000000\nmp4_max_duration = \"1s\"\nformats = [\"mp4\"]"),
    );
    world.disk.free(2_000_000);
    let encoder = Encoder::start(world.address, "cam", 2_000);
    let view = world.wait_recorded("cam", 1);
    world.disk.free(999_999);
    let refused = Publisher::try_publish(world.address, "live", "another").err().unwrap();
    assert!(refused.contains("999999 bytes are free, 1000000 are wanted (record.min_free)"), "{refused}");
    let told = eventually("low space is told", || {
        world.warnings(&view.session_id, "disk_low").first().cloned().ok_or_else(|| "it is not".to_owned())
    });
    assert!(told.contains("no mp4 recording begins: 999999 bytes are free"), "{told}");
    eventually("that nothing is recorded is told", || {
        let stalled = world.warnings(&view.session_id, "recording_stalled");
        (!stalled.is_empty()).then_some(()).ok_or_else(|| "it is not".to_owned())
    });
    world.disk.free(2_000_000);
    eventually("that there is space is told", || {
        let recovered = world.warnings(&view.session_id, "disk_recovered");
        (recovered.len() == 1).then_some(()).ok_or_else(|| format!("{recovered:?}"))
    });
    encoder.end();
    assert_eq!(world.warnings(&view.session_id, "disk_low").len(), 1);
    assert!(world.rows(&view.session_id, "mp4").len() >= 2);
}

#[test]
fn those_who_send_unfinished_messages_are_closed_before_memory_runs_out() {
    let world =
        World::new(&format!("{HASTY}\n[rtmp]\nmax_connection_memory = \"16MiB\"\nmax_total_memory = \"16MiB\"\n"));
    let encoder = Encoder::start(world.address, "honest", 8_000);
    let view = world.wait_recorded("honest", 3);
    let (mut closed, mut most) = (0, 0);
    let mut hoarders = Vec::new();
    for number in 0..12 {
        let mut hoarder = Publisher::publish(world.address, "live", &format!("hoarder-{number}"));
        hoarder.announce_chunk_size(60_000);
        // A message of nearly 8 MB, of which the last chunk never comes.
        let header = Header { csid: 6, kind: kind::VIDEO, timestamp: 0, message_stream: hoarder.message_stream };
        let body = [&[0x17, 1, 0, 0, 0][..], &vec![0; 8 * MIB - 60_000]].concat();
        let chunks = chunk::message(header, &body, 60_000);
        for part in &chunks[..chunks.len() - 1] {
            if hoarder.try_write(part).is_err() {
                closed += 1;
                break;
            }
            most = most.max(world.context.assembling.held());
        }
        hoarders.push(hoarder);
    }
    eventually("what is held is bounded", || {
        let held = world.context.assembling.held();
        most = most.max(held);
        (held < 16 * MIB).then_some(()).ok_or_else(|| held.to_string())
    });
    println!("12 hoarders of 8 MB: {closed} were closed while they sent, {most} bytes held at most");
    assert!(most <= 16 * MIB, "{most}");
    // The honest one was not touched.
    let later = eventually("the honest one goes on", || match world.stream("honest") {
        Some(later) if later.duration_ms > view.duration_ms + 1_000 => Ok(later),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(later.session_id, view.session_id);
    // What they sent may still be on its way.
    eventually("most of them are closed", || match metric("livetape_rtmp_overloaded_total") {
        8.0.. => Ok(()),
        closed => Err(closed.to_string()),
    });
    assert!(encoder.end() > 0);
    assert_eq!(world.rows(&view.session_id, "mp4").len(), 1);
}
