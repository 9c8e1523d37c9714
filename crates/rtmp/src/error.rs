//! What ends a connection.

use crate::chunk::Format;

/// Why the session closes a connection. Byte positions count from the connection's first byte.
///
/// Safe to log: no variant carries what a publisher sent as its query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Somebody speaks HTTP to the RTMP port.
    #[error("the first bytes look like HTTP; this port speaks RTMP (use the HTTP port for the API and the console)")]
    Http,
    /// Somebody speaks TLS to the RTMP port.
    #[error("the first bytes look like TLS; this port speaks plain RTMP (push to rtmp://, or configure a certificate)")]
    Tls,
    /// The client asks for RTMPE.
    #[error(
        "the client asks for encrypted RTMP (handshake version {version}); RTMPE is not supported, use rtmp:// or rtmps://"
    )]
    Encrypted {
        /// The version byte.
        version: u8,
    },
    /// The first byte is not a version of RTMP.
    #[error("the first byte is {byte:#04x}, not an RTMP handshake (3)")]
    NotRtmp {
        /// The byte.
        byte: u8,
    },
    /// The handshake failed.
    #[error("handshake at byte {at}: {problem}")]
    Handshake {
        /// Where.
        at: u64,
        /// What the handshake says.
        problem: String,
    },
    /// The handshake took too long.
    #[error("the handshake was not finished in time: {received} of 3073 bytes came within {seconds} s")]
    HandshakeTimeout {
        /// Bytes received.
        received: u64,
        /// The limit.
        seconds: u64,
    },
    /// Nothing was published.
    #[error("no publish came within {seconds} s ({received} bytes received)")]
    PublishTimeout {
        /// Bytes received.
        received: u64,
        /// The limit.
        seconds: u64,
    },
    /// The publisher fell silent.
    #[error("nothing was received for {seconds} s, after byte {at}; the publisher is gone or frozen")]
    IdleTimeout {
        /// Bytes received.
        at: u64,
        /// The limit.
        seconds: u64,
    },
    /// Too much came before the first publish.
    #[error("{limit} bytes came before anything was published, at byte {at}")]
    TooMuchBeforePublish {
        /// Where.
        at: u64,
        /// The limit.
        limit: u64,
    },
    /// The caller went on reading while a publish waited for its answer.
    #[error("more than {limit} bytes were handed in while a publish waited for its answer")]
    HeldInput {
        /// The limit.
        limit: usize,
    },
    /// A chunk refers to an earlier one that never came.
    #[error("byte {at}: the first chunk of chunk stream {csid} has a {format}, which needs an earlier one")]
    NoEarlierChunk {
        /// Where the chunk begins.
        at: u64,
        /// The chunk stream.
        csid: u32,
        /// The header's format.
        format: Format,
    },
    /// Too many chunk streams.
    #[error("byte {at}: chunk stream {csid} would be one more than the {limit} that a connection may use")]
    TooManyChunkStreams {
        /// Where the chunk begins.
        at: u64,
        /// The chunk stream.
        csid: u32,
        /// The limit.
        limit: usize,
    },
    /// A message is too long.
    #[error("byte {at}: a message of type {type_id} declares {length} bytes; the limit is {limit}")]
    MessageTooLong {
        /// Where the chunk begins.
        at: u64,
        /// The message's type.
        type_id: u8,
        /// What it declares.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// Too many messages are unfinished.
    #[error("byte {at}: more than {limit} messages are unfinished at once")]
    TooManyUnfinished {
        /// Where the chunk begins.
        at: u64,
        /// The limit.
        limit: usize,
    },
    /// The unfinished messages hold too much.
    #[error("byte {at}: unfinished messages hold more than {limit} bytes")]
    UnfinishedTooLarge {
        /// Where.
        at: u64,
        /// The limit.
        limit: usize,
    },
    /// A chunk size that cannot be.
    #[error("byte {at}: the client sets a chunk size of {size}; it must be 1 to 2,147,483,647")]
    ChunkSize {
        /// Where the message ends.
        at: u64,
        /// The size.
        size: u32,
    },
    /// A control message ends too early.
    #[error("byte {at}: a control message of type {type_id} has {length} bytes; it needs 4")]
    ControlTooShort {
        /// Where the message ends.
        at: u64,
        /// Its type.
        type_id: u8,
        /// Its length.
        length: usize,
    },
    /// Chunks of next to nothing, in masses.
    #[error(
        "byte {at}: more than {limit} very short chunks a second; the client should set a chunk size of 128 or more"
    )]
    ShortChunks {
        /// Where the chunk begins.
        at: u64,
        /// The limit.
        limit: u32,
    },
    /// Commands or control messages in masses.
    #[error("byte {at}: more than {limit} commands and control messages a second")]
    ControlFlood {
        /// Where the message ends.
        at: u64,
        /// The limit.
        limit: u32,
    },
    /// A command that cannot be read.
    #[error("byte {at}: unreadable command: {problem}")]
    Command {
        /// Where the message ends.
        at: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The application's or the stream's name was refused without asking.
    #[error("the {what} was refused: {problem}")]
    Name {
        /// Which name.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}
