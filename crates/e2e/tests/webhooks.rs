//! Operators' servers are told of everything, once each, in order, however badly they listen.

use std::time::Duration;

use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::receiver::{Delivery, Reply};
use livetape_testkit::{Livetape, Receiver, clip};

use crate::FORMATS;

#[test]
fn a_session_is_told_from_beginning_to_end() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &format!("{}?colour=red&token=secret", livetape.url("told")));
    let recordings = livetape.wait_ready("told", &FORMATS, 1);
    let deliveries = receiver.wait("all eleven", |deliveries| deliveries.len() >= 11);
    let kinds: Vec<&str> = deliveries.iter().map(Delivery::kind).collect();
    assert_eq!(kinds[0], "stream.started", "{kinds:?}");
    let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((count("recording.started"), count("recording.ready"), count("stream.ended")), (3, 3, 1), "{kinds:?}");
    assert_eq!(count("recording.ended"), 3, "{kinds:?}");

    let started = &deliveries[0].body["data"];
    assert_eq!((&started["app"], &started["stream"]), (&"live".into(), &"told".into()));
    let query = started["query"].as_str().unwrap();
    assert!(query.contains("colour=red") && !query.contains("secret"), "{query}");
    let session = started["session_id"].as_str().unwrap();
    for delivery in &deliveries {
        assert_eq!(delivery.body["data"]["session_id"], session);
        assert_eq!(delivery.header("webhook-id"), Some(delivery.id()));
        assert!(delivery.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
        let timestamp = delivery.body["timestamp"].as_str().unwrap();
        assert!(timestamp.ends_with('Z') && timestamp.len() == 24, "{timestamp}");
    }
    for recording in &recordings {
        let event = deliveries.iter().find(|delivery| {
            delivery.kind() == "recording.ready" && delivery.body["data"]["id"] == recording.text("id").as_str()
        });
        assert_eq!(event.unwrap().body["data"], recording.0, "the event shows the recording as the API does");
        let id = format!("evt_{}_ready", recording.text("id").trim_start_matches("rec_"));
        assert_eq!(event.unwrap().id(), id);
    }
    assert_eq!(recordings[0].0["url"].as_str().unwrap().matches("/media/").count(), 1);
}

#[test]
fn a_refusal_is_tried_again_with_the_same_id_until_it_is_taken() {
    let mut tries = 0;
    let receiver = Receiver::answering(move |_| {
        tries += 1;
        match tries {
            1 => Reply::Status(500),
            3 => Reply::Close,
            _ => Reply::Status(200),
        }
    });
    let livetape = Livetape::start(&Settings::new().webhook(&receiver).formats(&["mp4"]));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("again"));
    receiver.wait_for("stream.ended", 1);
    receiver.wait_for("recording.ready", 1);
    let deliveries = receiver.deliveries();
    let ids: Vec<&str> = deliveries.iter().map(Delivery::id).collect();
    assert_eq!(deliveries.len(), 7, "two tries of the first two of five: {ids:?}");
    // The events of a stream stay in order: one that is not taken holds up those after it.
    for (pair, kind) in [(&deliveries[..2], "stream.started"), (&deliveries[2..4], "recording.started")] {
        assert_eq!((pair[0].kind(), pair[0].id(), &pair[0].body), (kind, pair[1].id(), &pair[1].body));
        let wait = pair[1].at - pair[0].at;
        assert!(wait > Duration::from_secs(2), "{kind} is tried again after {wait:?}");
    }
}

#[test]
fn a_receiver_that_is_gone_is_left_alone_and_the_others_are_told() {
    let gone = Receiver::answering(|_| Reply::Status(410));
    let there = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&gone).webhook(&there));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("one"));
    there.wait_for("recording.ready", 3);
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("two"));
    there.wait_for("recording.ready", 6);
    assert_eq!(gone.deliveries().len(), 1, "asked again after 410 Gone");
}

#[test]
fn a_redirect_is_a_refusal() {
    let elsewhere = Receiver::start();
    let url = elsewhere.url();
    let receiver = Receiver::answering(move |_| Reply::Redirect(url.clone()));
    let livetape = Livetape::start(&Settings::new().webhook(&receiver).formats(&["mp4"]));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("redirect"));
    livetape.wait_ready("redirect", &["mp4"], 1);
    receiver.wait("a second try", |deliveries| deliveries.len() >= 2);
    assert!(elsewhere.deliveries().is_empty());
}

#[test]
fn a_slow_receiver_holds_up_nobody() {
    let slow = Receiver::answering(|_| Reply::Late(Duration::from_secs(8)));
    let quick = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&slow).webhook(&quick));
    let begun = std::time::Instant::now();
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("slow"));
    quick.wait_for("recording.ready", 3);
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    assert!(slow.deliveries().len() <= 2);
}
