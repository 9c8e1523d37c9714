//! Every kind of stream that the formats carry today, and what becomes of one they do not.

use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::flv::{self, Kind, Tag};
use livetape_testkit::judge::{assert_holds, assert_recorded};
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::mediainfo::MediaInfo;
use livetape_testkit::{Livetape, Publisher, Receiver, Tape, clip};

use crate::FORMATS;

#[test]
fn b_frames_keep_their_order_and_their_times() {
    let livetape = Livetape::start(&Settings::new());
    for version in Version::ALL {
        let stream = format!("{version:?}");
        ffmpeg::push_all(version, &clip::b_frames(), &livetape.url(&stream));
        assert_recorded(&livetape, &livetape.wait_ready(&stream, &FORMATS, 1), &clip::b_frames());
    }
}

#[test]
fn mp3_is_recorded_in_every_format() {
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Debian, &clip::mp3(), &livetape.url("mp3"));
    let recordings = livetape.wait_ready("mp3", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::mp3());
    for recording in &recordings {
        assert_eq!(recording.0["audio"]["codec"], "mp3");
        assert_eq!(recording.0["audio"]["sample_rate"], 44_100);
    }
}

#[test]
fn a_stream_without_sound_is_recorded() {
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Current, &clip::video_only(), &livetape.url("silent"));
    let recordings = livetape.wait_ready("silent", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::video_only());
    assert!(recordings.iter().all(|recording| recording.0["audio"].is_null()));
}

#[test]
fn a_stream_without_a_picture_is_recorded() {
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Debian, &clip::audio_only(), &livetape.url("radio"));
    let recordings = livetape.wait_ready("radio", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::audio_only());
    assert!(recordings.iter().all(|recording| recording.0["video"].is_null()));
}

#[test]
fn he_aac_plays_at_its_full_rate() {
    // AAC-LC at 24 kHz under a configuration that announces spectral band replication to 48 kHz:
    // object type 5, 24 kHz, one channel, extension rate 48 kHz, core object type 2.
    let he_aac = [0b0010_1011, 0b0000_1001, 0b1000_1000, 0];
    let tags: Vec<Tag> = flv::tags(&clip::slow_audio())
        .into_iter()
        .map(|mut tag| {
            if tag.kind == Kind::Audio && tag.is_header() {
                tag.body.truncate(2);
                tag.body.extend_from_slice(&he_aac);
            }
            tag
        })
        .collect();
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "he");
    publisher.tags(&tags);
    publisher.finish("he");
    let recordings = livetape.wait_ready("he", &FORMATS, 1);
    assert_holds(&livetape, &recordings, &Tape::read(&clip::slow_audio()));
    let mp4 = &of_format(&recordings, "mp4")[0];
    let info = MediaInfo::read(&livetape.file(mp4));
    assert!((info.number("Audio", "Duration") - 10.0).abs() < 0.2, "sound of {} s", info.number("Audio", "Duration"));
    assert!(info.field("Audio", "Format_AdditionalFeatures").is_some_and(|features| features.contains("SBR")));
}

#[test]
fn sound_that_comes_late_is_recorded_from_where_it_comes() {
    // For three seconds there is no sound: longer than anyone waits for it.
    let tags: Vec<Tag> =
        flv::tags(&clip::plain()).into_iter().filter(|tag| tag.kind != Kind::Audio || tag.timestamp > 3000).collect();
    let header = flv::tags(&clip::plain()).into_iter().find(|tag| tag.kind == Kind::Audio && tag.is_header()).unwrap();
    let begins = tags.iter().position(|tag| tag.kind == Kind::Audio).unwrap();
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "late");
    publisher.tags(&tags[..begins]);
    publisher.tag(&header.at(tags[begins].timestamp));
    publisher.tags(&tags[begins..]);
    publisher.finish("late");

    // MP4 and FLV begin again when a track is added; HLS goes on.
    let recordings = livetape.wait_ready_each("late", &[("mp4", 2), ("hls", 1), ("flv", 2)]);
    let file = livetape.scratch().join("late.flv");
    let mut whole = vec![header];
    whole.extend(tags.iter().cloned());
    std::fs::write(&file, flv::file(&whole)).unwrap();
    let pushed = Tape::read(&file);
    for format in ["mp4", "flv"] {
        let these = of_format(&recordings, format);
        assert_holds(&livetape, &these, &pushed);
        assert_eq!(these[0].text("end_reason"), "track_added");
        assert_eq!(these[1].text("start_reason"), "track_added");
    }
    assert_eq!(of_format(&recordings, "hls")[0].0["video"]["frames"], 250);
}

