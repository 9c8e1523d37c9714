//! One connection.
//!
//! ```text
//! handshake -> chunks: connect, createStream, publish -> asked -> accepted: items ... End
//!                                                          |                          |
//!                                                          +-> rejected: Close        +-> next publish, or Close
//! ```

mod commands;
mod control;
mod media;
mod publish;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{Counters, Demuxer};
use livetape_media::{EndReason, Item, Now};

use crate::budget::Budget;
use crate::chunk::{ChunkReader, ChunkWriter};
use crate::handshake::{CLIENT_BYTES, Handshake};
use crate::message::{Message, kind};
use crate::{CloseReason, Limits, Output, PublishId, Query, SessionError};
use control::Acknowledgement;

/// The server's side of one RTMP connection. See the [crate's documentation](crate).
pub struct Session {
    limits: Limits,
    phase: Phase,
    outputs: VecDeque<Output>,
    /// What is to be sent next, gathered so that replies go out in one write.
    unsent: Vec<u8>,
    writer: ChunkWriter,
    client: Option<Client>,
    /// Ids of the message streams that the client created.
    message_streams: Vec<u32>,
    next_message_stream: u32,
    /// Accepted publishes, in order.
    publishes: Vec<Publish>,
    /// The publish that waits for its answer.
    asked: Option<Publish>,
    next_publish: u32,
    ever_published: bool,
    /// Input that came while a publish waited for its answer.
    held: Vec<u8>,
    acknowledgement: Acknowledgement,
    controls: Budget,
    pongs: Budget,
    /// When the connection began.
    opened: Duration,
    /// Since when the client has had nothing published.
    unpublished_since: Duration,
    last_received: Duration,
    /// A ping has been sent since something was received.
    pinged: bool,
    items: Vec<Item>,
    /// What the demuxers of ended publishes met.
    ended: Counters,
}

impl fmt::Debug for Session {
    /// Says where the dialogue stands. What the client sent stays out: there are secrets in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Handshake(_) => "handshake",
            Phase::Chunks(_) => "chunks",
            Phase::Closed => "closed",
        };
        f.debug_struct("Session")
            .field("phase", &phase)
            .field("connected", &self.client.is_some())
            .field("asked", &self.asked.as_ref().map(|publish| publish.id))
            .field("publishes", &self.publishes.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<Handshake>),
    Chunks(Box<ChunkReader>),
    Closed,
}

/// What `connect` said.
#[derive(Debug)]
struct Client {
    app: String,
    app_query: Query,
    tc_url: Option<String>,
    encoder: Option<String>,
    /// Enhanced RTMP: it can be asked to connect again.
    reconnects: bool,
}

#[derive(Debug)]
struct Publish {
    id: PublishId,
    message_stream: u32,
    stream: String,
    /// The name as it was sent, by which the client may end it.
    sent_name: Query,
    demuxer: Demuxer,
}

impl Session {
    /// A connection that has just been opened by a client.
    pub fn new(limits: Limits, now: Now) -> Self {
        let mono = now.mono;
        Self {
            limits,
            phase: Phase::Handshake(Box::new(Handshake::new())),
            outputs: VecDeque::new(),
            unsent: Vec::new(),
            writer: ChunkWriter::new(),
            client: None,
            message_streams: Vec::new(),
            next_message_stream: 1,
            publishes: Vec::new(),
            asked: None,
            next_publish: 1,
            ever_published: false,
            held: Vec::new(),
            acknowledgement: Acknowledgement::new(CLIENT_BYTES as u64),
            controls: Budget::new(limits.control_messages_per_second, 10, mono),
            pongs: Budget::new(1, 10, mono),
            opened: mono,
            unpublished_since: mono,
            last_received: mono,
            pinged: false,
            items: Vec::new(),
            ended: Counters::default(),
        }
    }

    /// What the demuxers of all its publishes have met so far.
    pub fn counters(&self) -> Counters {
        self.publishes.iter().map(|publish| publish.demuxer.counters()).fold(self.ended, |sum, more| sum + more)
    }

