//! Long streams are cut into files, each format at the same frame.

use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::{Livetape, Receiver, Tape, clip};

use crate::FORMATS;

fn limits(settings: Settings, limit: &str) -> Settings {
    let limit = format!("\"{limit}\"");
    FORMATS.iter().fold(settings, |settings, format| settings.set(&format!("record.{format}_max_duration"), &limit))
}

#[test]
fn every_format_is_cut_at_the_same_frame_and_nothing_is_lost() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&limits(Settings::new().webhook(&receiver), "20s"));
    ffmpeg::push_all(Version::Debian, &clip::long(), &livetape.url("long"));
    let recordings = livetape.wait_ready("long", &FORMATS, 8);
    assert_recorded(&livetape, &recordings, &clip::long());
    let by_format = FORMATS.map(|format| of_format(&recordings, format));
    for (number, mp4) in by_format[0].iter().enumerate() {
        assert_eq!(mp4.sequence(), number as i64 + 1);
        for other in &by_format {
            for kind in ["video", "audio"] {
                assert_eq!(mp4.0[kind]["frames"], other[number].0[kind]["frames"], "{kind} of recording {number}");
            }
            assert_eq!(mp4.text("started_at"), other[number].text("started_at"));
        }
        let last = number == 7;
        assert_eq!(mp4.text("end_reason"), if last { "unpublish" } else { "duration_limit" });
        assert_eq!(mp4.text("start_reason"), if number == 0 { "publish" } else { "duration_limit" });
        // The limit falls on a key frame: the first at which the recording is at least that long.
        assert_eq!(mp4.0["video"]["frames"], if last { 250 } else { 500 });
        if !last {
            // The last sound may be heard a little longer.
            assert!((20_000..=20_022).contains(&mp4.number("duration_ms")), "{} ms", mp4.number("duration_ms"));
        }
    }
    receiver.wait_for("recording.ready", 24);
    receiver.wait_for("stream.ended", 1);
    let events = livetape.http.json("/v1/events?after=0&limit=500");
    let happened: Vec<&str> = events["items"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect();
    let told = receiver.deliveries();
    assert_eq!(
        told.iter().map(|delivery| delivery.id()).collect::<Vec<_>>(),
        happened,
        "told in the order it happened"
    );
}

#[test]
fn a_limit_between_key_frames_waits_for_the_next_one() {
    let livetape = Livetape::start(&limits(Settings::new(), "3s"));
    ffmpeg::push_all(Version::Current, &clip::plain(), &livetape.url("odd"));
    // Key frames come every two seconds: 4 s, 4 s, 2 s.
    let recordings = livetape.wait_ready("odd", &FORMATS, 3);
    assert_recorded(&livetape, &recordings, &clip::plain());
}

#[test]
fn with_b_frames_the_cut_is_as_clean() {
    let livetape = Livetape::start(&limits(Settings::new(), "4s"));
    ffmpeg::push_all(Version::Current, &clip::b_frames(), &livetape.url("b"));
    let recordings = livetape.wait_ready("b", &FORMATS, 3);
    assert_recorded(&livetape, &recordings, &clip::b_frames());
}

#[test]
fn sound_without_a_picture_is_cut_at_the_limit() {
    let livetape = Livetape::start(&limits(Settings::new(), "4s"));
    ffmpeg::push_all(Version::Debian, &clip::audio_only(), &livetape.url("radio"));
    let recordings = livetape.wait_ready("radio", &FORMATS, 3);
    assert_recorded(&livetape, &recordings, &clip::audio_only());
}

#[test]
fn transport_stream_playlists_are_cut_as_cleanly() {
    let settings = limits(Settings::new(), "4s").formats(&["hls"]).set("record.segment_type", "\"ts\"");
    let livetape = Livetape::start(&settings);
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("ts"));
    let recordings = livetape.wait_ready("ts", &["hls"], 3);
    livetape_testkit::judge::assert_holds(&livetape, &recordings, &Tape::read(&clip::plain()));
}

