//! An RTMP publisher written down to the byte, so that a test can keep or break any rule.
//!
//! Its good manners are those of the specification (RTMP 1.0) and of librtmp: plain handshake,
//! `connect`, `createStream`, `publish`, every message with a full header unless the test says
//! otherwise.

pub mod amf;
pub mod chunk;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use amf::{Amf, object, string};
use chunk::{Header, Incoming, Reader};

use crate::deadline::eventually;
use crate::flv::Tag;

/// Message types.
pub mod kind {
    /// Set Chunk Size.
    pub const CHUNK_SIZE: u8 = 1;
    /// Abort.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control.
    pub const CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW: u8 = 5;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// A command in AMF3.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA: u8 = 18;
    /// A command in AMF0.
    pub const COMMAND: u8 = 20;
    /// Several FLV tags in one message.
    pub const AGGREGATE: u8 = 22;
}

/// Chunk stream of control messages.
pub const CONTROL_STREAM: u32 = 2;
/// Chunk stream of commands.
pub const COMMAND_STREAM: u32 = 3;

/// One connection.
pub struct Publisher {
    stream: TcpStream,
    reader: Reader,
    /// Size of the chunks it sends.
    pub chunk_size: usize,
    /// The message stream it publishes on.
    pub message_stream: u32,
    transaction: f64,
}

/// What the server said to a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// `_result`, `_error`, `onStatus` ...
    pub name: String,
    /// Everything after the transaction id.
    pub values: Vec<Amf>,
}

impl Reply {
    /// The `code` of its information object.
    pub fn code(&self) -> &str {
        self.information("code")
    }

    /// The `level` of its information object.
    pub fn level(&self) -> &str {
        self.information("level")
    }

    /// All of it, for an error.
    fn text(&self) -> String {
        format!("{} {:?}", self.name, self.values)
    }

    fn information(&self, key: &str) -> &str {
        self.values.iter().find_map(|value| value.field(key)?.as_str()).unwrap_or_default()
    }
}

impl Publisher {
    /// Connects the socket and says nothing.
    pub fn dial(server: SocketAddr) -> Self {
        Self::try_dial(server).unwrap()
    }