    /// Whether the caller should read from the peer: not while a publish waits for its answer, nor
    /// once the connection is closed.
    pub fn wants_input(&self) -> bool {
        self.asked.is_none() && !self.is_closed()
    }

    /// Bytes kept of what the client sent: unfinished messages, and input that waits for an answer.
    pub fn held_bytes(&self) -> usize {
        let unfinished = match &self.phase {
            Phase::Chunks(reader) => reader.reserved(),
            _ => 0,
        };
        unfinished + self.held.len()
    }

    /// The caller has not read from the peer until now, for a reason of its own: the silence up to here
    /// is not the peer's, and counts for no time-out.
    pub fn excuse_silence(&mut self, now: Now) {
        self.last_received = now.mono;
        self.pinged = false;
    }

    /// Whether [`Output::Close`] has been put out. Whatever is called then does nothing.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Takes bytes that the peer sent. What comes while a publish waits for its answer is kept for
    /// later, up to [`Limits::held_bytes`].
    pub fn handle_input(&mut self, data: &[u8], now: Now) {
        if self.is_closed() || data.is_empty() {
            return;
        }
        self.last_received = now.mono;
        self.pinged = false;
        if self.asked.is_some() {
            if let Err(error) = self.hold(data) {
                self.fail(error);
            }
        } else {
            self.read(data, now);
        }
        self.send_gathered();
    }