#[test]
fn segments_begin_with_a_key_frame_and_last_what_the_playlist_says() {
    let settings = Settings::new().formats(&["hls"]).set("record.segment_duration", "\"4s\"");
    let livetape = Livetape::start(&settings);
    ffmpeg::push_all(Version::Debian, &clip::long(), &livetape.url("long"));
    let recording = &livetape.wait_ready("long", &["hls"], 1)[0];
    let directory = livetape.file(recording).parent().unwrap().to_owned();
    let bytes = std::fs::read(directory.join("vod.m3u8")).unwrap();
    let (_, playlist) = m3u8_rs::parse_media_playlist(&bytes).unwrap();
    assert!(playlist.end_list);
    assert_eq!(playlist.playlist_type, Some(m3u8_rs::MediaPlaylistType::Vod));
    assert_eq!(playlist.segments.len(), 38, "150 s in segments of 4 s");
    let sum: f32 = playlist.segments.iter().map(|segment| segment.duration).sum();
    assert!((sum - 150.0).abs() < 0.1, "segments last {sum} s together");
    let longest = playlist.segments.iter().map(|segment| segment.duration.round() as u64).max().unwrap();
    assert_eq!(playlist.target_duration, longest);
    let init = std::fs::read(directory.join("init-0.mp4")).unwrap();
    for segment in &playlist.segments {
        let mut bytes = init.clone();
        bytes.extend(std::fs::read(directory.join(&segment.uri)).unwrap());
        let alone = livetape.scratch().join("segment.mp4");
        std::fs::write(&alone, bytes).unwrap();
        let tape = Tape::read(&alone);
        assert!(tape.video[0].key, "{} does not begin with a key frame", segment.uri);
        let seconds = tape.video.len() as f32 / 25.0;
        assert!((seconds - segment.duration).abs() < 0.05, "{} lasts {seconds} s: {segment:?}", segment.uri);
    }
    let mut dates = playlist.segments.iter().filter_map(|segment| segment.program_date_time);
    let first = dates.next().expect("EXT-X-PROGRAM-DATE-TIME");
    assert!(dates.all(|date| date > first));

    let bytes = std::fs::read(livetape.file(recording)).unwrap();
    let (_, multivariant) = m3u8_rs::parse_master_playlist(&bytes).unwrap();
    let variant = &multivariant.variants[0];
    assert_eq!(variant.codecs.as_deref(), Some(format!("{},mp4a.40.2", avc_string(&clip::long())).as_str()));
    assert_eq!(variant.resolution, Some(m3u8_rs::Resolution { width: 320, height: 180 }));
    assert!((variant.frame_rate.unwrap() - 25.0).abs() < 0.01);
    let peak = playlist.segments.iter().map(|segment| {
        let bytes = std::fs::metadata(directory.join(&segment.uri)).unwrap().len() as f64;
        bytes * 8.0 / f64::from(segment.duration)
    });
    let peak = peak.fold(0.0, f64::max);
    assert!(variant.bandwidth as f64 >= peak.floor(), "BANDWIDTH {} is below the peak {peak}", variant.bandwidth);
}

#[test]
fn what_is_too_short_is_discarded_and_leaves_nothing() {
    let receiver = Receiver::start();
    let settings = Settings::new().webhook(&receiver).set("record.min_duration", "\"20s\"");
    let livetape = Livetape::start(&settings);
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("short"));
    let events = receiver.wait_for("recording.discarded", 3);
    assert!(events.iter().all(|event| event["data"]["state"] == "discarded"), "{events:#?}");
    assert!(livetape.of_stream("short").iter().all(|recording| recording.text("state") == "discarded"));
    for place in ["spool", "media"] {
        livetape.wait_empty(place);
    }
    assert!(receiver.deliveries().iter().all(|delivery| delivery.kind() != "recording.ready"));
}

/// `avc1.` and the profile, compatibility and level of the clip's configuration, as RFC 6381 has it.
fn avc_string(clip: &std::path::Path) -> String {
    let tags = livetape_testkit::flv::tags(clip);
    let header = tags.iter().find(|tag| tag.kind == livetape_testkit::flv::Kind::Video && tag.is_header()).unwrap();
    format!("avc1.{:02x}{:02x}{:02x}", header.body[6], header.body[7], header.body[8])
}
