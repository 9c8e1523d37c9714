//! RTMP as encoders in the field speak it, over real sockets: every way of cutting the same frames
//! into chunks gives the same recording.

use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::Settings;
use livetape_testkit::publisher::amf::{Amf, encode, object, string};
use livetape_testkit::publisher::chunk::{self, Header};
use livetape_testkit::publisher::{COMMAND_STREAM, CONTROL_STREAM, kind};
use livetape_testkit::{Livetape, Publisher, clip, flv};

use crate::FORMATS;

fn control(kind: u8) -> Header {
    Header { csid: CONTROL_STREAM, kind, timestamp: 0, message_stream: 0 }
}

/// Publishes the plain clip by `send`, and judges the recording.
fn recorded(name: &str, send: impl FnOnce(&mut Publisher, &[flv::Tag])) {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", name);
    send(&mut publisher, &flv::tags(&clip::plain()));
    publisher.finish(name);
    assert_recorded(&livetape, &livetape.wait_ready(name, &FORMATS, 1), &clip::plain());
}

#[test]
fn any_chunk_size_will_do() {
    for size in [64, 127, 128, 4096, 65_536, 1_000_000] {
        recorded("chunks", |publisher, tags| {
            publisher.announce_chunk_size(size);
            publisher.tags(tags);
        });
    }
}

#[test]
fn chunks_of_sound_come_between_chunks_of_a_picture() {
    recorded("interleaved", |publisher, tags| {
        let mut picture: Vec<Vec<u8>> = Vec::new();
        for tag in tags {
            let chunks = chunk::message(publisher.header_of(tag), &tag.body, publisher.chunk_size);
            if tag.kind == flv::Kind::Video {
                picture.into_iter().for_each(|chunk| publisher.write(&chunk));
                picture = chunks;
                continue;
            }
            // One chunk of the picture, one of the sound, and so on; a control message on the way.
            let mut waiting = picture.into_iter();
            for chunk in chunks {
                waiting.next().into_iter().for_each(|chunk| publisher.write(&chunk));
                publisher.write(&chunk);
            }
            publisher.message(control(kind::ACKNOWLEDGEMENT), &[0, 0, 1, 0]);
            picture = waiting.collect();
        }
        picture.into_iter().for_each(|chunk| publisher.write(&chunk));
    });
}

#[test]
fn a_message_that_is_aborted_is_forgotten() {
    recorded("aborted", |publisher, tags| {
        for tag in tags {
            let chunks = chunk::message(publisher.header_of(tag), &tag.body, publisher.chunk_size);
            if chunks.len() > 2 {
                publisher.write(&chunks[..2].concat());
                let csid = publisher.header_of(tag).csid;
                publisher.message(control(kind::ABORT), &csid.to_be_bytes());
            }
            publisher.write(&chunks.concat());
        }
    });
}

#[test]
fn headers_are_as_short_as_they_may_be() {
    recorded("short", |publisher, tags| {
        // fmt 1 where the length changes, fmt 2 where only the time does, fmt 3 where nothing does.
        let mut last: std::collections::BTreeMap<u32, (u32, usize, Option<u32>)> = std::collections::BTreeMap::new();
        for tag in tags.iter().filter(|tag| tag.kind != flv::Kind::Data) {
            let header = publisher.header_of(tag);
            let length = tag.body.len();
            let (head, delta) = match last.get(&header.csid) {
                Some((timestamp, last_length, last_delta)) => {
                    let delta = header.timestamp - timestamp;
                    let mut head = Vec::new();
                    if *last_length != length {
                        head.extend(chunk::basic(1, header.csid));
                        head.extend_from_slice(&delta.to_be_bytes()[1..]);
                        head.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
                        head.push(header.kind);
                    } else if *last_delta != Some(delta) {
                        head.extend(chunk::basic(2, header.csid));
                        head.extend_from_slice(&delta.to_be_bytes()[1..]);
                    } else {
                        head.extend(chunk::basic(3, header.csid));
                    }
                    (head, Some(delta))
                }
                None => (chunk::full(header, length), None),
            };
            last.insert(header.csid, (header.timestamp, length, delta));
            let mut bytes = head;
            for (number, piece) in tag.body.chunks(publisher.chunk_size).enumerate() {
                if number > 0 {
                    bytes.extend(chunk::basic(3, header.csid));
                }
                bytes.extend_from_slice(piece);
            }
            publisher.write(&bytes);
        }
    });
}

#[test]
fn everything_comes_on_one_chunk_stream() {
    recorded("single", |publisher, tags| {
        for tag in tags {
            let header = Header { csid: 4, ..publisher.header_of(tag) };
            let body = if tag.kind == flv::Kind::Data {
                [encode(&[string("@setDataFrame")]), tag.body.clone()].concat()
            } else {
                tag.body.clone()
            };
            publisher.message(header, &body);
        }
    });
}

#[test]
fn chunk_streams_have_numbers_of_two_and_three_bytes() {
    recorded("numbers", |publisher, tags| {
        for tag in tags.iter().filter(|tag| tag.kind != flv::Kind::Data) {
            let csid = if tag.kind == flv::Kind::Video { 319 } else { 65_599 };
            publisher.message(Header { csid, ..publisher.header_of(tag) }, &tag.body);
        }
    });
}

