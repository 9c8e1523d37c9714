//! The handshake, from the server's side (RTMP 1.0, section 5.2).
//!
//! ```text
//! C0 1 byte | C1 1536 bytes -->            C0: version 3
//!           <-- S0 1 | S1 1536 | S2 1536
//! C2 1536 bytes -->                        not verified: digest clients and odd encoders differ
//! ```
//! `rml_rtmp` does it: plain, or with Adobe's digests when C1 carries one in either place. It sees at
//! most these 3,073 bytes, and none of them when the first is not a version it knows.

use rml_rtmp::handshake::{Handshake as Exchange, HandshakeProcessResult, PeerType};

use crate::SessionError;

/// The bytes a client sends: C0, C1 and C2.
pub(crate) const CLIENT_BYTES: usize = 1 + 2 * 1536;

/// A handshake under way.
pub(crate) struct Handshake {
    exchange: Exchange,
    received: usize,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").field("received", &self.received).finish_non_exhaustive()
    }
}

impl Handshake {
    pub(crate) fn new() -> Self {
        Self { exchange: Exchange::new(PeerType::Server), received: 0 }
    }

    /// Bytes of the handshake received so far.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// Takes from the front of `input` what belongs to the handshake and appends what is to be sent
    /// to `reply`. True once the handshake is over.
    pub(crate) fn read(&mut self, input: &mut &[u8], reply: &mut Vec<u8>) -> Result<bool, SessionError> {
        if self.received == 0 {
            let Some(&first) = input.first() else { return Ok(false) };
            check_version(first)?;
        }
        let (ours, rest) = input.split_at(input.len().min(CLIENT_BYTES - self.received));
        *input = rest;
        let at = self.received as u64;
        self.received += ours.len();
        match self.exchange.process_bytes(ours) {
            Ok(HandshakeProcessResult::InProgress { response_bytes }) => {
                reply.extend_from_slice(&response_bytes);
                Ok(false)
            }
            Ok(HandshakeProcessResult::Completed { response_bytes, .. }) => {
                reply.extend_from_slice(&response_bytes);
                Ok(true)
            }
            Err(error) => Err(SessionError::Handshake { at, problem: error.to_string() }),
        }
    }
}

fn check_version(first: u8) -> Result<(), SessionError> {
    match first {
        3 => Ok(()),
        6 | 8 | 9 => Err(SessionError::Encrypted { version: first }),
        0x16 => Err(SessionError::Tls),
        // No version of RTMP is a letter; every HTTP method begins with one.
        b'A'..=b'Z' => Err(SessionError::Http),
        byte => Err(SessionError::NotRtmp { byte }),
    }
}
