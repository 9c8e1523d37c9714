//! How a stream ends, and what the next one finds.

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::flv;
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::publisher::amf::{Amf, string};
use livetape_testkit::publisher::{CONTROL_STREAM, chunk, kind};
use livetape_testkit::{Livetape, Publisher, Receiver, Reel, clip, place};

use rustix::process::Signal;

use crate::FORMATS;

#[test]
fn a_publisher_that_is_killed_is_told_apart_from_one_that_ends() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("killed"), Pace::Live);
    livetape.wait_live("killed", 2.0);
    push.kill();
    for recording in livetape.wait_ready("killed", &FORMATS, 1) {
        assert_eq!(recording.text("end_reason"), "drop");
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
    let ended = receiver.wait_for("stream.ended", 1);
    assert_eq!(ended[0]["data"]["end_reason"], "drop");
}

#[test]
fn a_frozen_publisher_is_given_up_after_the_idle_time() {
    let livetape = Livetape::start(&Settings::new().set("rtmp.idle_timeout", "\"2s\""));
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url("frozen"), Pace::Live);
    livetape.wait_live("frozen", 1.5);
    push.signal(Signal::STOP);
    for recording in livetape.wait_ready("frozen", &FORMATS, 1) {
        assert_eq!(recording.text("end_reason"), "idle_timeout");
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
}

#[test]
fn a_second_push_takes_the_stream_over() {
    let livetape = Livetape::start(&Settings::new());
    let mut first = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("mine"), Pace::Loop);
    livetape.wait_live("mine", 2.0);
    ffmpeg::push_all(Version::Current, &clip::plain(), &livetape.url("mine"));
    eventually("the first publisher is sent away", || if first.has_ended() { Ok(()) } else { Err(String::new()) });
    let recordings = livetape.wait_ready("mine", &FORMATS, 2);
    let sessions: Vec<String> = of_format(&recordings, "mp4").iter().map(|r| r.text("session_id")).collect();
    let of_session = |id: &str| -> Vec<_> {
        recordings.iter().filter(|recording| recording.text("session_id") == id).cloned().collect()
    };
    for recording in of_session(&sessions[0]) {
        assert_eq!(recording.text("end_reason"), "takeover");
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
    assert_recorded(&livetape, &of_session(&sessions[1]), &clip::plain());
}

#[test]
fn a_second_push_is_refused_where_the_first_one_stays() {
    let livetape = Livetape::start(&Settings::new().set("rtmp.on_conflict", "\"reject\""));
    let mut first = Publisher::publish(livetape.rtmp, "live", "mine");
    first.tags(&flv::tags(&clip::plain()));
    first.settle();
    let mut second = Publisher::greet(livetape.rtmp);
    second.connect("live");
    second.message_stream = second.create_stream();
    let reply = second.ask_to_publish("mine");
    assert_eq!((reply.level(), reply.code()), ("error", "NetStream.Publish.BadName"));
    first.finish("mine");
    assert_recorded(&livetape, &livetape.wait_ready("mine", &FORMATS, 1), &clip::plain());
}

#[test]
fn one_connection_publishes_two_streams_and_then_a_third() {
    let livetape = Livetape::start(&Settings::new());
    let tags = flv::tags(&clip::plain());
    let mut publisher = Publisher::greet(livetape.rtmp);
    publisher.connect("live");
    let streams = [publisher.create_stream(), publisher.create_stream()];
    assert_ne!(streams[0], streams[1]);
    for (stream, key) in streams.into_iter().zip(["left", "right"]) {
        publisher.message_stream = stream;
        assert_eq!(publisher.ask_to_publish(key).code(), "NetStream.Publish.Start");
    }
    for tag in &tags {
        for stream in streams {
            publisher.message_stream = stream;
            publisher.tag(tag);
        }
    }
    for (stream, key) in streams.into_iter().zip(["left", "right"]) {
        publisher.message_stream = stream;
        publisher.unpublish(key);
        assert_recorded(&livetape, &livetape.wait_ready(key, &FORMATS, 1), &clip::plain());
    }
    publisher.message_stream = publisher.create_stream();
    assert_eq!(publisher.ask_to_publish("third").code(), "NetStream.Publish.Start");
    publisher.tags(&tags);
    publisher.finish("third");
    assert_recorded(&livetape, &livetape.wait_ready("third", &FORMATS, 1), &clip::plain());
}

