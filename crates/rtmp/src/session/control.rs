//! Protocol control and user control messages (RTMP 1.0, sections 5.4 and 7.1.7).

use livetape_media::Now;

use super::{Phase, Session};
use crate::SessionError;
use crate::message::{Message, kind};

/// The acknowledgement window the server asks for, and keeps to until the client asks for another.
pub(super) const WINDOW: u32 = 2_500_000;
/// Acknowledgements closer together than this serve nobody.
const MIN_STEP: u32 = 16 << 10;

/// User control events.
const STREAM_BEGIN: u16 = 0;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

/// When the client is told how much was received: every half window, whether or not it asked, since
/// some stop sending at the end of a window nobody announced.
#[derive(Debug)]
pub(super) struct Acknowledgement {
    /// Where chunks begin: clients do not count the handshake.
    start: u64,
    step: u64,
    next: u64,
}

impl Acknowledgement {
    pub(super) fn new(start: u64) -> Self {
        let step = u64::from(WINDOW / 2);
        Self { start, step, next: start + step }
    }

    /// The client asks for another window; zero means nothing.
    fn set_window(&mut self, window: u32, position: u64) {
        if window > 0 {
            self.step = u64::from((window / 2).max(MIN_STEP));
            self.next = self.next.min(position + self.step);
        }
    }

    /// The number to acknowledge, if `position` is past the next: bytes received, modulo 2^32.
    pub(super) fn due(&mut self, position: u64) -> Option<u32> {
        if position < self.next {
            return None;
        }
        let total = self.next - self.start;
        self.next += self.step;
        Some((total & u64::from(u32::MAX)) as u32)
    }
}

impl Session {
    pub(super) fn handle_control(&mut self, message: &Message, at: u64, now: Now) -> Result<(), SessionError> {
        let Phase::Chunks(reader) = &mut self.phase else { return Ok(()) };
        let body: &[u8] = &message.body;
        let number = body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match (message.type_id, number) {
            (kind::SET_CHUNK_SIZE, Some(size)) => reader.set_chunk_size(size)?,
            // Going on without knowing the chunk size would tear every message that follows.
            (kind::SET_CHUNK_SIZE, None) => {
                return Err(SessionError::ControlTooShort { at, type_id: message.type_id, length: body.len() });
            }
            (kind::ABORT, Some(csid)) => reader.abort(csid),
            (kind::WINDOW_ACKNOWLEDGEMENT_SIZE, Some(window)) => self.acknowledgement.set_window(window, at),
            (kind::USER_CONTROL, Some(_)) => {
                if let Some((event, data)) = body.split_first_chunk()
                    && u16::from_be_bytes(*event) == PING_REQUEST
                    && let Some(stamp) = data.first_chunk::<4>()
                    && self.pongs.take(now.mono)
                {
                    self.write_event(PING_RESPONSE, *stamp);
                }
            }
            // Acknowledgements and bandwidth concern media sent to the client, of which there is none.
            _ => {}
        }
        Ok(())
    }

    /// Asks whether a silent client is alive.
    pub(super) fn ping(&mut self, now: Now) {
        let millis = u32::try_from((now.mono - self.opened.min(now.mono)).as_millis()).unwrap_or(u32::MAX);
        self.write_event(PING_REQUEST, millis.to_be_bytes());
        self.pinged = true;
    }

    pub(super) fn stream_begin(&mut self, message_stream: u32) {
        self.write_event(STREAM_BEGIN, message_stream.to_be_bytes());
    }

    fn write_event(&mut self, event: u16, data: [u8; 4]) {
        let mut body = event.to_be_bytes().to_vec();
        body.extend_from_slice(&data);
        self.write(kind::USER_CONTROL, 0, &body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_count_from_the_end_of_the_handshake_every_half_window() {
        let mut acknowledgement = Acknowledgement::new(3073);
        assert_eq!(acknowledgement.due(3073 + 1_249_999), None);
        assert_eq!(acknowledgement.due(3073 + 2_600_000), Some(1_250_000));
        assert_eq!(acknowledgement.due(3073 + 2_600_000), Some(2_500_000));
        assert_eq!(acknowledgement.due(3073 + 2_600_000), None);
    }

    #[test]
    fn a_window_of_zero_is_ignored_and_a_tiny_one_raised() {
        let mut acknowledgement = Acknowledgement::new(0);
        acknowledgement.set_window(0, 100);
        assert_eq!(acknowledgement.due(1_250_000), Some(1_250_000));
        acknowledgement.set_window(2, 1_250_000);
        assert_eq!(acknowledgement.due(1_250_000 + 16_383), None);
        assert_eq!(acknowledgement.due(1_250_000 + 16_384), Some(1_250_000 + 16_384));
    }

    #[test]
    fn the_number_wraps_at_32_bits() {
        let mut acknowledgement = Acknowledgement::new(0);
        acknowledgement.set_window(u32::MAX, 0);
        let mut last = 0;
        for _ in 0..3435 {
            last = acknowledgement.due(u64::MAX / 2).unwrap();
        }
        let total = 1_250_000u64 + 3434 * u64::from(u32::MAX / 2);
        assert_eq!(u64::from(last), total % (1 << 32));
    }
}
