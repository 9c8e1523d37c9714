//! HLS that lists ranges of the MP4's bytes: two formats for one write of the media.

use std::fs;
use std::time::Duration;

use livetape_testkit::deadline::within;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::{assert_recorded, assert_sound};
use livetape_testkit::livetape::{Recording, Settings, files_below, of_format, path_of};
use livetape_testkit::{Livetape, Receiver, Reel, Tape, clip};

use crate::FORMATS;

pub fn over(settings: Settings) -> Settings {
    settings.set("record.hls_source", "\"mp4\"").set("record.segment_duration", "\"2s\"")
}

const TWO: [&str; 2] = ["mp4", "hls"];

#[test]
fn both_formats_hold_every_frame_and_are_cut_together() {
    let receiver = Receiver::start();
    let settings = over(Settings::new().webhook(&receiver)).set("record.mp4_max_duration", "\"4s\"");
    let livetape = Livetape::start(&settings.set("record.flv_max_duration", "\"4s\""));
    for (stream, clip) in [("plain", clip::plain()), ("b", clip::b_frames())] {
        ffmpeg::push_all(Version::Debian, &clip, &livetape.url(stream));
        let recordings = livetape.wait_ready(stream, &FORMATS, 3);
        assert_recorded(&livetape, &recordings, &clip);
        for (mp4, hls) in of_format(&recordings, "mp4").iter().zip(of_format(&recordings, "hls")) {
            assert_eq!(hls.text("media_of"), mp4.text("id"));
            assert_eq!(mp4.0["video"]["frames"], hls.0["video"]["frames"]);
            assert_eq!((mp4.sequence(), mp4.text("started_at")), (hls.sequence(), hls.text("started_at")));
            let names = livetape_testkit::livetape::names_in(livetape.file(&hls).parent().unwrap());
            assert_eq!(names, ["index.m3u8", "init-0.mp4", "media.m3u8", "vod.m3u8"]);
        }
    }
    let told = receiver.wait_for("recording.ready", 18);
    assert_eq!(told.len(), 18, "each recording is announced once");
    livetape.wait_empty("spool");
    livetape.fsck().unwrap();
}

/// Bytes the program has written so far, sockets and index included.
fn written(livetape: &Livetape) -> i64 {
    let io = fs::read_to_string(format!("/proc/{}/io", livetape.pid())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().trim().parse().unwrap()
}

#[test]
fn the_media_is_written_once() {
    let cost = |settings: Settings| {
        let livetape = Livetape::start(&settings.formats(&TWO));
        let before = written(&livetape);
        ffmpeg::push_all(Version::Debian, &clip::heavy(), &livetape.url("heavy"));
        let recordings = livetape.wait_ready("heavy", &TWO, 1);
        let media = of_format(&recordings, "mp4")[0].number("size_bytes");
        (written(&livetape) - before) as f64 / media as f64
    };
    let (once, twice) = (cost(over(Settings::new())), cost(Settings::new()));
    assert!(once < 1.2, "{once:.2} times the media is written");
    assert!(twice > 1.8, "{twice:.2} times the media is written to segments and MP4");
}

/// What a player of the growing playlist gets: the initialisation section and every range listed, one behind
/// the other.
fn fetched(livetape: &Livetape, hls: &Recording) -> Option<Vec<u8>> {
    let url = hls.text("url");
    let (directory, _) = path_of(&url).rsplit_once('/').unwrap();
    let answer = livetape.http.get(&format!("{directory}/media.m3u8"));
    if answer.status != 200 {
        return None;
    }
    let mut bytes = livetape.http.get(&format!("{directory}/init-0.mp4")).body;
    let mut range = String::new();
    for line in answer.text().lines() {
        if let Some(listed) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            let (len, at) = listed.split_once('@').unwrap();
            let (len, at): (u64, u64) = (len.parse().unwrap(), at.parse().unwrap());
            range = format!("bytes={at}-{}", at + len - 1);
        } else if let Some(file) = line.strip_prefix("../") {
            let (above, _) = directory.rsplit_once('/').unwrap();
            let part = livetape.http.get_with(&format!("{above}/{file}"), &[("range", &range)]);
            assert_eq!(part.status, 206, "{range} of {file}");
            bytes.extend_from_slice(&part.body);
        }
    }
    Some(bytes)
}