#[test]
fn every_way_to_say_goodbye_ends_the_recording() {
    let livetape = Livetape::start(&Settings::new().formats(&["flv"]));
    type Goodbye<'a> = &'a dyn Fn(&mut Publisher);
    let goodbyes: [(&str, Goodbye<'_>); 4] = [
        ("fcunpublish", &|publisher| _ = publisher.command(0, "FCUnpublish", &[Amf::Null, string("fcunpublish")])),
        ("close", &|publisher| _ = publisher.command(publisher.message_stream, "closeStream", &[Amf::Null])),
        ("named", &|publisher| _ = publisher.command(0, "deleteStream", &[Amf::Null, string("named")])),
        ("number", &|publisher| {
            let stream = f64::from(publisher.message_stream);
            publisher.command(0, "deleteStream", &[Amf::Null, Amf::Number(stream)]);
        }),
    ];
    for (stream, goodbye) in goodbyes {
        let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
        publisher.tags(&flv::tags(&clip::plain()));
        goodbye(&mut publisher);
        publisher.settle();
        // The connection stays open: it is the command that ends the recording.
        let recordings = livetape.wait_ready(stream, &["flv"], 1);
        assert_eq!(recordings[0].text("end_reason"), "unpublish", "{stream}");
        assert_recorded(&livetape, &recordings, &clip::plain());
        publisher.close();
    }
}

#[test]
fn a_reconnect_is_a_session_of_its_own() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    for _ in 0..3 {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("again"));
    }
    let recordings = livetape.wait_ready("again", &FORMATS, 3);
    for format in FORMATS {
        for recording in of_format(&recordings, format) {
            assert_recorded(&livetape, std::slice::from_ref(&recording), &clip::plain());
            assert_eq!(recording.sequence(), 1);
        }
    }
    receiver.wait_for("stream.ended", 3);
}

#[test]
fn a_stream_that_breaks_in_the_middle_of_a_frame_keeps_what_was_whole() {
    let livetape = Livetape::start(&Settings::new());
    let tags = flv::tags(&clip::plain());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "torn");
    let half = tags.iter().position(|tag| tag.is_key() && tag.timestamp > 4_000).unwrap();
    publisher.tags(&tags[..half]);
    let torn = livetape_testkit::publisher::chunk::message(
        publisher.header_of(&tags[half]),
        &tags[half].body,
        publisher.chunk_size,
    );
    publisher.write(&torn[..torn.len() / 2].concat());
    publisher.close();
    let recordings = livetape.wait_ready("torn", &FORMATS, 1);
    let before = tags[..half].iter().filter(|tag| tag.kind == flv::Kind::Video && tag.is_frame()).count();
    for recording in &recordings {
        assert_eq!(recording.text("end_reason"), "drop");
        let reel = Reel::read(&livetape.file(recording));
        assert_eq!(reel.stored.video.len(), before);
        ffmpeg::assert_decodes_silently(&livetape.file(recording));
    }
}

#[test]
fn what_was_sent_before_a_rude_goodbye_is_recorded_to_the_end() {
    // An encoder closes without reading our acknowledgements: its kernel resets the connection while
    // the end of the stream, and its goodbye, still wait in ours.
    let livetape = Livetape::start(&Settings::new());
    let tags = flv::tags(&clip::larger());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "rude");
    let window = chunk::Header { csid: CONTROL_STREAM, kind: kind::WINDOW, timestamp: 0, message_stream: 0 };
    publisher.message(window, &2_500u32.to_be_bytes());
    let (most, rest) = tags.split_at(tags.len() * 3 / 4);
    publisher.tags(most);
    publisher.settle();
    livetape.signal(Signal::STOP);
    publisher.tags(rest);
    publisher.command(0, "deleteStream", &[Amf::Null, Amf::Number(f64::from(publisher.message_stream))]);
    publisher.wait_delivered();
    publisher.reset();
    livetape.signal(Signal::CONT);
    let recordings = livetape.wait_ready("rude", &FORMATS, 1);
    assert_recorded(&livetape, &recordings, &clip::larger());
    for recording in recordings {
        assert_eq!(recording.text("end_reason"), "unpublish");
    }
}
