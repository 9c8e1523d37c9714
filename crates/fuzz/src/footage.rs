//! Frames that can be found again: what a publisher sends, by a script of two bytes a step, and
//! where its frames are in the files of a recording.
//!
//! ```text
//! step   what u8 (low half: which, high half: how) | much u8
//! mark   c3 5a | 'V' or 'K' (a key frame) or 'A' | number u32            in every frame, once
//! ```

use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer};
use livetape_media::{EndReason, Item, Now, TrackKind};
use livetape_record::GapRule;

use crate::directory::Directory;
use crate::input::Input;
use crate::moment;

/// The H.264 configuration of a real encoder, as a tag's body.
pub const AVC: [u8; 50] = [
    0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9,
    0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2d,
    0x96, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
/// AAC-LC, 48 kHz, stereo, as a tag's body.
pub const AAC: [u8; 4] = [0xaf, 0, 0x11, 0x90];
/// Opus, which not every format carries, as a tag's body.
const OPUS: [u8; 24] = *b"\x90OpusOpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
/// Bytes of an MPEG-1 layer III frame of 128 kbit/s at 44.1 kHz.
const MP3_FRAME: usize = 417;
/// What a mark begins with.
const MAGIC: [u8; 2] = [0xc3, 0x5a];

/// A frame found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its track's kind.
    pub kind: TrackKind,
    /// Which of the publisher's frames.
    pub number: u32,
    /// Whether it is a key frame.
    pub key: bool,
}

/// Something that happens to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The publisher says something.
    Item(Item),
    /// So much time passes.
    Pass(Duration),
    /// The calendar is set, by so many milliseconds.
    SetCalendar(i64),
    /// The publisher goes, and its recordings wait for it.
    Away,
    /// It is back: what it says from now on is another session's, which goes on with them.
    Back(GapRule),
    /// An operator asks for a new file.
    Split,
    /// The open recording can no longer be written.
    Abandon,
    /// The disk is too slow.
    Suspend,
    /// It is fast enough again.
    Resume,
}

/// How the sound is coded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sound {
    Aac,
    Mp3,
    Opus,
}

/// What a script says.
pub fn read(script: &[u8]) -> Vec<Step> {
    let mut camera = Camera {
        demuxer: Demuxer::new(DemuxLimits::default()),
        steps: Vec::new(),
        now: moment(0),
        sound: Sound::Aac,
        avc: AVC,
        aac: AAC,
        picture_ms: 0,
        sound_ms: 0,
        number: 0,
        away: None,
    };
    camera.introduce();
    let mut input = Input::new(script);
    while !input.is_empty() && camera.steps.len() < 4_000 {
        camera.step(input.u8(), input.u8());
    }
    if camera.away.is_none() {
        camera.finish();
    }
    camera.steps.push(Step::Item(Item::End(EndReason::Drop)));
    camera.steps
}

struct Camera {
    demuxer: Demuxer,
    steps: Vec<Step>,
    now: Now,
    sound: Sound,
    avc: [u8; 50],
    aac: [u8; 4],
    picture_ms: u32,
    sound_ms: u32,
    number: u32,
    /// It has gone, and how it will come back.
    away: Option<Return>,
}

/// How a publisher comes back.
#[derive(Clone, Copy)]
struct Return {
    rule: GapRule,
    /// Its clock goes on.
    goes_on: bool,
    other_picture: bool,
    other_sound: bool,
}

impl Camera {
    fn step(&mut self, what: u8, much: u8) {
        let how = what >> 4;
        let step = u32::from(much) * if how & 4 == 0 { 1 } else { 50 };
        if !matches!((what & 15, how), (14, _) | (15, 0..=9)) {
            self.come_back();
        }
        match what & 15 {
            0..=6 => {
                self.picture_ms = self.picture_ms.wrapping_add(step);
                self.picture(how & 1 > 0, u32::from(how & 2) * 20, if how & 8 > 0 { 300 } else { 8 });
            }
            7..=11 => {
                self.sound_ms = self.sound_ms.wrapping_add(step.min(64));
                self.beep();
            }
            12 => self.configure(how, much),
            // The publisher's clocks, or one of them, jump.
            13 => {
                let by = if how & 1 == 0 { step * 20 } else { (step * 20).wrapping_neg() };
                self.picture_ms = self.picture_ms.wrapping_add(by);
                if how & 2 == 0 {
                    self.sound_ms = self.sound_ms.wrapping_add(by);
                }
            }
            14 if how & 8 > 0 => {
                let by = i64::from(step) * if how & 1 == 0 { 20 } else { -20 };
                self.steps.push(Step::SetCalendar(by));
            }
            14 => {
                let passed = Duration::from_millis(u64::from(step));
                self.now.mono += passed;
                self.now.wall = self.now.wall.plus_millis(i64::from(step));
                self.steps.push(Step::Pass(passed));
            }
            _ => match how {
                0..=2 => self.steps.push(Step::Split),
                3 => self.steps.push(Step::Abandon),
                4..=6 => self.steps.push(Step::Suspend),
                7..=9 => self.steps.push(Step::Resume),
                10 | 11 => self.said(|demuxer, now, items| {
                    let body = Bytes::from_static(b"\x02\0\x0aonMetaData\x03\0\x05width\0\x40\x84\0\0\0\0\0\0\0\0\x09");
                    demuxer.data(0, body, now, items);
                }),
                // What a publisher sends on a second track.
                12 | 13 => self.video(b"\x96\x10avc1\x01\x17\0\0\0".to_vec()),
                _ => self.go(if how == 14 { GapRule::Keep } else { GapRule::Collapse }, much),
            },
        }
    }

