//! From `publish` to the first item, or to a refusal.

use std::time::Duration;

use livetape_media::{EndReason, Item, Value};
use livetape_rtmp::{Limits, PublishId, Rejection, RejectionCode, SessionError};

use crate::peer::Peer;
use crate::script::{Script, number, text};

fn refusal(code: RejectionCode) -> Rejection {
    Rejection { code, description: "Not today.".to_owned() }
}

/// App and name as sent; app, stream and query as asked.
fn check_names(app: &str, name: &str, expected: (&str, &str, &str)) {
    let mut script = Script::new();
    script.connect(app).create_stream(2.0).publish(1, name);
    let peer = Peer::fed(&script.take());
    let request = peer.requests()[0];
    assert_eq!((request.app.as_str(), request.stream.as_str(), request.query.expose()), expected, "{app} {name}");
}

#[test]
fn names_and_queries_are_taken_apart() {
    check_names("live", "key", ("live", "key", ""));
    check_names("live/", "key", ("live", "key", ""));
    check_names("app/inst", "key", ("app/inst", "key", ""));
    check_names("live", "key?token=a&x=%20", ("live", "key", "token=a&x=%20"));
    check_names("live?token=a", "key", ("live", "key", "token=a"));
    check_names("live?token=a", "key?b=1", ("live", "key", "token=a&b=1"));
    check_names("live/?token=a", "sub/key", ("live", "sub/key", "token=a"));
    check_names("l%69ve", "k%20%C3%A9y", ("live", "k éy", ""));
}

