//! Which streams are recorded and how; cuts that an operator asks for, and those by the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::{Livetape, Receiver, clip};
use serde_json::json;

use crate::FORMATS;

const RULES: &str = r#"
[[templates]]
name = "court"
formats = ["mp4"]
mp4_max_duration = "1min"

[[rules]]
streams = "live/test-*"
off = true

[[rules]]
name = "asks"
streams = "live/asks-*"
from_query = ["mp4", "flv"]

[[rules]]
streams = "*/court-?"
template = "court"
"#;

#[test]
fn the_first_rule_that_fits_says_how_a_stream_is_recorded_and_the_push_may_ask_where_it_allows() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver).webhook_as(RULES));
    let push = |stream: &str| ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
    push("test-1");
    push("asks-1?record=flv&record_interval=3600");
    push("asks-2?record=hls|avi&record_interval=5");
    push("other");
    ffmpeg::push_all(Version::Debian, &clip::long(), &livetape.url("court-7"));
    let court = livetape.wait_ready("court-7", &["mp4"], 3);
    assert_eq!(court[0].text("end_reason"), "duration_limit");
    assert_recorded(&livetape, &court, &clip::long());
    assert_recorded(&livetape, &livetape.wait_ready("asks-1", &["flv"], 1), &clip::plain());
    livetape.wait_ready("asks-2", &FORMATS, 1);
    livetape.wait_ready("other", &FORMATS, 1);
    receiver.wait_for("stream.ended", 5);
    for (stream, count) in [("test-1", 0), ("asks-1", 1), ("asks-2", 3), ("court-7", 3)] {
        assert_eq!(livetape.of_stream(stream).len(), count, "{stream}");
    }
    let ignored: Vec<String> = receiver
        .wait_for("recording.warning", 3)
        .iter()
        .filter(|event| event["data"]["kind"] == "request_ignored" && event["data"]["stream"] == "asks-2")
        .map(|event| event["data"]["detail"].as_str().unwrap().to_owned())
        .collect();
    let about = |word: &str| ignored.iter().any(|detail| detail.contains(word));
    assert!(about("record=hls") && about("\"avi\"") && about("record_interval"), "{ignored:?}");
}

#[test]
fn a_stream_is_split_on_request_in_every_format_at_the_same_frame() {
    let livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("split%20me"), Pace::Live);
    livetape.wait_live("split me", 2.5);
    let answer = livetape.http.send("POST", "/v1/streams/live/split%20me/split", None);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mut ended = answer.json()["recordings"].as_array().unwrap().clone();
    push.succeed(Duration::from_secs(60));
    let recordings = livetape.wait_ready("split me", &FORMATS, 2);
    assert_recorded(&livetape, &recordings, &clip::plain());
    let mut first = Vec::new();
    for format in FORMATS {
        let of_format = of_format(&recordings, format);
        let frames = |at: usize| of_format[at].0["video"]["frames"].as_u64().unwrap();
        assert_eq!(
            (of_format[0].text("end_reason"), of_format[1].text("start_reason")),
            ("split".into(), "split".into())
        );
        assert_eq!((frames(0), frames(1)), (100, 150), "{format} is cut at the key frame 4 s after the first");
        first.push(json!(of_format[0].text("id")));
    }
    ended.sort_by_key(ToString::to_string);
    first.sort_by_key(ToString::to_string);
    assert_eq!(ended, first);
    for path in ["/v1/streams/live/split%20me/split", "/v1/streams/a/b/split"] {
        let answer = livetape.http.send("POST", path, None);
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[test]
fn recordings_are_cut_by_the_clock_and_nothing_is_lost() {
    let livetape = Livetape::start(&Settings::new().set("record.align", "\"10s\"").set("rtmp.gather", "\"100ms\""));
    // The clock is to reach a multiple of 10 s between the third and the fifth key frame.
    let millis = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    std::thread::sleep(Duration::from_millis((14_500 - millis() % 10_000).rem_euclid(10_000) as u64));
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("clock"), Pace::Live);
    push.succeed(Duration::from_secs(60));
    let recordings = livetape.wait_ready("clock", &FORMATS, 2);
    assert_recorded(&livetape, &recordings, &clip::plain());
    for format in FORMATS {
        let of_format = of_format(&recordings, format);
        assert_eq!(of_format[0].text("end_reason"), "aligned");
        let began = of_format[1].text("started_at");
        // 2026-11-22T21:07:02.123Z: the tens of a second are its 18th byte on.
        let second: f64 = began[18..23].parse().unwrap();
        assert!(second < 2.3, "{format} begins {second} s after the moment: {began}");
    }
}

#[test]
fn a_stream_is_disconnected_on_request_and_its_recordings_are_finished() {
    let livetape = Livetape::start(&Settings::new());
    let mut push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("away"), Pace::Live);
    livetape.wait_live("away", 2.0);
    assert_eq!(livetape.http.delete("/v1/streams/live/away").status, 204);
    assert_eq!(livetape.http.json("/v1/streams")["items"], json!([]));
    for recording in livetape.wait_ready("away", &FORMATS, 1) {
        assert_eq!(recording.text("end_reason"), "disconnect");
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
    eventually("the publisher goes", || if push.has_ended() { Ok(()) } else { Err(String::new()) });
    assert_eq!(livetape.http.delete("/v1/streams/live/away").status, 404);
}
