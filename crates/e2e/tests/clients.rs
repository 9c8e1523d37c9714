//! Real clients push; each recording holds what they pushed.

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::gstreamer::{self, Sink};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Receiver, clip, place};

use crate::FORMATS;

fn ffmpeg_is_recorded(version: Version) {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    for (stream, clip) in [("sample", place::sample()), ("plain", clip::plain())] {
        ffmpeg::push_all(version, &clip, &livetape.url(stream));
        let recordings = livetape.wait_ready(stream, &FORMATS, 1);
        assert_recorded(&livetape, &recordings, &clip);
        for recording in &recordings {
            assert_eq!(recording.text("start_reason"), "publish");
            assert_eq!(recording.text("end_reason"), "unpublish");
        }
    }
    let ready = receiver.wait_for("recording.ready", 6);
    let mut announced: Vec<&str> = ready.iter().map(|event| event["data"]["id"].as_str().unwrap()).collect();
    announced.sort_unstable();
    let mut recorded: Vec<String> = livetape.recordings().iter().map(|recording| recording.text("id")).collect();
    recorded.sort_unstable();
    assert_eq!(announced, recorded);
}

#[test]
fn debians_ffmpeg_is_recorded_frame_by_frame() {
    ffmpeg_is_recorded(Version::Debian);
}

#[test]
fn the_current_ffmpeg_is_recorded_frame_by_frame() {
    ffmpeg_is_recorded(Version::Current);
}

fn gstreamer_is_recorded(sink: Sink) {
    let livetape = Livetape::start(&Settings::new());
    let pushed = livetape.scratch().join("pushed.flv");
    gstreamer::push_all(sink, &clip::plain(), &livetape.url("gst"), &pushed);
    let recordings = livetape.wait_ready("gst", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &pushed);
    for recording in &recordings {
        assert_eq!(recording.text("end_reason"), "unpublish");
    }
}

#[test]
fn gstreamers_own_client_is_recorded_frame_by_frame() {
    gstreamer_is_recorded(Sink::Rtmp2);
}

#[test]
fn librtmp_is_recorded_frame_by_frame() {
    gstreamer_is_recorded(Sink::Librtmp);
}

#[test]
fn hls_is_made_of_transport_stream_segments_when_asked() {
    let settings = Settings::new().formats(&["hls"]).set("record.segment_type", "\"ts\"");
    let livetape = Livetape::start(&settings.set("record.segment_duration", "\"2s\""));
    for (stream, clip) in [("plain", clip::plain()), ("b-frames", clip::b_frames()), ("mp3", clip::mp3())] {
        ffmpeg::push_all(Version::Debian, &clip, &livetape.url(stream));
        let recordings = livetape.wait_ready(stream, &["hls"], 1);
        assert_recorded(&livetape, &recordings, &clip);
    }
}

#[test]
fn several_clients_at_once_are_kept_apart() {
    let livetape = Livetape::start(&Settings::new());
    let clips = [clip::plain(), clip::b_frames(), clip::mp3(), place::sample()];
    let pushes: Vec<_> = (0..8)
        .map(|n| ffmpeg::push(Version::ALL[n % 2], &clips[n % 4], &livetape.url(&format!("s{n}")), Pace::Fast))
        .collect();
    for push in pushes {
        push.succeed(std::time::Duration::from_secs(60));
    }
    for n in 0..8 {
        let recordings = livetape.wait_ready(&format!("s{n}"), &FORMATS, 1);
        assert_recorded(&livetape, &recordings, &clips[n % 4]);
    }
}