#[test]
fn the_request_tells_who_asks_and_no_secrets() {
    let mut script = Script::new();
    script.connect("live?token=hunter2").create_stream(2.0).publish(1, "key?sign=hunter3");
    let peer = Peer::fed(&script.take());
    let request = peer.requests()[0];
    assert_eq!(request.tc_url.as_deref(), Some("rtmp://127.0.0.1/live"));
    assert_eq!(request.encoder.as_deref(), Some("FMLE/3.0 (test)"));
    let shown = format!("{request:?} {:?}", peer.session);
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn the_kind_of_publish_may_be_anything_or_missing() {
    let kinds: [&[Value]; 7] =
        [&[], &[text("live")], &[text("LIVE")], &[text("record")], &[text("append")], &[Value::Null], &[number(0.0)]];
    for kind in kinds {
        let mut script = Script::new();
        script.connect("live").create_stream(2.0);
        script.command(1, &[&[text("publish"), number(5.0), Value::Null, text("key")], kind].concat());
        assert_eq!(Peer::fed(&script.take()).codes(), ["NetStream.Publish.Start"], "{kind:?}");
    }
}

#[test]
fn the_start_is_told_on_the_publishs_own_stream() {
    let peer = Peer::fed(&Script::publishing("key").take());
    let replies = peer.replies();
    let [.., begin, start] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((begin.type_id, begin.body.as_slice()), (4, &[0, 0, 0, 0, 0, 1][..]));
    assert_eq!((start.stream_id, start.info("level")), (1, "status"));
}

#[test]
fn media_that_came_with_publish_is_kept_until_the_answer() {
    let mut script = Script::publishing("key");
    script.aac_header(1).aac(1, 0, b"one");
    let mut peer = Peer::new();
    peer.accepts = false;
    peer.feed(&script.take());
    assert!(!peer.session.wants_input());
    peer.feed(&script.aac(1, 23, b"two").take());
    assert!(peer.items().is_empty());
    let id = peer.requests()[0].id;
    peer.then(|session, now| session.accept(id, now));
    assert!(peer.session.wants_input());
    assert_eq!(peer.frames(), [b"one", b"two"]);
    assert!(matches!(peer.items()[0], (from, Item::Track(_)) if from == id));
}

#[test]
fn input_is_kept_up_to_a_limit_while_the_answer_is_awaited() {
    let mut peer = Peer::new();
    peer.accepts = false;
    peer.feed(&Script::publishing("key").take()).feed(&vec![0; 256 << 10]);
    assert_eq!(peer.closed(), None);
    peer.feed(&[0]);
    assert_eq!(peer.error(), &SessionError::HeldInput { limit: 256 << 10 });
    assert!(peer.ends().is_empty(), "what was never accepted does not end");
}

#[test]
fn a_refusal_is_told_on_the_publishs_own_stream_and_closes_the_connection() {
    for (code, expected) in [
        (RejectionCode::BadName, "NetStream.Publish.BadName"),
        (RejectionCode::Denied, "NetStream.Publish.Denied"),
        (RejectionCode::Rejected, "NetStream.Publish.Rejected"),
    ] {
        let mut peer = Peer::new();
        peer.accepts = false;
        let mut script = Script::publishing("key");
        script.aac_header(1);
        peer.feed(&script.take());
        let id = peer.requests()[0].id;
        peer.then(|session, now| session.reject(id, &refusal(code), now));
        let last = peer.replies().pop().unwrap();
        assert_eq!((last.stream_id, last.info("level"), last.info("code")), (1, "error", expected));
        assert_eq!(last.info("description"), "Not today.");
        assert_eq!((peer.closed(), peer.items().len()), (Some(&None), 0));
    }
}

#[test]
fn a_refusal_leaves_the_connections_other_publish_alone() {
    let mut script = Script::publishing("one");
    script.create_stream(3.0).publish(2, "two").aac_header(1).aac(1, 0, b"one");
    let mut peer = Peer::new();
    peer.accepts = false;
    peer.feed(&script.take());
    let first = peer.requests()[0].id;
    peer.then(|session, now| session.accept(first, now));
    let second = peer.requests()[1].id;
    peer.then(|session, now| session.reject(second, &refusal(RejectionCode::Denied), now));
    assert_eq!((peer.frames(), peer.closed()), (vec![b"one".to_vec()], None));
}

#[test]
fn answers_for_others_than_the_waiting_publish_do_nothing() {
    let mut peer = Peer::fed(&Script::publishing("key").take());
    let id: PublishId = peer.requests()[0].id;
    let before = peer.events.len();
    peer.then(|session, now| session.accept(id, now));
    peer.then(|session, now| session.reject(id, &refusal(RejectionCode::Denied), now));
    assert_eq!(peer.events.len(), before);
}

#[test]
fn a_publish_on_stream_zero_or_on_one_never_created_works() {
    for stream in [0, 1, 77] {
        let mut script = Script::new();
        script.connect("live").publish(stream, "key").aac_header(stream).aac(stream, 0, b"one");
        let peer = Peer::fed(&script.take());
        assert_eq!(peer.frames(), [b"one"]);
        assert_eq!(peer.replies().pop().unwrap().stream_id, stream);
    }
}

#[test]
fn media_of_several_publishes_is_kept_apart() {
    let mut script = Script::publishing("one");
    script.create_stream(3.0).publish(2, "two");
    script.aac_header(2).aac_header(1).aac(1, 0, b"one").aac(2, 0, b"two").aac(3, 0, b"lost").aac(1, 23, b"one more");
    let peer = Peer::fed(&script.take());
    let ids: Vec<_> = peer.requests().iter().map(|request| request.id).collect();
    let of = |id| {
        let items = peer.items().into_iter().filter(move |(from, _)| *from == id);
        items
            .filter_map(|(_, item)| match item {
                Item::Frame(frame) => Some(frame.data.to_vec()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(of(ids[0]), [b"one".to_vec(), b"one more".to_vec()]);
    assert_eq!(of(ids[1]), [b"two"]);
}

#[test]
fn a_connection_may_publish_so_many_streams_and_no_more() {
    let mut script = Script::new();
    script.connect("live");
    (1..=5).for_each(|stream| {
        script.create_stream(f64::from(stream)).publish(stream, &format!("key{stream}"));
    });
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.requests().len(), 4);
    assert_eq!(peer.codes().pop().unwrap(), "NetStream.Publish.BadName");
    assert_eq!(peer.closed(), None);
}

#[test]
fn another_name_on_the_same_stream_ends_the_first_and_asks_anew() {
    let mut script = Script::publishing("one");
    script.aac_header(1).aac(1, 0, b"one").publish(1, "two").aac_header(1).aac(1, 0, b"two");
    let peer = Peer::fed(&script.take());
    let kinds: Vec<_> = peer.items().into_iter().map(|(id, item)| (id, matches!(item, Item::End(_)))).collect();
    let [first, second] = [0, 1].map(|index| peer.requests()[index].id);
    assert_ne!(first, second);
    assert_eq!(kinds, [(first, false), (first, false), (first, true), (second, false), (second, false)]);
    assert_eq!(peer.ends(), [EndReason::Unpublish]);
}

#[test]
fn the_same_name_on_the_same_stream_is_confirmed_and_goes_on() {
    let mut script = Script::publishing("one");
    script.aac_header(1).publish(1, "one").aac(1, 0, b"one");
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.requests().len(), peer.frames().len(), peer.ends().len()), (1, 1, 0));
    assert_eq!(peer.codes(), ["NetStream.Publish.Start"; 2]);
}

#[test]
fn the_same_name_on_another_stream_is_refused() {
    let mut script = Script::publishing("one");
    script.create_stream(3.0).publish(2, "one?token=2");
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.requests().len(), peer.closed()), (1, None));
    assert_eq!(peer.codes(), ["NetStream.Publish.Start", "NetStream.Publish.BadName"]);
}

