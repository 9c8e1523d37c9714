//! Aggregate messages: several in one (RTMP 1.0, section 7.1.6).
//!
//! ```text
//! { type:8 length:24 timestamp:24 timestamp-high:8 stream:24 | payload | back pointer:32 }*
//! ```
//! The first timestamp within stands for the aggregate's own; the others keep their distance to it.

use bytes::Bytes;

use crate::message::Message;

const HEADER: usize = 11;
const BACK_POINTER: usize = 4;
/// Relays gather some hundred milliseconds, which is tens of messages.
const MAX_PARTS: usize = 4096;

/// The messages within, in order, each in a buffer of its own, and whether the aggregate ended where
/// one of them did, after no more of them than an aggregate has in earnest.
pub(crate) fn unpack(aggregate: &Message) -> (Vec<Message>, bool) {
    let mut rest: &[u8] = &aggregate.body;
    let mut messages = Vec::new();
    let mut first = None;
    while messages.len() < MAX_PARTS
        && let Some((header, behind)) = rest.split_first_chunk::<HEADER>()
    {
        let [type_id, l0, l1, l2, t0, t1, t2, high, ..] = *header;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else { return (messages, false) };
        let time = u32::from_be_bytes([high, t0, t1, t2]);
        let offset = time.wrapping_sub(*first.get_or_insert(time));
        messages.push(Message {
            type_id,
            stream_id: aggregate.stream_id,
            timestamp: aggregate.timestamp.wrapping_add(offset),
            body: Bytes::copy_from_slice(payload),
        });
        // Some relays leave out the last back pointer.
        rest = behind.get(BACK_POINTER..).unwrap_or_default();
    }
    (messages, rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::kind;

    fn aggregate(body: &[u8]) -> Message {
        Message { type_id: kind::AGGREGATE, stream_id: 1, timestamp: 5000, body: Bytes::copy_from_slice(body) }
    }

    fn part(type_id: u8, time: u32, payload: &[u8]) -> Vec<u8> {
        let [high, low @ ..] = time.to_be_bytes();
        let mut out = vec![type_id, 0, 0, payload.len() as u8];
        out.extend_from_slice(&low);
        out.extend_from_slice(&[high, 0, 0, 0]);
        out.extend_from_slice(payload);
        out.extend_from_slice(&(payload.len() as u32 + 11).to_be_bytes());
        out
    }

    #[test]
    fn messages_keep_their_distances_from_the_aggregates_timestamp() {
        let body = [part(8, 0xFFFF_FFF0, b"a"), part(9, 0x0000_0010, b"bc"), part(8, 0x20, b"")].concat();
        let (messages, whole) = unpack(&aggregate(&body));
        let seen: Vec<_> = messages.iter().map(|m| (m.type_id, m.timestamp, m.body.as_ref(), m.stream_id)).collect();
        assert_eq!(seen, [(8, 5000, &b"a"[..], 1), (9, 5032, b"bc", 1), (8, 5048, b"", 1)]);
        assert!(whole);
    }

    #[test]
    fn a_missing_last_back_pointer_is_forgiven_and_a_torn_message_left_out() {
        let body = [part(8, 1, b"a"), part(9, 2, b"bc")].concat();
        let (messages, whole) = unpack(&aggregate(&body[..body.len() - 4]));
        assert_eq!((messages.len(), whole), (2, true));
        let (messages, whole) = unpack(&aggregate(&body[..body.len() - 5]));
        assert_eq!((messages.len(), whole), (1, false));
        let (messages, whole) = unpack(&aggregate(&body[..20]));
        assert_eq!((messages.len(), whole), (1, false));
    }
}
