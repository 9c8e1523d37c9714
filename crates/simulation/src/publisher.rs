//! Scripted publishers: what two encoders send, down to the byte, and when.
//!
//! ```text
//! ms        0        1440        2400        3840   4560
//! stream 0  |-- GOPs of 480 ms --|--- other codec configuration ---| unpublish
//! stream 1      240  |----------------------------| the connection goes away, right after a cut
//! ```
//!
//! And those that go and come back, while their recordings wait for so long ([`WINDOW_MS`]) or after:
//!
//! ```text
//! ms        0       960    1600 1920   2240    3200                                 99520     100480
//! stream 0  |-- GOPs --|   |nothing|   |-- GOPs --|  (the window passes)              |-- GOPs --| unpublish
//! stream 1      240   1200    1840   2800
//! stream 1        |----------|   |-- other codec configuration --|  (never comes back)
//! ```
//!
//! 25 pictures and 15.6 sounds a second, small, each with a [`Marker`] in its payload.

use std::time::Duration;

use livetape_testkit::publisher::amf::{self, Amf, object, string};
use livetape_testkit::publisher::chunk::{self, Header};
use livetape_testkit::publisher::kind;

use crate::marker::Marker;
use crate::random::Random;

/// How far pictures are apart.
pub const PICTURE_MS: u32 = 40;
/// Pictures from one key frame to the next.
const GROUP: u32 = 12;
/// Sounds: AAC frames of 1,024 samples at 16 kHz.
const SOUND_MS: u32 = 64;
const CHUNK_BYTES: usize = 512;

/// High profile, 320 by 180; and another, 640 by 360.
const AVC: [&[u8]; 2] = [
    &[
        0x17, 0, 0, 0, 0, 0x01, 0x64, 0x00, 0x0c, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41,
        0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99,
        0x60, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
    ],
    &[
        0x17, 0, 0, 0, 0, 0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40,
        0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2d,
        0x96, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
    ],
];
/// AAC-LC, 16 kHz, mono.
const AAC: &[u8] = &[0xaf, 0, 0x14, 0x08];

/// How long recordings wait for a publisher that has gone, where they do.
pub const WINDOW_MS: u64 = 90_000;
/// Both tracks have a frame at each multiple of this.
const BEAT_MS: u64 = 320;

/// What a publisher does at one moment.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends bytes that are no frame.
    Send(Vec<u8>),
    /// Sends one frame.
    Frame(Marker, Vec<u8>),
    /// Goes away without a word.
    Vanish,
}

/// One connection of a publisher: what it does, in order, each with the time it does it, in milliseconds since
/// the world began.
#[derive(Clone, Debug)]
pub struct Script {
    /// Which stream, as markers have it.
    pub stream: u8,
    /// Which of the stream's connections.
    pub visit: u8,
    /// What it does.
    pub acts: Vec<(u64, Act)>,
}

/// A frame as it was sent: its mark and its timestamp in milliseconds.
pub type Sent = (Marker, u32);

/// One connection, said shortly.
#[derive(Clone, Copy)]
struct Visit {
    stream: u8,
    number: u8,
    /// When it begins, since its stream did.
    at_ms: u64,
    length_ms: u32,
    /// The codec configuration it begins with.
    configuration: usize,
    /// When it changes to the other one.
    change_ms: Option<u32>,
    goodbye: bool,
}

impl Script {
    /// The two publishers of the workload.
    pub fn both() -> Vec<Self> {
        let first = Visit::new(0, 0, 0, 4_560);
        let visits = [Visit { change_ms: Some(2_400), goodbye: true, ..first }, Visit::new(1, 0, 0, 3_040)];
        visits.map(Visit::script).into()
    }

    /// Publishers that go and come back, while their recordings wait for them and after; or never. In a world that
    /// began `elapsed` after the first one: each comes once more.
    pub fn returning(elapsed: Duration) -> Vec<Self> {
        if !elapsed.is_zero() {
            let began = u64::try_from(elapsed.as_millis()).unwrap();
            let at_ms = (began + 1_000).next_multiple_of(BEAT_MS);
            let number = u8::try_from(10 + elapsed.as_secs() / 20).unwrap();
            let visits = [0, 1].map(|stream| Visit { goodbye: stream == 0, ..Visit::new(stream, number, at_ms, 640) });
            return visits.map(Visit::script).into();
        }
        let late_ms = (3_200 + WINDOW_MS + 5_000).next_multiple_of(BEAT_MS);
        let visits = [
            Visit::new(0, 0, 0, 960),
            Visit::new(0, 1, 1_600, 0),
            Visit::new(0, 2, 2_240, 960),
            Visit { goodbye: true, ..Visit::new(0, 3, late_ms, 960) },
            Visit::new(1, 0, 0, 960),
            Visit { configuration: 1, ..Visit::new(1, 1, 1_600, 960) },
        ];
        visits.map(Visit::script).into()
    }

    /// When a stream begins, in milliseconds since the world began.
    pub fn begins_ms(stream: u8) -> u64 {
        240 * u64::from(stream)
    }