    /// The next thing to do, until there is none. To be drained after every call that changes the
    /// session.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, on the clock of [`Now::mono`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Closed => None,
            _ if self.asked.is_some() => None,
            Phase::Handshake(_) => Some(self.opened + self.limits.handshake_timeout.min(self.limits.publish_timeout)),
            Phase::Chunks(_) if self.publishes.is_empty() => Some(self.unpublished_since + self.limits.publish_timeout),
            Phase::Chunks(_) if self.pinged => Some(self.last_received + self.limits.idle_timeout),
            Phase::Chunks(_) => Some(self.last_received + self.limits.idle_timeout / 2),
        }
    }

    /// Acts on the time-outs that are due; none need be.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(due) = self.poll_timeout()
            && due <= now.mono
        {
            match &self.phase {
                Phase::Handshake(handshake) => self.fail(SessionError::HandshakeTimeout {
                    received: handshake.received() as u64,
                    seconds: self.limits.handshake_timeout.as_secs(),
                }),
                Phase::Chunks(reader) if self.publishes.is_empty() => self.fail(SessionError::PublishTimeout {
                    received: reader.position(),
                    seconds: self.limits.publish_timeout.as_secs(),
                }),
                Phase::Chunks(reader) if self.pinged => self.fail(SessionError::IdleTimeout {
                    at: reader.position(),
                    seconds: self.limits.idle_timeout.as_secs(),
                }),
                Phase::Chunks(_) => self.ping(now),
                Phase::Closed => {}
            }
        }
        self.send_gathered();
    }

    /// The peer closed the connection, or it broke.
    pub fn handle_eof(&mut self, now: Now) {
        let _ = now;
        if !self.is_closed() {
            self.unsent.clear();
            self.end_all(EndReason::Drop);
            self.finish(None);
        }
    }

    /// Ends all that is published and closes the connection, telling the client why.
    pub fn close(&mut self, reason: CloseReason, now: Now) {
        if self.is_closed() {
            return;
        }
        if reason == CloseReason::Shutdown {
            self.announce_shutdown();
        }
        if let Some(asked) = self.asked.take() {
            self.tell_end(asked.message_stream, reason);
        }
        while let Some(id) = self.publishes.first().map(|publish| publish.id) {
            self.end_by_server(id, reason, now);
        }
        self.finish(None);
    }

    /// Reads input; on trouble the connection is closed.
    fn read(&mut self, data: &[u8], now: Now) {
        if let Err(error) = self.read_on(data, now) {
            self.fail(error);
        }
    }

    fn read_on(&mut self, mut input: &[u8], now: Now) -> Result<(), SessionError> {
        if let Phase::Handshake(handshake) = &mut self.phase {
            if !handshake.read(&mut input, &mut self.unsent)? {
                return Ok(());
            }
            let reader = ChunkReader::new(&self.limits, CLIENT_BYTES as u64, now.mono);
            self.phase = Phase::Chunks(Box::new(reader));
        }
        while let Phase::Chunks(reader) = &mut self.phase {
            if self.asked.is_some() {
                return self.hold(input);
            }
            let read = reader.read(&mut input, now.mono);
            let position = reader.position();
            self.count_received(position)?;
            match read? {
                Some(message) => self.handle_message(message, position, now)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Keeps input until the publish that waits has its answer.
    fn hold(&mut self, input: &[u8]) -> Result<(), SessionError> {
        let limit = self.limits.held_bytes;
        if self.held.len() + input.len() > limit {
            return Err(SessionError::HeldInput { limit });
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// Reads what was held.
    fn resume(&mut self, now: Now) {
        self.last_received = now.mono;
        self.pinged = false;
        let held = mem::take(&mut self.held);
        self.read(&held, now);
    }

    /// Acknowledges what is due and bounds what comes before the first publish. Depends on the
    /// position alone, not on how the input was cut.
    fn count_received(&mut self, position: u64) -> Result<(), SessionError> {
        while let Some(total) = self.acknowledgement.due(position) {
            self.write(kind::ACKNOWLEDGEMENT, 0, &total.to_be_bytes());
        }
        let (start, limit) = (CLIENT_BYTES as u64, self.limits.bytes_before_publish);
        if !self.ever_published && position > start + limit {
            return Err(SessionError::TooMuchBeforePublish { at: start + limit, limit });
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message, at: u64, now: Now) -> Result<(), SessionError> {
        match message.type_id {
            kind::SET_CHUNK_SIZE..=kind::SET_PEER_BANDWIDTH => {
                self.count_control(at, now)?;
                self.handle_control(&message, at, now)
            }
            kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => {
                self.count_control(at, now)?;
                self.handle_command(&message, at, now)
            }
            // Shared objects and unknown types are nobody's business here.
            _ => {
                self.handle_media(message, now);
                Ok(())
            }
        }
    }

    fn count_control(&mut self, at: u64, now: Now) -> Result<(), SessionError> {
        if self.controls.take(now.mono) {
            return Ok(());
        }
        Err(SessionError::ControlFlood { at, limit: self.limits.control_messages_per_second })
    }

    /// Closes the connection because of an error.
    fn fail(&mut self, error: SessionError) {
        let reason = match error {
            SessionError::IdleTimeout { .. } => EndReason::IdleTimeout,
            _ => EndReason::ProtocolError,
        };
        self.end_all(reason);
        self.finish(Some(error));
    }

    fn end_all(&mut self, reason: EndReason) {
        for publish in mem::take(&mut self.publishes) {
            self.put_end(publish, reason);
        }
    }

    /// Puts out the last items of a publish.
    fn put_end(&mut self, mut publish: Publish, reason: EndReason) {
        let mut items = Vec::new();
        publish.demuxer.finish(&mut items);
        self.ended = self.ended + publish.demuxer.counters();
        items.push(Item::End(reason));
        for item in items {
            self.put(Output::Item { publish: publish.id, item });
        }
    }

    fn finish(&mut self, error: Option<SessionError>) {
        self.put(Output::Close { error });
        self.phase = Phase::Closed;
        self.asked = None;
        self.held = Vec::new();
    }

    /// Gathers a message to be sent.
    fn write(&mut self, type_id: u8, stream_id: u32, body: &[u8]) {
        self.writer.write(type_id, stream_id, body, &mut self.unsent);
    }

    /// Puts something out, behind what was gathered before it.
    fn put(&mut self, output: Output) {
        self.send_gathered();
        self.outputs.push_back(output);
    }

    fn send_gathered(&mut self) {
        if !self.unsent.is_empty() {
            self.outputs.push_back(Output::Send(Bytes::from(mem::take(&mut self.unsent))));
        }
    }
}