    /// Goes, to come back after up to 15 s.
    fn go(&mut self, rule: GapRule, much: u8) {
        self.finish();
        self.steps.push(Step::Away);
        self.steps.push(Step::Pass(Duration::from_millis(u64::from(much >> 3) * 500)));
        let bit = |bit: u8| much & bit > 0;
        self.away = Some(Return { rule, other_picture: bit(1), goes_on: bit(2), other_sound: bit(4) });
    }

    fn come_back(&mut self) {
        let Some(how) = self.away.take() else { return };
        self.steps.push(Step::Back(how.rule));
        self.demuxer = Demuxer::new(DemuxLimits::default());
        self.sound = Sound::Aac;
        self.avc[8] ^= u8::from(how.other_picture);
        self.aac[2] ^= u8::from(how.other_sound);
        if !how.goes_on {
            (self.picture_ms, self.sound_ms) = (0, 0);
        }
        self.introduce();
    }

    /// What comes before the first frame.
    fn introduce(&mut self) {
        self.video(self.avc.to_vec());
        self.audio(self.aac.to_vec());
    }

    fn finish(&mut self) {
        self.said(|demuxer, _, items| demuxer.finish(items));
    }

    fn picture(&mut self, key: bool, composition_ms: u32, size: usize) {
        let mark = self.mark(if key { b'K' } else { b'V' });
        let mut nal = vec![if key { 0x65 } else { 0x41 }];
        nal.extend(mark);
        nal.resize(nal.len() + size, 0x11);
        let [_, composition @ ..] = composition_ms.to_be_bytes();
        let mut body = vec![if key { 0x17 } else { 0x27 }, 1];
        body.extend(composition);
        body.extend((nal.len() as u32).to_be_bytes());
        body.extend(nal);
        self.video(body);
    }

    fn beep(&mut self) {
        let mark = self.mark(b'A');
        let mut body = match self.sound {
            Sound::Aac => vec![0xaf, 1],
            Sound::Mp3 => vec![0x2f, 0xff, 0xfb, 0x90, 0x64],
            Sound::Opus => b"\x91Opus".to_vec(),
        };
        body.extend(mark);
        if self.sound == Sound::Mp3 {
            body.resize(1 + MP3_FRAME, 0x22);
        }
        self.audio(body);
    }

    fn configure(&mut self, how: u8, much: u8) {
        match how & 7 {
            0..=3 => {
                self.avc[8] = much & 0x3f;
                self.video(self.avc.to_vec());
            }
            4 | 5 => {
                self.sound = Sound::Aac;
                self.aac[2] = 0x11 + (much & 1);
                self.audio(self.aac.to_vec());
            }
            6 => self.sound = Sound::Mp3,
            _ => {
                self.sound = Sound::Opus;
                self.audio(OPUS.to_vec());
            }
        }
    }

    fn mark(&mut self, kind: u8) -> [u8; 7] {
        self.number += 1;
        let [a, b, c, d] = self.number.to_be_bytes();
        [MAGIC[0], MAGIC[1], kind, a, b, c, d]
    }

    fn video(&mut self, body: Vec<u8>) {
        let time = self.picture_ms;
        self.said(|demuxer, now, items| demuxer.video(time, body.into(), now, items));
    }

    fn audio(&mut self, body: Vec<u8>) {
        let time = self.sound_ms;
        self.said(|demuxer, now, items| demuxer.audio(time, body.into(), now, items));
    }

    fn said(&mut self, say: impl FnOnce(&mut Demuxer, Now, &mut Vec<Item>)) {
        let mut items = Vec::new();
        say(&mut self.demuxer, self.now, &mut items);
        self.steps.extend(items.into_iter().map(Step::Item));
    }
}

/// The marks in the media of a directory, in order.
pub fn marks(directory: &Directory) -> Vec<Mark> {
    directory.entries().flat_map(|(file, entry)| marks_in(file.as_str(), &entry.bytes)).collect()
}

/// The marks in the bytes of a file, in order of their tracks.
pub fn marks_in(name: &str, bytes: &[u8]) -> Vec<Mark> {
    if !name.ends_with(".ts") {
        return find(bytes);
    }
    let mut lanes: [Vec<u8>; 2] = Default::default();
    for packet in bytes.as_chunks::<188>().0 {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let skipped = if packet[3] & 0x20 > 0 { 5 + usize::from(packet[4]) } else { 4 };
        if let 0x100 | 0x101 = pid
            && packet[3] & 0x10 > 0
        {
            lanes[usize::from(pid & 1)].extend_from_slice(packet.get(skipped..).unwrap_or_default());
        }
    }
    lanes.iter().flat_map(|lane| find(lane)).collect()
}

fn find(bytes: &[u8]) -> Vec<Mark> {
    // Not by a loop of our own: it would be full of the fuzzer's counters.
    let places = memchr::memmem::find_iter(bytes, &MAGIC);
    places.filter_map(|at| mark_at(bytes.get(at + 2..)?.first_chunk()?)).collect()
}

fn mark_at(&[what, a, b, c, d]: &[u8; 5]) -> Option<Mark> {
    let kind = match what {
        b'V' | b'K' => TrackKind::Video,
        b'A' => TrackKind::Audio,
        _ => return None,
    };
    Some(Mark { kind, number: u32::from_be_bytes([a, b, c, d]), key: what == b'K' })
}
