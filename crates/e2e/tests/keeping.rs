//! Recordings that somebody holds, and those that go by a filter.

use livetape_fake_s3::Profile;
use livetape_testkit::deadline::eventually;
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
