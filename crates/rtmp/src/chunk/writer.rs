//! From messages to bytes to send.
//!
//! Few and small messages go to a publisher, so every one begins with a full header: some encoders
//! read nothing else at first, and bytes sent are then the same in every run.

use crate::message::kind;

/// Cuts messages into chunks.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    chunk_size: usize,
}

impl ChunkWriter {
    pub(crate) fn new() -> Self {
        Self { chunk_size: 128 }
    }

    /// Tells the client the chunk size of all that follows, and keeps to it.
    pub(crate) fn set_chunk_size(&mut self, size: u16, out: &mut Vec<u8>) {
        self.write(kind::SET_CHUNK_SIZE, 0, &u32::from(size).to_be_bytes(), out);
        self.chunk_size = usize::from(size.max(1));
    }

    /// Appends a message at time 0. Bodies are ours and short: never near the 24-bit limit.
    pub(crate) fn write(&self, type_id: u8, stream_id: u32, body: &[u8], out: &mut Vec<u8>) {
        let csid: u8 = if type_id <= kind::SET_PEER_BANDWIDTH { 2 } else { 3 };
        let [_, length @ ..] = (body.len() as u32).to_be_bytes();
        out.push(csid);
        out.extend_from_slice(&[0, 0, 0]);
        out.extend_from_slice(&length);
        out.push(type_id);
        out.extend_from_slice(&stream_id.to_le_bytes());
        for (index, payload) in body.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                out.push(0xC0 | csid);
            }
            out.extend_from_slice(payload);
        }
    }
}
