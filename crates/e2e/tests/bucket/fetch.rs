//! Recordings in a bucket are fetched through the program's own addresses, or from where everybody can.

use std::process::Command;

use livetape_fake_s3::Profile;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::livetape::{of_format, path_of};
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, Receiver, Tape, clip};

use super::{Cloud, push};
use crate::FORMATS;

#[test]
fn addresses_lead_to_the_bucket_for_a_while_and_play() {
    let cloud = Cloud::new(Profile::aws());
    let livetape = Livetape::start(&cloud.settings());
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("fetched"));
    let recordings = livetape.wait_ready("fetched", &FORMATS, 1);
    livetape.wait_empty("spool");
    for recording in &recordings {
        let url = recording.text("url");
        let mut probe = Command::new("ffprobe");
        probe.args(["-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", "-select_streams", "v"]);
        let packets = text(&succeed(probe.arg(&url)).stdout).lines().filter(|line| !line.is_empty()).count();
        assert_eq!(packets, Tape::read(&clip::plain()).video.len(), "{url}");
    }
    let mp4 = &of_format(&recordings, "mp4")[0];
    let answer = livetape.http.get(path_of(&mp4.text("url")));
    assert_eq!((answer.status, answer.header("cache-control")), (307, Some("no-store")));
    let location = answer.header("location").unwrap();
    assert!(location.starts_with(&cloud.network.endpoint()) && location.contains("X-Amz-Expires=3600"), "{location}");
    assert!(!livetape.log().join("").contains("X-Amz-Signature"), "the log shows a signed address");
    assert_eq!(livetape.http.get("/media/live/nobody/none.mp4").status, 404);
}

#[test]
fn a_bucket_that_everybody_may_read_is_named_in_events() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let settings = cloud.settings().set("s3.public_base_url", "\"https://cdn.example.com/tape\"");
    let livetape = Livetape::start(&settings.webhook(&receiver));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("public"));
    let recordings = livetape.wait_ready("public", &FORMATS, 1);
    for event in receiver.wait_for("recording.ready", 3) {
        let url = event["data"]["url"].as_str().unwrap();
        assert!(url.starts_with("https://cdn.example.com/tape/live/public/"), "{url}");
    }
    livetape.wait_empty("spool");
    let recording = &of_format(&recordings, "hls")[0];
    let answer = livetape.http.get(&format!("/media/{}", recording.text("key")));
    assert_eq!(answer.header("location"), Some(recording.text("url").as_str()));
}

#[test]
fn a_player_of_an_mp4_in_a_bucket_reads_its_head_and_what_it_plays() {
    let cloud = Cloud::new(Profile::aws());
    let livetape = Livetape::start(&cloud.settings().formats(&["mp4"]));
    push(&livetape, "seek");
    let recording = &livetape.wait_ready("seek", &["mp4"], 1)[0];
    livetape.wait_empty("spool");
    let whole = recording.number("size_bytes");
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "verbose", "-show_entries", "stream=codec_name:format=duration", "-of", "csv=p=0"]);
    let output = succeed(probe.arg(recording.text("url")));
    let said = text(&output.stderr);
    let statistics = said.lines().find(|line| line.contains("bytes read")).unwrap_or_else(|| panic!("{said}"));
    let read: i64 = statistics.split("Statistics: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    println!("{read} of {whole} bytes were read");
    assert!(read * 10 < whole, "{read} of {whole} bytes were read: {statistics}");
}
