//! `connect` and its answer.

use livetape_media::Value;
use livetape_rtmp::SessionError;

use crate::peer::{Event, Peer};
use crate::script::{Script, amf, number, object, text};

fn connected(details: &[(&str, Value)]) -> Peer {
    let mut script = Script::new();
    script.command(0, &[text("connect"), number(1.0), object(details)]);
    Peer::fed(&script.take())
}

#[test]
fn the_answer_comes_in_one_piece_and_in_the_order_that_cameras_insist_on() {
    let mut script = Script::new();
    let mut peer = Peer::fed(&script.take());
    let before = peer.events.len();
    peer.feed(&script.connect("live").take());
    assert_eq!(peer.events.len(), before + 1);
    assert!(matches!(peer.events.last(), Some(Event::Sent(_))));
    let replies = peer.replies();
    assert_eq!(replies.iter().map(|reply| reply.type_id).collect::<Vec<_>>(), [5, 6, 1, 20]);
    assert_eq!(replies[0].body, 2_500_000u32.to_be_bytes());
    assert_eq!(replies[1].body, [2_500_000u32.to_be_bytes().as_slice(), &[2]].concat());
    assert_eq!(replies[2].body, 60_000u32.to_be_bytes());
    let result = &replies[3];
    assert_eq!((result.name(), result.transaction(), result.stream_id), ("_result", 1.0, 0));
    assert_eq!((result.info("level"), result.info("code")), ("status", "NetConnection.Connect.Success"));
}

#[test]
fn the_answer_says_what_enhanced_rtmp_offers() {
    let peer = connected(&[("app", text("live"))]);
    let properties = peer.replies()[3].values[2].clone();
    assert_eq!(properties.field("fourCcList"), Some(&Value::Array(vec![text("*")])));
    let forward = object(&[("*", number(4.0))]);
    assert_eq!(properties.field("videoFourCcInfoMap"), Some(&forward));
    assert_eq!(properties.field("audioFourCcInfoMap"), Some(&forward));
    assert_eq!(properties.field("capsEx"), Some(&number(14.0)));
}

#[test]
fn the_encoding_of_objects_is_the_clients() {
    for (asked, answered) in [(None, 0.0), (Some(0.0), 0.0), (Some(3.0), 3.0), (Some(1.0), 0.0)] {
        let mut details = vec![("app", text("live"))];
        details.extend(asked.map(|encoding| ("objectEncoding", number(encoding))));
        let peer = connected(&details);
        assert_eq!(peer.replies()[3].values[3].field("objectEncoding"), Some(&number(answered)));
    }
}

#[test]
fn odd_details_and_further_arguments_do_not_disturb() {
    let mut body = amf(&[text("connect"), number(1.0)]);
    // An ECMA array with a date, a long string, a reference, undefined and a typed object in it.
    body.extend_from_slice(&[8, 0, 0, 0, 9]);
    let mut entry = |name: &str, value: &[u8]| {
        body.extend_from_slice(&(name.len() as u16).to_be_bytes());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(value);
    };
    entry("created", &[&[0x0B][..], &1.5e12f64.to_be_bytes(), &[0, 0]].concat());
    entry("app", &amf(&[text("live")]));
    entry("long", &[&[0x0C, 0, 0, 0, 2][..], b"ab"].concat());
    entry("typed", &[0x10, 0, 1, b'C', 0, 1, b'a', 0x05, 0, 0, 9]);
    entry("again", &[0x07, 0, 1]);
    entry("nothing", &[0x06]);
    entry("fourCcList", &[&[0x0A, 0, 0, 0, 1][..], &amf(&[text("hvc1")])].concat());
    entry("supportsGoAway", &[1, 1]);
    body.extend_from_slice(&[0, 0, 9]);
    body.extend_from_slice(&amf(&[text("conn"), Value::Boolean(true), object(&[("a", number(1.0))])]));
    let mut script = Script::new();
    script.message(3, 20, 0, 0, &body);
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.commands(), [("_result".into(), 1.0, "NetConnection.Connect.Success".into())]);
}

