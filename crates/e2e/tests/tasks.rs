//! Streams that are recorded on demand: from the key frame held on, over reconnects and kills, until they are stopped.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Recording, Settings, of_format};
use livetape_testkit::packets::Packet;
use livetape_testkit::{Livetape, Receiver, Tape, clip};
use rustix::process::Signal;
use serde_json::{Value, json};

const OFF: &str = "[[rules]]\nstreams = \"*/*\"\noff = true\n";

fn made(livetape: &Livetape, task: Value) -> Value {
    let answer = livetape.http.send("POST", "/v1/tasks", Some(&task));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn tell(livetape: &Livetape, task: &Value, verb: &str) -> Value {
    let path = format!("/v1/tasks/{}/{verb}", task["id"].as_str().unwrap());
    let answer = livetape.http.send("POST", &path, None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// A moment as the API writes it.
fn text(unix_ms: i64) -> String {
    let moment = format!("@{}.{:03}", unix_ms / 1000, unix_ms % 1000);
    let output = Command::new("date").args(["-u", "-d", &moment, "+%Y-%m-%dT%H:%M:%S.%3NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until a stream is live and so much of it has come, in milliseconds; how much that is.
fn wait_received(livetape: &Livetape, stream: &str, ms: u64) -> u64 {
    eventually(format!("{ms} ms of {stream} have come"), || {
        let streams = livetape.http.json("/v1/streams");
        let found = streams["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["stream"] == stream && !one["waiting_until"].is_string());
        let received = found.and_then(|one| one["duration_ms"].as_u64()).unwrap_or(0);
        if received >= ms { Ok(received) } else { Err(format!("{received} ms")) }
    })
}

/// Panics unless the recorded packets are some of the pushed ones, in a row; which is the first.
fn assert_part(pushed: &[Packet], recorded: &[Packet]) -> usize {
    let first = pushed.iter().position(|packet| packet.hash == recorded[0].hash).expect("it was pushed");
    let part = &pushed[first..first + recorded.len()];
    assert!(part.iter().zip(recorded).all(|(one, other)| one.hash == other.hash), "they are not in a row");
    first
}

#[test]
fn a_task_on_a_live_stream_has_the_seconds_before_it_was_made_and_ends_at_once() {
    let receiver = Receiver::start();
    let settings = Settings::new().webhook_as(OFF).webhook(&receiver);
    let livetape = Livetape::start(&settings);
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("room"), Pace::Live);
    let came = wait_received(&livetape, "room", 2_800);
    let task =
        made(&livetape, json!({"app": "live", "stream": "room", "recording": {"formats": ["mp4", "flv", "hls"]}}));
    assert_eq!((&task["state"], &task["records"]), (&json!("recording"), &json!(["mp4", "flv", "hls"])), "{task}");
    wait_received(&livetape, "room", came + 2_500);
    assert_eq!(tell(&livetape, &task, "stop")["state"], "ended");
    let recordings = livetape.wait_ready("room", &["mp4", "hls", "flv"], 1);
    push.succeed(Duration::from_secs(60));
    let pushed = Tape::read(&clip::plain());
    for recording in &recordings {
        ffmpeg::assert_decodes_silently(&livetape.file(recording));
        let tape = Tape::read(&livetape.file(recording));
        let first = assert_part(&pushed.video, &tape.video);
        assert_part(&pushed.audio, &tape.audio);
        // Key frames come every 2 s, pictures 25 times a second.
        let began_ms = first as u64 * 40;
        assert!(pushed.video[first].key && began_ms <= came && began_ms + 2_000 + 500 > came, "{began_ms} of {came}");
        assert_eq!(
            (recording.text("start_reason"), recording.text("end_reason")),
            ("task".into(), "task_ended".into())
        );
        assert_eq!(recording.0["task_id"], task["id"]);
    }
    let told = receiver.wait_for("recording.ready", 3);
    assert!(told.iter().all(|event| event["data"]["task_id"] == task["id"]), "{told:?}");
    assert_eq!(livetape.of_stream("room").len(), 3, "what came after it was not recorded");
    livetape.fsck().unwrap();
}

#[test]
fn a_task_made_before_its_stream_records_every_push_of_it_over_a_kill_until_it_is_stopped() {
    let mut livetape = Livetape::start(&Settings::new().webhook_as(OFF));
    let task = made(&livetape, json!({"app": "live", "stream": "room"}));
    assert_eq!(task["state"], "waiting");
    let push = |livetape: &Livetape| ffmpeg::push_all(Version::Current, &clip::plain(), &livetape.url("room"));
    push(&livetape);
    let first = livetape.wait_ready("room", &["mp4"], 1);
    assert_recorded(&livetape, &first, &clip::plain());
    let running = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("room"), Pace::Live);
    wait_received(&livetape, "room", 2_500);
    livetape.kill();
    running.kill();
    livetape.start_again();
    let two = livetape.wait_ready("room", &["mp4"], 2);
    assert_eq!((two[1].text("end_reason"), &two[1].0["recovered"]), ("crash".into(), &json!(true)));
    push(&livetape);
    let three = livetape.wait_ready("room", &["mp4"], 3);
    assert_recorded(&livetape, &three[2..], &clip::plain());
    assert!(three.iter().all(|recording| recording.0["task_id"] == task["id"]));
    tell(&livetape, &task, "stop");
    push(&livetape);
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    assert_eq!(livetape.http.json(&path)["end_reason"], "stopped");
    assert_eq!(livetape.of_stream("room").len(), 3);
    livetape.fsck().unwrap();
}

#[test]
fn what_the_template_records_is_recorded_again_only_when_asked_for() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4"]));
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("room"), Pace::Live);
    wait_received(&livetape, "room", 1_000);
    let task = json!({"app": "live", "stream": "room", "recording": {"formats": ["mp4", "flv"]}});
    let covered = made(&livetape, task);
    assert_eq!((&covered["records"], &covered["covered"]), (&json!(["flv"]), &json!(["mp4"])));
    let beside = made(&livetape, json!({"app": "live", "stream": "room", "beside": true}));
    assert_eq!((&beside["records"], &beside["state"]), (&json!(["mp4"]), &json!("recording")));
    push.succeed(Duration::from_secs(60));
    let recordings = livetape.wait_ready_each("room", &[("mp4", 2), ("flv", 1)]);
    let of = |task: Option<&str>| -> Vec<Recording> {
        recordings
            .iter()
            .filter(|one| one.0["task_id"].as_str() == task && one.text("format") == "mp4")
            .cloned()
            .collect()
    };
    assert_recorded(&livetape, &of(None), &clip::plain());
    assert_recorded(&livetape, &of(beside["id"].as_str()), &clip::plain());
    assert_ne!(of(None)[0].text("key"), of(beside["id"].as_str())[0].text("key"));
}

#[test]
fn a_task_begins_and_ends_by_the_clock_and_rests_while_it_is_paused() {
    let livetape = Livetape::start(&Settings::new().webhook_as(OFF));
    let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("room"), Pace::Live);
    wait_received(&livetape, "room", 500);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let (start, stop) = (now() + 3_000, now() + 15_000);
    let task =
        made(&livetape, json!({"app": "live", "stream": "room", "start_at": text(start), "stop_at": text(stop)}));
    assert_eq!(task["state"], "scheduled");
    livetape.wait_live("room", 2.0);
    assert_eq!(tell(&livetape, &task, "pause")["state"], "paused");
    livetape.wait_ready("room", &["mp4"], 1);
    assert_eq!(tell(&livetape, &task, "resume")["state"], "recording");
    let recordings = livetape.wait_ready("room", &["mp4"], 2);
    push.signal(Signal::KILL);
    let reasons = recordings.iter().map(|one| one.text("end_reason")).collect::<Vec<_>>();
    assert_eq!(reasons, ["task_paused", "task_ended"]);
    let began = recordings[0].text("started_at");
    assert!(began >= text(start - 2_600) && began <= text(start + 2_600), "{began}, not {}", text(start));
    let ended = recordings[1].text("ended_at");
    assert!(ended >= text(stop - 1_500) && ended <= text(stop + 1_500), "{ended}, not {}", text(stop));
    let pushed = Tape::read(&clip::long());
    for recording in &of_format(&recordings, "mp4") {
        let tape = Tape::read(&livetape.file(recording));
        assert!(pushed.video[assert_part(&pushed.video, &tape.video)].key);
    }
}

#[test]
fn with_preroll_a_task_has_whole_groups_of_pictures_from_before_the_last_key_frame() {
    let livetape = Livetape::start(&Settings::new().webhook_as(OFF).set("record.preroll", "\"4s\""));
    let push = ffmpeg::push(Version::Current, &clip::plain(), &livetape.url("room"), Pace::Live);
    let came = wait_received(&livetape, "room", 6_400);
    let task = made(&livetape, json!({"app": "live", "stream": "room"}));
    assert_eq!(task["state"], "recording");
    push.succeed(Duration::from_secs(60));
    let recordings = livetape.wait_ready("room", &["mp4"], 1);
    ffmpeg::assert_decodes_silently(&livetape.file(&recordings[0]));
    let (pushed, tape) = (Tape::read(&clip::plain()), Tape::read(&livetape.file(&recordings[0])));
    let began_ms = assert_part(&pushed.video, &tape.video) as u64 * 40;
    assert_part(&pushed.audio, &tape.audio);
    // The last key frame came at 6 s, or at 8 s when the machine was slow.
    assert!(began_ms == 2_000 && came < 8_500 || began_ms == 4_000 && came > 7_000, "{began_ms} of {came}");
    assert_eq!(tape.video.len(), pushed.video.len() - began_ms as usize / 40, "and everything after it");
    let metrics = livetape.metrics();
    assert!(metrics.contains("livetape_held_bytes{stage=\"preroll\"} 0"), "nothing is held of a stream that is over");
}

#[test]
fn a_task_goes_on_in_one_file_when_its_publisher_is_back_in_time_and_ends_while_it_is_away() {
    let settings = Settings::new().webhook_as(OFF).set("record.resume_window", "\"10min\"");
    let mut livetape = Livetape::start(&settings);
    let task = made(&livetape, json!({"app": "live", "stream": "room"}));
    let waits = |livetape: &Livetape| {
        eventually("its recording waits", || {
            let stream = livetape.http.json("/v1/streams")["items"][0].clone();
            if stream["waiting_until"].is_string() { Ok(()) } else { Err(stream.to_string()) }
        });
    };
    for (came, killed) in [(2_000, false), (1_500, false), (2_000, true)] {
        let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("room"), Pace::Live);
        wait_received(&livetape, "room", came);
        let open = livetape.http.json("/v1/streams")["items"][0]["recordings"].clone();
        assert_eq!((open[0]["task_id"] == task["id"], open.as_array().unwrap().len()), (true, 1), "{open}");
        if killed {
            livetape.kill();
        }
        push.kill();
        if !killed {
            waits(&livetape);
            livetape.kill();
        }
        livetape.start_again();
        waits(&livetape);
    }
    assert_eq!(livetape.of_stream("room").len(), 1, "it waits");
    assert_eq!(tell(&livetape, &task, "stop")["state"], "ended");
    let recordings = livetape.wait_ready("room", &["mp4"], 1);
    let recording = &recordings[0];
    assert_eq!((recording.text("end_reason"), &recording.0["task_id"]), ("task_ended".into(), &task["id"]));
    let tape = Tape::read(&livetape.file(recording));
    let keys = tape.video.iter().filter(|packet| packet.key && packet.hash == tape.video[0].hash).count();
    assert_eq!(keys, 3, "it begins with the first picture of each push");
    livetape.fsck().unwrap();
}
