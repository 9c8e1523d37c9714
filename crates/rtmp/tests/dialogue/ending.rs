//! How publishes and connections end: each publish exactly once.

use livetape_media::{EndReason, Item, Value};
use livetape_rtmp::CloseReason;

use crate::peer::Peer;
use crate::script::{Script, number, object, text};

/// A client that publishes "key" and has sent a frame.
fn publishing() -> (Peer, Script) {
    let mut script = Script::publishing("key?token=1");
    script.aac_header(1).aac(1, 0, b"one");
    (Peer::fed(&script.take()), script)
}

/// The command ends the publish; nothing that may follow ends it again.
fn check_unpublish(stream: u32, command: &[Value]) {
    let (mut peer, mut script) = publishing();
    peer.feed(&script.command(stream, command).take());
    assert_eq!(peer.ends(), [EndReason::Unpublish], "{command:?} on {stream}");
    assert_eq!(peer.codes().pop().unwrap(), "NetStream.Unpublish.Success");
    assert_eq!(peer.closed(), None);

    script.aac(1, 23, b"late");
    script.command(0, &[text("FCUnpublish"), number(6.0), Value::Null, text("key")]);
    script.command(1, &[text("closeStream"), number(0.0), Value::Null]);
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, number(1.0)]);
    peer.feed(&script.take()).then(|session, now| session.handle_eof(now));
    assert_eq!((peer.ends().len(), peer.frames().len()), (1, 1), "{command:?} on {stream}");
    assert_eq!(peer.closed(), Some(&None));
}

#[test]
fn every_way_to_unpublish_ends_the_publish_once() {
    let call = |name: &str, arguments: &[Value]| [&[text(name), number(6.0), Value::Null], arguments].concat();
    check_unpublish(0, &call("FCUnpublish", &[text("key")]));
    check_unpublish(0, &call("FCUnpublish", &[text("key?token=1")]));
    check_unpublish(0, &call("FCUnpublish", &[]));
    check_unpublish(0, &call("deleteStream", &[number(1.0)]));
    check_unpublish(0, &call("deleteStream", &[text("key")]));
    check_unpublish(0, &call("deleteStream", &[text("key?token=1")]));
    check_unpublish(0, &call("deleteStream", &[]));
    check_unpublish(1, &call("deleteStream", &[Value::Null]));
    check_unpublish(1, &[text("deleteStream")]);
    check_unpublish(1, &call("closeStream", &[]));
    check_unpublish(0, &[text("closeStream")]);
    check_unpublish(0, &call("releaseStream", &[text("key")]));
    check_unpublish(1, &call("publish", &[Value::Boolean(false)]));
}

#[test]
fn ending_something_else_ends_nothing() {
    let (mut peer, mut script) = publishing();
    script.create_stream(9.0);
    script.command(0, &[text("FCUnpublish"), number(6.0), Value::Null, text("other")]);
    script.command(0, &[text("releaseStream"), number(6.0), Value::Null, text("other")]);
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, number(2.0)]);
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, number(7.0)]);
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, text("other")]);
    script.create_stream(10.0).command(3, &[text("closeStream"), number(0.0), Value::Null]);
    peer.feed(&script.aac(1, 23, b"two").take());
    assert_eq!((peer.ends().len(), peer.frames().len()), (0, 2));
}

#[test]
fn a_stream_deleted_by_its_number_makes_room_for_another() {
    let mut script = Script::new();
    script.connect("live");
    (1..=8).for_each(|index| {
        script.create_stream(f64::from(index));
    });
    script.command(0, &[text("deleteStream"), number(0.0), Value::Null, number(3.0)]).create_stream(20.0);
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.replies().pop().unwrap().values[3], number(9.0));
}

#[test]
fn a_publish_on_a_stream_never_created_ends_with_whatever_stream_is_deleted() {
    let mut script = Script::new();
    script.connect("live").create_stream(2.0).publish(0, "key").aac_header(1).aac(1, 0, b"one");
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, number(1.0)]);
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.ends(), peer.frames().len()), (vec![EndReason::Unpublish], 1));
}

