//! Recordings that somebody holds, and those that go by a filter.

use livetape_fake_s3::Profile;
use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::livetape::{Settings, files_below, of_format};
use livetape_testkit::{Livetape, Receiver, clip};
use serde_json::{Value, json};

use crate::FORMATS;
use crate::bucket::Cloud;

const QUERY: &str = "/v1/deletions?prefix=live/gone";

/// Deletes by a filter what two streams left, one of whose recordings is held, through a kill right after it was asked
/// for. `keys` are what is in the store.
fn held_and_deleted(settings: &Settings, keys: &dyn Fn(&Livetape) -> Vec<String>) {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&settings.clone().webhook(&receiver));
    for stream in ["kept", "gone1", "gone2"] {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
        livetape.wait_ready(stream, &FORMATS, 1);
    }
    livetape.wait_empty("spool");
    let held = of_format(&livetape.of_stream("gone1"), "mp4")[0].clone();
    let path = format!("/v1/recordings/{}", held.text("id"));
    let hold = livetape.http.send("PUT", &format!("{path}/hold"), Some(&json!({ "reason": "case 7" })));
    assert_eq!(hold.status, 200, "{}", hold.text());
    let refused = livetape.http.delete(&path);
    assert_eq!(refused.status, 409, "{}", refused.text());

    let shown = livetape.http.send("POST", QUERY, None).json();
    assert_eq!((&shown["recordings"], &shown["held"]["recordings"]), (&json!(5), &json!(1)), "{shown}");
    let token = shown["token"].as_str().unwrap();
    let asked = livetape.http.send("POST", &format!("{QUERY}&token={token}"), None);
    assert_eq!(asked.status, 202, "{}", asked.text());
    let deletion = format!("/v1/deletions/{}", asked.json()["id"].as_str().unwrap());
    livetape.kill();
    livetape.start_again();
    eventually("the deletion comes to its end", || {
        let state: Value = livetape.http.json(&deletion);
        if state["deleted"] == json!(5) && state["ended_at"].is_string() { Ok(()) } else { Err(state.to_string()) }
    });

    assert_eq!(receiver.wait_for("recording.deleted", 5).len(), 5);
    assert_eq!(livetape.of_stream("gone2").len(), 0);
    let left = livetape.of_stream("gone1");
    assert_eq!((left.len(), left[0].text("id")), (1, held.text("id")));
    assert_eq!(livetape.of_stream("kept").len(), 3);
    let gone: Vec<String> = keys(&livetape).into_iter().filter(|key| key.starts_with("live/gone")).collect();
    assert_eq!(gone, [held.text("key")]);
    livetape.fsck().unwrap();

    assert_eq!(livetape.http.delete(&format!("{path}/hold")).status, 204);
    assert_eq!(livetape.http.delete(&path).status, 204);
    receiver.wait_for("recording.deleted", 6);
    assert!(keys(&livetape).iter().all(|key| key.starts_with("live/kept/")));
    livetape.fsck().unwrap();
}

const TEMPLATES: &str = r#"
[[templates]]
name = "brief"
retention = "1s"

[[templates]]
name = "archive"
retention = "0s"

[[rules]]
streams = "live/brief-*"
template = "brief"

[[rules]]
streams = "live/archive-*"
template = "archive"
"#;

#[test]
fn each_stream_is_kept_as_long_as_its_template_says_through_a_kill() {
    let receiver = Receiver::start();
    let settings = Settings::new().formats(&["mp4"]).set("store.retention", "\"2s\"").webhook_as(TEMPLATES);
    let mut livetape = Livetape::start(&settings.webhook(&receiver));
    for stream in ["brief-1", "brief-2", "archive-1", "other"] {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
        livetape.wait_ready(stream, &["mp4"], 1);
    }
    let one = |livetape: &Livetape, stream: &str| livetape.of_stream(stream).remove(0);
    let held = one(&livetape, "brief-2");
    let hold = format!("/v1/recordings/{}/hold", held.text("id"));
    assert_eq!(livetape.http.send("PUT", &hold, Some(&json!({ "reason": "case 7" }))).status, 200);
    let growing = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("archive-2"), ffmpeg::Pace::Live);
    livetape.wait_live("archive-2", 2.0);
    livetape.kill();
    drop(growing);
    let expired = std::time::Instant::now() + std::time::Duration::from_secs(2);
    livetape.start_again();
    let brief = one(&livetape, "brief-1");
    let times = ["started_at", "expires_at"].map(|name| brief.text(name));
    assert!(brief.number("retention_ms") == 1_000 && times[0] < times[1], "{brief:?}");
    assert_eq!(one(&livetape, "other").0.get("retention_ms"), None);
    for recording in livetape.wait_ready("archive-2", &["mp4"], 1).into_iter().chain([one(&livetape, "archive-1")]) {
        assert_eq!((recording.number("retention_ms"), recording.0.get("expires_at")), (0, None), "{recording:?}");
    }
    // Their time may have been over when it started: the first round trusts no calendar.
    assert_eq!(livetape.of_stream("brief-1").len() + livetape.of_stream("other").len(), 2);
    let gone = within(std::time::Duration::from_secs(150), "those that are over go", || {
        let told = receiver.deliveries().into_iter().filter(|delivery| delivery.kind() == "recording.deleted");
        let gone: Vec<Value> = told.map(|delivery| delivery.body).collect();
        if gone.len() == 2 { Ok(gone) } else { Err(format!("{gone:?}")) }
    });
    assert!(std::time::Instant::now() > expired);
    let mut streams: Vec<_> = gone.iter().map(|event| event["data"]["stream"].as_str().unwrap()).collect();
    streams.sort_unstable();
    assert_eq!(streams, ["brief-1", "other"]);
    assert!(gone.iter().all(|event| event["data"]["deletion_reason"] == "retention"), "{gone:#?}");
    for stream in ["brief-2", "archive-1", "archive-2"] {
        ffmpeg::assert_decodes_silently(&livetape.file(&one(&livetape, stream)));
    }
    livetape.fsck().unwrap();
}

#[test]
fn what_is_held_stays_and_the_rest_of_a_filter_goes_from_a_directory() {
    held_and_deleted(&Settings::new(), &|livetape| {
        let media = livetape.media();
        let key = |path: &std::path::PathBuf| path.strip_prefix(&media).unwrap().to_str().unwrap().to_owned();
        files_below(&media).iter().map(key).collect()
    });
}

#[test]
fn what_is_held_stays_and_the_rest_of_a_filter_goes_from_a_bucket() {
    let cloud = Cloud::new(Profile::aws());
    held_and_deleted(&cloud.settings(), &|_| cloud.bucket.objects().into_keys().collect());
}
