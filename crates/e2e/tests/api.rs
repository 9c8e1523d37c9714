//! What programs ask over HTTP.

use std::collections::BTreeSet;

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::{Settings, of_format, path_of};
use livetape_testkit::{Livetape, Publisher, clip, flv};

use crate::FORMATS;

const RECORDING_FIELDS: [&str; 23] = [
    "app",
    "audio",
    "bit_rate",
    "deletion_reason",
    "duration_ms",
    "end_reason",
    "ended_at",
    "error",
    "format",
    "id",
    "key",
    "lost_ms",
    "recovered",
    "sequence",
    "session_id",
    "size_bytes",
    "start_reason",
    "started_at",
    "state",
    "store",
    "stream",
    "url",
    "video",
];

fn keys(value: &serde_json::Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

#[test]
fn a_recording_has_the_shape_that_programs_rely_on() {
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("shape"));
    for recording in livetape.wait_ready("shape", &FORMATS, 1) {
        let fields: BTreeSet<&str> = RECORDING_FIELDS.into_iter().collect();
        assert_eq!(keys(&recording.0), fields);
        assert_eq!(keys(&recording.0["video"]), BTreeSet::from(["codec", "frame_rate", "frames", "height", "width"]));
        assert_eq!(keys(&recording.0["audio"]), BTreeSet::from(["channels", "codec", "frames", "sample_rate"]));
        assert_eq!(recording.0["video"]["codec"], "h264");
        assert_eq!((&recording.0["video"]["width"], &recording.0["video"]["height"]), (&320.into(), &180.into()));
        assert!((recording.0["video"]["frame_rate"].as_f64().unwrap() - 25.0).abs() < 0.1);
        assert_eq!(recording.0["audio"]["codec"], "aac");
        assert_eq!(
            (&recording.0["audio"]["sample_rate"], &recording.0["audio"]["channels"]),
            (&48_000.into(), &2.into())
        );
        assert!((9_900..=10_100).contains(&recording.number("duration_ms")));
        let one = livetape.http.json(&format!("/v1/recordings/{}", recording.text("id")));
        assert_eq!(one, recording.0);
        let url = recording.text("url");
        assert!(url.starts_with(&format!("http://{}/media/live/shape/", livetape.http_address)), "{url}");
        let file = livetape.http.get(path_of(&url));
        assert_eq!(file.status, 200);
        assert_eq!(file.body, std::fs::read(livetape.file(&recording)).unwrap());
        let kind = match recording.text("format").as_str() {
            "mp4" => "video/mp4",
            "flv" => "video/x-flv",
            _ => "application/vnd.apple.mpegurl",
        };
        assert_eq!(file.header("content-type"), Some(kind));
    }
}

#[test]
fn a_playlist_is_played_over_http() {
    let livetape = Livetape::start(&Settings::new().formats(&["hls"]));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("hls"));
    let recording = &livetape.wait_ready("hls", &["hls"], 1)[0];
    for version in Version::ALL {
        let mut command = version.command();
        command.args(["-v", "error", "-i", &recording.text("url"), "-f", "null", "-"]);
        let output = livetape_testkit::program::succeed(&mut command);
        assert!(output.stderr.is_empty(), "{}", livetape_testkit::program::text(&output.stderr));
    }
}

#[test]
fn parts_of_a_file_are_served_as_asked() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4"]));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("parts"));
    let recording = &livetape.wait_ready("parts", &["mp4"], 1)[0];
    let path = path_of(&recording.text("url")).to_owned();
    let whole = std::fs::read(livetape.file(recording)).unwrap();
    let part = livetape.http.get_with(&path, &[("range", "bytes=100-199")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole[100..200]));
    let range = format!("bytes 100-199/{}", whole.len());
    assert_eq!(part.header("content-range"), Some(range.as_str()));
    let tail = livetape.http.get_with(&path, &[("range", "bytes=-50")]);
    assert_eq!((tail.status, tail.body.as_slice()), (206, &whole[whole.len() - 50..]));
    let beyond = livetape.http.get_with(&path, &[("range", "bytes=99999999-")]);
    assert_eq!(beyond.status, 416);
    for escape in
        ["/media/../livetape.db", "/media/%2e%2e/livetape.db", "/media/..%2flivetape.db", "/media//etc/passwd"]
    {
        let answer = livetape.http.get(escape);
        assert!(answer.status == 404 || answer.status == 400, "{escape}: {}", answer.status);
    }
}

