//! From received bytes to messages.
//!
//! Contract: the messages do not depend on how the bytes were cut; small ones that come whole share blocks, others have
//! buffers of their own, of exactly their size once they are whole; what an unfinished message reserves follows what was
//! received of it, not what it declares.

use std::time::Duration;

use bytes::BytesMut;

use super::block::Block;
use super::header::{EXTENDED, Format, Header, MAX_HEADER};
use crate::budget::Budget;
use crate::message::Message;
use crate::{Limits, SessionError};

/// Reserved at once for a message; a longer one grows by doubling.
const FIRST_RESERVE: usize = 64 << 10;
/// The chunk size before any is set; a shorter chunk of an unfinished message is counted.
const DEFAULT_CHUNK_SIZE: u32 = 128;
/// An extended timestamp this near to the last timestamp is a timestamp, else a delta.
const ABSOLUTE_WITHIN_MS: u32 = 3_600_000;
/// Likewise behind a type 3 header that begins a message, where it may also be payload.
const REPEATED_WITHIN_MS: u32 = 10_000;

/// Puts messages together, chunk by chunk.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    limits: Limits,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    /// The chunk whose payload is being read: an index into `streams`, and bytes still to come.
    open: Option<(usize, usize)>,
    /// The beginning of a header whose end has not come.
    partial: Partial,
    /// Where in the connection the next byte is.
    position: u64,
    /// Bytes reserved by unfinished messages.
    reserved: usize,
    block: Block,
    short_chunks: Budget,
    /// The client leaves the extended timestamp out of type 3 headers, as OBS did before 2024.
    omits_extended: bool,
}

#[derive(Debug, Default)]
struct Partial {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

/// What is known of one chunk stream.
#[derive(Debug)]
struct ChunkStream {
    csid: u32,
    timestamp: u32,
    /// What a type 3 header that begins a message adds.
    delta: u32,
    /// The last extended timestamp, while there is one.
    extended: Option<u32>,
    length: u32,
    type_id: u8,
    stream_id: u32,
    /// What has come of an unfinished message.
    unfinished: Option<BytesMut>,
}

impl ChunkReader {
    /// A reader that begins at byte `position` of the connection.
    pub(crate) fn new(limits: &Limits, position: u64, now: Duration) -> Self {
        Self {
            limits: *limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            open: None,
            partial: Partial::default(),
            position,
            reserved: 0,
            block: Block::default(),
            short_chunks: Budget::new(limits.short_chunks_per_second, 5, now),
            omits_extended: false,
        }
    }

    /// Where in the connection the next byte is.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes reserved by unfinished messages.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// The client's chunk size from the next chunk on, even in the middle of a message.
    pub(crate) fn set_chunk_size(&mut self, size: u32) -> Result<(), SessionError> {
        if size == 0 || size > i32::MAX as u32 {
            return Err(SessionError::ChunkSize { at: self.position, size });
        }
        self.chunk_size = size;
        Ok(())
    }

    /// Forgets what has come of the unfinished message of a chunk stream.
    pub(crate) fn abort(&mut self, csid: u32) {
        if let Some(index) = self.streams.iter().position(|stream| stream.csid == csid) {
            self.discard(index);
        }
    }

    /// Reads on, up to the end of the next message. Takes what it reads from the front of `input`;
    /// without a message it has taken everything.
    pub(crate) fn read(&mut self, input: &mut &[u8], now: Duration) -> Result<Option<Message>, SessionError> {
        loop {
            let Some((index, left)) = self.open else {
                if self.read_header(input, now)? {
                    continue;
                }
                self.block.end();
                return Ok(None);
            };
            if left > 0 {
                let taken = self.read_payload(input, index, left)?;
                if taken == 0 {
                    self.block.end();
                    return Ok(None);
                }
                self.open = Some((index, left - taken));
                continue;
            }
            self.open = None;
            if let Some(message) = self.finish(index) {
                return Ok(Some(message));
            }
        }
    }

    /// Reads a chunk's header and opens its chunk; false if its end has not come.
    fn read_header(&mut self, input: &mut &[u8], now: Duration) -> Result<bool, SessionError> {
        if self.partial.len == 0 {
            let Some((header, extended, size)) = self.parse(input) else {
                self.keep(input);
                return Ok(false);
            };
            *input = input.get(size..).unwrap_or_default();
            self.begin(header, extended, now)?;
            self.position += size as u64;
            return Ok(true);
        }

        let before = self.partial.len;
        let rest = *input;
        self.keep(input);
        let joined = self.partial.bytes;
        let Some((header, extended, size)) = self.parse(joined.get(..self.partial.len).unwrap_or_default()) else {
            return Ok(false);
        };
        // A header may be shorter than what was kept of it: the last of it looked like an extended
        // timestamp and was payload.
        *input = rest.get(size.saturating_sub(before)..).unwrap_or_default();
        self.partial.len = before;
        self.partial.take(size);
        self.begin(header, extended, now)?;
        self.position += size as u64;
        Ok(true)
    }