    fn try_dial(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, reader: Reader::new(), chunk_size: 128, message_stream: 1, transaction: 0.0 })
    }

    /// Connects and shakes hands.
    pub fn greet(server: SocketAddr) -> Self {
        let mut publisher = Self::dial(server);
        publisher.handshake();
        publisher
    }

    /// Publishes `APP/KEY`; panics unless the server agrees.
    pub fn publish(server: SocketAddr, app: &str, key: &str) -> Self {
        let mut publisher = Self::greet(server);
        publisher.connect(app);
        publisher.message_stream = publisher.create_stream();
        let reply = publisher.ask_to_publish(key);
        assert_eq!(reply.code(), "NetStream.Publish.Start", "publish {app}/{key}: {reply:?}");
        publisher
    }

    /// As [`Publisher::publish`]; when the server does not agree or goes away, what it said.
    pub fn try_publish(server: SocketAddr, app: &str, key: &str) -> Result<Self, String> {
        let gone = |error: io::Error| format!("the server went away: {error}");
        let mut publisher = Self::try_dial(server).map_err(gone)?;
        publisher.try_handshake().map_err(gone)?;
        let reply = publisher.ask_to_connect(app).ok_or("closed after connect")?;
        if reply.code() != "NetConnection.Connect.Success" {
            return Err(reply.text());
        }
        let reply = publisher.try_call(0, "createStream", &[Amf::Null]).ok_or("closed after createStream")?;
        let number = reply.values.get(1).and_then(Amf::as_number);
        publisher.message_stream = number.ok_or_else(|| reply.text())? as u32;
        let stream = publisher.message_stream;
        publisher.try_command(stream, "publish", &[Amf::Null, string(key), string("live")]).map_err(gone)?;
        loop {
            let (reply, _) = publisher.next_command().ok_or("closed after publish")?;
            match (reply.name.as_str(), reply.code()) {
                ("onStatus", "NetStream.Publish.Start") => return Ok(publisher),
                ("onStatus", _) => return Err(reply.text()),
                _ => {}
            }
        }
    }

    /// The plain handshake: C0 C1, S0 S1 S2, C2.
    pub fn handshake(&mut self) {
        self.try_handshake().unwrap();
    }

    fn try_handshake(&mut self) -> io::Result<()> {
        let mut hello = vec![3, 0, 0, 0, 0, 0, 0, 0, 0];
        hello.extend((0..1528u32).map(|n| (n * 7 % 251) as u8));
        self.try_write(&hello)?;
        let mut answer = vec![0; 1 + 1536 + 1536];
        self.stream.read_exact(&mut answer)?;
        assert_eq!(answer[0], 3, "S0");
        assert_eq!(answer[1537 + 8..], hello[9..], "S2 repeats C1");
        let echo = answer[1..1537].to_vec();
        self.try_write(&echo)
    }

    /// `connect`; panics unless the server accepts.
    pub fn connect(&mut self, app: &str) {
        let reply = self.ask_to_connect(app).expect("the server closed after connect");
        assert_eq!((reply.name.as_str(), reply.code()), ("_result", "NetConnection.Connect.Success"), "{reply:?}");
    }

    /// `connect`; what the server said, if it did not just close.
    pub fn ask_to_connect(&mut self, app: &str) -> Option<Reply> {
        let url = format!("rtmp://{}/{app}", self.stream.peer_addr().unwrap());
        let fields = [("app", string(app)), ("tcUrl", Amf::String(url)), ("flashVer", string("FMLE/3.0"))];
        self.try_call(0, "connect", &[object(&fields)])
    }

    /// `createStream`; the message stream.
    pub fn create_stream(&mut self) -> u32 {
        let reply = self.call(0, "createStream", &[Amf::Null]);
        let number = reply.values.get(1).and_then(Amf::as_number);
        number.unwrap_or_else(|| panic!("createStream: {reply:?}")) as u32
    }

    /// `publish`; what the server said.
    pub fn ask_to_publish(&mut self, key: &str) -> Reply {
        let stream = self.message_stream;
        self.command(stream, "publish", &[Amf::Null, string(key), string("live")]);
        self.reply("onStatus")
    }

    /// Sends a command and waits for its `_result` or `_error`.
    pub fn call(&mut self, message_stream: u32, name: &str, arguments: &[Amf]) -> Reply {
        self.try_call(message_stream, name, arguments).unwrap_or_else(|| panic!("the server closed after {name}"))
    }

    /// Sends a command and waits for its `_result` or `_error`; `None` when the server closes.
    pub fn try_call(&mut self, message_stream: u32, name: &str, arguments: &[Amf]) -> Option<Reply> {
        let transaction = self.try_command(message_stream, name, arguments).ok()?;
        loop {
            let (reply, to) = self.next_command()?;
            if reply.name.starts_with('_') && (to - transaction).abs() < 0.5 {
                return Some(reply);
            }
        }
    }

    /// Sends a command; its transaction id.
    pub fn command(&mut self, message_stream: u32, name: &str, arguments: &[Amf]) -> f64 {
        self.try_command(message_stream, name, arguments).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn try_command(&mut self, message_stream: u32, name: &str, arguments: &[Amf]) -> io::Result<f64> {
        self.transaction += 1.0;
        let mut values = vec![string(name), Amf::Number(self.transaction)];
        values.extend_from_slice(arguments);
        let header = Header { csid: COMMAND_STREAM, kind: kind::COMMAND, timestamp: 0, message_stream };
        let bytes = chunk::message(header, &amf::encode(&values), self.chunk_size).concat();
        self.try_write(&bytes)?;
        Ok(self.transaction)
    }

    /// Waits for a command of this name.
    pub fn reply(&mut self, name: &str) -> Reply {
        loop {
            let (reply, _) = self.next_command().unwrap_or_else(|| panic!("the server closed instead of {name}"));
            if reply.name == name {
                return reply;
            }
        }
    }

    /// The server's next command with its transaction id; `None` when it has closed.
    fn next_command(&mut self) -> Option<(Reply, f64)> {
        loop {
            let message = self.next_message()?;
            if message.kind == kind::COMMAND {
                let mut values = amf::decode(&message.payload).into_iter();
                let name = values.next()?.as_str()?.to_owned();
                let transaction = values.next()?.as_number()?;
                return Some((Reply { name, values: values.collect() }, transaction));
            }
        }
    }

    /// The server's next message; `None` when it has closed.
    pub fn next_message(&mut self) -> Option<Incoming> {
        loop {
            if let Some(message) = self.reader.next() {
                return Some(message);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.reader.take(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the server says nothing"),
                Err(_) => return None,
            }
        }
    }

    /// Reads until the server closes; what it said on the way. Panics if it does not.
    pub fn wait_closed(&mut self) -> Vec<Incoming> {
        let mut said = Vec::new();
        while let Some(message) = self.next_message() {
            said.push(message);
        }
        said
    }

    /// Sends a message in chunks of `chunk_size`, the first with a full header.
    pub fn message(&mut self, header: Header, payload: &[u8]) {
        let bytes = chunk::message(header, payload, self.chunk_size).concat();
        self.write(&bytes);
    }

    /// Announces larger chunks and sends them from then on.
    pub fn announce_chunk_size(&mut self, size: u32) {
        let header = Header { csid: CONTROL_STREAM, kind: kind::CHUNK_SIZE, timestamp: 0, message_stream: 0 };
        self.message(header, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    /// Sends a tag as a message, data under `@setDataFrame`.
    pub fn tag(&mut self, tag: &Tag) {
        let header = self.header_of(tag);
        match tag.kind {
            crate::flv::Kind::Data => {
                let mut payload = amf::encode(&[string("@setDataFrame")]);
                payload.extend_from_slice(&tag.body);
                self.message(header, &payload);
            }
            _ => self.message(header, &tag.body),
        }
    }

    /// The header a tag is sent with: audio on chunk stream 4, video on 6, data on 5.
    pub fn header_of(&self, tag: &Tag) -> Header {
        let csid = match tag.kind {
            crate::flv::Kind::Audio => 4,
            crate::flv::Kind::Data => 5,
            crate::flv::Kind::Video => 6,
        };
        Header { csid, kind: tag.kind.number(), timestamp: tag.timestamp, message_stream: self.message_stream }
    }

    /// Sends every tag.
    pub fn tags<'a>(&mut self, tags: impl IntoIterator<Item = &'a Tag>) {
        for tag in tags {
            self.tag(tag);
        }
    }

    /// Sends bytes as they are. A server that has closed may refuse them.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_write(bytes) {
            panic!("the server takes no more: {error}");
        }
    }

    /// Sends bytes as they are.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Ends the publish as encoders do, and waits until the server has seen it.
    pub fn unpublish(&mut self, key: &str) {
        self.command(0, "FCUnpublish", &[Amf::Null, string(key)]);
        let stream = f64::from(self.message_stream);
        self.command(0, "deleteStream", &[Amf::Null, Amf::Number(stream)]);
        self.settle();
    }

    /// Waits until the server has read everything sent so far: it answers a ping.
    pub fn settle(&mut self) {
        let header = Header { csid: CONTROL_STREAM, kind: kind::CONTROL, timestamp: 0, message_stream: 0 };
        self.message(header, &[0, 6, 0, 0, 0x12, 0x34]);
        loop {
            let message = self.next_message().expect("the server closed instead of answering a ping");
            if message.kind == kind::CONTROL && message.payload.starts_with(&[0, 7]) {
                return;
            }
        }
    }

    /// Unpublishes and closes.
    pub fn finish(mut self, key: &str) {
        self.unpublish(key);
        self.close();
    }

    /// Waits until everything sent has reached the server's kernel, read or not.
    pub fn wait_delivered(&self) {
        let port = format!(":{:04X} ", self.stream.local_addr().unwrap().port());
        eventually("everything sent has arrived", || {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            // `N: LOCAL REMOTE STATE TX_QUEUE:RX_QUEUE ...`, all hexadecimal.
            let line = table
                .lines()
                .find(|line| line.split_whitespace().nth(1).is_some_and(|a| format!("{a} ").ends_with(&port)));
            let queue = line.and_then(|line| line.split_whitespace().nth(4)?.split(':').next()).unwrap_or_default();
            if queue == "00000000" { Ok(()) } else { Err(format!("{queue} bytes have not")) }
        });
    }

    /// Closes the socket though something was not read: the connection is reset.
    pub fn reset(self) {
        // Nothing but the close is needed: what the server said last has not been read.
        drop(self.stream);
    }

    /// Its socket, for a test that goes on by itself. What the server said last may be lost.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Closes the socket without a word of RTMP.
    pub fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The commands by which encoders end the publish of `key`, in chunks of `chunk_bytes`.
pub fn goodbye(key: &str, message_stream: u32, chunk_bytes: usize) -> Vec<u8> {
    let header = Header { csid: COMMAND_STREAM, kind: kind::COMMAND, timestamp: 0, message_stream: 0 };
    let words = [
        vec![string("FCUnpublish"), Amf::Number(90.0), Amf::Null, string(key)],
        vec![string("deleteStream"), Amf::Number(91.0), Amf::Null, Amf::Number(f64::from(message_stream))],
    ];
    words.iter().flat_map(|values| chunk::message(header, &amf::encode(values), chunk_bytes).concat()).collect()
}