#[test]
fn a_connect_in_amf3_is_answered() {
    let mut script = Script::new();
    let mut body = vec![0];
    body.extend(amf(&[text("connect"), number(1.0)]));
    // An anonymous dynamic object in AMF3: app = "live", objectEncoding = 3.
    body.extend_from_slice(&[0x11, 0x0A, 0x0B, 0x01, 0x07]);
    body.extend_from_slice(b"app");
    body.extend_from_slice(&[0x06, 0x09]);
    body.extend_from_slice(b"live");
    body.push(0x1D);
    body.extend_from_slice(b"objectEncoding");
    body.extend_from_slice(&[0x04, 0x03, 0x01]);
    script.message(3, 17, 0, 0, &body);
    let create = [&[0][..], &amf(&[text("createStream"), number(2.0), Value::Null])].concat();
    let publish = [&[0][..], &amf(&[text("publish"), number(3.0), Value::Null, text("key"), text("live")])].concat();
    script.message(3, 17, 0, 0, &create).message(8, 17, 1, 0, &publish);
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.replies()[3].values[3].field("objectEncoding"), Some(&number(3.0)));
    assert_eq!((peer.requests()[0].app.as_str(), peer.requests()[0].stream.as_str()), ("live", "key"));
}

#[test]
fn transaction_numbers_are_returned_as_they_came() {
    for transaction in [0.0, 1.0, 2.5, 1e300, -1.0] {
        let mut script = Script::new();
        script.command(0, &[text("connect"), number(transaction), object(&[("app", text("live"))])]);
        script.create_stream(transaction).create_stream(transaction);
        let numbers: Vec<_> = Peer::fed(&script.take()).commands().into_iter().map(|(_, number, _)| number).collect();
        assert_eq!(numbers, [transaction; 3]);
    }
}

#[test]
fn a_chunk_size_may_be_set_before_connect() {
    let mut script = Script::new();
    script.wire.set_chunk_size(4096);
    script.connect(&"a".repeat(200));
    assert_eq!(Peer::fed(&script.take()).commands().len(), 1);
}

#[test]
fn everything_up_to_publish_may_come_at_once() {
    let peer = Peer::fed(&Script::publishing("key").take());
    assert_eq!(
        peer.commands(),
        [
            ("_result".into(), 1.0, "NetConnection.Connect.Success".into()),
            ("_result".into(), 2.0, String::new()),
            ("onStatus".into(), 0.0, "NetStream.Publish.Start".into()),
        ]
    );
    assert_eq!(peer.replies()[4].values[3], number(1.0), "the first stream is number 1");
}

#[test]
fn a_second_connect_is_an_error_that_changes_nothing() {
    let mut script = Script::new();
    script.connect("live").connect("other").create_stream(2.0).publish(1, "key");
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.commands()[1], ("_error".into(), 1.0, "NetConnection.Connect.Failed".into()));
    assert_eq!(peer.requests()[0].app, "live");
}

#[test]
fn an_application_without_a_usable_name_is_rejected_and_the_connection_closed() {
    let long = "x".repeat(256);
    for app in [Some(""), Some("/"), Some("?token=1"), Some("a\u{1}b"), Some("a/../b"), Some(long.as_str()), None] {
        let details: Vec<_> = app.map(|app| ("app", text(app))).into_iter().collect();
        let peer = connected(&details);
        assert_eq!(peer.commands(), [("_error".into(), 1.0, "NetConnection.Connect.Rejected".into())], "{app:?}");
        assert!(matches!(peer.error(), SessionError::Name { what: "application's name", .. }));
    }
}

#[test]
fn streams_cannot_be_created_before_connect_nor_without_end() {
    let mut script = Script::new();
    script.create_stream(7.0).connect("live");
    (0..9).for_each(|index| {
        script.create_stream(f64::from(10 + index));
    });
    let peer = Peer::fed(&script.take());
    let failed: Vec<_> = peer.commands().into_iter().filter(|(name, ..)| name == "_error").collect();
    let code = "NetConnection.Call.Failed".to_owned();
    assert_eq!(failed, [("_error".into(), 7.0, code.clone()), ("_error".into(), 18.0, code)]);
    assert_eq!(peer.closed(), None);
}

#[test]
fn a_command_without_a_name_closes_the_connection() {
    let mut script = Script::new();
    script.message(3, 20, 0, 0, &[0x00, 1, 2]);
    let peer = Peer::fed(&script.take());
    assert!(matches!(peer.error(), SessionError::Command { at: 3088, .. }), "{:?}", peer.error());
}

#[test]
fn nested_objects_without_end_cost_nothing() {
    let mut body = amf(&[text("connect"), number(1.0)]);
    body.extend([3, 0, 1, b'a'].repeat(3000));
    let mut script = Script::new();
    script.message(3, 20, 0, 0, &body);
    assert_eq!(Peer::fed(&script.take()).commands()[0].2, "NetConnection.Connect.Rejected");
}
