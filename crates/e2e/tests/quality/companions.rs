//! What is put beside recordings in the store, for those who ask nobody.

use std::fs;

use livetape_testkit::livetape::{Recording, Settings, files_below, of_format};
use livetape_testkit::{Livetape, Receiver, clip, ffmpeg, ffmpeg::Pace, ffmpeg::Version};
use serde_json::Value;

use super::{plain, push};
use crate::FORMATS;

fn settings() -> Settings {
    Settings::new().set("record.sidecar", "true").set("record.ivs_events", "true")
}

fn json(livetape: &Livetape, key: &str) -> Value {
    let path = livetape.media().join(key);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The directory of an HLS recording, as the beginning of keys.
fn directory(recording: &Recording) -> String {
    recording.text("key").strip_suffix("index.m3u8").unwrap().to_owned()
}

/// What is in the store and is no media.
fn companions(livetape: &Livetape) -> Vec<String> {
    let files = files_below(&livetape.media()).into_iter();
    files.map(|file| file.to_str().unwrap().to_owned()).filter(|file| file.ends_with(".json")).collect()
}

#[test]
fn a_description_is_beside_each_recording_before_its_event_and_goes_with_it() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&settings().webhook(&receiver));
    push(&livetape, "described", &plain());
    for event in receiver.wait_for("recording.ready", 3) {
        let sidecar = json(&livetape, &format!("{}.json", event["data"]["key"].as_str().unwrap()));
        assert_eq!((&sidecar["version"], &sidecar["recording"]), (&1.into(), &event["data"]));
        let id = event["data"]["id"].as_str().unwrap();
        assert_eq!(sidecar["report"], livetape.http.json(&format!("/v1/recordings/{id}/report")));
        assert_eq!(sidecar["report"]["video"]["frames"], event["data"]["video"]["frames"]);
    }
    let recordings = livetape.wait_ready("described", &FORMATS, 1);
    let hls = &of_format(&recordings, "hls")[0];
    let ended = json(&livetape, &format!("{}events/recording-ended.json", directory(hls)));
    assert_eq!(ended["version"], "v1");
    assert_eq!(ended["recording_status"], "RECORDING_ENDED");
    assert_eq!(
        (&ended["recording_started_at"], &ended["recording_ended_at"]),
        (&hls.0["started_at"], &hls.0["ended_at"])
    );
    assert!(ended["channel_arn"].as_str().unwrap().ends_with("/live/described"), "{ended}");
    let media = &ended["media"]["hls"];
    assert_eq!((&media["duration_ms"], &media["playlist"]), (&hls.0["duration_ms"], &"index.m3u8".into()));
    let rendition = &media["renditions"][0];
    assert_eq!(rendition["resolution_width"], hls.0["video"]["width"]);
    // Where the paths lead from the directory that has `events`.
    for path in [&media["playlist"], &rendition["playlist"]] {
        let file = livetape.media().join(directory(hls)).join(media["path"].as_str().unwrap());
        assert!(file.join(path.as_str().unwrap()).is_file(), "{path}");
    }
    let answer = livetape.http.get(&format!("/media/{}.json", hls.text("key")));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));

    livetape.fsck().unwrap();
    assert_eq!(companions(&livetape).len(), 5);
    for recording in &recordings {
        let id = recording.text("id");
        assert_eq!(livetape.http.delete(&format!("/v1/recordings/{id}")).status, 204);
    }
    receiver.wait_for("recording.deleted", 3);
    assert_eq!(files_below(&livetape.media()), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn the_beginning_of_a_playlist_is_told_while_it_grows_and_after_a_crash_its_end() {
    let mut livetape = Livetape::start(&settings().formats(&["hls"]));
    let pushing = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("begun"), Pace::Live);
    livetape.wait_live("begun", 2.0);
    let growing = livetape.recordings().remove(0);
    let started = json(&livetape, &format!("{}events/recording-started.json", directory(&growing)));
    assert_eq!(started["recording_status"], "RECORDING_STARTED");
    assert_eq!((&started["recording_started_at"], started.get("recording_ended_at")), (&growing.0["started_at"], None));
    assert_eq!(started["media"]["hls"].get("duration_ms"), None);
    livetape.kill();
    drop(pushing);
    livetape.start_again();
    let recording = livetape.wait_ready("begun", &["hls"], 1).remove(0);
    let ended = json(&livetape, &format!("{}events/recording-ended.json", directory(&recording)));
    assert_eq!(ended["recording_status"], "RECORDING_ENDED");
    assert_eq!(json(&livetape, &format!("{}.json", recording.text("key")))["report"]["recovered"], true);
    livetape.fsck().unwrap();
}

#[test]
fn that_a_playlist_cannot_be_completed_after_a_crash_is_told_beside_it() {
    let receiver = Receiver::start();
    let settings = settings().formats(&["hls"]).set("record.segment_duration", "\"2s\"").webhook(&receiver);
    let mut livetape = Livetape::start(&settings);
    let pushing = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("torn"), Pace::Live);
    livetape.wait_live("torn", 7.0);
    let growing = livetape.recordings().remove(0);
    livetape.kill();
    drop(pushing);
    // What comes later is there, and cannot be played without this.
    fs::remove_file(livetape.data().join("spool").join(growing.text("id")).join("segment-000000.m4s")).unwrap();
    livetape.start_again();
    let told = receiver.wait_for("recording.failed", 1).remove(0);
    let key = format!("{}events/recording-failed.json", directory(&growing));
    let failed = livetape_testkit::deadline::eventually("it is in the store", || match livetape.media().join(&key) {
        path if path.is_file() => Ok(json(&livetape, &key)),
        path => Err(path.display().to_string()),
    });
    assert_eq!(
        (&failed["version"], &failed["recording_status"]),
        (&"v1".into(), &"RECORDING_ENDED_WITH_FAILURE".into())
    );
    assert_eq!(failed["recording_status_message"], told["data"]["error"]);
    assert!(told["data"]["error"].as_str().unwrap().contains("the first is missing"), "{told}");
    assert_eq!(failed["recording_started_at"], growing.0["started_at"]);
    assert_eq!(failed["recording_ended_at"], told["data"]["ended_at"]);
    let names: Vec<String> = companions(&livetape).iter().map(|path| path.rsplit('/').next().unwrap().into()).collect();
    assert_eq!(names.iter().filter(|name| name.contains("ended")).count(), 0, "{names:?}");
}

#[test]
fn of_what_is_not_kept_nothing_stays() {
    let receiver = Receiver::start();
    let settings = settings().set("record.min_duration", "\"1h\"").webhook(&receiver);
    let livetape = Livetape::start(&settings);
    push(&livetape, "short", &plain());
    receiver.wait_for("recording.discarded", 3);
    livetape_testkit::deadline::eventually("nothing is in the store", || {
        let left = companions(&livetape);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    livetape.fsck().unwrap();
}
