//! Input nobody meant: damaged captures of real clients, noise, and commands in any order.
//!
//! For whatever comes: no panic; each accepted publish ends exactly once; nothing follows Close; the
//! outputs do not depend on how the input was cut; memory stays within bounds.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod orders;
mod seeds;

#[path = "../support/peer.rs"]
#[allow(dead_code, reason = "shared with the dialogues")]
mod peer;
#[path = "../support/script.rs"]
#[allow(dead_code, reason = "shared with the dialogues")]
mod script;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "shared with the dialogues")]
mod wire;

use livetape_media::Item;
use peer::{Event, Peer};

/// Feeds the pieces, lets the connection go away, and holds the outcome against what must hold.
fn outcome(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<Event> {
    let mut peer = Peer::new();
    let mut received = 0;
    for piece in pieces {
        received += piece.as_ref().len();
        peer.feed(piece.as_ref());
    }
    peer.then(|session, now| session.handle_eof(now));
    assert!(peer.closed().is_some() && !peer.session.wants_input() && peer.session.poll_timeout().is_none());
    for request in peer.requests() {
        let items = peer.items();
        let mut own = items.iter().filter(|(id, _)| *id == request.id).map(|(_, item)| *item);
        assert!(matches!(own.next_back(), Some(Item::End(_))), "{request:?} ends last");
        assert!(!own.any(|item| matches!(item, Item::End(_))), "{request:?} ends once");
    }
    let framed: usize = peer.frames().iter().map(Vec::len).sum();
    assert!(framed <= received, "frames hold no more than came");
    joined(peer.events)
}

/// The events with what was sent in several pieces joined, and without the handshake, which is random.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut handshake = 3073;
    let mut joined = Vec::new();
    for event in events {
        match (event, joined.last_mut()) {
            (Event::Sent(mut bytes), last) => {
                let skipped = handshake.min(bytes.len());
                handshake -= skipped;
                bytes.drain(..skipped);
                match last {
                    Some(Event::Sent(before)) => before.extend(bytes),
                    _ if bytes.is_empty() => {}
                    _ => joined.push(Event::Sent(bytes)),
                }
            }
            (event, _) => joined.push(event),
        }
    }
    joined
}

/// A generator of the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Cuts bytes into pieces of up to `most`.
    fn cut<'a>(&mut self, mut bytes: &'a [u8], most: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at((1 + self.below(most)).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}
