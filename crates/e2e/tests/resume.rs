//! Publishers that go and come back: one recording goes on, in every format.

use std::fs;
use std::time::Duration;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg;
use livetape_testkit::flv::{self, Kind, Tag};
use livetape_testkit::judge::assert_sound;
use livetape_testkit::livetape::{Recording, Settings, of_format};
use livetape_testkit::packets::{Packet, Tape};
use livetape_testkit::{Livetape, Publisher, Receiver, Reel, clip};

use crate::FORMATS;

pub fn window(length: &str) -> Settings {
    Settings::new().set("record.resume_window", &format!("{length:?}")).set("record.segment_duration", "\"2s\"")
}

/// The first tags of a clip: those up to `until_ms`.
pub fn beginning(tags: &[Tag], until_ms: u32) -> Vec<Tag> {
    tags.iter().take_while(|tag| tag.timestamp <= until_ms).cloned().collect()
}

pub fn frames(tags: &[Tag], kind: Kind) -> usize {
    tags.iter().filter(|tag| tag.kind == kind && tag.is_frame()).count()
}

/// Sends `tags` of a new session of `stream`.
pub fn publish(livetape: &Livetape, stream: &str, tags: &[Tag]) -> Publisher {
    let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
    publisher.tags(tags);
    publisher.settle();
    publisher
}

/// Until its recordings wait for their publisher.
pub fn wait_waiting(livetape: &Livetape, stream: &str) {
    eventually("the recordings wait", || {
        let recordings = livetape.of_stream(stream);
        let waiting = recordings.iter().filter(|recording| recording.0.get("waiting_until").is_some()).count();
        let streams = livetape.http.json("/v1/streams");
        let listed = streams["items"].as_array().unwrap().iter().any(|item| item.get("waiting_until").is_some());
        if waiting == FORMATS.len() && listed { Ok(()) } else { Err(format!("{recordings:?} {streams:#}")) }
    });
}

pub fn hashes<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> Vec<String> {
    packets.into_iter().map(|packet| packet.hash.clone()).collect()
}

/// By how many microseconds the recorded packets are shown later than the pushed ones: one number for all.
fn shift(pushed: [&[Packet]; 2], recorded: [&[Packet]; 2], about: &str) -> i64 {
    let apart = |(one, other): (&Packet, &Packet)| other.pts - one.pts;
    let all = pushed.into_iter().zip(recorded).flat_map(|(one, other)| one.iter().zip(other).map(apart));
    let (least, most) = (all.clone().min().unwrap(), all.max().unwrap());
    // Pictures exactly, sound within a millisecond on either side.
    assert!(most - least <= 2_000, "picture and sound stay together: {least} to {most} us in {about}");
    pushed[0].first().zip(recorded[0].first()).map_or(least, apart)
}

/// A recording of the beginning of `clip`, and after a gap of all of it.
pub struct Twice<'a> {
    pub clip: &'a Tape,
    /// Frames of the beginning.
    pub pictures: usize,
    pub sounds: usize,
}

impl Twice<'_> {
    /// Checks the recording, bit for bit. Where on the file's timeline the two parts begin, in ms.
    pub fn check(&self, livetape: &Livetape, recording: &Recording) -> (i64, i64) {
        let about = format!("{:#}", recording.0);
        let reel = Reel::read(&livetape.file(recording));
        let (video, audio) = (&reel.stored.video, &reel.stored.audio);
        let (clip_video, clip_audio) = (&self.clip.video, &self.clip.audio);
        let expect = |clip: &[Packet], count: usize| hashes(clip[..count].iter().chain(clip));
        assert_eq!(hashes(video), expect(clip_video, self.pictures), "pictures of {about}");
        assert_eq!(hashes(audio), expect(clip_audio, self.sounds), "sounds of {about}");
        for packets in [video, audio] {
            assert!(packets.windows(2).all(|pair| pair[0].dts < pair[1].dts), "{about}");
        }
        // A player is not given the sounds that an edit list leaves out at the start.
        let (video, audio) = (&reel.played.video, &reel.played.audio);
        let (v1, v2) = video.split_at(video.len() - clip_video.len());
        let (a1, a2) = audio.split_at(audio.len() - clip_audio.len());
        let tail = |clip: &'_ [Packet], count: usize, held: &[Packet]| clip[count - held.len()..count].to_vec();
        let (video, audio) = (tail(clip_video, self.pictures, v1), tail(clip_audio, self.sounds, a1));
        let before = shift([&video, &audio], [v1, a1], &about);
        let after = shift([clip_video, clip_audio], [v2, a2], &about);
        ffmpeg::assert_decodes_unsteady(&livetape.file(recording));
        (before / 1000, after / 1000)
    }
}