#[test]
fn after_an_unpublish_the_connection_may_publish_again() {
    let (mut peer, mut script) = publishing();
    script.command(0, &[text("FCUnpublish"), number(6.0), Value::Null, text("key")]);
    script.create_stream(8.0).publish(2, "key").aac_header(2).aac(2, 0, b"again");
    peer.feed(&script.take());
    assert_eq!((peer.requests().len(), peer.frames().len()), (2, 2));
    assert_ne!(peer.requests()[0].id, peer.requests()[1].id);
}

#[test]
fn a_connection_that_goes_away_drops_its_publishes() {
    let (mut peer, mut script) = publishing();
    peer.feed(&script.create_stream(3.0).publish(2, "two").take());
    peer.then(|session, now| session.handle_eof(now)).then(|session, now| session.handle_eof(now));
    assert_eq!((peer.ends(), peer.closed()), (vec![EndReason::Drop; 2], Some(&None)));
}

#[test]
fn a_broken_protocol_ends_publishes_and_says_where() {
    let (mut peer, mut script) = publishing();
    peer.feed(&script.wire.raw(&[0xC0 | 50]).bytes.clone());
    assert_eq!(peer.ends(), [EndReason::ProtocolError]);
    assert!(peer.error().to_string().contains("chunk stream 50"));
}

#[test]
fn items_before_a_broken_message_of_the_same_input_come_through() {
    let mut script = Script::publishing("key");
    script.aac_header(1).aac(1, 0, b"one").wire.raw(&[0xC0 | 50]);
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.frames().len(), peer.ends()), (1, vec![EndReason::ProtocolError]));
}

#[test]
fn the_server_ends_a_connection_with_its_reason() {
    for (reason, end, codes) in [
        (CloseReason::Takeover, EndReason::Takeover, &["NetStream.Publish.BadName"][..]),
        (CloseReason::Disconnect, EndReason::Disconnect, &["NetStream.Publish.Rejected"]),
        (
            CloseReason::Shutdown,
            EndReason::Shutdown,
            &["NetConnection.Connect.AppShutdown", "NetStream.Publish.Rejected"],
        ),
    ] {
        let (mut peer, _) = publishing();
        peer.then(|session, now| session.close(reason, now)).then(|session, now| session.close(reason, now));
        assert_eq!((peer.ends(), peer.closed()), (vec![end], Some(&None)));
        assert_eq!(peer.codes()[1..], *codes);
        assert!(matches!(peer.items().last(), Some((_, Item::End(_)))));
    }
}

#[test]
fn a_client_that_can_is_asked_to_come_back_when_the_service_stops() {
    let mut script = Script::new();
    script.command(0, &[text("connect"), number(1.0), object(&[("app", text("live")), ("capsEx", number(1.0))])]);
    script.create_stream(2.0).publish(1, "key");
    let mut peer = Peer::fed(&script.take());
    peer.then(|session, now| session.close(CloseReason::Shutdown, now));
    let replies = peer.replies();
    let request = replies.iter().find(|reply| reply.info("code") == "NetConnection.Connect.ReconnectRequest").unwrap();
    assert_eq!((request.stream_id, request.info("level")), (0, "status"));
}

#[test]
fn the_server_ends_one_publish_and_keeps_the_others() {
    let (mut peer, mut script) = publishing();
    peer.feed(&script.create_stream(3.0).publish(2, "two").take());
    let [first, second] = [0, 1].map(|index| peer.requests()[index].id);
    peer.then(|session, now| session.end_publish(first, CloseReason::Takeover, now));
    assert_eq!((peer.ends(), peer.closed()), (vec![EndReason::Takeover], None));
    peer.then(|session, now| session.end_publish(first, CloseReason::Takeover, now));
    assert_eq!(peer.ends().len(), 1);
    peer.then(|session, now| session.end_publish(second, CloseReason::Disconnect, now));
    assert_eq!((peer.ends().len(), peer.closed()), (2, Some(&None)));
}

#[test]
fn a_publish_that_waits_for_its_answer_is_refused_when_the_connection_is_closed() {
    let mut peer = Peer::new();
    peer.accepts = false;
    peer.feed(&Script::publishing("key").take());
    peer.then(|session, now| session.close(CloseReason::Shutdown, now));
    assert_eq!(peer.codes().pop().unwrap(), "NetStream.Publish.Rejected");
    let id = peer.requests()[0].id;
    let before = peer.events.len();
    peer.then(|session, now| session.accept(id, now));
    assert_eq!((peer.events.len(), peer.items().len()), (before, 0));
}
