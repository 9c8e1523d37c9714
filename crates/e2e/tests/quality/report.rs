//! The report of a recording against what was pushed, and what ffprobe finds.

use std::process::Command;

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::flv::{Kind, Tag};
use livetape_testkit::livetape::{Recording, Settings};
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, Tape, clip};
use serde_json::{Value, json};

use super::{plain, push, within};
use crate::FORMATS;

fn report(livetape: &Livetape, recording: &Recording) -> Value {
    let report = livetape.http.json(&format!("/v1/recordings/{}/report", recording.text("id")));
    assert_eq!(report["recording_id"], recording.0["id"]);
    report
}

/// Bytes of a track's packets, as ffprobe reads them.
fn packet_bytes(livetape: &Livetape, recording: &Recording, track: &str) -> u64 {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", track, "-show_entries", "packet=size", "-of", "csv=p=0"]);
    let output = succeed(ffprobe.arg(livetape.file(recording)));
    let text = text(&output.stdout);
    text.split_whitespace().map(|size| size.trim_end_matches(',').parse::<u64>().unwrap()).sum()
}

#[test]
fn a_report_says_what_ffprobe_finds() {
    let livetape = Livetape::start(&Settings::new());
    push(&livetape, "plain", &plain());
    let tape = Tape::read(&clip::plain());
    let keys: Vec<i64> = tape.video.iter().filter(|packet| packet.key).map(|packet| packet.dts / 1_000).collect();
    let lengths: Vec<i64> = keys.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for recording in livetape.wait_ready("plain", &FORMATS, 1) {
        let report = report(&livetape, &recording);
        assert_eq!((&report["recovered"], &report["recovery"]), (&json!(false), &Value::Null));
        assert_eq!(report["first_at"], recording.0["started_at"]);
        assert_eq!(report["duration_ms"], recording.0["duration_ms"]);
        for (track, packets) in [("video", &tape.video), ("audio", &tape.audio)] {
            assert_eq!(report[track]["frames"], packets.len(), "{track} of {recording:?}");
            assert_eq!(report[track]["codec"], recording.0[track]["codec"]);
            assert_eq!(report[track]["moved"], 0);
        }
        if recording.text("format") == "mp4" {
            assert_eq!(report["video"]["bytes"], packet_bytes(&livetape, &recording, "v:0"));
            assert_eq!(report["audio"]["bytes"], packet_bytes(&livetape, &recording, "a:0"));
        }
        let observed = &report["observed"];
        for none in ["gaps", "jumps"] {
            assert_eq!(observed[none], json!({"total": 0, "first": []}), "{none}");
        }
        assert_eq!(observed["left_out"]["disk_slow_frames"], 0);
        assert_eq!(observed["gops"]["count"], lengths.len());
        assert_eq!(observed["gops"]["min_ms"], lengths.iter().copied().min().unwrap());
        assert_eq!(observed["gops"]["max_ms"], lengths.iter().copied().max().unwrap());
        let apart = &observed["apart"];
        assert!(apart["max_ms"].as_i64().unwrap().abs() < 100 && apart["minutes"] == 1, "{apart}");
        assert_eq!(apart["curve_ms"].as_array().unwrap().len(), 1);
        let configurations = observed["configurations"]["first"].as_array().unwrap();
        assert_eq!(configurations.len(), 2, "{configurations:#?}");
        assert_eq!(configurations[0]["width"], recording.0["video"]["width"]);
        assert_eq!(configurations[1]["sample_rate"], recording.0["audio"]["sample_rate"]);
    }
}

#[test]
fn a_report_tells_of_gaps_jumps_moved_times_and_sound_that_is_late() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4", "hls"]));
    let tags = plain().into_iter().filter(|tag| !within(tag, 4_000, 5_000)).map(|tag| {
        let at = match tag.kind {
            // Pairs with one time for two seconds.
            Kind::Video if (2_000..4_000).contains(&tag.timestamp) => tag.timestamp / 80 * 80,
            // Sent as it was, and said to be earlier.
            Kind::Audio if tag.timestamp >= 5_000 => tag.timestamp - 700,
            _ => tag.timestamp,
        };
        let jumps = tag.timestamp >= 7_000;
        tag.at(at + if jumps { 3_600_000 } else { 0 })
    });
    push(&livetape, "bad", &tags.collect::<Vec<Tag>>());
    for recording in livetape.wait_settled("bad") {
        let report = report(&livetape, &recording);
        let observed = &report["observed"];
        for track in ["video", "audio"] {
            let mut gaps = observed["gaps"]["first"].as_array().unwrap().iter();
            let gap = gaps.find(|gap| gap["track"] == track).unwrap();
            let (at, length) = (gap["at_ms"].as_i64().unwrap(), gap["length_ms"].as_i64().unwrap());
            // The sound is said to go on 700 ms earlier than it does.
            let missing = if track == "video" { 1_000 } else { 300 };
            assert!((3_850..4_000).contains(&at) && (missing..missing + 150).contains(&length), "{gap}");
        }
        let repair = if recording.text("format") == "hls" { "discontinuity" } else { "taken_out" };
        let jump = &observed["jumps"]["first"][0];
        assert_eq!((&observed["jumps"]["total"], &jump["repair"]), (&json!(1), &json!(repair)), "{jump}");
        assert!((3_599_000..3_601_000).contains(&jump["by_ms"].as_i64().unwrap()), "{jump}");
        assert_eq!(report["video"]["moved"], 25, "{recording:?}");
        let apart = observed["apart"]["max_ms"].as_i64().unwrap();
        assert!((600..800).contains(&apart), "the pictures are {apart} ms ahead");
    }
}

#[test]
fn what_was_recovered_has_a_report_that_says_so() {
    let mut livetape = Livetape::start(&Settings::new());
    let recording = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("crash"), Pace::Live);
    livetape.wait_live("crash", 3.0);
    let growing = livetape.recordings().into_iter().next().unwrap();
    let answer = livetape.http.get(&format!("/v1/recordings/{}/report", growing.text("id")));
    assert_eq!(answer.status, 404, "{}", answer.text());
    livetape.kill();
    drop(recording);
    livetape.start_again();
    for recording in livetape.wait_ready("crash", &FORMATS, 1) {
        let report = report(&livetape, &recording);
        assert_eq!((&report["recovered"], &report["observed"]), (&json!(true), &Value::Null));
        assert_eq!(report["recovery"]["reason"], "crash");
        assert_eq!(report["last_at"], recording.0["ended_at"]);
        let tape = Tape::read(&livetape.file(&recording));
        assert_eq!(report["video"]["frames"], tape.video.len(), "{recording:?}");
        let whole = recording.0["lost_ms"].as_u64().unwrap_or(0);
        assert_eq!(report["recovery"]["lost_ms"].as_u64().unwrap(), whole);
        let id = recording.text("id");
        assert_eq!(livetape.http.delete(&format!("/v1/recordings/{id}")).status, 204);
    }
    let missing = livetape.http.get("/v1/recordings/rec_0192f0c1a2b37c4d8e5f60718293a4b5_mp4_1/report");
    assert_eq!(missing.status, 404);
}
