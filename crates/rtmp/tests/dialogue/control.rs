//! Protocol control and user control messages.

use std::time::Duration;

use livetape_media::EndReason;
use livetape_rtmp::SessionError;

use crate::peer::Peer;
use crate::script::Script;

fn publishing() -> (Peer, Script) {
    let mut script = Script::publishing("key");
    script.wire.set_chunk_size(60_000);
    script.aac_header(1);
    (Peer::fed(&script.take()), script)
}

/// The numbers acknowledged.
fn acknowledged(peer: &Peer) -> Vec<u32> {
    let replies = peer.replies().into_iter().filter(|reply| reply.type_id == 3);
    replies.map(|reply| u32::from_be_bytes(reply.body.try_into().unwrap())).collect()
}

/// Sends `frames` frames of 50,000 bytes.
fn send_frames(peer: &mut Peer, script: &mut Script, frames: u32) {
    for index in 0..frames {
        peer.feed(&script.aac(1, index * 23, &[7; 50_000]).take());
    }
}

#[test]
fn what_is_received_is_acknowledged_every_half_window_without_being_asked() {
    let (mut peer, mut script) = publishing();
    send_frames(&mut peer, &mut script, 24);
    assert_eq!(acknowledged(&peer), [0u32; 0]);
    send_frames(&mut peer, &mut script, 40);
    assert_eq!(acknowledged(&peer), [1_250_000, 2_500_000]);
}

#[test]
fn the_clients_window_is_kept_to_and_a_window_of_zero_ignored() {
    let (mut peer, mut script) = publishing();
    script.control(5, &0u32.to_be_bytes()).control(5, &400_000u32.to_be_bytes());
    peer.feed(&script.take());
    send_frames(&mut peer, &mut script, 10);
    let numbers = acknowledged(&peer);
    assert_eq!(numbers.len(), 2);
    assert_eq!(numbers[1] - numbers[0], 200_000);
}

#[test]
fn pings_are_answered_with_their_own_stamp_but_not_in_masses() {
    let (mut peer, mut script) = publishing();
    let before = peer.replies().len();
    peer.feed(&script.control(4, &[0, 6, 1, 2, 3, 4]).take());
    assert_eq!(peer.replies()[before].body, [0, 7, 1, 2, 3, 4]);
    (0..100).for_each(|_| {
        peer.feed(&script.control(4, &[0, 6, 1, 2, 3, 4]).take());
    });
    assert_eq!(peer.replies().len(), before + 10);
    peer.wait(Duration::from_secs(1)).feed(&script.control(4, &[0, 6, 9, 9, 9, 9]).take());
    assert_eq!(peer.replies().pop().unwrap().body, [0, 7, 9, 9, 9, 9]);
}

#[test]
fn control_messages_that_mean_nothing_here_are_ignored() {
    let (mut peer, mut script) = publishing();
    let before = peer.events.len();
    let messages: [(u8, &[u8]); 12] = [
        (4, &[0, 26, 0, 0, 0, 1]),
        (4, &[0, 31, 0, 0, 0, 1]),
        (4, &[0xFF, 0xFF]),
        (4, &[0]),
        (4, &[]),
        (4, &[0, 6, 1]),
        (3, &[1, 2]),
        (3, &[0, 0, 1, 0]),
        (6, &[0, 0, 1, 0, 3]),
        (6, &[]),
        (2, &[0, 0, 0, 99]),
        (5, &[1]),
    ];
    for (type_id, body) in messages {
        script.control(type_id, body);
    }
    // Shared objects and types that do not exist.
    for type_id in [7, 16, 19, 0, 23, 255] {
        script.message(5, type_id, 1, 0, &[1, 2, 3]);
    }
    peer.feed(&script.take());
    assert_eq!(peer.events.len(), before);
    peer.feed(&script.aac(1, 0, b"one").take());
    assert_eq!(peer.frames().len(), 1);
}

#[test]
fn control_messages_count_on_any_chunk_stream_and_message_stream() {
    let mut script = Script::publishing("key");
    script.message(9, 1, 1, 0, &4096u32.to_be_bytes());
    script.wire.chunk_size = 4096;
    script.aac_header(1).aac(1, 0, &[7; 3000]);
    assert_eq!(Peer::fed(&script.take()).frames()[0].len(), 3000);
}

#[test]
fn a_chunk_size_of_zero_or_none_at_all_closes_the_connection() {
    let (mut peer, mut script) = publishing();
    peer.feed(&script.control(1, &[0; 4]).take());
    assert!(matches!(peer.error(), SessionError::ChunkSize { size: 0, .. }));
    assert_eq!(peer.ends(), [EndReason::ProtocolError]);

    let (mut peer, mut script) = publishing();
    peer.feed(&script.control(1, &[0, 1]).take());
    assert!(matches!(peer.error(), SessionError::ControlTooShort { type_id: 1, length: 2, .. }));
}

#[test]
fn masses_of_control_messages_close_the_connection() {
    let (mut peer, mut script) = publishing();
    (0..2000).for_each(|_| {
        script.control(3, &[0; 4]);
    });
    peer.feed(&script.take());
    assert!(matches!(peer.error(), SessionError::ControlFlood { limit: 100, .. }));

    let (mut peer, mut script) = publishing();
    for _ in 0..60 {
        (0..50).for_each(|_| {
            script.control(3, &[0; 4]);
        });
        peer.feed(&script.take()).wait(Duration::from_secs(1));
    }
    assert_eq!(peer.closed(), None, "over time they do no harm");
}
