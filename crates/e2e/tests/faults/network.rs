//! Publishers that fall silent: a pulled cable, a pause.

use std::time::{Duration, Instant};

use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::program::Running;
use livetape_testkit::root::Cable;
use livetape_testkit::{Census, Film, Fleet, Launch, Livetape, Publisher, Receiver, clip};

use crate::FORMATS;

/// An encoder at the other end of a cable, some seconds of it recorded.
fn far_encoder(livetape: &Livetape, cable: &Cable, stream: &str) -> Running {
    let url = livetape.url(stream);
    let mut push = cable.at_the_other_end(&ffmpeg::command(Version::Debian, &clip::long(), &url, Pace::Live));
    let push = Running::start(&mut push);
    livetape.wait_live(stream, 1.5);
    push
}

#[test]
fn a_cable_that_is_pulled_ends_the_session_after_the_idle_time_out_and_its_files_are_whole() {
    let cable = Cable::lay();
    let settings = Settings::new().set("rtmp.idle_timeout", "\"3s\"");
    let livetape = Livetape::start_as(&settings, Launch::default().listening_on(cable.here));
    let push = far_encoder(&livetape, &cable, "half-open");
    cable.pull();
    let pulled = Instant::now();
    let recordings = livetape.wait_ready("half-open", &FORMATS, 1);
    let after = pulled.elapsed();
    assert!((2.0..12.0).contains(&after.as_secs_f64()), "ended after {after:?}");
    for recording in &recordings {
        assert_eq!(recording.text("end_reason"), "idle_timeout", "{recording:?}");
        ffmpeg::assert_decodes_silently(&livetape.file(recording));
    }
    drop(push);
}

#[test]
fn an_encoder_that_comes_back_is_not_locked_out_by_its_own_dead_connection() {
    let cable = Cable::lay();
    let livetape = Livetape::start_as(&Settings::new(), Launch::default().listening_on(cable.here));
    let push = far_encoder(&livetape, &cable, "back");
    cable.pull();
    let begun = Instant::now();
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "back");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "it was let in after {took:?}");
    publisher.tags(&livetape_testkit::flv::tags(&clip::plain()));
    publisher.finish("back");
    let recordings = livetape.wait_ready("back", &FORMATS, 2);
    let ends: Vec<String> = recordings.iter().map(|recording| recording.text("end_reason")).collect();
    assert_eq!(ends, ["takeover", "takeover", "takeover", "unpublish", "unpublish", "unpublish"]);
    drop(push);
}

#[test]
fn an_encoder_that_pauses_keeps_its_session() {
    let receiver = Receiver::start();
    let settings = Settings::new().webhook(&receiver).set("rtmp.idle_timeout", "\"6s\"");
    let livetape = Livetape::start(&settings);
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 2);
    fleet.wait_all_live(Duration::from_secs(1));
    fleet.crew().cameras[0].paused = true;
    // The pause is the fault; meanwhile the other one goes on.
    let pause = Duration::from_secs(3);
    let paused = Instant::now();
    within(Duration::from_secs(10), "the pause is over", || {
        if paused.elapsed() > pause { Ok(()) } else { Err(String::new()) }
    });
    fleet.crew().cameras[0].paused = false;
    fleet.wait_all_live(Duration::from_secs(5));
    eventually("both are live", || {
        let streams = livetape.http.json("/v1/streams");
        if streams["items"].as_array().map(Vec::len) == Some(2) { Ok(()) } else { Err(streams.to_string()) }
    });
    assert!(fleet.crew().ended.is_empty());
    Census::take(&livetape, &film, &fleet.finish(), &receiver).assert_sound();
}