/// `2026-11-22T21:07:00.120Z` in milliseconds since some day long ago.
fn millis(time: &str) -> i64 {
    let number = |at: std::ops::Range<usize>| time[at].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Years that begin in March end with their leap day.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = (days * 24 + number(11..13)) * 3600 + number(14..16) * 60 + number(17..19);
    seconds * 1000 + number(20..23)
}

pub fn wall(recording: &Recording, gap: usize, field: &str) -> i64 {
    let text = recording.0["gaps"][gap][field].as_str().unwrap_or_else(|| panic!("{:#}", recording.0));
    millis(text)
}

/// Records 3.3 s of a clip, and after more than a second all of it.
pub fn record_twice(livetape: &Livetape, stream: &str) {
    let tags = flv::tags(&clip::plain());
    publish(livetape, stream, &beginning(&tags, 3_300)).close();
    wait_waiting(livetape, stream);
    std::thread::sleep(Duration::from_millis(1_200));
    publish(livetape, stream, &tags).finish(stream);
}

#[test]
fn a_publisher_that_is_cut_off_goes_on_in_the_same_recordings() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&window("30s").set("record.sidecar", "true").webhook(&receiver));
    let (tags, tape) = (flv::tags(&clip::b_frames()), Tape::read(&clip::b_frames()));
    let first = beginning(&tags, 3_300);
    let twice = Twice { clip: &tape, pictures: frames(&first, Kind::Video), sounds: frames(&first, Kind::Audio) };
    publish(&livetape, "cut", &first).close();
    wait_waiting(&livetape, "cut");
    std::thread::sleep(Duration::from_millis(1_500));
    publish(&livetape, "cut", &tags).finish("cut");

    let recordings = livetape.wait_ready("cut", &FORMATS, 1);
    for recording in &recordings {
        assert_eq!(recording.text("end_reason"), "unpublish");
        let (before, after) = twice.check(&livetape, recording);
        let report = livetape.http.json(&format!("/v1/recordings/{}/report", recording.text("id")));
        assert_eq!((&report["gaps"], report["gaps"].as_array().unwrap().len()), (&recording.0["gaps"], 1));
        let sidecar = fs::read(livetape.media().join(format!("{}.json", recording.text("key")))).unwrap();
        let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
        assert_eq!(sidecar["report"], report);
        let gap = &recording.0["gaps"][0];
        let passed = wall(recording, 0, "to") - wall(recording, 0, "from");
        assert!((1_400..8_000).contains(&passed), "{gap}");
        // What had come ends with its last picture or sound, a frame after 3.3 s.
        let at = gap["at_ms"].as_i64().unwrap();
        assert!((3_200..3_450).contains(&at), "{gap}");
        let apart = after - before - at;
        assert!((apart - passed).abs() <= 120, "{apart} ms in the file, {passed} by the calendar: {:#}", recording.0);
        let hls = recording.text("format") == "hls";
        let length = gap["length_ms"].as_i64().unwrap();
        assert!(if hls { length == 0 } else { (length - passed).abs() <= 1 }, "{gap}");
        // A clip of 10 s behind what had come.
        let duration = recording.number("duration_ms") - at - length;
        assert!((9_900..10_150).contains(&duration), "{:#}", recording.0);
        let rate = recording.0["video"]["frame_rate"].as_f64().unwrap();
        assert!((24.9..25.1).contains(&rate), "{rate} frames a second");
    }
    assert_playlist(&livetape, &of_format(&recordings, "hls")[0], 1);
    for kind in ["recording.waiting", "recording.continued"] {
        assert_eq!(receiver.wait_for(kind, 3).len(), 3, "{kind}");
    }
    let ready = receiver.wait_for("recording.ready", 3);
    assert!(ready.iter().all(|event| event["data"]["gaps"].as_array().unwrap().len() == 1));
    assert_eq!(receiver.wait_for("stream.ended", 2).len(), 2);
    livetape.wait_empty("spool");
    livetape.fsck().unwrap();
}

