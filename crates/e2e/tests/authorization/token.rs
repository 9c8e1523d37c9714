//! Push URLs with a token.

use std::fs;

use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::{Livetape, Publisher, clip, flv};

use super::{DENIED, answered, denials, denied, is_refused, settings};
use crate::FORMATS;

#[test]
fn a_token_of_the_file_lets_real_clients_in() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("tokens");
    fs::write(&file, "one-token-one-token\nanother-token-another\n").unwrap();
    let livetape = Livetape::start(&settings("token").set("push.token_file", &format!("{file:?}")));
    for (version, token) in Version::ALL.into_iter().zip(["one-token-one-token", "another-token-another"]) {
        let stream = format!("with-{}", &token[..3]);
        ffmpeg::push_all(version, &clip::plain(), &livetape.url(&format!("{stream}?token={token}")));
        assert_recorded(&livetape, &livetape.wait_ready(&stream, &FORMATS, 1), &clip::plain());
        is_refused(&livetape, version, &format!("{stream}?token={token}x"));
        is_refused(&livetape, version, &stream);
    }
    let log = livetape.log().join("\n");
    assert!(!log.contains("one-token") && !log.contains("another-token"), "{log}");
}

#[test]
fn pushes_that_are_denied_leave_the_stream_they_wanted_alone() {
    let livetape = Livetape::start(&settings("token").set("push.token", "\"one-token-one-token\""));
    let tags = flv::tags(&clip::plain());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "busy?token=one-token-one-token");
    for (number, part) in tags.chunks(tags.len() / 8).enumerate() {
        publisher.tags(part);
        let (code, description) = answered(&livetape, &format!("busy?token=guess{number}"));
        assert_eq!((code.as_str(), description.as_str()), (DENIED, "the URL's authorization is wrong"));
        assert_eq!(answered(&livetape, "busy").0, DENIED);
    }
    publisher.finish("busy?token=one-token-one-token");
    let recordings = livetape.wait_ready("busy", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::plain());
    for recording in recordings {
        assert_eq!(recording.text("end_reason"), "unpublish");
    }
    let lines = denials(&livetape, 16);
    assert_eq!(lines.len() as u64, denied(&livetape, "wrong") + denied(&livetape, "missing"));
    assert!(lines.iter().all(|line| !line.contains("guess")), "{lines:#?}");
}
