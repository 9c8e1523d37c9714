//! Publishers that come back to a program that was killed meanwhile: one recording goes on, in every format.

use std::fs;
use std::time::{Duration, Instant};

use livetape_fake_s3::Profile;
use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::flv::{self, Kind, Tag};
use livetape_testkit::livetape::{Recording, Settings, of_format};
use livetape_testkit::packets::Tape;
use livetape_testkit::{Livetape, Publisher, Receiver, Reel, clip, ffmpeg};
use serde_json::Value;

use crate::FORMATS;
use crate::bucket::Cloud;
use crate::resume::{Twice, assert_playlist, beginning, frames, hashes, publish, wait_waiting, wall, window};

/// Sends `tags` of a stream as they come from an encoder and kills the program when all but the last of it is on the disk.
fn publish_until_killed(livetape: &mut Livetape, stream: &str, tags: &[Tag], durable_ms: i64) {
    let begun = Instant::now();
    let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
    for tag in tags {
        let due = Duration::from_millis(u64::from(tag.timestamp));
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        publisher.tag(tag);
    }
    publisher.settle();
    eventually("most of it is on the disk", || {
        let streams = livetape.http.json("/v1/streams");
        let durable = streams["items"][0]["durable_until_ms"].as_i64().unwrap_or(0);
        if durable >= durable_ms { Ok(()) } else { Err(format!("{streams:#}")) }
    });
    // So that the last pulse knows all of it.
    std::thread::sleep(Duration::from_millis(600));
    livetape.kill();
    drop(publisher);
}

/// What a recording holds of the beginning of `clip`, which it holds all of behind that.
fn twice<'a>(livetape: &Livetape, recording: &Recording, clip: &'a Tape, sent: &[Tag]) -> Twice<'a> {
    let reel = Reel::read(&livetape.file(recording));
    let held = |all: usize, behind: usize| all.checked_sub(behind).unwrap_or_else(|| panic!("{:#}", recording.0));
    let pictures = held(reel.stored.video.len(), clip.video.len());
    let sounds = held(reel.stored.audio.len(), clip.audio.len());
    let (sent_pictures, sent_sounds) = (frames(sent, Kind::Video), frames(sent, Kind::Audio));
    // What had come and was not on the disk is less than two fragments.
    assert!(
        pictures <= sent_pictures && pictures + 18 >= sent_pictures,
        "{pictures} of {sent_pictures} pictures: {:#}",
        recording.0
    );
    assert!(sounds <= sent_sounds && sounds + 35 >= sent_sounds, "{sounds} of {sent_sounds} sounds");
    Twice { clip, pictures, sounds }
}

fn report(livetape: &Livetape, recording: &Recording) -> Value {
    livetape.http.json(&format!("/v1/recordings/{}/report", recording.text("id")))
}

fn lost_ms(recording: &Recording) -> i64 {
    recording.0["lost_ms"].as_i64().unwrap_or(0)
}

