//! A film as it goes over the wire: every message of one round, cut into chunks once and for all. A publisher copies it
//! and writes over what is its own: the time and the message stream in the header, and the mark in the payload.
//!
//! ```text
//! message   basic header 1 | timestamp 3 | length 3, type 1, stream 4 | payload: ... mark 27 ...   | chunk | chunk
//! patched                    ^^^^^^^^^^^                      ^^^^^^^^              "mark SSSS NNNNNN K IIIIIIII"
//! ```
//!
//! The mark is within the first 128 bytes, the smallest chunk there is.

use livetape_testkit::Film;
use livetape_testkit::film::Mark;
use livetape_testkit::flv::Kind;
use livetape_testkit::publisher::chunk;

/// Bytes of the header of a message's first chunk.
const HEADER_BYTES: usize = 12;
/// Where in it the message stream is.
const MESSAGE_STREAM_AT: usize = 8;
/// Milliseconds that fit into the header's timestamp without an extension.
pub(crate) const MAX_MILLIS: u32 = 0xff_fffe;

/// The messages of one round of a film.
pub(crate) struct Wire {
    film: Film,
    chunk_size: u32,
    messages: Vec<Message>,
}

/// One frame.
struct Message {
    bytes: Vec<u8>,
    /// Where its mark is.
    mark_at: usize,
}

impl Wire {
    /// The film in chunks of `chunk_size` bytes, at least 128.
    pub(crate) fn new(film: &Film, chunk_size: u32) -> Self {
        let messages = (0..film.round_frames()).map(|index| Message::new(film, index, chunk_size)).collect();
        Self { film: film.clone(), chunk_size, messages }
    }

    /// The film.
    pub(crate) fn film(&self) -> &Film {
        &self.film
    }

    /// What comes before the first frame: the size of chunks, and the configurations of the codecs.
    pub(crate) fn prologue(&self, message_stream: u32) -> Vec<u8> {
        let control = chunk::Header { csid: 2, kind: 1, timestamp: 0, message_stream: 0 };
        let mut bytes = chunk::message(control, &self.chunk_size.to_be_bytes(), 128).concat();
        for tag in self.film.headers() {
            let begin = bytes.len();
            bytes.extend(message(tag.kind, tag.timestamp, &tag.body, self.chunk_size));
            bytes[begin + MESSAGE_STREAM_AT..begin + HEADER_BYTES].copy_from_slice(&message_stream.to_le_bytes());
        }
        bytes
    }

    /// When the frame that is sent as number `index` is due, in milliseconds from the beginning.
    pub(crate) fn due_millis(&self, index: usize) -> u32 {
        let (kind, number) = self.film.nth(index);
        self.film.time(kind, number)
    }

    /// Appends that frame, for message stream `message_stream`, of session `session` of stream `stream`; its kind and
    /// its number among those.
    pub(crate) fn append(
        &self,
        index: usize,
        (stream, session): (u32, u32),
        message_stream: u32,
        to: &mut Vec<u8>,
    ) -> (Kind, u32) {
        let (kind, number) = self.film.nth(index);
        let message = &self.messages[index % self.messages.len()];
        let begin = to.len();
        to.extend_from_slice(&message.bytes);
        let own = &mut to[begin..];
        own[MESSAGE_STREAM_AT..HEADER_BYTES].copy_from_slice(&message_stream.to_le_bytes());
        own[1..4].copy_from_slice(&self.film.time(kind, number).to_be_bytes()[1..]);
        let mark = &mut own[message.mark_at..];
        digits(&mut mark[5..9], stream);
        digits(&mut mark[10..16], session);
        digits(&mut mark[19..27], number);
        (kind, number)
    }
}

impl Message {
    fn new(film: &Film, index: usize, chunk_size: u32) -> Self {
        let (kind, number) = film.nth(index);
        let tag = film.tag(Mark { stream: 0, session: 0, kind, number });
        let bytes = message(tag.kind, tag.timestamp, &tag.body, chunk_size);
        let mark_at = bytes.windows(5).position(|five| five == b"mark ").expect("every frame is marked");
        assert!(mark_at + 27 <= HEADER_BYTES + 128, "the mark is in the first chunk");
        Self { bytes, mark_at }
    }
}

fn message(kind: Kind, timestamp: u32, body: &[u8], chunk_size: u32) -> Vec<u8> {
    let csid = if kind == Kind::Video { 6 } else { 4 };
    let header = chunk::Header { csid, kind: kind.number(), timestamp, message_stream: 1 };
    chunk::message(header, body, chunk_size as usize).concat()
}

/// Writes a number over as many digits.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use livetape_testkit::clip;

    use super::*;

    /// What a publisher sends is what the film says it is.
    #[test]
    fn a_patched_message_is_the_frame_it_says_it_is() {
        let film = Film::new(&clip::plain());
        for chunk_size in [128, 4096, 60_000] {
            let wire = Wire::new(&film, chunk_size);
            for index in [0, 1, 2, 700, 701, 2_000, 2_001] {
                let mut sent = Vec::new();
                let (kind, number) = wire.append(index, (1234, 56_789), 1, &mut sent);
                let tag = film.tag(Mark { stream: 1234, session: 56_789, kind, number });
                assert_eq!(sent, message(kind, tag.timestamp, &tag.body, chunk_size));
                assert_eq!(wire.due_millis(index), tag.timestamp);
            }
        }
    }
}