#[test]
fn tags_come_together_in_one_message() {
    recorded("aggregate", |publisher, tags| {
        let media: Vec<&flv::Tag> = tags.iter().filter(|tag| tag.kind != flv::Kind::Data).collect();
        for group in media.chunks(7) {
            let together: Vec<flv::Tag> = group.iter().map(|tag| (*tag).clone()).collect();
            // A file of these tags, without its head: type, size, time, stream, body, size ...
            let payload = &flv::file(&together)[13..];
            let header = Header {
                csid: 6,
                kind: kind::AGGREGATE,
                timestamp: group[0].timestamp,
                message_stream: publisher.message_stream,
            };
            publisher.message(header, payload);
        }
    });
}

#[test]
fn empty_and_tiny_messages_cost_nothing() {
    recorded("tiny", |publisher, tags| {
        for tag in tags {
            let header = publisher.header_of(tag);
            if tag.is_key() {
                for (kind, payload) in [(kind::AUDIO, &[][..]), (kind::VIDEO, &[]), (kind::VIDEO, &[0x17])] {
                    publisher.message(Header { kind, ..header }, payload);
                }
            }
            publisher.tag(tag);
        }
    });
}

#[test]
fn a_publisher_that_waits_for_every_answer_gets_it() {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::greet(livetape.rtmp);
    publisher.connect("live");
    publisher.call(0, "releaseStream", &[Amf::Null, string("waits")]);
    publisher.command(0, "FCPublish", &[Amf::Null, string("waits")]);
    publisher.reply("onFCPublish");
    publisher.call(0, "_checkbw", &[Amf::Null]);
    publisher.message_stream = publisher.create_stream();
    assert_eq!(publisher.ask_to_publish("waits").code(), "NetStream.Publish.Start");
    publisher.tags(&flv::tags(&clip::plain()));
    publisher.finish("waits");
    assert_recorded(&livetape, &livetape.wait_ready("waits", &FORMATS, 1), &clip::plain());
}

#[test]
fn a_publisher_that_waits_for_nothing_loses_nothing() {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::greet(livetape.rtmp);
    // Everything up to the last frame in one go, before reading a single answer.
    let fields = [("app", string("live")), ("flashVer", string("FMLE/3.0"))];
    let mut bytes = Vec::new();
    let mut command = |message_stream, values: &[Amf]| {
        let header = Header { csid: COMMAND_STREAM, kind: kind::COMMAND, timestamp: 0, message_stream };
        bytes.extend(chunk::message(header, &encode(values), 128).concat());
    };
    command(0, &[string("connect"), Amf::Number(1.0), object(&fields)]);
    command(0, &[string("createStream"), Amf::Number(2.0), Amf::Null]);
    command(1, &[string("publish"), Amf::Number(3.0), Amf::Null, string("hasty"), string("live")]);
    for tag in flv::tags(&clip::plain()).iter().filter(|tag| tag.kind != flv::Kind::Data) {
        bytes.extend(chunk::message(publisher.header_of(tag), &tag.body, 128).concat());
    }
    publisher.write(&bytes);
    publisher.finish("hasty");
    assert_recorded(&livetape, &livetape.wait_ready("hasty", &FORMATS, 1), &clip::plain());
}

#[test]
fn amf3_commands_are_understood() {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::greet(livetape.rtmp);
    let fields = [("app", string("live")), ("objectEncoding", Amf::Number(3.0))];
    publisher.call(0, "connect", &[object(&fields)]);
    let command = |publisher: &mut Publisher, message_stream, values: &[Amf]| {
        // Type 17: a zero, then AMF0.
        let header = Header { csid: COMMAND_STREAM, kind: kind::COMMAND_AMF3, timestamp: 0, message_stream };
        publisher.message(header, &[vec![0], encode(values)].concat());
    };
    command(&mut publisher, 0, &[string("createStream"), Amf::Number(9.0), Amf::Null]);
    command(&mut publisher, 1, &[string("publish"), Amf::Number(0.0), Amf::Null, string("amf3"), string("live")]);
    publisher.tags(&flv::tags(&clip::plain()));
    publisher.finish("amf3");
    assert_recorded(&livetape, &livetape.wait_ready("amf3", &FORMATS, 1), &clip::plain());
}

#[test]
fn acknowledgements_count_everything_received() {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "counted");
    publisher.message(control(kind::WINDOW), &50_000u32.to_be_bytes());
    publisher.tags(&flv::tags(&clip::plain()));
    let sent = 400_000;
    let mut last = 0;
    while last < sent {
        let message = publisher.next_message().expect("the server closed");
        if let (kind::ACKNOWLEDGEMENT, [a, b, c, d]) = (message.kind, message.payload.as_slice()) {
            let count = u32::from_be_bytes([*a, *b, *c, *d]);
            assert!(count > last && count - last <= 60_000, "{last}, then {count}");
            last = count;
        }
    }
    publisher.finish("counted");
}

#[test]
fn what_cannot_be_is_refused_in_words_encoders_understand() {
    let livetape = Livetape::start(&Settings::new());
    let mut publisher = Publisher::greet(livetape.rtmp);
    publisher.connect("live");
    publisher.message_stream = publisher.create_stream();
    let reply = publisher.ask_to_publish("");
    assert_eq!(reply.level(), "error", "{reply:?}");
    assert!(reply.code().starts_with("NetStream."), "{reply:?}");
    let mut player = Publisher::greet(livetape.rtmp);
    player.connect("live");
    player.message_stream = player.create_stream();
    let stream = player.message_stream;
    player.command(stream, "play", &[Amf::Null, string("anything")]);
    let reply = player.reply("onStatus");
    assert_eq!(reply.level(), "error", "{reply:?}");
}