/// The playlist goes on after each gap at the calendar's time.
pub fn assert_playlist(livetape: &Livetape, hls: &Recording, breaks: usize) {
    let text = fs::read_to_string(livetape.file(hls).with_file_name("vod.m3u8")).unwrap();
    let (mut shown, mut found, mut marked) = (0.0f64, 0, false);
    for line in text.lines() {
        if line == "#EXT-X-DISCONTINUITY" {
            marked = true;
        } else if let Some(time) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:").filter(|_| marked) {
            let off = millis(time) - wall(hls, found, "to");
            assert!(off.abs() <= 1, "{off} ms off: {text}");
            let at = hls.0["gaps"][found]["at_ms"].as_f64().unwrap();
            assert!((shown * 1000.0 - at).abs() <= 2.0, "{shown} s are shown before it: {text} {:#}", hls.0);
            (found, marked) = (found + 1, false);
        } else if let Some(length) = line.strip_prefix("#EXTINF:") {
            shown += length.trim_end_matches(',').parse::<f64>().unwrap();
        }
    }
    assert_eq!((found, text.matches("#EXT-X-DISCONTINUITY").count()), (breaks, breaks), "{text}");
}

#[test]
fn a_gap_may_be_left_out() {
    for kind in ["fmp4", "ts"] {
        let settings = window("30s").set("record.gap", "\"collapse\"");
        let livetape = Livetape::start(&settings.set("record.segment_type", &format!("{kind:?}")));
        let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
        let first = beginning(&tags, 3_300);
        let twice = Twice { clip: &tape, pictures: frames(&first, Kind::Video), sounds: frames(&first, Kind::Audio) };
        publish(&livetape, "cut", &first).reset();
        wait_waiting(&livetape, "cut");
        std::thread::sleep(Duration::from_millis(1_000));
        publish(&livetape, "cut", &tags).finish("cut");
        let recordings = livetape.wait_ready("cut", &FORMATS, 1);
        for recording in &recordings {
            let gap = &recording.0["gaps"][0];
            assert!(gap["length_ms"].as_i64().unwrap() <= 50, "{gap}");
            assert!(wall(recording, 0, "to") - wall(recording, 0, "from") >= 950, "{gap}");
            let duration = recording.number("duration_ms");
            assert!((13_200..13_500).contains(&duration), "{:#}", recording.0);
            let ended = millis(&recording.text("ended_at"));
            let began = millis(&recording.text("started_at"));
            let passed = wall(recording, 0, "to") - wall(recording, 0, "from");
            assert!((ended - began - duration - passed).abs() <= 60, "{:#}", recording.0);
            if kind == "fmp4" || recording.text("format") != "hls" {
                let (before, after) = twice.check(&livetape, recording);
                assert!((3_250..3_500).contains(&(after - before)), "{} ms", after - before);
            }
        }
        assert_playlist(&livetape, &of_format(&recordings, "hls")[0], 1);
    }
}

#[test]
fn a_publisher_whose_old_connection_is_still_open_goes_on() {
    let livetape = Livetape::start(&window("30s"));
    let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
    let first = beginning(&tags, 2_500);
    let twice = Twice { clip: &tape, pictures: frames(&first, Kind::Video), sounds: frames(&first, Kind::Audio) };
    let frozen = publish(&livetape, "half-open", &first);
    publish(&livetape, "half-open", &tags).finish("half-open");
    for recording in livetape.wait_ready("half-open", &FORMATS, 1) {
        assert_eq!(
            (recording.0["gaps"].as_array().unwrap().len(), recording.text("end_reason")),
            (1, "unpublish".into())
        );
        twice.check(&livetape, &recording);
    }
    drop(frozen);
}

#[test]
fn a_publisher_that_stays_away_ends_its_recordings_as_it_went() {
    let livetape = Livetape::start(&window("1s"));
    let tags = flv::tags(&clip::plain());
    publish(&livetape, "late", &tags).close();
    let recordings = livetape.wait_ready("late", &FORMATS, 1);
    for recording in &recordings {
        assert_eq!(recording.text("end_reason"), "drop");
        assert_eq!(recording.0.get("gaps"), None);
        let held = i64::abs(recording.number("duration_ms") - 10_000);
        assert!(held <= 60, "what nobody sent is not in it: {:#}", recording.0);
        assert_sound(&livetape, recording, &Reel::read(&livetape.file(recording)));
    }
    publish(&livetape, "late", &tags).finish("late");
    let all = livetape.wait_ready("late", &FORMATS, 2);
    assert!(all.iter().all(|recording| recording.0.get("gaps").is_none()));
    assert!(livetape.metrics().contains("livetape_streams_waiting 0"));
}