    /// The time of a frame in milliseconds, since its stream began. It is sent with that less the time its
    /// connection began at.
    pub fn timestamp(marker: Marker) -> u32 {
        marker.number * Self::lasts(marker)
    }

    /// How long a frame lasts, in milliseconds.
    pub fn lasts(marker: Marker) -> u32 {
        if marker.video { PICTURE_MS } else { SOUND_MS }
    }

    /// Its frames, in the order they are sent.
    pub fn frames(&self) -> impl Iterator<Item = Sent> {
        self.acts.iter().filter_map(|(_, act)| match act {
            Act::Frame(marker, _) => Some((*marker, Self::timestamp(*marker))),
            _ => None,
        })
    }
}

impl Visit {
    fn new(stream: u8, number: u8, at_ms: u64, length_ms: u32) -> Self {
        Self { stream, number, at_ms, length_ms, configuration: 0, change_ms: None, goodbye: false }
    }

    fn script(self) -> Script {
        let Self { stream, length_ms, .. } = self;
        let start_ms = Script::begins_ms(stream) + self.at_ms;
        let mut acts = Vec::new();
        let mut say = |at: u32, act| acts.push((start_ms + u64::from(at), act));
        let mut hello = vec![3, 0, 0, 0, 0, 0, 0, 0, 0];
        hello.extend((0..1528u32 + 1536).map(|n| (n * 7 % 251) as u8));
        say(0, Act::Send(hello));
        say(0, Act::Send(message(2, kind::CHUNK_SIZE, 0, 0, &(CHUNK_BYTES as u32).to_be_bytes(), 128)));
        let connect = object(&[("app", string("live")), ("tcUrl", string("rtmp://tape.example/live"))]);
        say(0, Act::Send(command(0, &[string("connect"), Amf::Number(1.0), connect])));
        say(0, Act::Send(command(0, &[string("createStream"), Amf::Number(2.0), Amf::Null])));
        let name = format!("stream-{stream}");
        let publish = [string("publish"), Amf::Number(3.0), Amf::Null, string(&name), string("live")];
        say(0, Act::Send(command(1, &publish)));
        say(0, Act::Send(media(kind::AUDIO, 0, AAC)));
        say(0, Act::Send(media(kind::VIDEO, 0, AVC[self.configuration])));
        let mut random = Random::new(u64::from(stream) + 256 * u64::from(self.number));
        let mut sounds = (0..).map(|number| (number, number * SOUND_MS)).peekable();
        let before = u32::try_from(self.at_ms).unwrap();
        let (pictures, noises) = (before / PICTURE_MS, before / SOUND_MS);
        for number in 0..length_ms / PICTURE_MS {
            let at = number * PICTURE_MS;
            if Some(at) == self.change_ms {
                say(at, Act::Send(media(kind::VIDEO, at, AVC[1 - self.configuration])));
            }
            let marker = Marker { stream, video: true, number: pictures + number };
            let body = picture(marker, number % GROUP == 0, &mut random);
            say(at, Act::Frame(marker, media(kind::VIDEO, at, &body)));
            while let Some((number, at)) = sounds.next_if(|(_, sound)| *sound < at + PICTURE_MS) {
                let marker = Marker { stream, video: false, number: noises + number };
                say(at, Act::Frame(marker, media(kind::AUDIO, at, &sound(marker, &mut random))));
            }
        }
        if self.goodbye {
            say(length_ms, Act::Send(command(0, &[string("FCUnpublish"), Amf::Number(4.0), Amf::Null, string(&name)])));
            let delete = [string("deleteStream"), Amf::Number(5.0), Amf::Null, Amf::Number(1.0)];
            say(length_ms, Act::Send(command(0, &delete)));
        }
        // One that sends nothing stays for a moment.
        say(if length_ms == 0 { BEAT_MS as u32 } else { length_ms }, Act::Vanish);
        Script { stream, visit: self.number, acts }
    }
}

fn picture(marker: Marker, key: bool, random: &mut Random) -> Vec<u8> {
    let filler = 20 + random.below(if key { 700 } else { 60 }) as usize;
    let mut body = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    let payload = [&[if key { 0x65 } else { 0x41 }][..], &marker.bytes(), &vec![marker.filling(); filler]].concat();
    body.extend((payload.len() as u32).to_be_bytes());
    body.extend(payload);
    body
}

fn sound(marker: Marker, random: &mut Random) -> Vec<u8> {
    let filler = 4 + random.below(40) as usize;
    [&[0xaf, 1, 0x21][..], &marker.bytes(), &vec![marker.filling(); filler]].concat()
}

fn media(kind: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
    let csid = if kind == kind::VIDEO { 6 } else { 4 };
    message(csid, kind, timestamp, 1, body, CHUNK_BYTES)
}

fn command(message_stream: u32, values: &[Amf]) -> Vec<u8> {
    message(3, kind::COMMAND, 0, message_stream, &amf::encode(values), CHUNK_BYTES)
}

fn message(csid: u32, kind: u8, timestamp: u32, message_stream: u32, body: &[u8], chunk_size: usize) -> Vec<u8> {
    chunk::message(Header { csid, kind, timestamp, message_stream }, body, chunk_size).concat()
}