#[test]
fn a_publisher_that_comes_back_to_the_next_process_goes_on_in_the_same_recordings() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&window("60s").webhook(&receiver));
    let (tags, tape) = (flv::tags(&clip::b_frames()), Tape::read(&clip::b_frames()));
    let first = beginning(&tags, 3_300);
    publish_until_killed(&mut livetape, "cut", &first, 3_000);
    std::thread::sleep(Duration::from_millis(1_000));
    livetape.start_again();
    wait_waiting(&livetape, "cut");
    publish(&livetape, "cut", &tags).finish("cut");

    let recordings = livetape.wait_ready("cut", &FORMATS, 1);
    for recording in &recordings {
        let about = format!("{:#}", recording.0);
        assert_eq!(recording.text("end_reason"), "unpublish");
        let twice = twice(&livetape, recording, &tape, &first);
        let (before, after) = twice.check(&livetape, recording);
        // The gap begins where what the file holds ends, and what had come behind that is part of it.
        let gap = &recording.0["gaps"][0];
        let (at, length) = (gap["at_ms"].as_i64().unwrap(), gap["length_ms"].as_i64().unwrap());
        assert!((at - twice.pictures as i64 * 40).abs() <= 120, "{about}");
        let passed = wall(recording, 0, "to") - wall(recording, 0, "from");
        assert!((1_400..20_000).contains(&passed), "{about}");
        let apart = after - before - at;
        assert!((apart - passed).abs() <= 150, "{apart} ms in the file, {passed} by the calendar: {about}");
        let hls = recording.text("format") == "hls";
        assert!(if hls { length == 0 } else { (length - passed).abs() <= 2 }, "{about}");
        let came_ms = i64::from(first.last().unwrap().timestamp) - at;
        let lost = lost_ms(recording);
        assert!((0..=came_ms.max(0) + 120).contains(&lost), "{lost} ms of {came_ms}: {about}");
        assert_eq!(gap.get("lost_ms").map_or(0, |lost| lost.as_i64().unwrap()), lost, "{about}");
        assert_eq!(recording.0["recovered"], true, "{about}");
        let duration = recording.number("duration_ms") - at - length;
        assert!((9_900..10_150).contains(&duration), "{about}");

        let report = report(&livetape, recording);
        assert_eq!(report["recovery"]["reason"], "crash", "{report:#}");
        assert_eq!(report["recovery"]["lost_ms"], lost, "{report:#}");
        assert!(report["observed"]["since"].as_str() > recording.0["started_at"].as_str(), "{report:#}");
        assert_eq!(report["video"]["frames"], twice.pictures + tape.video.len(), "{report:#}");
        assert_eq!((&report["video"]["bytes"], &report["recovered"]), (&Value::Null, &true.into()));
    }
    assert_playlist(&livetape, &of_format(&recordings, "hls")[0], 1);
    assert_events(&livetape, &receiver);
    livetape.wait_empty("spool");
    livetape.fsck().unwrap();
}

/// What was told of the three recordings of a stream: they waited, went on, and were ready, in this order.
fn assert_events(livetape: &Livetape, receiver: &Receiver) {
    receiver.wait_for("recording.ready", 3);
    receiver.wait_for("stream.ended", 2);
    let events = livetape.http.json("/v1/events?after=0&limit=100");
    let events = events["items"].as_array().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let places = |wanted: &str| -> Vec<usize> {
        kinds.iter().enumerate().filter(|(_, kind)| **kind == wanted).map(|(at, _)| at).collect()
    };
    let steps = ["recording.started", "recording.waiting", "recording.continued", "recording.ended", "recording.ready"];
    assert!(steps.iter().all(|kind| places(kind).len() == 3), "{kinds:?}");
    for pair in steps.windows(2).take(3) {
        assert!(places(pair[0]).last() < places(pair[1]).first(), "{kinds:?}");
    }
    assert_eq!((places("stream.started").len(), places("stream.ended").len()), (2, 2), "{kinds:?}");
    assert!(places("stream.ended")[0] < places("stream.started")[1], "{kinds:?}");
    let numbers: Vec<i64> = events.iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let told: Vec<String> = receiver.deliveries().iter().map(|delivery| delivery.id().to_owned()).collect();
    let missing = events.iter().filter(|event| !told.contains(&event["id"].as_str().unwrap().to_owned())).count();
    assert_eq!(missing, 0, "{told:?}");
}

#[test]
fn a_gap_with_a_crash_in_it_may_be_left_out_whatever_hls_is_made_of() {
    let collapse = || window("60s").set("record.gap", "\"collapse\"");
    let kinds: [(&str, Settings); 2] =
        [("ts", collapse().set("record.segment_type", "\"ts\"")), ("over", crate::over::over(collapse()))];
    for (kind, settings) in kinds {
        let mut livetape = Livetape::start(&settings);
        let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
        let first = beginning(&tags, 3_300);
        publish_until_killed(&mut livetape, "cut", &first, 3_000);
        livetape.start_again();
        publish(&livetape, "cut", &tags).finish("cut");
        let recordings = livetape.wait_ready("cut", &FORMATS, 1);
        for recording in &recordings {
            let about = format!("{kind} {:#}", recording.0);
            let gap = &recording.0["gaps"][0];
            // No longer than what another format has lost less.
            assert!(gap["length_ms"].as_i64().unwrap() <= 800, "{about}");
            assert!((12_400..13_600).contains(&recording.number("duration_ms")), "{about}");
            if kind == "over" || recording.text("format") != "hls" {
                twice(&livetape, recording, &tape, &first).check(&livetape, recording);
            }
        }
        assert_playlist(&livetape, &of_format(&recordings, "hls")[0], 1);
        livetape.fsck().unwrap();
    }
}