#[test]
fn the_growing_playlist_plays_from_the_growing_mp4() {
    let livetape = Livetape::start(&over(Settings::new()));
    let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("growing"), Pace::Live);
    let pushed = Tape::read(&clip::long());
    let mut seen = 0;
    within(Duration::from_secs(60), "two segments are listed, then more", || {
        let recordings = livetape.of_stream("growing");
        let hls = of_format(&recordings, "hls");
        let Some(bytes) = hls.first().and_then(|hls| fetched(&livetape, hls)) else { return Err("none".to_owned()) };
        let copy = livetape.scratch().join("fetched.mp4");
        fs::write(&copy, bytes).unwrap();
        let tape = Tape::read(&copy);
        ffmpeg::assert_decodes_silently(&copy);
        let begin = pushed.video.iter().position(|packet| packet.hash == tape.video[0].hash).unwrap();
        let same = tape.video.iter().zip(&pushed.video[begin..]).all(|(a, b)| a.hash == b.hash);
        assert!(same, "other pictures than were pushed");
        assert!(tape.video.len() >= seen);
        seen = tape.video.len();
        if seen >= 125 { Ok(()) } else { Err(format!("{seen} pictures")) }
    });
    drop(push);
    for recording in livetape.wait_ready("growing", &FORMATS, 1) {
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
}

#[test]
fn a_death_of_the_process_costs_neither_format_more_than_the_last_half_second() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&over(Settings::new().webhook(&receiver)));
    let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("crash"), Pace::Live);
    livetape.wait_live("crash", 5.3);
    let live = livetape.http.json("/v1/streams");
    let received = live["items"][0]["duration_ms"].as_i64().unwrap();
    livetape.kill();
    drop(push);
    livetape.start_again();
    let pushed = Tape::read(&clip::long());
    let recordings = livetape.wait_ready("crash", &FORMATS, 1);
    for recording in &recordings {
        assert_eq!((recording.0["recovered"].as_bool(), recording.text("end_reason")), (Some(true), "crash".into()));
        let reel = Reel::read(&livetape.file(recording));
        let begin = pushed.video.iter().position(|packet| packet.hash == reel.stored.video[0].hash).unwrap();
        let kept = reel.stored.video.iter().zip(&pushed.video[begin..]);
        assert!(kept.into_iter().all(|(kept, pushed)| kept.hash == pushed.hash), "{recording:?}");
        let last = pushed.video[begin + reel.stored.video.len() - 1].pts / 1000;
        assert!(received - last <= 500, "{} ms are lost in {recording:?}", received - last);
        assert_sound(&livetape, recording, &reel);
    }
    assert_eq!(receiver.wait_for("recording.ready", 3).len(), 3);
    livetape.wait_empty("spool");
    assert!(files_below(&livetape.data().join("quarantine")).is_empty());
    livetape.fsck().unwrap();
}

#[test]
fn fsck_finds_playlists_that_list_what_is_not_in_their_mp4() {
    let livetape = Livetape::start(&over(Settings::new()).formats(&TWO));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("torn"));
    let recordings = livetape.wait_ready("torn", &TWO, 1);
    livetape.wait_empty("spool");
    livetape.fsck().unwrap();
    let hls = &of_format(&recordings, "hls")[0];
    let playlist = livetape.file(hls).with_file_name("vod.m3u8");
    let text = fs::read_to_string(&playlist).unwrap();
    let (before, at) = text.rsplit_once('@').unwrap();
    fs::write(&playlist, format!("{before}@9{}", &at[1..])).unwrap();
    let found = livetape.fsck().unwrap_err();
    assert!(found.contains("vod.m3u8 in the store lists bytes up to") && found.contains(&hls.text("id")), "{found}");
    fs::remove_file(&playlist).unwrap();
    let found = livetape.fsck().unwrap_err();
    assert!(found.contains(&hls.text("id")), "{found}");
}

#[test]
fn playlists_can_be_deleted_alone_and_go_with_their_mp4() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&over(Settings::new().webhook(&receiver)).formats(&TWO));
    let delete = |recording: &Recording| {
        let answer = livetape.http.delete(&format!("/v1/recordings/{}", recording.text("id")));
        assert_eq!(answer.status, 204);
    };
    let gone = |stream: &str, count: usize| {
        within(Duration::from_secs(30), "they are gone", || match livetape.of_stream(stream).len() {
            left if left == count => Ok(()),
            left => Err(format!("{left} are left")),
        });
    };
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("alone"));
    let recordings = livetape.wait_ready("alone", &TWO, 1);
    let (mp4, hls) = (&of_format(&recordings, "mp4")[0], &of_format(&recordings, "hls")[0]);
    livetape.wait_empty("spool");
    delete(hls);
    gone("alone", 1);
    assert!(!livetape.file(hls).parent().unwrap().exists());
    ffmpeg::assert_decodes_silently(&livetape.file(mp4));
    delete(mp4);
    gone("alone", 0);

    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("both"));
    let recordings = livetape.wait_ready("both", &TWO, 1);
    livetape.wait_empty("spool");
    delete(&of_format(&recordings, "mp4")[0]);
    gone("both", 0);
    assert!(files_below(&livetape.media()).is_empty(), "{:?}", files_below(&livetape.media()));
    let told = receiver.wait_for("recording.deleted", 4);
    let formats: Vec<&str> = told.iter().map(|event| event["data"]["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["hls", "mp4", "hls", "mp4"], "nobody is sent to what is gone");
    livetape.fsck().unwrap();
}