    /// Keeps the beginning of a header; no header is longer than what there is room for.
    fn keep(&mut self, input: &mut &[u8]) {
        let room = self.partial.bytes.get_mut(self.partial.len..).unwrap_or_default();
        let (kept, rest) = input.split_at(input.len().min(room.len()));
        for (to, from) in room.iter_mut().zip(kept) {
            *to = *from;
        }
        self.partial.len += kept.len();
        *input = rest;
    }

    /// The header at the front of `data` with its extended timestamp and its size in bytes.
    fn parse(&self, data: &[u8]) -> Option<(Header, Option<u32>, usize)> {
        let header = Header::parse(data)?;
        if let Some(time) = header.time {
            return if time == EXTENDED {
                Some((header, Some(header.extended(data)?), header.size + 4))
            } else {
                Some((header, None, header.size))
            };
        }
        let stream = self.streams.iter().find(|stream| stream.csid == header.csid);
        let Some((stream, last)) = stream.and_then(|stream| stream.extended.map(|last| (stream, last))) else {
            return Some((header, None, header.size));
        };
        // The specification repeats the extended timestamp here; some clients do not. It is there if
        // it says what it has to say.
        let absent = (header, None, header.size);
        let behind = data.get(header.size..).unwrap_or_default();
        let says = |stamp: u32| stamp.to_be_bytes().iter().zip(behind).all(|(expected, byte)| expected == byte);
        let repeated = says(last) || says(stream.timestamp);
        if stream.unfinished.is_some() {
            if !repeated {
                return Some(absent);
            }
            return Some((header, Some(header.extended(data)?), header.size + 4));
        }
        if self.omits_extended {
            return Some(absent);
        }
        let value = header.extended(data)?;
        let later = value.wrapping_sub(stream.timestamp) <= REPEATED_WITHIN_MS;
        Some(if repeated || later { (header, Some(value), header.size + 4) } else { absent })
    }

    /// Applies a header to its chunk stream and opens the chunk's payload.
    fn begin(&mut self, header: Header, extended: Option<u32>, now: Duration) -> Result<(), SessionError> {
        let at = self.position;
        let index = self.stream(&header)?;
        if header.format != Format::Nothing {
            self.discard(index);
        }
        let chunk_size = self.chunk_size as usize;
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        if stream.unfinished.is_some() {
            self.omits_extended |= stream.extended.is_some() && extended.is_none();
        } else {
            stream.apply(&header, extended);
            let limit = self.limits.message_bytes(stream.type_id);
            if stream.length > limit {
                let (type_id, length) = (stream.type_id, stream.length);
                return Err(SessionError::MessageTooLong { at, type_id, length, limit });
            }
        }

        let received = stream.unfinished.as_ref().map_or(0, BytesMut::len);
        let left = (stream.length as usize).saturating_sub(received);
        let payload = left.min(chunk_size);
        let short = left == 0 || (payload < left && payload < DEFAULT_CHUNK_SIZE as usize);
        let starts = stream.unfinished.is_none();
        if short && !self.short_chunks.take(now) {
            return Err(SessionError::ShortChunks { at, limit: self.limits.short_chunks_per_second });
        }
        if starts {
            let limit = self.limits.unfinished_messages;
            if self.streams.iter().filter(|stream| stream.unfinished.is_some()).count() >= limit {
                return Err(SessionError::TooManyUnfinished { at, limit });
            }
            if let Some(stream) = self.streams.get_mut(index) {
                stream.unfinished = Some(BytesMut::new());
            }
        }
        self.open = Some((index, payload));
        Ok(())
    }

    /// The chunk stream a header is for: an index into `streams`.
    fn stream(&mut self, header: &Header) -> Result<usize, SessionError> {
        let (csid, format, at) = (header.csid, header.format, self.position);
        if let Some(index) = self.streams.iter().position(|stream| stream.csid == csid) {
            return Ok(index);
        }
        // Some cameras begin with type 1: all it lacks is the message stream.
        if matches!(format, Format::Delta | Format::Nothing) {
            return Err(SessionError::NoEarlierChunk { at, csid, format });
        }
        let limit = self.limits.chunk_streams;
        if self.streams.len() >= limit {
            return Err(SessionError::TooManyChunkStreams { at, csid, limit });
        }
        self.streams.push(ChunkStream::new(csid));
        Ok(self.streams.len() - 1)
    }

