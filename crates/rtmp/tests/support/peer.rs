//! A session, its clock, and all that it put out.

use std::time::Duration;

use livetape_flv::{Limits as AmfLimits, amf0};
use livetape_media::{EndReason, Item, Now, Value, WallTime};
use livetape_rtmp::{Limits, Output, PublishId, PublishRequest, Session, SessionError};
use rml_rtmp::chunk_io::ChunkDeserializer;

/// What a session put out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Sent(Vec<u8>),
    Asked(PublishRequest),
    Item(PublishId, Item),
    Closed(Option<SessionError>),
}

/// A message the session sent, read by another implementation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) type_id: u8,
    pub(crate) stream_id: u32,
    pub(crate) body: Vec<u8>,
    /// Of commands: the values.
    pub(crate) values: Vec<Value>,
}

impl Reply {
    pub(crate) fn name(&self) -> &str {
        self.values.first().and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn transaction(&self) -> f64 {
        self.values.get(1).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }

    /// A field of the information object.
    pub(crate) fn info(&self, field: &str) -> &str {
        self.values.get(3).and_then(|info| info.field(field)).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The server's end of a connection under test.
pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) mono: Duration,
    pub(crate) events: Vec<Event>,
    /// Publishes are accepted as they are asked for.
    pub(crate) accepts: bool,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let now = Now { mono: Duration::from_secs(100), wall: WallTime::default() };
        Self { session: Session::new(limits, now), mono: now.mono, events: Vec::new(), accepts: true }
    }

    /// One that has been fed this.
    pub(crate) fn fed(bytes: &[u8]) -> Self {
        let mut peer = Self::new();
        peer.feed(bytes);
        peer
    }

    pub(crate) fn now(&self) -> Now {
        Now { mono: self.mono, wall: WallTime::default() }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> &mut Self {
        let now = self.now();
        self.session.handle_input(bytes, now);
        self.drain();
        self
    }

    /// Does something to the session and takes what comes of it.
    pub(crate) fn then(&mut self, act: impl FnOnce(&mut Session, Now)) -> &mut Self {
        let now = self.now();
        act(&mut self.session, now);
        self.drain();
        self
    }

    /// Lets time pass, obeying the session's time-outs to the moment.
    pub(crate) fn wait(&mut self, duration: Duration) -> &mut Self {
        let end = self.mono + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            assert!(due >= self.mono || !self.events.is_empty(), "a time-out in the past");
            self.mono = self.mono.max(due);
            self.then(|session, now| session.handle_timeout(now));
        }
        self.mono = end;
        self
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.events.iter().any(|event| matches!(event, Event::Closed(_))), "{output:?} behind Close");
            self.events.push(match output {
                Output::Send(bytes) => Event::Sent(bytes.to_vec()),
                Output::Item { publish, item } => Event::Item(publish, item),
                Output::Close { error } => Event::Closed(error),
                Output::PublishRequested(request) => {
                    let id = request.id;
                    self.events.push(Event::Asked(request));
                    if self.accepts {
                        let now = self.now();
                        self.session.accept(id, now);
                    }
                    continue;
                }
            });
        }
    }

    pub(crate) fn sent(&self) -> Vec<u8> {
        let sent = self.events.iter().filter_map(|event| match event {
            Event::Sent(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        sent.collect::<Vec<_>>().concat()
    }

    /// The messages sent behind the handshake, as another implementation reads them.
    pub(crate) fn replies(&self) -> Vec<Reply> {
        let sent = self.sent();
        let mut reader = ChunkDeserializer::new();
        let mut input = sent.get(3073..).unwrap_or_default();
        let mut replies = Vec::new();
        while let Some(message) = reader.get_next_message(input).unwrap() {
            input = &[];
            if message.type_id == 1 {
                let size = u32::from_be_bytes(message.data[..4].try_into().unwrap());
                reader.set_max_chunk_size(size as usize).unwrap();
            }
            let mut values = Vec::new();
            if message.type_id == 20 {
                let mut amf = amf0::Reader::new(&message.data, AmfLimits::default());
                while let Some(value) = amf.next_value().unwrap() {
                    values.push(value);
                }
            }
            replies.push(Reply {
                type_id: message.type_id,
                stream_id: message.message_stream_id,
                body: message.data.to_vec(),
                values,
            });
        }
        replies
    }

    /// The commands among the replies: name, transaction, code.
    pub(crate) fn commands(&self) -> Vec<(String, f64, String)> {
        let commands = self.replies().into_iter().filter(|reply| reply.type_id == 20);
        commands.map(|reply| (reply.name().to_owned(), reply.transaction(), reply.info("code").to_owned())).collect()
    }

    /// Codes of all status messages, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let status = self.commands().into_iter().filter(|(name, ..)| name == "onStatus");
        status.map(|(.., code)| code).collect()
    }

    pub(crate) fn requests(&self) -> Vec<&PublishRequest> {
        let requests = self.events.iter().filter_map(|event| match event {
            Event::Asked(request) => Some(request),
            _ => None,
        });
        requests.collect()
    }

    pub(crate) fn items(&self) -> Vec<(PublishId, &Item)> {
        let items = self.events.iter().filter_map(|event| match event {
            Event::Item(id, item) => Some((*id, item)),
            _ => None,
        });
        items.collect()
    }

    /// The bytes of the frames, of all publishes in order.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        let frames = self.items().into_iter().filter_map(|(_, item)| match item {
            Item::Frame(frame) => Some(frame.data.to_vec()),
            _ => None,
        });
        frames.collect()
    }

    /// How publishes ended, in order.
    pub(crate) fn ends(&self) -> Vec<EndReason> {
        let ends = self.items().into_iter().filter_map(|(_, item)| match item {
            Item::End(reason) => Some(*reason),
            _ => None,
        });
        ends.collect()
    }

    /// How the connection was closed, if it was.
    pub(crate) fn closed(&self) -> Option<&Option<SessionError>> {
        match self.events.last() {
            Some(Event::Closed(error)) => Some(error),
            _ => None,
        }
    }

    /// The error the connection was closed with.
    pub(crate) fn error(&self) -> &SessionError {
        self.closed().and_then(Option::as_ref).unwrap()
    }
}