#[test]
fn a_codec_no_format_carries_is_told_and_costs_the_others_nothing() {
    // Speex (11), which FLV has and nobody plays, beside H.264.
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "speex");
    for mut tag in flv::tags(&clip::plain()) {
        if tag.kind == Kind::Audio && !tag.is_header() {
            tag.body.splice(..2, [0xb2]);
        }
        if tag.kind != Kind::Audio || !tag.is_header() {
            publisher.tag(&tag);
        }
    }
    publisher.finish("speex");
    let recordings = livetape.wait_ready("speex", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::pictures_of(&clip::plain()));
    let warnings = receiver.wait_for("recording.warning", 1);
    assert_eq!(warnings[0]["data"]["kind"], "unsupported_codec", "{warnings:#?}");
}

#[test]
fn a_change_of_resolution_cuts_files_and_marks_playlists() {
    // Two clips of different size, one after the other on one clock.
    let first = flv::tags(&clip::plain());
    let second = flv::tags(&clip::larger());
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "resize");
    publisher.tags(&first);
    let later: Vec<Tag> = second.iter().map(|tag| tag.at(tag.timestamp + 10_000)).collect();
    publisher.tags(&later);
    publisher.finish("resize");

    let recordings = livetape.wait_ready_each("resize", &[("mp4", 2), ("hls", 1), ("flv", 2)]);
    for format in ["mp4", "flv"] {
        let these = of_format(&recordings, format);
        assert_eq!(these[0].text("end_reason"), "codec_changed");
        assert_eq!(these[1].text("start_reason"), "codec_changed");
        assert_eq!((&these[0].0["video"]["width"], &these[1].0["video"]["width"]), (&320.into(), &640.into()));
        let frames: i64 = these.iter().map(|recording| recording.0["video"]["frames"].as_i64().unwrap()).sum();
        assert_eq!(frames, 500);
        for recording in &these {
            ffmpeg::assert_decodes_silently(&livetape.file(recording));
        }
    }
    let hls = &of_format(&recordings, "hls")[0];
    assert_eq!(hls.0["video"]["frames"], 500);
    let directory = livetape.file(hls).parent().unwrap().to_owned();
    for name in ["media.m3u8", "vod.m3u8"] {
        let playlist = std::fs::read_to_string(directory.join(name)).unwrap();
        assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
        assert_eq!(playlist.matches("#EXT-X-MAP").count(), 2, "{playlist}");
    }
    ffmpeg::assert_decodes_silently(&livetape.file(hls));
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let tags = flv::tags(&clip::plain());
    let headers: Vec<Tag> = tags.iter().filter(|tag| tag.is_header()).cloned().collect();
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "again");
    for tag in &tags {
        if tag.is_key() {
            headers.iter().for_each(|header| publisher.tag(&header.at(tag.timestamp)));
        }
        publisher.tag(tag);
    }
    publisher.finish("again");
    assert_recorded(&livetape, &livetape.wait_ready("again", &FORMATS, 1), &clip::plain());
}

#[test]
fn sound_and_picture_stay_together_in_what_a_player_plays() {
    // A flash and a click at the same moment, decoded: neither the encoder's priming samples nor an
    // edit list may part them.
    let livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Current, &clip::flash_and_click(), &livetape.url("sync"));
    let apart = ffmpeg::flashes_to_clicks(&clip::flash_and_click());
    assert_eq!(apart.len(), 5, "the clip flashes every two seconds");
    for recording in livetape.wait_ready("sync", &FORMATS, 1) {
        let found = ffmpeg::flashes_to_clicks(&livetape.file(&recording));
        assert_eq!(found.len(), 5, "{recording:?}");
        for (pushed, recorded) in apart.iter().zip(&found) {
            assert!((pushed - recorded).abs() < 0.0015, "{apart:?} pushed, {found:?} in {recording:?}");
        }
    }
}
