//! What is in the bucket at the end is what was pushed.

use livetape_fake_s3::Profile;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::of_format;
use livetape_testkit::{Livetape, Receiver, clip};

use super::{Cloud, push};
use crate::FORMATS;

/// Pushes a clip of many parts; everything about what is in the bucket is right.
fn recorded(profile: Profile, equal_parts: bool) -> (Cloud, Livetape) {
    let receiver = Receiver::start();
    let cloud = Cloud::new(profile);
    let settings = cloud.settings().webhook(&receiver).set("s3.equal_parts", &equal_parts.to_string());
    let mut livetape = Livetape::start(&settings);
    push(&livetape, "heavy");
    let recordings = livetape.wait_ready("heavy", &FORMATS, 1);
    cloud.fetch(&mut livetape);
    assert_recorded(&livetape, &recordings, &clip::heavy());
    let events = receiver.wait_for("recording.ready", 3);
    assert_eq!(events.len(), 3);
    livetape.wait_empty("spool");
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
    (cloud, livetape)
}

#[test]
fn recordings_of_many_parts_are_what_was_pushed() {
    let (cloud, livetape) = recorded(Profile::aws(), false);
    let objects = cloud.bucket.objects();
    for format in ["mp4", "flv"] {
        let recording = &of_format(&livetape.recordings(), format)[0];
        let object = &objects[&recording.text("key")];
        let parts: u32 = object.etag.rsplit_once('-').expect("it was made of parts").1.parse().unwrap();
        assert!(parts >= 4, "{format} has {parts} parts");
        assert_eq!(object.content_type.as_deref(), Some(if format == "mp4" { "video/mp4" } else { "video/x-flv" }));
        assert_eq!(recording.number("size_bytes"), object.data.len() as i64);
        assert_eq!(recording.text("store"), "primary");
        // Part 1 twice, every other part once.
        let puts = cloud.bucket.requests();
        let of_it = puts.iter().filter(|put| put.operation == "UploadPart" && put.key == recording.text("key"));
        assert_eq!(of_it.count() as u32, parts + 1, "{format}");
    }
    // An MP4 keeps no room for its index: it has nothing but what it needs.
    let mp4 = &objects[&of_format(&livetape.recordings(), "mp4")[0].text("key")];
    let boxes: Vec<&[u8]> = top_boxes(&mp4.data);
    assert_eq!(boxes, [b"ftyp", b"moov", b"mdat"]);
    for (key, object) in objects.iter().filter(|(key, _)| key.ends_with(".m3u8")) {
        assert_eq!(object.cache_control.as_deref(), Some("no-cache"), "{key}");
        assert_eq!(object.content_type.as_deref(), Some("application/vnd.apple.mpegurl"), "{key}");
    }
}

#[test]
fn what_playlists_over_an_mp4_list_are_ranges_of_its_object() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let mut livetape = Livetape::start(&crate::over::over(cloud.settings().webhook(&receiver)));
    push(&livetape, "heavy");
    let recordings = livetape.wait_ready("heavy", &FORMATS, 1);
    cloud.fetch(&mut livetape);
    assert_recorded(&livetape, &recordings, &clip::heavy());
    assert_eq!(receiver.wait_for("recording.ready", 3).len(), 3);
    livetape.wait_empty("spool");
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
    // The media went up once, as it grew, and nothing of it as segments.
    let objects = cloud.bucket.objects();
    let mp4 = &objects[&of_format(&recordings, "mp4")[0].text("key")];
    let parts: u32 = mp4.etag.rsplit_once('-').expect("it was made of parts").1.parse().unwrap();
    assert!(parts >= 4, "{parts} parts");
    assert!(objects.keys().all(|key| !key.contains("segment-")), "{:?}", objects.keys());
    let hls = &of_format(&recordings, "hls")[0];
    assert!(hls.number("size_bytes") < 20_000, "{hls:?}");

    let id = of_format(&recordings, "mp4")[0].text("id");
    assert_eq!(livetape.http.delete(&format!("/v1/recordings/{id}")).status, 204);
    receiver.wait_for("recording.deleted", 2);
    let left: Vec<String> = cloud.bucket.objects().into_keys().collect();
    assert!(left.iter().all(|key| key.ends_with(".flv")), "{left:?}");
}

#[test]
fn a_service_that_wants_equal_parts_gets_them() {
    let (_cloud, _livetape) = recorded(Profile::r2(), true);
}

#[test]
fn an_older_ceph_and_a_swift_take_them_too() {
    recorded(Profile::ceph(), false);
    recorded(Profile::swift(), false);
}

#[test]
fn small_recordings_are_put_at_once() {
    let cloud = Cloud::new(Profile::garage());
    let mut livetape = Livetape::start(&cloud.settings());
    ffmpeg::push_all(Version::Current, &clip::plain(), &livetape.url("small"));
    let recordings = livetape.wait_ready("small", &FORMATS, 1);
    assert_eq!(cloud.bucket.count("CreateMultipartUpload"), 0);
    cloud.fetch(&mut livetape);
    assert_recorded(&livetape, &recordings, &clip::plain());
    cloud.assert_nothing_else(&livetape);
}

#[test]
fn what_is_too_short_leaves_nothing_in_the_bucket() {
    let cloud = Cloud::new(Profile::aws());
    let livetape = Livetape::start(&cloud.settings().set("record.min_duration", "\"1min\""));
    push(&livetape, "short");
    livetape_testkit::deadline::eventually("all are discarded, and nothing is left", || {
        let states: Vec<String> = livetape.recordings().iter().map(|recording| recording.text("state")).collect();
        let (objects, uploads) = (cloud.bucket.objects().len(), cloud.bucket.uploads().len());
        let over = states == ["discarded"; 3] && objects == 0 && uploads == 0;
        if over { Ok(()) } else { Err(format!("{states:?}, {objects} objects, {uploads} uploads")) }
    });
    assert!(cloud.bucket.count("CreateMultipartUpload") > 0, "nothing was put early");
}

#[test]
fn a_recording_that_is_deleted_leaves_nothing_in_the_bucket() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let livetape = Livetape::start(&cloud.settings().webhook(&receiver));
    for stream in ["kept", "gone"] {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
        livetape.wait_ready(stream, &FORMATS, 1);
    }
    livetape.wait_empty("spool");
    let gone = livetape.of_stream("gone");
    for recording in &gone {
        let path = format!("/v1/recordings/{}", recording.text("id"));
        assert_eq!(livetape.http.delete(&path).status, 204, "{path}");
    }
    for event in receiver.wait_for("recording.deleted", 3) {
        assert_eq!((event["data"]["stream"].as_str(), event["data"]["url"].as_str()), (Some("gone"), None));
    }
    for recording in &gone {
        assert_eq!(livetape.http.get(&format!("/v1/recordings/{}", recording.text("id"))).status, 404);
    }
    let left: Vec<String> = cloud.bucket.objects().into_keys().collect();
    assert!(!left.is_empty() && left.iter().all(|key| key.starts_with("live/kept/")), "{left:?}");
    livetape.fsck().unwrap();
}

/// The types of the boxes of an MP4 at the top.
fn top_boxes(data: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut types) = (0usize, Vec::new());
    while let Some(header) = data.get(at..at + 8) {
        types.push(&header[4..8]);
        let size = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
        at += match size {
            1 => u64::from_be_bytes(data[at + 8..at + 16].try_into().unwrap()) as usize,
            size => size,
        };
    }
    assert_eq!(at, data.len());
    types
}
