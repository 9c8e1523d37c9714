//! What is in the bucket while recordings grow: it can be completed and played at every moment.

use std::collections::BTreeMap;
use std::fs;

use livetape_fake_s3::Profile;
use livetape_testkit::deadline::within;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::of_format;
use livetape_testkit::{Livetape, Tape, clip};
use std::time::Duration;

use super::{Cloud, push};
use crate::FORMATS;

/// Panics unless every frame of `found` but the last of each track, which may be torn, is one of `pushed`
/// from its first key frame on; how many pictures there are.
fn assert_begins(found: &Tape, pushed: &Tape) -> usize {
    for (kind, found, pushed) in [("video", &found.video, &pushed.video), ("audio", &found.audio, &pushed.audio)] {
        let Some(first) = found.first() else { continue };
        let begin = pushed.iter().position(|packet| packet.hash == first.hash).expect("it is one that was pushed");
        for (index, (found, pushed)) in found.iter().zip(&pushed[begin..]).take(found.len() - 1).enumerate() {
            assert_eq!(found.hash, pushed.hash, "{kind} frame {index}");
        }
    }
    found.video.len()
}

#[test]
fn whoever_has_an_uploads_id_can_complete_a_file_that_plays() {
    let cloud = Cloud::new(Profile::aws());
    let livetape = Livetape::start(&cloud.settings().formats(&["mp4", "flv"]));
    let push = ffmpeg::push(Version::Debian, &clip::heavy(), &livetape.url("orphan"), Pace::Loop);
    let pushed = Tape::read(&clip::heavy());
    let mut seen: BTreeMap<(String, usize), Vec<u8>> = BTreeMap::new();
    within(Duration::from_secs(60), "both have had one, two and three parts", || {
        for upload in cloud.bucket.uploads() {
            let format = upload.key.rsplit_once('.').unwrap().1.to_owned();
            let count = upload.parts.len();
            if (1..=3).contains(&count) {
                let numbers: Vec<i32> = upload.parts.keys().copied().collect();
                assert_eq!(numbers, (1..=count as i32).collect::<Vec<_>>());
                let bytes = || upload.parts.values().flatten().copied().collect();
                seen.entry((format, count)).or_insert_with(bytes);
            }
        }
        if seen.len() == 6 { Ok(()) } else { Err(format!("{:?}", seen.keys())) }
    });
    push.kill();
    for ((format, count), bytes) in seen {
        let path = livetape.scratch().join(format!("{count}.{format}"));
        fs::write(&path, bytes).unwrap();
        let pictures = assert_begins(&Tape::read_torn(&path), &pushed);
        assert!(pictures > 10 * count, "{format} of {count} parts has {pictures} pictures");
    }
}

#[test]
fn a_playlist_in_the_bucket_lists_only_what_is_there() {
    let cloud = Cloud::new(Profile::aws());
    let settings = cloud.settings().formats(&["hls"]).set("record.segment_duration", "\"2s\"");
    let livetape = Livetape::start(&settings);
    let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url("watched"), Pace::Live);
    let mut most = 0;
    within(Duration::from_secs(60), "four segments are listed", || {
        let objects = cloud.bucket.objects();
        for (key, object) in objects.iter().filter(|(key, _)| key.ends_with(".m3u8")) {
            let text = String::from_utf8(object.data.to_vec()).unwrap();
            let directory = key.rsplit_once('/').unwrap().0;
            let listed: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
            for name in &listed {
                assert!(objects.contains_key(&format!("{directory}/{name}")), "{key} lists {name}, which is not there");
            }
            if key.ends_with("media.m3u8") {
                most = most.max(listed.len());
            }
        }
        if most >= 4 { Ok(()) } else { Err(format!("{most} segments are listed")) }
    });
    // Both playlists are there, and what is in the bucket plays.
    let copy = livetape.scratch().join("watched");
    fs::create_dir_all(&copy).unwrap();
    for (key, object) in cloud.bucket.objects() {
        let mut data = object.data.to_vec();
        if key.ends_with("media.m3u8") {
            // Without this a player waits for more, as it should.
            data.extend_from_slice(b"#EXT-X-ENDLIST\n");
        }
        fs::write(copy.join(key.rsplit_once('/').unwrap().1), data).unwrap();
    }
    ffmpeg::assert_decodes_silently(&copy.join("index.m3u8"));
    push.kill();
}

#[test]
fn a_process_that_dies_is_followed_by_one_that_goes_on_where_it_was() {
    let cloud = Cloud::new(Profile::aws());
    let mut livetape = Livetape::start(&cloud.settings());
    let push = ffmpeg::push(Version::Debian, &clip::heavy(), &livetape.url("crash"), Pace::Live);
    within(Duration::from_secs(60), "three parts of each are there", || {
        let counts: Vec<usize> = cloud.bucket.uploads().iter().map(|upload| upload.parts.len()).collect();
        if counts.len() == 2 && counts.iter().all(|count| *count >= 3) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    livetape.kill();
    drop(push);
    let before = cloud.bucket.requests().len();
    let there: Vec<(String, usize)> =
        cloud.bucket.uploads().into_iter().map(|upload| (upload.key, upload.parts.len())).collect();
    livetape.start_again();
    let recordings = livetape.wait_ready("crash", &FORMATS, 1);
    for (key, parts) in there {
        let again: Vec<_> = cloud.bucket.requests().split_off(before);
        let puts = again.iter().filter(|put| put.operation == "UploadPart" && put.key == key).count();
        let recording = recordings.iter().find(|recording| recording.text("key") == key).unwrap();
        let all: usize = cloud.bucket.objects()[&key].etag.rsplit_once('-').unwrap().1.parse().unwrap();
        // The first part, and those that were not there yet.
        assert_eq!(puts, 1 + all - parts, "{} of {all} parts, {parts} were there", recording.text("format"));
    }
    cloud.fetch(&mut livetape);
    let pushed = Tape::read(&clip::heavy());
    for recording in &recordings {
        let file = livetape.file(recording);
        ffmpeg::assert_decodes_silently(&file);
        assert_begins(&Tape::read(&file), &pushed);
    }
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
}

#[test]
fn a_recording_that_is_cut_goes_on_in_the_next_object() {
    let cloud = Cloud::new(Profile::aws());
    let settings = FORMATS
        .iter()
        .fold(cloud.settings(), |settings, format| settings.set(&format!("record.{format}_max_duration"), "\"4s\""));
    let mut livetape = Livetape::start(&settings);
    push(&livetape, "cut");
    let recordings = livetape.wait_ready("cut", &FORMATS, 3);
    cloud.fetch(&mut livetape);
    assert_recorded(&livetape, &recordings, &clip::heavy());
    assert_eq!(of_format(&recordings, "mp4").len(), 3);
    cloud.assert_nothing_else(&livetape);
}
