//! Chunks as any client might write them: every header format, chunk size, order and habit.
//!
//! Used by the crate's own tests and by those of its surface; knows nothing of the reader.

use std::collections::BTreeMap;

/// How much of its header a message's first chunk carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fmt {
    Full = 0,
    SameStream = 1,
    Delta = 2,
    Nothing = 3,
}

/// A message to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) csid: u32,
    pub(crate) type_id: u8,
    pub(crate) stream_id: u32,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn new(csid: u32, type_id: u8, timestamp: u32, body: impl Into<Vec<u8>>) -> Self {
        Self { csid, type_id, stream_id: 1, timestamp, body: body.into() }
    }
}

/// A message some chunks of which are written.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    message: Sent,
    written: usize,
    begun: Option<Fmt>,
}

/// Writes chunks, and remembers per chunk stream what the next header may leave out.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunk_size: usize,
    /// Type 3 headers repeat the extended timestamp, as the specification says.
    pub(crate) repeats_extended: bool,
    /// An extended delta carries the timestamp itself, as some clients do.
    pub(crate) absolute_deltas: bool,
    pub(crate) streams: BTreeMap<u32, Last>,
}

#[derive(Clone, Debug)]
pub(crate) struct Last {
    type_id: u8,
    stream_id: u32,
    timestamp: u32,
    /// What a type 3 header adds; none when that is anybody's guess.
    delta: Option<u32>,
    length: usize,
    extended: Option<u32>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            chunk_size: 128,
            repeats_extended: true,
            absolute_deltas: false,
            streams: BTreeMap::new(),
        }
    }
}

impl Wire {
    /// Formats that say the same about a message, the shortest last. A delta that might as well be a
    /// timestamp (hours, and within an hour of the last one) is not among them.
    pub(crate) fn formats(&self, message: &Sent) -> Vec<Fmt> {
        let mut formats = vec![Fmt::Full];
        let delta_is_clear = |last: &&Last| {
            let near = |step: u32| step.min(step.wrapping_neg()) <= 3_600_000;
            let delta = message.timestamp.wrapping_sub(last.timestamp);
            near(delta) || !near(delta.wrapping_sub(last.timestamp))
        };
        let last = self.streams.get(&message.csid).filter(|last| last.stream_id == message.stream_id);
        if let Some(last) = last.filter(delta_is_clear) {
            formats.push(Fmt::SameStream);
            if last.type_id == message.type_id && last.length == message.body.len() {
                formats.push(Fmt::Delta);
                if last.delta == Some(message.timestamp.wrapping_sub(last.timestamp)) {
                    formats.push(Fmt::Nothing);
                }
            }
        }
        formats
    }

    /// Writes a message whole, with the shortest header.
    pub(crate) fn message(&mut self, message: Sent) -> &mut Self {
        let format = *self.formats(&message).last().expect("a full header is always possible");
        self.message_as(format, message)
    }

    /// Writes a message whole, with this header, whether or not it says enough.
    pub(crate) fn message_as(&mut self, format: Fmt, message: Sent) -> &mut Self {
        let mut open = Self::open(message);
        while self.chunk(format, &mut open) {}
        self
    }

    /// A message of which nothing is written yet.
    pub(crate) fn open(message: Sent) -> Open {
        Open { message, written: 0, begun: None }
    }

    /// Writes the next chunk of a message, the first with a header of `format`; true if there are more.
    pub(crate) fn chunk(&mut self, format: Fmt, open: &mut Open) -> bool {
        let extended = match open.begun {
            None => self.header(format, &open.message),
            Some(_) => {
                self.basic(Fmt::Nothing, open.message.csid);
                self.streams.get(&open.message.csid).and_then(|last| last.extended).filter(|_| self.repeats_extended)
            }
        };
        open.begun.get_or_insert(format);
        if let Some(value) = extended {
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
        let body = &open.message.body;
        let end = body.len().min(open.written + self.chunk_size);
        self.bytes.extend_from_slice(&body[open.written..end]);
        open.written = end;
        end < body.len()
    }

    /// Tells the new chunk size and keeps to it.
    pub(crate) fn set_chunk_size(&mut self, size: usize) -> &mut Self {
        self.message_as(
            Fmt::Full,
            Sent { csid: 2, type_id: 1, stream_id: 0, timestamp: 0, body: (size as u32).to_be_bytes().to_vec() },
        );
        self.chunk_size = size;
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn basic(&mut self, format: Fmt, csid: u32) {
        let high = (format as u8) << 6;
        match csid {
            2..=63 => self.bytes.push(high | csid as u8),
            64..=319 => self.bytes.extend_from_slice(&[high, (csid - 64) as u8]),
            _ => self.bytes.extend_from_slice(&[high | 1, (csid - 64) as u8, ((csid - 64) >> 8) as u8]),
        }
    }

    /// Writes a message's first header, without the extended timestamp, which it returns.
    fn header(&mut self, format: Fmt, message: &Sent) -> Option<u32> {
        self.basic(format, message.csid);
        let before = self.streams.get(&message.csid).cloned();
        let last_timestamp = before.as_ref().map_or(0, |last| last.timestamp);
        let delta = message.timestamp.wrapping_sub(last_timestamp);
        let absolute = self.absolute_deltas && message.timestamp >= 0xFF_FFFF;
        let value = if format == Fmt::Full || absolute { message.timestamp } else { delta };
        let wide = value >= 0xFF_FFFF;
        let extended = match format {
            Fmt::Nothing => before.as_ref().and_then(|last| last.extended),
            _ => wide.then_some(value),
        };
        let [_, time @ ..] = (if wide { 0xFF_FFFF } else { value }).to_be_bytes();
        let [_, length @ ..] = (message.body.len() as u32).to_be_bytes();
        if format <= Fmt::Delta {
            self.bytes.extend_from_slice(&time);
        }
        if format <= Fmt::SameStream {
            self.bytes.extend_from_slice(&length);
            self.bytes.push(message.type_id);
        }
        if format == Fmt::Full {
            self.bytes.extend_from_slice(&message.stream_id.to_le_bytes());
        }
        let stream_id = match format {
            Fmt::Full => message.stream_id,
            _ => before.as_ref().map_or(0, |last| last.stream_id),
        };
        self.streams.insert(
            message.csid,
            Last {
                type_id: message.type_id,
                stream_id,
                timestamp: message.timestamp,
                delta: match format {
                    Fmt::Full if wide => None,
                    Fmt::Full => Some(value),
                    Fmt::Nothing => before.and_then(|last| last.delta),
                    _ if absolute => None,
                    _ => Some(value),
                },
                length: message.body.len(),
                extended,
            },
        );
        extended.filter(|_| format != Fmt::Nothing || self.repeats_extended)
    }
}
