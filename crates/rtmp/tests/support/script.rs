//! What a client sends, byte for byte: handshake, commands and media over a [`Wire`].

use livetape_flv::amf0;
use livetape_media::Value;

use crate::wire::{Fmt, Sent, Wire};

pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const DATA: u8 = 18;
pub(crate) const COMMAND: u8 = 20;

/// AAC-LC, 44.1 kHz, stereo.
pub(crate) const AAC_HEADER: [u8; 4] = [0xAF, 0x00, 0x12, 0x10];

pub(crate) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(crate) fn number(number: f64) -> Value {
    Value::Number(number)
}

pub(crate) fn object(entries: &[(&str, Value)]) -> Value {
    Value::Object(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

pub(crate) fn amf(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| amf0::write(value, &mut out));
    out
}

/// C0, C1 and C2 of a client that knows nothing of digests.
pub(crate) fn handshake() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend((0..1536).map(|index| (index * 5) as u8));
    bytes.extend([0; 1536]);
    bytes
}

/// What a client sends, as it gathers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) wire: Wire,
}

impl Script {
    /// Begins with the handshake.
    pub(crate) fn new() -> Self {
        let mut script = Self::default();
        script.wire.raw(&handshake());
        script
    }

    /// Begins as far as `publish` on message stream 1.
    pub(crate) fn publishing(name: &str) -> Self {
        let mut script = Self::new();
        script.connect("live").create_stream(2.0).publish(1, name);
        script
    }

    /// What has gathered since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire.bytes)
    }

    pub(crate) fn message(&mut self, csid: u32, type_id: u8, stream_id: u32, timestamp: u32, body: &[u8]) -> &mut Self {
        self.wire.message(Sent { csid, type_id, stream_id, timestamp, body: body.to_vec() });
        self
    }

    pub(crate) fn command(&mut self, stream_id: u32, values: &[Value]) -> &mut Self {
        let body = amf(values);
        self.wire.message_as(Fmt::Full, Sent { csid: 3, type_id: COMMAND, stream_id, timestamp: 0, body });
        self
    }

    pub(crate) fn connect(&mut self, app: &str) -> &mut Self {
        let url = format!("rtmp://127.0.0.1/{app}");
        let details = [("app", text(app)), ("tcUrl", text(&url)), ("flashVer", text("FMLE/3.0 (test)"))];
        self.command(0, &[text("connect"), number(1.0), object(&details)])
    }

    pub(crate) fn create_stream(&mut self, transaction: f64) -> &mut Self {
        self.command(0, &[text("createStream"), number(transaction), Value::Null])
    }

    pub(crate) fn publish(&mut self, stream: u32, name: &str) -> &mut Self {
        self.command(stream, &[text("publish"), number(5.0), Value::Null, text(name), text("live")])
    }

    pub(crate) fn control(&mut self, type_id: u8, body: &[u8]) -> &mut Self {
        self.message(2, type_id, 0, 0, body)
    }

    /// The header of an audio track.
    pub(crate) fn aac_header(&mut self, stream: u32) -> &mut Self {
        self.message(4, AUDIO, stream, 0, &AAC_HEADER)
    }

    /// A frame of audio.
    pub(crate) fn aac(&mut self, stream: u32, timestamp: u32, frame: &[u8]) -> &mut Self {
        let body = [&[0xAF, 0x01], frame].concat();
        self.message(4, AUDIO, stream, timestamp, &body)
    }
}
