//! Commands beside connect, createStream and publish.

use livetape_media::Value;

use crate::peer::Peer;
use crate::script::{Script, number, text};

/// What is answered to a command on message stream 1 of a connected client: name, transaction, code.
fn answers(command: &[Value]) -> Vec<(String, f64, String)> {
    let mut script = Script::new();
    script.connect("live").create_stream(2.0);
    let mut peer = Peer::fed(&script.take());
    let before = peer.commands().len();
    peer.feed(&script.command(1, command).take());
    assert_eq!(peer.closed(), None, "{command:?}");
    peer.commands().split_off(before)
}

fn call(name: &str, transaction: f64) -> [Value; 4] {
    [text(name), number(transaction), Value::Null, text("key")]
}

#[test]
fn what_appliances_wait_for_is_answered() {
    let result = |number| ("_result".to_owned(), number, String::new());
    assert_eq!(answers(&call("releaseStream", 2.0)), [result(2.0)]);
    assert_eq!(answers(&call("_checkbw", 3.0)), [result(3.0)]);
    assert_eq!(answers(&call("getStreamLength", 4.0)), [result(4.0)]);
    let published = ("onFCPublish".to_owned(), 0.0, "NetStream.Publish.Start".to_owned());
    assert_eq!(answers(&call("FCPublish", 5.5)), [result(5.5), published.clone()]);
    let unpublished = ("onFCUnpublish".to_owned(), 0.0, "NetStream.Unpublish.Success".to_owned());
    assert_eq!(answers(&call("FCUnpublish", 6.0)), [result(6.0), unpublished]);
    assert_eq!(answers(&call("FCPublish", 0.0)), [published], "transaction 0 asks for no result");
}

#[test]
fn the_length_of_a_stream_is_zero() {
    let mut script = Script::new();
    script.connect("live").command(0, &call("getStreamLength", 4.0));
    assert_eq!(Peer::fed(&script.take()).replies().pop().unwrap().values[3], number(0.0));
}

#[test]
fn unknown_commands_are_an_error_only_for_those_who_ask() {
    let failed = ("_error".to_owned(), 9.0, "NetConnection.Call.Failed".to_owned());
    assert_eq!(answers(&call("setCaption", 9.0)), [failed]);
    assert!(answers(&call("setCaption", 0.0)).is_empty());
    assert!(answers(&call("setCaption", f64::NAN)).is_empty());
    assert!(answers(&[text("setCaption")]).is_empty());
}

#[test]
fn answers_to_calls_that_nobody_made_are_ignored() {
    for name in ["_result", "_error", "onStatus"] {
        assert!(answers(&call(name, 9.0)).is_empty());
    }
}

#[test]
fn players_are_told_that_nothing_is_played_here() {
    for name in ["play", "play2"] {
        let answer = answers(&call(name, 4.0));
        assert_eq!(answer, [("onStatus".to_owned(), 0.0, "NetStream.Play.Failed".to_owned())]);
    }
}

#[test]
fn a_query_in_the_name_of_an_announced_publish_is_not_repeated() {
    let mut script = Script::new();
    let name = text("key?token=hunter2");
    script.connect("live").command(0, &[text("FCPublish"), number(4.0), Value::Null, name]);
    let peer = Peer::fed(&script.take());
    assert_eq!(peer.replies().pop().unwrap().info("description"), "key");
}
