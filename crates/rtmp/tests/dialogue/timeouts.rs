//! Time, which the session only knows from its caller.

use std::time::Duration;

use livetape_media::EndReason;
use livetape_rtmp::SessionError;

use crate::peer::Peer;
use crate::script::{Script, handshake, number, text};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handshake_must_be_over_in_time() {
    for received in [0, 1, 1537, 3072] {
        let mut peer = Peer::fed(&handshake()[..received]);
        peer.wait(SECOND * 5 - Duration::from_millis(1));
        assert_eq!(peer.closed(), None);
        peer.wait(SECOND);
        assert_eq!(peer.error(), &SessionError::HandshakeTimeout { received: received as u64, seconds: 5 });
    }
}

#[test]
fn a_publish_must_come_in_time_whatever_else_comes() {
    let mut script = Script::new();
    let mut peer = Peer::fed(&script.connect("live").take());
    for _ in 0..9 {
        peer.wait(SECOND).feed(&script.control(4, &[0, 6, 0, 0, 0, 0]).take());
    }
    assert_eq!(peer.closed(), None);
    peer.wait(SECOND);
    assert!(matches!(peer.error(), SessionError::PublishTimeout { seconds: 10, .. }));
}

#[test]
fn a_silent_publisher_is_asked_and_then_given_up() {
    let mut peer = Peer::fed(&Script::publishing("key").take());
    peer.wait(SECOND * 14);
    let before = peer.replies().len();
    peer.wait(SECOND * 2);
    let ping = peer.replies().pop().unwrap();
    assert_eq!((peer.replies().len(), ping.type_id, ping.body[..2].to_vec()), (before + 1, 4, vec![0, 6]));
    peer.wait(SECOND * 13);
    assert_eq!((peer.closed(), peer.replies().len()), (None, before + 1));
    peer.wait(SECOND);
    assert!(matches!(peer.error(), SessionError::IdleTimeout { seconds: 30, .. }));
    assert_eq!(peer.ends(), [EndReason::IdleTimeout]);
}

#[test]
fn a_paused_publisher_that_answers_pings_is_not_dead() {
    let mut script = Script::publishing("key");
    let mut peer = Peer::fed(&script.take());
    for _ in 0..100 {
        peer.wait(SECOND * 20).feed(&script.control(4, &[0, 7, 0, 0, 0, 0]).take());
    }
    assert_eq!(peer.closed(), None);
    let pings = peer.replies().iter().filter(|reply| reply.type_id == 4 && reply.body[1] == 6).count();
    assert_eq!(pings, 100, "each silence is asked about anew");
}

#[test]
fn any_byte_counts_as_life() {
    let mut script = Script::publishing("key");
    let mut peer = Peer::fed(&script.take());
    for byte in script.aac_header(1).take() {
        peer.wait(SECOND * 29).feed(&[byte]);
    }
    assert_eq!((peer.closed(), peer.items().len()), (None, 1));
}

#[test]
fn behind_an_unpublish_the_time_to_the_next_publish_runs() {
    let mut script = Script::publishing("key");
    script.command(1, &[text("closeStream"), number(0.0)]);
    let mut peer = Peer::new();
    peer.wait(SECOND).feed(&script.take()).wait(SECOND * 9);
    assert_eq!(peer.closed(), None);
    peer.wait(SECOND);
    assert!(matches!(peer.error(), SessionError::PublishTimeout { .. }));
    assert_eq!(peer.ends(), [EndReason::Unpublish]);
}

#[test]
fn a_time_out_called_too_early_does_nothing() {
    let mut peer = Peer::fed(&Script::publishing("key").take());
    let before = peer.events.len();
    peer.then(|session, now| session.handle_timeout(now));
    assert_eq!(peer.events.len(), before);
}