#[test]
fn a_stream_without_a_usable_name_is_refused_and_the_connection_closed() {
    let long = "x".repeat(256);
    for name in ["", "?token=hunter2", "a\nb", "..", "%00", long.as_str()] {
        let peer = Peer::fed(&Script::publishing(name).take());
        assert_eq!(peer.codes(), ["NetStream.Publish.BadName"], "{name:?}");
        assert!(matches!(peer.error(), SessionError::Name { what: "stream's name", .. }));
        assert!(!peer.error().to_string().contains("hunter2"));
    }
}

#[test]
fn a_publish_before_connect_is_refused() {
    let mut script = Script::new();
    script.publish(1, "key");
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.codes(), peer.requests().len()), (vec!["NetStream.Publish.BadName".to_owned()], 0));
}

#[test]
fn so_much_may_come_before_the_first_publish_and_no_more() {
    let mut script = Script::new();
    script.connect("live");
    let mut peer = Peer::fed(&script.take());
    let filler = vec![0; 60_000];
    peer.feed(&script.message(4, 18, 0, 0, &filler).take());
    assert_eq!(peer.closed(), None);
    peer.feed(&script.message(4, 18, 0, 0, &filler).take());
    assert_eq!(peer.error(), &SessionError::TooMuchBeforePublish { at: 3073 + 65_536, limit: 65_536 });

    let mut peer = Peer::fed(&Script::publishing("key").take());
    let mut script = Script::default();
    peer.feed(&script.message(4, 18, 1, 0, &filler).message(4, 18, 1, 0, &filler).take());
    assert_eq!(peer.closed(), None, "behind a publish there is no such limit");
}

#[test]
fn an_answer_may_take_its_time() {
    let mut peer = Peer::with(Limits { publish_timeout: Duration::from_secs(10), ..Limits::default() });
    peer.accepts = false;
    peer.feed(&Script::publishing("key").take());
    assert_eq!(peer.session.poll_timeout(), None);
    peer.wait(Duration::from_secs(3600));
    let id = peer.requests()[0].id;
    peer.then(|session, now| session.accept(id, now)).wait(Duration::from_secs(29));
    assert_eq!(peer.closed(), None);
}
