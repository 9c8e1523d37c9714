//! A connection driven by acts of its client, its server and time, and what came of it.

use std::collections::BTreeMap;

use livetape_media::{Item, Now};
use livetape_rtmp::{CloseReason, Limits, Output, PublishId, Rejection, RejectionCode, Session, SessionError};

use crate::moment;
use crate::rules::Rules;

/// What happens to a connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// The client sends bytes.
    Bytes(Vec<u8>),
    /// Milliseconds pass, and the time-outs that are due with them.
    Wait(u64),
    /// The publish that waits, if one does, is let in.
    Accept,
    /// It is refused.
    Reject,
    /// The publish accepted as this many-th is ended.
    EndPublish(usize),
    /// The connection is closed.
    Close(CloseReason),
    /// The client goes away.
    Eof,
}

/// What came of it. Two ways of cutting what a client sends give equal ones.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Everything put out, in order; what was sent in several pieces is joined, and the handshake,
    /// which is random, is left out.
    pub events: Vec<Event>,
}

/// One thing put out.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// Bytes to the client.
    Sent(Vec<u8>),
    /// A publish was asked for.
    Asked(PublishId, String),
    /// An item of a publish.
    Item(PublishId, Item),
    /// The connection is closed.
    Closed(Option<SessionError>),
}

/// Drives a connection; panics where the session breaks its contract.
pub struct Dialogue {
    session: Session,
    limits: Limits,
    now_ms: u64,
    received: usize,
    sent: usize,
    /// The handshake's bytes that are still to be sent.
    handshake: usize,
    waiting: Option<PublishId>,
    accepted: Vec<PublishId>,
    publishes: BTreeMap<PublishId, Rules>,
    events: Vec<Event>,
    frames: u64,
    closed: bool,
}

impl Dialogue {
    /// A connection that has just been opened.
    pub fn new(limits: Limits) -> Self {
        Self {
            session: Session::new(limits, moment(0)),
            limits,
            now_ms: 0,
            received: 0,
            sent: 0,
            handshake: 1 + 2 * 1536,
            waiting: None,
            accepted: Vec::new(),
            publishes: BTreeMap::new(),
            events: Vec::new(),
            frames: 0,
            closed: false,
        }
    }

    /// Carries out an act; `cut` cuts what the client sends into pieces.
    pub fn act(&mut self, act: &Act, cut: &mut dyn FnMut(usize) -> usize) {
        let now = self.now();
        match act {
            Act::Bytes(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, later) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
                    self.received += piece.len();
                    self.session.handle_input(piece, now);
                    self.drain();
                    rest = later;
                }
            }
            Act::Wait(millis) => {
                self.now_ms += millis;
                let now = self.now();
                self.session.handle_timeout(now);
                assert!(self.session.poll_timeout().is_none_or(|due| due > now.mono), "a time-out stays due");
            }
            Act::Accept => {
                if let Some(id) = self.waiting.take() {
                    self.accepted.push(id);
                    self.publishes.insert(id, Rules::default());
                    self.session.accept(id, now);
                }
            }
            Act::Reject => {
                if let Some(id) = self.waiting.take() {
                    let rejection = Rejection { code: RejectionCode::BadName, description: "no".to_owned() };
                    self.session.reject(id, &rejection, now);
                }
            }
            Act::EndPublish(which) => {
                if let Some(id) = self.accepted.get(*which) {
                    self.session.end_publish(*id, CloseReason::Disconnect, now);
                }
            }
            Act::Close(reason) => self.session.close(*reason, now),
            Act::Eof => self.session.handle_eof(now),
        }
        self.drain();
    }

    /// Lets the client go away, if it is still there, and tells what came of it all.
    pub fn finish(mut self) -> Outcome {
        self.act(&Act::Eof, &mut |all| all);
        assert!(self.closed && self.session.is_closed() && self.session.poll_timeout().is_none());
        assert!(self.publishes.values().all(|rules| rules.ended), "a publish did not end");
        Outcome { events: self.events }
    }

    fn now(&self) -> Now {
        moment(self.now_ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.closed, "something comes after the close");
            match output {
                Output::Send(bytes) => self.send(&bytes),
                Output::PublishRequested(request) => {
                    assert!(self.waiting.is_none(), "two publishes wait at once");
                    assert!(
                        request.app.len() <= self.limits.name_bytes && request.stream.len() <= self.limits.name_bytes
                    );
                    self.waiting = Some(request.id);
                    self.events.push(Event::Asked(request.id, format!("{}/{}", request.app, request.stream)));
                }
                Output::Item { publish, item } => {
                    let rules = self.publishes.get_mut(&publish).expect("items are of accepted publishes");
                    rules.watch(&item, self.received);
                    self.frames += u64::from(matches!(item, Item::Frame(_)));
                    self.events.push(Event::Item(publish, item));
                }
                Output::Close { error } => {
                    self.closed = true;
                    self.waiting = None;
                    self.events.push(Event::Closed(error));
                }
            }
        }
        let open = self.publishes.values().filter(|rules| !rules.ended).count();
        assert!(open <= self.limits.publishes, "{open} publishes are open");
        assert_eq!(self.session.is_closed(), self.closed);
        assert_eq!(self.session.counters().frames, self.frames, "frames that came out were counted");
        // A reply is a few hundred bytes; what asks for one is at least twelve.
        assert!(self.sent <= 8_192 + 64 * self.received, "{} bytes are sent for {}", self.sent, self.received);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        let skipped = self.handshake.min(bytes.len());
        self.handshake -= skipped;
        let bytes = &bytes[skipped..];
        match self.events.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Event::Sent(before)) => before.extend_from_slice(bytes),
            _ => self.events.push(Event::Sent(bytes.to_vec())),
        }
    }
}