#[test]
fn what_waits_outlives_any_number_of_processes() {
    let mut livetape = Livetape::start(&window("10min"));
    let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
    let first = beginning(&tags, 3_300);
    publish(&livetape, "patient", &first).close();
    wait_waiting(&livetape, "patient");
    let until: Vec<_> = livetape.recordings().iter().map(|recording| recording.text("waiting_until")).collect();
    for _ in 0..2 {
        livetape.kill();
        livetape.start_again();
        wait_waiting(&livetape, "patient");
    }
    let still: Vec<_> = livetape.recordings().iter().map(|recording| recording.text("waiting_until")).collect();
    assert_eq!(still, until, "it waits as long as it said");
    publish(&livetape, "patient", &tags).finish("patient");
    for recording in livetape.wait_ready("patient", &FORMATS, 1) {
        let twice = Twice { clip: &tape, pictures: frames(&first, Kind::Video), sounds: frames(&first, Kind::Audio) };
        twice.check(&livetape, &recording);
        assert_eq!(lost_ms(&recording), 0, "{:#}", recording.0);
        assert_eq!(recording.0["gaps"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_recording_outlives_crashes_in_each_of_its_sessions() {
    let mut livetape = Livetape::start(&window("10min"));
    let (tags, tape) = (flv::tags(&clip::plain()), Tape::read(&clip::plain()));
    let first = beginning(&tags, 3_300);
    for _ in 0..2 {
        publish_until_killed(&mut livetape, "often", &first, 2_800);
        livetape.start_again();
        wait_waiting(&livetape, "often");
    }
    publish(&livetape, "often", &tags).finish("often");
    for recording in livetape.wait_ready("often", &FORMATS, 1) {
        let about = format!("{:#}", recording.0);
        assert_eq!(recording.0["gaps"].as_array().unwrap().len(), 2, "{about}");
        let lost: i64 = (0..2).map(|gap| recording.0["gaps"][gap]["lost_ms"].as_i64().unwrap_or(0)).sum();
        assert_eq!(lost_ms(&recording), lost, "{about}");
        let reel = Reel::read(&livetape.file(&recording));
        let held = hashes(&reel.stored.video);
        let whole = hashes(&tape.video);
        let sent = &whole[..frames(&first, Kind::Video)];
        let (before, last) = held.split_at(held.len() - whole.len());
        assert_eq!(last, whole, "{about}");
        // Twice the beginning, each but for its end.
        let second = before.iter().skip(1).position(|hash| *hash == whole[0]).unwrap() + 1;
        for part in [&before[..second], &before[second..]] {
            assert!(sent.starts_with(part) && part.len() + 18 >= sent.len(), "{} pictures in {about}", part.len());
        }
        ffmpeg::assert_decodes_unsteady(&livetape.file(&recording));
    }
    livetape.fsck().unwrap();
}

#[test]
fn a_publisher_that_stays_away_ends_its_recordings_at_the_deadline() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&window("6s").webhook(&receiver));
    let first = beginning(&flv::tags(&clip::plain()), 3_300);
    publish_until_killed(&mut livetape, "gone", &first, 3_000);
    livetape.start_again();
    wait_waiting(&livetape, "gone");
    assert!(receiver.deliveries().iter().all(|delivery| delivery.kind() != "recording.ready"));
    assert_completed(&livetape, "gone", &first);
    // What went before the deadline is completed after it.
    publish_until_killed(&mut livetape, "late", &first, 3_000);
    std::thread::sleep(Duration::from_secs(7));
    livetape.start_again();
    assert_completed(&livetape, "late", &first);
    assert!(receiver.wait_for("recording.waiting", 3).iter().all(|event| event["data"]["stream"] == "gone"));
    livetape.fsck().unwrap();
}

fn assert_completed(livetape: &Livetape, stream: &str, sent: &[Tag]) {
    let tape = Tape::read(&clip::plain());
    for recording in livetape.wait_ready(stream, &FORMATS, 1) {
        let about = format!("{:#}", recording.0);
        let reel = Reel::read(&livetape.file(&recording));
        let (held, sent) = (hashes(&reel.stored.video), frames(sent, Kind::Video));
        assert!(hashes(&tape.video[..sent]).starts_with(&held) && held.len() + 18 >= sent, "{about}");
        assert_eq!(
            (recording.text("end_reason"), &recording.0["recovered"]),
            ("crash".into(), &true.into()),
            "{about}"
        );
        assert_eq!(recording.0.get("gaps"), None, "{about}");
        assert!(lost_ms(&recording) <= 800, "{about}");
        let report = report(livetape, &recording);
        assert_eq!((&report["observed"], &report["last_at"]), (&Value::Null, &recording.0["ended_at"]), "{report:#}");
    }
}

#[test]
fn another_resolution_after_the_crash_begins_the_next_file_and_the_playlist_goes_on() {
    let mut livetape = Livetape::start(&window("60s"));
    let first = beginning(&flv::tags(&clip::plain()), 4_000);
    publish_until_killed(&mut livetape, "larger", &first, 3_600);
    livetape.start_again();
    publish(&livetape, "larger", &flv::tags(&clip::larger())).finish("larger");
    let recordings = livetape.wait_ready_each("larger", &[("mp4", 2), ("flv", 2), ("hls", 1)]);
    for format in FORMATS {
        let these = of_format(&recordings, format);
        if format == "hls" {
            assert_eq!(these[0].0["gaps"].as_array().unwrap().len(), 1);
            let text = fs::read_to_string(livetape.file(&these[0]).with_file_name("vod.m3u8")).unwrap();
            assert!(text.contains("init-0.mp4") && text.contains("init-1.mp4"), "{text}");
        } else {
            let reasons: Vec<_> = these.iter().map(|one| (one.text("start_reason"), one.text("end_reason"))).collect();
            let expected = [("publish", "codec_changed"), ("codec_changed", "unpublish")];
            assert_eq!(reasons, expected.map(|(start, end)| (start.to_owned(), end.to_owned())), "{format}");
            assert_eq!((&these[0].0["recovered"], &these[1].0["recovered"]), (&true.into(), &false.into()));
        }
        for recording in &these {
            ffmpeg::assert_decodes_silently(&livetape.file(recording));
        }
    }
}

#[test]
fn a_service_that_is_stopped_while_it_waits_for_what_a_crash_left_completes_it() {
    let mut livetape = Livetape::start(&window("10min"));
    let first = beginning(&flv::tags(&clip::plain()), 3_300);
    publish_until_killed(&mut livetape, "stopped", &first, 3_000);
    livetape.start_again();
    wait_waiting(&livetape, "stopped");
    livetape.stop();
    livetape.start_again();
    assert_completed(&livetape, "stopped", &first);
}

#[test]
fn without_its_template_what_a_crash_left_is_completed_at_once() {
    let mut livetape = Livetape::start(&window("10min"));
    let first = beginning(&flv::tags(&clip::plain()), 3_300);
    publish_until_killed(&mut livetape, "other", &first, 3_000);
    let other = window("10min").formats(&["mp4"]).to_toml();
    fs::write(livetape.data().with_file_name("livetape.toml"), other).unwrap();
    livetape.start_again();
    let ready = || {
        let recordings = livetape.of_stream("other");
        let of = |state: &str| recordings.iter().filter(|one| one.text("state") == state).count();
        if (of("ready"), of("recording")) == (2, 1) { Ok(()) } else { Err(format!("{recordings:?}")) }
    };
    eventually("FLV and HLS are completed, and the MP4 waits", ready);
    publish(&livetape, "other", &flv::tags(&clip::plain())).finish("other");
    let recordings = livetape.wait_ready("other", &FORMATS, 1);
    assert_eq!(of_format(&recordings, "mp4")[0].0["gaps"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_in_a_bucket_already_stays_there_when_the_recording_goes_on() {
    let cloud = Cloud::new(Profile::aws());
    let settings = cloud.settings().set("record.resume_window", "\"60s\"").set("record.segment_duration", "\"2s\"");
    let mut livetape = Livetape::start(&settings);
    let tags = flv::tags(&clip::heavy());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "crash");
    for some in tags.chunks(60) {
        publisher.tags(some);
        std::thread::sleep(Duration::from_millis(40));
    }
    publisher.settle();
    within(Duration::from_secs(60), "three parts of each are there, and segments", || {
        let counts: Vec<usize> = cloud.bucket.uploads().iter().map(|upload| upload.parts.len()).collect();
        let segments = cloud.bucket.objects().keys().filter(|key| key.ends_with(".m4s")).count();
        if counts.len() == 2 && counts.iter().all(|count| *count >= 3) && segments >= 2 {
            return Ok(());
        }
        Err(format!("{counts:?} {segments}"))
    });
    livetape.kill();
    drop(publisher);
    let uploads = || -> Vec<String> { cloud.bucket.uploads().into_iter().map(|upload| upload.id).collect() };
    let parts = || -> Vec<(String, usize)> {
        cloud.bucket.uploads().into_iter().map(|one| (one.key, one.parts.len())).collect()
    };
    // What it had sent before it died may still be on its way.
    let mut there = parts();
    eventually("nothing more arrives", || {
        std::thread::sleep(Duration::from_millis(500));
        let before = std::mem::replace(&mut there, parts());
        if before == there { Ok(()) } else { Err(format!("{before:?} were there, and now {there:?}")) }
    });
    let (before, begun) = (cloud.bucket.requests().len(), uploads());
    let segments: Vec<String> = cloud.bucket.objects().into_keys().filter(|key| key.ends_with(".m4s")).collect();
    livetape.start_again();
    wait_waiting(&livetape, "crash");
    publish(&livetape, "crash", &tags).finish("crash");
    let recordings = livetape.wait_ready("crash", &FORMATS, 1);
    let again = cloud.bucket.requests().split_off(before);
    for (key, parts) in there {
        let puts = again.iter().filter(|put| put.operation == "UploadPart" && put.key == key).count();
        let all: usize = cloud.bucket.objects()[&key].etag.rsplit_once('-').unwrap().1.parse().unwrap();
        assert!(all > parts);
        // The first part, and those that were not there yet, or were longer than what is left of the file.
        assert!((1 + all - parts..=2 + all - parts).contains(&puts), "{puts} of {all} parts, {parts} were there");
    }
    let is_file = |key: &str| !key.ends_with(".m4s");
    let begins = again.iter().filter(|one| one.operation == "CreateMultipartUpload" && is_file(&one.key)).count();
    assert_eq!(begins, 0, "{begun:?} go on");
    for key in &segments {
        assert!(!again.iter().any(|put| put.operation == "PutObject" && put.key == *key), "{key} is put twice");
    }
    cloud.fetch(&mut livetape);
    let tape = Tape::read(&clip::heavy());
    for recording in &recordings {
        assert_eq!(recording.0["gaps"].as_array().unwrap().len(), 1);
        let reel = Reel::read(&livetape.file(recording));
        let held = hashes(&reel.stored.video);
        assert!(held.ends_with(&hashes(&tape.video)), "{:#}", recording.0);
        ffmpeg::assert_decodes_unsteady(&livetape.file(recording));
    }
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
}
