//! A whole connection: messages with honest and hostile fields, bytes of any kind, time, and the
//! server's own acts, in any order. However what the client sends is cut, the same comes of it.
//!
//! ```text
//! input  limits u8 | cut u8 | act *
//! act    kind u8 | what it needs (see `Script::act`)
//! ```

use std::time::Duration;

use livetape_rtmp::{CloseReason, Limits};

use crate::dialogue::{Act, Dialogue, Outcome};
use crate::input::Input;
use crate::wire::{Message, greeting};

/// Message types that mean something, those with media more often, and one that means nothing.
const KINDS: [u8; 16] = [1, 2, 3, 4, 5, 6, 8, 9, 15, 16, 17, 18, 20, 22, 9, 99];
/// Values that go wrong where they are not looked at.
const NUMBERS: [u32; 16] = [
    0,
    1,
    2,
    127,
    128,
    129,
    65_535,
    65_536,
    0xff_fffe,
    0xff_ffff,
    0x100_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    40,
];
const NAMES: [&str; 16] = [
    "connect",
    "createStream",
    "publish",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "deleteStream",
    "closeStream",
    "getStreamLength",
    "_checkbw",
    "play",
    "_result",
    "onStatus",
    "@setDataFrame",
    "x",
    "publish",
];
/// Configurations and frames of real encoders, and beginnings of what newer ones send.
const BODIES: [&[u8]; 12] = [
    &crate::footage::AVC,
    &crate::footage::AAC,
    &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88],
    &[0x27, 1, 0, 0, 40, 0, 0, 0, 2, 0x41, 0x9a],
    &[0xaf, 1, 0x21, 0x10, 0x04],
    &[0x2f, 0xff, 0xfb, 0x90, 0x64],
    &[0x90, b'h', b'v', b'c', b'1'],
    &[0x93, b'a', b'v', b'0', b'1', 0x12],
    &[
        0x90, b'O', b'p', b'u', b's', b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0,
        0, 0,
    ],
    &[0x17, 2, 0, 0, 0],
    &[0x95, 0x10, b'a', b'v', b'c', b'1'],
    &[0x57, 1],
];

/// Reads the input as acts.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (limits, cut) = (limits(input.u8()), input.u8());
    let acts = Script::read(input);
    let whole = drive(limits, &acts, &mut |all| all);
    let same = drive(limits, &acts, &mut |all| all);
    assert_eq!(whole, same, "the same input has two outcomes");
    let most = 1 + usize::from(cut);
    let mut state = u32::from(cut) + 1;
    let pieces = drive(limits, &acts, &mut |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 16) as usize % most
    });
    assert_eq!(whole, pieces, "the outcome depends on how the input is cut");
}

fn drive(limits: Limits, acts: &[Act], cut: &mut dyn FnMut(usize) -> usize) -> Outcome {
    let mut dialogue = Dialogue::new(limits);
    acts.iter().for_each(|act| dialogue.act(act, cut));
    dialogue.finish()
}

/// The defaults, or bounds that are soon met.
fn limits(choice: u8) -> Limits {
    let default = Limits::default();
    if choice & 1 == 0 {
        return default;
    }
    Limits {
        bytes_before_publish: 2 << 10,
        held_bytes: 512,
        control_message_bytes: 64,
        command_message_bytes: 512,
        data_message_bytes: 512,
        media_message_bytes: 1 << 10,
        chunk_streams: 4,
        unfinished_messages: 2,
        unfinished_bytes: 2 << 10,
        message_streams: 2,
        publishes: 2,
        name_bytes: 16,
        short_chunks_per_second: 4,
        control_messages_per_second: 3,
        idle_timeout: Duration::from_secs(2),
        ..default
    }
}

/// Acts as an input says them.
struct Script {
    acts: Vec<Act>,
    chunk_size: usize,
    transaction: u8,
}

impl Script {
    fn read(mut input: Input<'_>) -> Vec<Act> {
        let mut script = Self { acts: Vec::new(), chunk_size: 128, transaction: 1 };
        while !input.is_empty() && script.acts.len() < 400 {
            script.act(&mut input);
        }
        script.acts
    }

    fn act(&mut self, input: &mut Input<'_>) {
        let kind = input.u8();
        match kind & 15 {
            0 => self.send(input.counted().to_vec()),
            1 => self.send(greeting()),
            2 | 3 => self.message(input),
            4 => self.command(input, kind >> 4),
            5..=7 => self.media(input, kind >> 4),
            8 => self.chunk_size(input),
            9 => self.control(input),
            10 => self.acts.push(Act::Wait(u64::from(input.u16()))),
            11 | 12 => self.acts.push(Act::Accept),
            13 => self.publish(input),
            14 => self.acts.push(match kind >> 4 {
                0..=3 => Act::Reject,
                4..=9 => Act::EndPublish(usize::from(kind >> 4 & 3)),
                10..=12 => Act::Close(CloseReason::Takeover),
                13 => Act::Close(CloseReason::Disconnect),
                _ => Act::Close(CloseReason::Shutdown),
            }),
            _ => match kind >> 4 {
                0 => self.acts.push(Act::Eof),
                // A chunk's header alone.
                _ => self.write(Message { declared: Some(input.u32()), ..header(input, &[]) }),
            },
        }
    }