    /// Reads payload of the open chunk, `left` bytes of which are to come; says how many it took.
    fn read_payload(&mut self, input: &mut &[u8], index: usize, left: usize) -> Result<usize, SessionError> {
        let replay = self.partial.len.min(left);
        let available = if replay > 0 { replay } else { input.len().min(left) };
        if available == 0 {
            return Ok(0);
        }
        self.reserve(index, available, input.len())?;
        let Some(body) = self.streams.get_mut(index).and_then(|stream| stream.unfinished.as_mut()) else {
            return Ok(0);
        };
        if replay > 0 {
            body.extend_from_slice(self.partial.bytes.get(..replay).unwrap_or_default());
            self.partial.take(replay);
        } else {
            let (payload, rest) = input.split_at(available);
            body.extend_from_slice(payload);
            *input = rest;
        }
        self.position += available as u64;
        Ok(available)
    }

    /// Makes room for `more` bytes of an unfinished message, of which no more than `here` have come.
    fn reserve(&mut self, index: usize, more: usize, here: usize) -> Result<(), SessionError> {
        let (at, limit) = (self.position, self.limits.unfinished_bytes);
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        let Some(body) = stream.unfinished.as_mut() else { return Ok(()) };
        let needed = body.len() + more;
        let reserved = body.capacity();
        if needed <= reserved {
            return Ok(());
        }
        let wanted = needed.max(reserved * 2).max(FIRST_RESERVE).min((stream.length as usize).max(needed));
        let total = self.reserved - reserved + wanted;
        if total > limit {
            return Err(SessionError::UnfinishedTooLarge { at, limit });
        }
        // One whose end comes later would keep those that came with it.
        let mut larger = match reserved {
            0 if wanted == stream.length as usize && wanted <= here => self.block.room(wanted, here),
            _ => None,
        }
        .unwrap_or_else(|| BytesMut::with_capacity(wanted));
        larger.extend_from_slice(body);
        *body = larger;
        self.reserved = self.reserved - reserved + body.capacity();
        Ok(())
    }

    /// The message of a chunk stream, if the chunk that just ended was its last.
    fn finish(&mut self, index: usize) -> Option<Message> {
        let stream = self.streams.get_mut(index)?;
        if stream.unfinished.as_ref().is_none_or(|body| body.len() < stream.length as usize) {
            return None;
        }
        let body = stream.unfinished.take()?;
        self.reserved -= body.capacity();
        Some(Message {
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            timestamp: stream.timestamp,
            body: body.freeze(),
        })
    }

    fn discard(&mut self, index: usize) {
        let unfinished = self.streams.get_mut(index).and_then(|stream| stream.unfinished.take());
        self.reserved -= unfinished.map_or(0, |body| body.capacity());
    }
}

impl Partial {
    /// Drops the first `count` bytes.
    fn take(&mut self, count: usize) {
        let count = count.min(self.len);
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

impl ChunkStream {
    fn new(csid: u32) -> Self {
        Self { csid, timestamp: 0, delta: 0, extended: None, length: 0, type_id: 0, stream_id: 0, unfinished: None }
    }

    /// Begins a message.
    fn apply(&mut self, header: &Header, extended: Option<u32>) {
        if let Some((length, type_id)) = header.message {
            (self.length, self.type_id) = (length, type_id);
        }
        if let Some(stream_id) = header.stream_id {
            self.stream_id = stream_id;
        }
        match (header.format, header.time) {
            (Format::Full, Some(time)) => {
                self.timestamp = extended.unwrap_or(time);
                // A type 3 header repeats the whole field, read as a delta. Clients with extended
                // timestamps mean the same moment by it, not one twice as late.
                self.delta = if extended.is_some() { 0 } else { time };
                self.extended = extended;
            }
            (_, Some(time)) => {
                self.advance(extended.unwrap_or(time), extended.is_some());
                self.extended = extended;
            }
            // Type 3: the same delta again, unless its extended timestamp says something new.
            (_, None) => match extended {
                Some(value) if self.extended != Some(value) => {
                    self.advance(value, true);
                    self.extended = extended;
                }
                _ => self.timestamp = self.timestamp.wrapping_add(self.delta),
            },
        }
    }

    /// Goes on by a delta; or to a timestamp, which some clients write into an extended delta: it is
    /// one if that leads hardly anywhere, while adding it would be a leap. (A step back is a delta
    /// near 2^32.)
    fn advance(&mut self, value: u32, extended: bool) {
        let distance = value.wrapping_sub(self.timestamp);
        let absolute = extended && magnitude(distance) <= ABSOLUTE_WITHIN_MS && magnitude(value) > ABSOLUTE_WITHIN_MS;
        self.delta = if absolute { distance } else { value };
        self.timestamp = self.timestamp.wrapping_add(self.delta);
    }
}

/// How far a step modulo 2^32 leads, forward or back.
fn magnitude(step: u32) -> u32 {
    step.min(step.wrapping_neg())
}

#[cfg(test)]
mod tests;
