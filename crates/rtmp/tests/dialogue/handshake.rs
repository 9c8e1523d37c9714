//! The first 3,073 bytes.

use livetape_rtmp::SessionError;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

use crate::peer::Peer;
use crate::script::{Script, handshake};

#[test]
fn a_plain_handshake_is_answered_with_its_echo() {
    let bytes = handshake();
    let mut peer = Peer::fed(&bytes[..1537]);
    let sent = peer.sent();
    assert_eq!((sent.len(), sent[0]), (3073, 3));
    assert_eq!(sent[1537..], bytes[1..1537]);
    peer.feed(&bytes[1537..]);
    assert_eq!((peer.sent().len(), peer.closed()), (3073, None));
}

#[test]
fn time_and_version_of_a_plain_handshake_may_be_anything() {
    for head in [[0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 0, 0, 0, 0], [9, 9, 9, 9, 0x80, 0, 7, 2]] {
        let mut bytes = handshake();
        bytes[1..9].copy_from_slice(&head);
        assert_eq!(Peer::fed(&bytes).sent()[1537..], bytes[1..1537]);
    }
}

#[test]
fn a_digest_in_the_first_place_is_recognized() {
    let mut client = Handshake::new(PeerType::Client);
    let hello = client.generate_outbound_p0_and_p1().unwrap();
    let mut peer = Peer::fed(&hello);
    assert_ne!(peer.sent()[1537..], hello[1..], "an echo means that no digest was found");
    let HandshakeProcessResult::Completed { response_bytes, .. } = client.process_bytes(&peer.sent()).unwrap() else {
        panic!("the client is not done")
    };
    assert_eq!(peer.feed(&response_bytes).closed(), None);
}

#[test]
fn a_digest_in_the_second_place_is_recognized() {
    // HMAC-SHA256 of the other 1,504 bytes with the key "Genuine Adobe Flash Player 001".
    const DIGEST: [u8; 32] = [
        0x0f, 0xdd, 0xd6, 0xae, 0xeb, 0x95, 0x8c, 0xb5, 0xf9, 0x40, 0xc9, 0xf5, 0xf0, 0x19, 0x1c, 0x52, 0x50, 0x87,
        0x4b, 0x99, 0x7e, 0xfb, 0xdb, 0xf3, 0x9d, 0xc9, 0xac, 0xba, 0xb7, 0x0e, 0x13, 0xaa,
    ];
    const AT: usize = 942;
    let mut hello: Vec<u8> = (0..1536).map(|index| (index * 7 + 3) as u8).collect();
    hello[..8].copy_from_slice(&[0, 1, 2, 3, 0x80, 0, 7, 2]);
    hello[AT..AT + 32].copy_from_slice(&DIGEST);
    hello.insert(0, 3);
    assert_ne!(Peer::fed(&hello).sent()[1537..], hello[1..]);
    hello[1 + AT] ^= 1;
    assert_eq!(Peer::fed(&hello).sent()[1537..], hello[1..], "a wrong digest is no digest");
}

#[test]
fn what_the_client_answers_is_not_verified() {
    let mut bytes = handshake();
    bytes[1537..].fill(0xA5);
    assert_eq!(Peer::fed(&bytes).closed(), None);
}

#[test]
fn the_first_commands_may_come_with_the_end_of_the_handshake_and_all_byte_by_byte() {
    let bytes = Script::publishing("key").take();
    let whole = Peer::fed(&bytes);
    let mut split = Peer::new();
    bytes.iter().for_each(|byte| {
        split.feed(&[*byte]);
    });
    for peer in [whole, split] {
        assert_eq!(peer.requests().len(), 1);
        assert_eq!(peer.codes(), ["NetStream.Publish.Start"]);
    }
}

#[test]
fn other_protocols_are_told_apart_and_answered_with_nothing() {
    let cases: [(&[u8], SessionError); 7] = [
        (b"GET / HTTP/1.1\r\n", SessionError::Http),
        (b"POST /open/1 HTTP/1.1\r\n", SessionError::Http),
        (&[0x16, 0x03, 0x01, 0x02, 0x00], SessionError::Tls),
        (&[6; 100], SessionError::Encrypted { version: 6 }),
        (&[8], SessionError::Encrypted { version: 8 }),
        (&[0], SessionError::NotRtmp { byte: 0 }),
        (&[0xFF; 4000], SessionError::NotRtmp { byte: 0xFF }),
    ];
    for (bytes, expected) in cases {
        let peer = Peer::fed(bytes);
        assert_eq!(peer.error(), &expected);
        assert!(peer.sent().is_empty());
    }
    assert!(SessionError::Http.to_string().contains("HTTP"));
    assert!(SessionError::Tls.to_string().contains("TLS"));
}

#[test]
fn bytes_behind_a_refused_handshake_are_ignored() {
    let mut peer = Peer::fed(b"GET /");
    peer.feed(&handshake()).then(|session, now| session.handle_eof(now));
    assert_eq!(peer.events.len(), 1);
    assert_eq!((peer.session.poll_timeout(), peer.session.wants_input()), (None, false));
}
