//! What is put beside recordings in a bucket: there before the event, whatever the service does, and gone with them.

use livetape_fake_s3::{Answer, Fault, Profile, Rule};
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::of_format;
use livetape_testkit::{Livetape, Receiver, clip};
use serde_json::Value;

use super::Cloud;
use crate::FORMATS;

#[test]
fn what_describes_recordings_is_in_the_bucket_before_the_event_and_goes_with_them() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let settings = cloud.settings().set("record.sidecar", "true").set("record.ivs_events", "true");
    let livetape = Livetape::start(&settings.set("record.hls_source", "\"mp4\"").webhook(&receiver));
    let object = |key: &str| -> Value {
        let objects = cloud.bucket.objects();
        let object = objects.get(key).unwrap_or_else(|| panic!("{key} is not among {:?}", objects.keys()));
        assert_eq!(object.content_type.as_deref(), Some("application/json"), "{key}");
        serde_json::from_slice(&object.data).unwrap()
    };
    let rules: Vec<Rule> = vec![
        Fault::LoseAnswer.on("PutObject").nth(2..=3),
        Fault::Reply(Answer::InternalError).on("PutObject").nth(5..=6),
    ];
    let pushing = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("described"), Pace::Live);
    livetape.wait_live("described", 2.0);
    let growing = of_format(&livetape.of_stream("described"), "hls").remove(0);
    let directory = growing.text("key").strip_suffix("index.m3u8").unwrap().to_owned();
    assert_eq!(object(&format!("{directory}events/recording-started.json"))["recording_status"], "RECORDING_STARTED");
    cloud.network.set(rules);
    pushing.end(std::time::Duration::from_secs(30));
    for event in receiver.wait_for("recording.ready", 3) {
        let sidecar = object(&format!("{}.json", event["data"]["key"].as_str().unwrap()));
        assert_eq!(sidecar["recording"], event["data"]);
        assert_eq!(sidecar["report"]["recovered"], false);
    }
    let ended = object(&format!("{directory}events/recording-ended.json"));
    assert_eq!(ended["media"]["hls"]["byte_range_playlist"], "index.m3u8");
    livetape.wait_empty("spool");
    livetape.fsck().unwrap();
    for recording in livetape.wait_ready("described", &FORMATS, 1) {
        let path = format!("/v1/recordings/{}", recording.text("id"));
        // That of the MP4 deletes the playlists over it.
        assert!([204, 404].contains(&livetape.http.delete(&path).status), "{path}");
    }
    receiver.wait_for("recording.deleted", 3);
    let left: Vec<String> = cloud.bucket.objects().into_keys().collect();
    assert_eq!(left, [""; 0]);
}
