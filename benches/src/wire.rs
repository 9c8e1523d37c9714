//! A stream as a publisher's bytes.

use std::time::Duration;

use livetape_media::TrackKind;
use livetape_rtmp::{Limits, Output, Session};

use crate::stream::{AAC, AVC};
use crate::{Stream, now_at};

/// A publisher's bytes from `connect` on: `media` is what follows the accepted publish.
pub struct Wire {
    opening: Vec<u8>,
    /// Chunks of audio and video messages.
    pub media: Vec<u8>,
    /// How many frames they hold.
    pub frames: usize,
}

impl Wire {
    /// `seconds` of a stream, in chunks of `chunk_bytes`.
    pub fn new(seconds: u64, bits_per_second: u64, chunk_bytes: usize) -> Self {
        let mut media = Vec::new();
        push(&mut media, 6, 9, 0, &AVC, chunk_bytes);
        push(&mut media, 4, 8, 0, &AAC, chunk_bytes);
        let mut frames = 0;
        for frame in Stream::new(bits_per_second).take_while(|frame| frame.dts.as_millis() < seconds as i64 * 1000) {
            let ms = frame.dts.as_millis() as u32;
            let (stream, kind, mut body) = match frame.track.kind {
                TrackKind::Video => (6, 9, vec![if frame.random_access { 0x17 } else { 0x27 }, 1, 0, 0, 67]),
                TrackKind::Audio => (4, 8, vec![0xaf, 1]),
            };
            body.extend_from_slice(&frame.data);
            push(&mut media, stream, kind, ms, &body, chunk_bytes);
            frames += 1;
        }
        Self { opening: opening(chunk_bytes), media, frames }
    }
}

/// A session at which the publish of `wire` has just been accepted.
pub fn session_of(wire: &Wire) -> Session {
    let now = now_at(Duration::ZERO);
    let mut session = Session::new(Limits::default(), now);
    let handshake = [&[3][..], &[0; 2 * 1536]].concat();
    session.handle_input(&handshake, now);
    session.handle_input(&wire.opening, now);
    while let Some(output) = session.poll_output() {
        if let Output::PublishRequested(request) = output {
            session.accept(request.id, now);
        }
    }
    session
}

fn opening(chunk_bytes: usize) -> Vec<u8> {
    let app = [&[0, 3][..], b"app", &text("live")].concat();
    let connect = [text("connect"), number(1.0), vec![3], app, vec![0, 0, 9]].concat();
    let create = [text("createStream"), number(2.0), vec![5]].concat();
    let publish = [text("publish"), number(3.0), vec![5], text("bench"), text("live")].concat();
    let mut out = Vec::new();
    push(&mut out, 2, 1, 0, &(chunk_bytes as u32).to_be_bytes(), 128);
    push(&mut out, 3, 20, 0, &connect, chunk_bytes);
    push(&mut out, 3, 20, 0, &create, chunk_bytes);
    push(&mut out, 3, 20, 0, &publish, chunk_bytes);
    out
}

/// One message: a chunk with a full header, then chunks without.
fn push(out: &mut Vec<u8>, chunk_stream: u8, kind: u8, ms: u32, body: &[u8], chunk_bytes: usize) {
    let length = (body.len() as u32).to_be_bytes();
    let time = ms.to_be_bytes();
    let message_stream = u8::from(kind != 1 && kind != 20);
    out.extend_from_slice(&[chunk_stream, time[1], time[2], time[3], length[1], length[2], length[3], kind]);
    out.extend_from_slice(&[message_stream, 0, 0, 0]);
    for (n, part) in body.chunks(chunk_bytes).enumerate() {
        if n > 0 {
            out.push(0xc0 | chunk_stream);
        }
        out.extend_from_slice(part);
    }
}

fn text(value: &str) -> Vec<u8> {
    [&[2][..], &(value.len() as u16).to_be_bytes(), value.as_bytes()].concat()
}

fn number(value: f64) -> Vec<u8> {
    [&[0][..], &value.to_be_bytes()].concat()
}