    fn send(&mut self, bytes: Vec<u8>) {
        match self.acts.last_mut() {
            Some(Act::Bytes(before)) => before.extend(bytes),
            _ => self.acts.push(Act::Bytes(bytes)),
        }
    }

    fn write(&mut self, message: Message<'_>) {
        let mut bytes = Vec::new();
        message.write(self.chunk_size, &mut bytes);
        self.send(bytes);
    }

    /// A message, all of whose fields are given.
    fn message(&mut self, input: &mut Input<'_>) {
        let message = header(input, &[]);
        let declared = match input.u8() {
            0 => Some(input.choice(&NUMBERS)),
            1 => Some(u32::from(input.u16())),
            _ => None,
        };
        let body = input.counted();
        self.write(Message { declared, body, ..message });
    }

    /// Sound or pictures on the stream published first, or another.
    fn media(&mut self, input: &mut Input<'_>, variant: u8) {
        let timestamp = u32::from(input.u16()) * if variant & 8 > 0 { 65_537 } else { 1 };
        let mut body = input.choice(&BODIES).to_vec();
        let video = body[0] >> 4 != 0xa && body[0] >> 4 != 2 && body[1..].first() != Some(&b'O') || variant & 4 > 0;
        let length = usize::from(input.u8());
        body.extend_from_slice(input.bytes(length));
        let kind = if video { 9 } else { 8 };
        let stream = if variant & 3 == 3 { 2 } else { 1 };
        self.write(Message { csid: 6, format: 0, kind, timestamp, stream, declared: None, body: &body });
    }

    fn command(&mut self, input: &mut Input<'_>, which: u8) {
        let choice = input.u8();
        let mut body = Vec::new();
        string(&mut body, NAMES[usize::from(which)]);
        self.transaction = self.transaction.wrapping_add(1);
        number(&mut body, if choice & 1 > 0 { f64::NAN } else { f64::from(self.transaction) });
        if which == 0 {
            body.push(3);
            key(&mut body, "app");
            string(&mut body, &String::from_utf8_lossy(input.counted()));
            key(&mut body, "capsEx");
            number(&mut body, f64::from(choice));
            body.extend([0, 0, 9]);
        } else {
            body.push(5);
            match choice >> 1 & 3 {
                0 => string(&mut body, &String::from_utf8_lossy(input.counted())),
                1 => number(&mut body, f64::from(input.choice(&NUMBERS))),
                2 => body.extend([1, choice >> 7]),
                _ => {}
            }
        }
        let stream = u32::from(choice >> 3 & 3);
        let kind = if choice & 0x40 > 0 { 17 } else { 20 };
        if kind == 17 {
            body.insert(0, 0);
        }
        self.write(Message { csid: 3, format: 0, kind, timestamp: 0, stream, declared: None, body: &body });
    }

    /// All a client says until it publishes.
    fn publish(&mut self, input: &mut Input<'_>) {
        self.send(greeting());
        let number = input.u8();
        for name in ["connect", "createStream", "publish"] {
            let mut body = Vec::new();
            string(&mut body, name);
            self::number(&mut body, 1.0);
            match name {
                "connect" => {
                    body.push(3);
                    key(&mut body, "app");
                    string(&mut body, "live");
                    body.extend([0, 0, 9]);
                }
                "publish" => {
                    body.push(5);
                    string(&mut body, &format!("cam{number}?token=x"));
                }
                _ => body.push(5),
            }
            let stream = u32::from(name == "publish");
            self.write(Message { csid: 3, format: 0, kind: 20, timestamp: 0, stream, declared: None, body: &body });
        }
        self.acts.push(Act::Accept);
    }

    fn chunk_size(&mut self, input: &mut Input<'_>) {
        let (told, kept) = (input.choice(&NUMBERS), input.u8());
        let body = told.to_be_bytes();
        self.write(Message { csid: 2, format: 0, kind: 1, timestamp: 0, stream: 0, declared: None, body: &body });
        if kept & 1 == 0 && told > 0 {
            self.chunk_size = told as usize;
        }
    }

    fn control(&mut self, input: &mut Input<'_>) {
        let (kind, value, length) = (2 + input.u8() % 5, input.u32(), usize::from(input.u8() % 8));
        let body = [&value.to_be_bytes()[..], &[0; 8]].concat();
        let body = &body[..4 + length.min(8)];
        self.write(Message { csid: 2, format: 0, kind, timestamp: 0, stream: 0, declared: None, body });
    }
}

fn header<'a>(input: &mut Input<'_>, body: &'a [u8]) -> Message<'a> {
    let choice = input.u8();
    let csid = match choice & 7 {
        0 => u32::from(input.u16()) + 64,
        1 => u32::from(input.u8()) + 64,
        other => u32::from(other),
    };
    let format = if choice & 0x80 > 0 { choice >> 5 & 3 } else { 0 };
    let timestamp = if choice & 0x10 > 0 { input.choice(&NUMBERS) } else { u32::from(input.u8()) };
    let kind = input.choice(&KINDS);
    let stream = if choice & 8 > 0 { input.choice(&NUMBERS) } else { 1 };
    Message { csid, format, kind, timestamp, stream, declared: None, body }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(2);
    key(out, text);
}

fn key(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

fn number(out: &mut Vec<u8>, value: f64) {
    out.push(0);
    out.extend(value.to_be_bytes());
}