#[test]
fn recordings_are_found_by_every_filter_and_page_by_page() {
    let livetape = Livetape::start(&Settings::new());
    for stream in ["cam-1", "cam-2", "other"] {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
        livetape.wait_ready(stream, &FORMATS, 1);
    }
    let mut publisher = Publisher::publish(livetape.rtmp, "second", "cam-1");
    publisher.tags(&flv::tags(&clip::plain()));
    publisher.finish("cam-1");
    livetape_testkit::deadline::eventually("the fourth is ready", || {
        let ready = livetape.recordings().iter().filter(|recording| recording.text("state") == "ready").count();
        if ready == 12 { Ok(()) } else { Err(format!("{ready} are ready")) }
    });
    let count = |query: &str| livetape.http.json(&format!("/v1/recordings?{query}"))["items"].as_array().unwrap().len();
    assert_eq!(count(""), 12);
    assert_eq!(count("app=second"), 3);
    assert_eq!(count("stream=cam-1"), 6);
    assert_eq!(count("app=live&stream=cam-1"), 3);
    assert_eq!(count("prefix=live/cam"), 6);
    assert_eq!(count("format=hls"), 4);
    assert_eq!(count("state=ready"), 12);
    assert_eq!(count("state=recording"), 0);
    assert_eq!(count("from=2001-01-01T00:00:00Z&to=2002-01-01T00:00:00Z"), 0);
    assert_eq!(count("from=2001-01-01T00:00:00Z&to=2999-01-01T00:00:00Z"), 12);
    let third = livetape.of_stream("other")[0].text("started_at");
    assert_eq!(count(&format!("from={third}&stream=other")), 3);

    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let page = livetape.http.json(&format!("/v1/recordings?limit=5&cursor={cursor}"));
        pages += 1;
        for item in page["items"].as_array().unwrap() {
            assert!(seen.insert(item["id"].as_str().unwrap().to_owned()), "listed twice: {item}");
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!((seen.len(), pages), (12, 3));
}

#[test]
fn events_are_read_after_any_of_them() {
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("events"));
    livetape.wait_ready("events", &FORMATS, 1);
    let all = livetape_testkit::deadline::eventually("eleven events", || {
        let events = livetape.http.json("/v1/events?after=0");
        let items = events["items"].as_array().unwrap().clone();
        if items.len() == 11 { Ok(items) } else { Err(format!("{events:#}")) }
    });
    assert_eq!(all[0]["type"], "stream.started");
    let sequence = all[4]["sequence"].as_i64().unwrap_or_else(|| panic!("{:#}", all[4]));
    let later = livetape.http.json(&format!("/v1/events?after={sequence}"));
    assert_eq!(later["items"].as_array().unwrap()[..], all[5..]);
}

#[test]
fn a_live_stream_is_shown_while_it_lasts() {
    let livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("now"), Pace::Loop);
    livetape.wait_live("now", 2.0);
    let streams = livetape.http.json("/v1/streams");
    let stream = &streams["items"][0];
    assert_eq!((&stream["app"], &stream["stream"]), (&"live".into(), &"now".into()), "{streams:#}");
    assert_eq!((&stream["video"]["width"], &stream["video"]["height"]), (&320.into(), &180.into()));
    assert_eq!(stream["recordings"].as_array().unwrap().len(), 3);
    push.kill();
    livetape.wait_ready("now", &FORMATS, 1);
    assert_eq!(livetape.http.json("/v1/streams")["items"].as_array().unwrap().len(), 0);
}

#[test]
fn mistakes_are_answered_with_problems() {
    let livetape = Livetape::start(&Settings::new());
    for (path, status) in [
        ("/v1/nothing", 404),
        ("/v1/recordings/rec_0", 404),
        ("/v1/recordings/rec_01920000000070008000000000000001_mp4_1", 404),
        ("/v1/recordings?limit=none", 400),
        ("/v1/recordings?colour=red", 400),
        ("/v1/recordings?format=avi", 400),
        ("/v1/recordings?from=yesterday", 400),
        ("/v1/recordings?cursor=%00", 400),
        ("/v1/events?after=x", 400),
        ("/media/none.mp4", 404),
    ] {
        let answer = livetape.http.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{path}: {problem}");
        assert!(problem["title"].is_string(), "{path}: {problem}");
    }
}

#[test]
fn health_metrics_and_the_description_are_there() {
    let livetape = Livetape::start(&Settings::new());
    assert_eq!(livetape.http.get("/healthz").status, 200);
    assert_eq!(livetape.http.get("/readyz").status, 200);
    let description = livetape.http.json("/openapi.json");
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    for path in ["/v1/streams", "/v1/recordings", "/v1/recordings/{id}", "/v1/events"] {
        assert!(description["paths"][path]["get"].is_object(), "{path}");
    }
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("counted"));
    let recordings = livetape.wait_ready("counted", &FORMATS, 1);
    let metrics = livetape.metrics();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
    };
    assert!((value("livetape_received_frames_total{kind=\"video\"}") - 250.0).abs() < 0.5);
    for format in FORMATS {
        let size = of_format(&recordings, format)[0].number("size_bytes") as f64;
        let stored = value(&format!("livetape_stored_bytes_total{{format=\"{format}\"}}"));
        assert!((stored - size).abs() < 0.5, "{format}: {stored} stored of {size}");
        assert!(value(&format!("livetape_written_bytes_total{{format=\"{format}\"}}")) > 0.0);
    }
}
