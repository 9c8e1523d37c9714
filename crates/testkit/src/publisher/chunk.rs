//! RTMP chunks (RTMP 1.0, section 5.3.1), both ways.
//!
//! ```text
//! basic header    fmt:2 csid:6            csid 2..63
//!                 fmt:2 0  csid-64:8      csid 64..319
//!                 fmt:2 1  csid-64:16le   csid 64..65599
//! message header  fmt 0: timestamp u24, length u24, type u8, message stream u32le
//!                 fmt 1: delta u24, length u24, type u8     fmt 2: delta u24     fmt 3: nothing
//! extended        u32, where the 24 bits above are FFFFFF; repeated on fmt 3
//! ```

use std::collections::BTreeMap;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chunk stream.
    pub csid: u32,
    /// Message type.
    pub kind: u8,
    /// In milliseconds.
    pub timestamp: u32,
    /// Message stream.
    pub message_stream: u32,
}

/// The basic header.
pub fn basic(format: u8, csid: u32) -> Vec<u8> {
    let top = format << 6;
    match csid {
        2..64 => vec![top | csid as u8],
        64..320 => vec![top, (csid - 64) as u8],
        _ => {
            let [low, high, ..] = (csid - 64).to_le_bytes();
            vec![top | 1, low, high]
        }
    }
}

/// The first chunk's header with a full message header (fmt 0).
pub fn full(header: Header, length: usize) -> Vec<u8> {
    let mut bytes = basic(0, header.csid);
    bytes.extend_from_slice(&header.timestamp.min(0xff_ffff).to_be_bytes()[1..]);
    bytes.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    bytes.push(header.kind);
    bytes.extend_from_slice(&header.message_stream.to_le_bytes());
    bytes.extend(extended(header.timestamp));
    bytes
}

/// The extended timestamp, where there is one.
pub fn extended(timestamp: u32) -> Vec<u8> {
    if timestamp >= 0xff_ffff { timestamp.to_be_bytes().to_vec() } else { Vec::new() }
}

/// A message as its chunks, the first with a full header, the others with fmt 3.
pub fn message(header: Header, payload: &[u8], chunk_size: usize) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut pieces = payload.chunks(chunk_size);
    let mut first = full(header, payload.len());
    first.extend_from_slice(pieces.next().unwrap_or_default());
    chunks.push(first);
    for piece in pieces {
        let mut chunk = basic(3, header.csid);
        chunk.extend(extended(header.timestamp));
        chunk.extend_from_slice(piece);
        chunks.push(chunk);
    }
    chunks
}

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its type.
    pub kind: u8,
    /// Its message stream.
    pub message_stream: u32,
    /// Its bytes.
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Flow {
    length: usize,
    kind: u8,
    message_stream: u32,
    extended: bool,
    payload: Vec<u8>,
}

/// Puts the server's chunks together.
#[derive(Debug)]
pub struct Reader {
    bytes: Vec<u8>,
    chunk_size: usize,
    flows: BTreeMap<u32, Flow>,
}

impl Reader {
    /// Before the first byte.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), chunk_size: 128, flows: BTreeMap::new() }
    }

    /// Takes what was received.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Incoming> {
        loop {
            let (used, done) = self.chunk()?;
            self.bytes.drain(..used);
            let Some(message) = done else { continue };
            if let (1, [a, b, c, d, ..]) = (message.kind, message.payload.as_slice()) {
                self.chunk_size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            }
            return Some(message);
        }
    }

    /// One chunk: the bytes it takes, and the message it completes. `None`: not all there yet.
    fn chunk(&mut self) -> Option<(usize, Option<Incoming>)> {
        let first = *self.bytes.first()?;
        let (csid, mut at) = match first & 0x3f {
            0 => (64 + u32::from(*self.bytes.get(1)?), 2),
            1 => (64 + u32::from(*self.bytes.get(1)?) + 256 * u32::from(*self.bytes.get(2)?), 3),
            csid => (u32::from(csid), 1),
        };
        let mut flow = self.flows.get(&csid).cloned().unwrap_or_default();
        let size = [11, 7, 3, 0][usize::from(first >> 6)];
        let header = self.bytes.get(at..at + size)?;
        if let [t0, t1, t2, ..] = header {
            flow.extended = [*t0, *t1, *t2] == [0xff; 3];
        }
        if let [_, _, _, a, b, c, kind, ..] = header {
            flow.length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            flow.kind = *kind;
        }
        if let [_, _, _, _, _, _, _, a, b, c, d] = header {
            flow.message_stream = u32::from_le_bytes([*a, *b, *c, *d]);
        }
        at += size + if flow.extended { 4 } else { 0 };
        let piece = self.chunk_size.min(flow.length - flow.payload.len());
        flow.payload.extend_from_slice(self.bytes.get(at..at + piece)?);
        let done = (flow.payload.len() == flow.length).then(|| Incoming {
            kind: flow.kind,
            message_stream: flow.message_stream,
            payload: std::mem::take(&mut flow.payload),
        });
        self.flows.insert(csid, flow);
        Some((at + piece, done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let payload: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
        for csid in [2, 63, 64, 319, 320, 65_599] {
            let header = Header { csid, kind: 9, timestamp: 0x0123_4567, message_stream: 1 };
            let bytes = message(header, &payload, 128).concat();
            let mut reader = Reader::new();
            let mut seen = Vec::new();
            for byte in bytes {
                reader.take(&[byte]);
                seen.extend(reader.next());
            }
            assert_eq!(seen, [Incoming { kind: 9, message_stream: 1, payload: payload.clone() }], "csid {csid}");
        }
    }
}