#[test]
fn one_that_says_it_is_done_is_not_waited_for_unless_that_is_wanted() {
    let tags = flv::tags(&clip::plain());
    let livetape = Livetape::start(&window("10min"));
    publish(&livetape, "done", &tags).finish("done");
    for recording in livetape.wait_ready("done", &FORMATS, 1) {
        assert_eq!(recording.text("end_reason"), "unpublish");
    }
    let livetape = Livetape::start(&window("10min").set("record.resume_on_unpublish", "true"));
    publish(&livetape, "done", &tags).finish("done");
    wait_waiting(&livetape, "done");
    // A service that stops waits for nobody.
    let mut livetape = livetape;
    livetape.stop();
    livetape.start_again();
    for recording in livetape.wait_ready("done", &FORMATS, 1) {
        assert_eq!((recording.text("end_reason"), &recording.0["recovered"]), ("unpublish".into(), &false.into()));
    }
}

#[test]
fn another_resolution_begins_the_next_file_and_the_playlist_goes_on() {
    let livetape = Livetape::start(&window("30s"));
    let first = beginning(&flv::tags(&clip::plain()), 4_000);
    publish(&livetape, "larger", &first).close();
    wait_waiting(&livetape, "larger");
    publish(&livetape, "larger", &flv::tags(&clip::larger())).finish("larger");
    let recordings = livetape.wait_ready_each("larger", &[("mp4", 2), ("flv", 2), ("hls", 1)]);
    let (plain, larger) = (Tape::read(&clip::plain()), Tape::read(&clip::larger()));
    let pictures = [&plain.video[..frames(&first, Kind::Video)], &larger.video].concat();
    for format in FORMATS {
        let these = of_format(&recordings, format);
        let held: Vec<Packet> =
            these.iter().flat_map(|recording| Reel::read(&livetape.file(recording)).stored.video).collect();
        if format == "hls" {
            // Parameter sets are put before the first picture of the new size.
            assert_eq!(held.len(), pictures.len());
            assert_eq!(these[0].0["gaps"].as_array().unwrap().len(), 1);
            let text = fs::read_to_string(livetape.file(&these[0]).with_file_name("vod.m3u8")).unwrap();
            assert!(text.contains("init-0.mp4") && text.contains("init-1.mp4"), "{text}");
        } else {
            assert_eq!(hashes(&held), hashes(&pictures), "{format}");
            let reasons: Vec<_> = these.iter().map(|one| (one.text("start_reason"), one.text("end_reason"))).collect();
            let expected = [("publish", "codec_changed"), ("codec_changed", "unpublish")];
            assert_eq!(reasons, expected.map(|(start, end)| (start.to_owned(), end.to_owned())), "{format}");
            assert_ne!(these[0].text("session_id"), these[1].text("session_id"));
        }
        for recording in &these {
            ffmpeg::assert_decodes_silently(&livetape.file(recording));
        }
    }
}

#[test]
fn playlists_over_an_mp4_go_on_too() {
    let livetape = Livetape::start(&crate::over::over(window("30s")));
    let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
    let first = beginning(&tags, 3_300);
    let twice = Twice { clip: &tape, pictures: frames(&first, Kind::Video), sounds: frames(&first, Kind::Audio) };
    publish(&livetape, "over", &first).close();
    wait_waiting(&livetape, "over");
    std::thread::sleep(Duration::from_millis(1_000));
    publish(&livetape, "over", &tags).finish("over");
    let recordings = livetape.wait_ready("over", &FORMATS, 1);
    for recording in &recordings {
        twice.check(&livetape, recording);
    }
    assert_playlist(&livetape, &of_format(&recordings, "hls")[0], 1);
    livetape.fsck().unwrap();
}

#[test]
fn how_long_recordings_wait_says_the_template_of_their_stream() {
    const TEMPLATES: &str = r#"
[[templates]]
name = "patient"
resume_window = "30s"

[[rules]]
streams = "live/patient-*"
template = "patient"
"#;
    let livetape = Livetape::start(&Settings::new().webhook_as(TEMPLATES));
    let tags = flv::tags(&clip::plain());
    let first = beginning(&tags, 3_300);
    for stream in ["patient-1", "other"] {
        publish(&livetape, stream, &first).close();
    }
    wait_waiting(&livetape, "patient-1");
    for recording in livetape.wait_ready("other", &FORMATS, 1) {
        assert_eq!(recording.0.get("gaps"), None, "it did not wait");
    }
    publish(&livetape, "patient-1", &tags).finish("patient-1");
    for recording in livetape.wait_ready("patient-1", &FORMATS, 1) {
        assert_eq!(recording.0["gaps"].as_array().unwrap().len(), 1, "{recording:?}");
        assert_eq!(recording.0["video"]["frames"], frames(&first, Kind::Video) + frames(&tags, Kind::Video));
    }
}
