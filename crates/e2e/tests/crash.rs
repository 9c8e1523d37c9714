//! The process dies at any moment; what had arrived is completed and announced by the next one.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::within;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::{Settings, files_below};
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, Receiver, Reel, Tape, clip, place};

use crate::FORMATS;

/// Events of this kind in the index: how often each recording is announced.
fn announced(livetape: &Livetape, kind: &str) -> BTreeMap<String, usize> {
    let query = format!("select body from events where type = '{kind}'");
    let mut sqlite = Command::new("sqlite3");
    let rows = succeed(sqlite.arg("-json").arg(livetape.data().join("livetape.db")).arg(query));
    let rows: serde_json::Value = serde_json::from_str(&text(&rows.stdout)).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for row in rows.as_array().into_iter().flatten() {
        let body: serde_json::Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
        *counts.entry(body["data"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_recording_that_the_process_died_over_is_completed_and_announced_once() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&Settings::new().webhook(&receiver));
    let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("crash"), Pace::Live);
    livetape.wait_live("crash", 4.0);
    let begun = Instant::now();
    // Media arrives as it plays: this much more is there when the process dies.
    within(Duration::from_secs(30), "another moment", || {
        if begun.elapsed() > Duration::from_millis(1_730) { Ok(()) } else { Err(String::new()) }
    });
    let received = received_ms(&livetape, "crash");
    livetape.kill();
    drop(push);
    livetape.start_again();

    let recordings = livetape.wait_ready("crash", &FORMATS, 1);
    let pushed = Tape::read(&clip::long());
    for recording in &recordings {
        assert_eq!(recording.0["recovered"], true, "{recording:?}");
        assert_eq!(recording.text("end_reason"), "crash");
        let file = livetape.file(recording);
        ffmpeg::assert_decodes_silently(&file);
        let reel = Reel::read(&file);
        for (kind, pushed, recorded) in
            [("video", &pushed.video, &reel.stored.video), ("audio", &pushed.audio, &reel.stored.audio)]
        {
            let begin = pushed.iter().position(|packet| packet.hash == recorded[0].hash).unwrap();
            for (pushed, recorded) in pushed[begin..].iter().zip(recorded) {
                assert_eq!(pushed.hash, recorded.hash, "{kind} in {recording:?}");
            }
            let last = pushed[begin + recorded.len() - 1].pts / 1000;
            let lost = received - last;
            assert!(lost <= 500, "{lost} ms of {kind} are lost of {received} ms in {recording:?}");
        }
        livetape_testkit::judge::assert_sound(&livetape, recording, &reel);
    }
    let ids: Vec<String> = recordings.iter().map(|recording| recording.text("id")).collect();
    receiver.wait_for("recording.ready", 3);
    let counts = announced(&livetape, "recording.ready");
    assert_eq!(counts.len(), 3);
    assert!(ids.iter().all(|id| counts[id] == 1), "{counts:?}");
    assert!(receiver.wait_for("stream.ended", 1).iter().all(|event| event["data"]["end_reason"] == "crash"));
    livetape.wait_empty("spool");
    assert!(files_below(&livetape.data().join("quarantine")).is_empty());
}

/// How much media of the stream the program says it has received.
fn received_ms(livetape: &Livetape, stream: &str) -> i64 {
    let streams = livetape.http.json("/v1/streams");
    let items = streams["items"].as_array().unwrap_or_else(|| panic!("{streams:#}"));
    let live = items.iter().find(|item| item["stream"] == stream).unwrap_or_else(|| panic!("{streams:#}"));
    live["duration_ms"].as_i64().unwrap_or_else(|| panic!("{live:#}"))
}

#[test]
fn dying_again_and_again_loses_nothing_that_was_saved() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&Settings::new().webhook(&receiver));
    for round in 0..4 {
        let stream = format!("round{round}");
        let push = ffmpeg::push(Version::Current, &place::sample(), &livetape.url(&stream), Pace::Loop);
        livetape.wait_live(&stream, 1.2 + 0.37 * f64::from(round));
        livetape.kill();
        drop(push);
        livetape.start_again();
    }
    for round in 0..4 {
        for recording in livetape.wait_ready(&format!("round{round}"), &FORMATS, 1) {
            ffmpeg::assert_decodes_silently(&livetape.file(&recording));
        }
    }
    let counts = announced(&livetape, "recording.ready");
    assert_eq!(counts.len(), 12);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn an_announcement_owed_at_the_time_of_death_is_delivered_by_the_next_process() {
    // The receiver is deaf until the process has died.
    let receiver = Receiver::answering(|_| livetape_testkit::receiver::Reply::Close);
    let mut livetape = Livetape::start(&Settings::new().webhook(&receiver));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("owed"));
    let before = livetape.wait_ready("owed", &FORMATS, 1);
    livetape.kill();
    receiver.answer(|_| livetape_testkit::receiver::Reply::Status(204));
    livetape.start_again();
    let ready = receiver.wait_for("recording.ready", 3);
    for recording in before {
        let event = ready.iter().find(|event| event["data"]["id"] == recording.text("id").as_str());
        assert!(event.is_some(), "{recording:?} is not announced");
    }
}

#[test]
fn a_file_nobody_knows_is_put_aside_and_kept() {
    let mut livetape = Livetape::start(&Settings::new());
    livetape.stop();
    let stranger = livetape.data().join("spool/stranger");
    fs::create_dir_all(&stranger).unwrap();
    fs::write(stranger.join("video.mp4"), b"somebody's film").unwrap();
    livetape.start_again();
    livetape.wait_empty("spool");
    let kept = files_below(&livetape.data().join("quarantine"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).unwrap(), b"somebody's film");
}

#[test]
fn two_programs_do_not_share_a_data_directory() {
    let livetape = Livetape::start(&Settings::new());
    let mut second = Command::new(place::livetape());
    second.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(livetape.data());
    let output = second.output().unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr) + &text(&output.stdout);
    assert!(said.contains("lock") || said.contains("in use") || said.contains("another"), "{said}");
    assert_eq!(livetape.http.get("/readyz").status, 200);
}
