//! The extended header of Enhanced RTMP.

use bytes::Bytes;
use livetape_media::{Codec, TrackKind};

use super::{BodyError, COMMAND, Coding, Content, Packet, is_random_access, signed_24};

const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
const VIDEO_METADATA: u8 = 4;
const MOD_EX: u8 = 7;

const ONE_TRACK: u8 = 0;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

/// Gives `each` what an extended body holds, track by track.
pub(super) fn walk(kind: TrackKind, body: &Bytes, mut each: impl FnMut(Packet)) -> Result<(), BodyError> {
    let multitrack = if kind == TrackKind::Video { 6 } else { 5 };
    let mut cursor = Cursor { body, at: 0 };
    let first = cursor.u8("the header")?;
    let frame_type = first >> 4 & 7;
    let mut header = Header { kind, packet_type: first & 0xf, frame_type, offset_nanos: 0 };
    while header.packet_type == MOD_EX {
        header.read_mod_ex(&mut cursor)?;
    }
    if kind == TrackKind::Video && frame_type == COMMAND && header.packet_type != VIDEO_METADATA {
        return Ok(());
    }
    if header.packet_type != multitrack {
        let coding = cursor.coding(kind)?;
        each(Packet { track: 0, coding, content: header.content(coding, cursor.rest())? });
        return Ok(());
    }

    let types = cursor.u8("the multitrack header")?;
    let arrangement = types >> 4;
    header.packet_type = types & 0xf;
    if arrangement > MANY_TRACKS_MANY_CODECS {
        return Err(BodyError::Unknown { what: "multitrack type", value: arrangement });
    }
    if header.packet_type == multitrack {
        return Err(BodyError::Unknown { what: "packet type within a multitrack packet", value: multitrack });
    }
    let mut coding = None;
    if arrangement != MANY_TRACKS_MANY_CODECS {
        coding = Some(cursor.coding(kind)?);
    }
    loop {
        let coding = match coding {
            Some(coding) => coding,
            None => cursor.coding(kind)?,
        };
        let track = cursor.u8("the track number")?;
        let payload = if arrangement == ONE_TRACK {
            cursor.rest()
        } else {
            let size = cursor.u24("the size of a track")?;
            cursor.take(size, "a track")?
        };
        each(Packet { track, coding, content: header.content(coding, payload)? });
        if cursor.is_at_end() {
            return Ok(());
        }
    }
}

struct Header {
    kind: TrackKind,
    packet_type: u8,
    frame_type: u8,
    offset_nanos: u32,
}

impl Header {
    /// A modifier of the packet that follows it. The only one there is adds nanoseconds to the time.
    fn read_mod_ex(&mut self, cursor: &mut Cursor<'_>) -> Result<(), BodyError> {
        const TIMESTAMP_OFFSET_NANO: u8 = 0;
        /// The offset refines the millisecond and never reaches the next.
        const MAX_OFFSET_NANOS: u32 = 999_999;
        let mut size = usize::from(cursor.u8("a modifier")?) + 1;
        if size == 256 {
            size = usize::from(cursor.u16("a modifier")?) + 1;
        }
        let data = cursor.take(size, "a modifier")?;
        let types = cursor.u8("a modifier")?;
        if types >> 4 == TIMESTAMP_OFFSET_NANO
            && let Some(&[b0, b1, b2]) = data.first_chunk::<3>()
        {
            self.offset_nanos = u32::from_be_bytes([0, b0, b1, b2]).min(MAX_OFFSET_NANOS);
        }
        self.packet_type = types & 0xf;
        Ok(())
    }

    fn content(&self, coding: Coding, payload: Bytes) -> Result<Content, BodyError> {
        let video = self.kind == TrackKind::Video;
        let mut composition_ms = 0;
        let mut data = payload;
        match self.packet_type {
            SEQUENCE_START if data.is_empty() => return Ok(Content::Other),
            SEQUENCE_START => return Ok(Content::Configuration(data)),
            CODED_FRAMES => {
                if matches!(coding, Coding::Known(Codec::Avc | Codec::Hevc)) {
                    let time = data.first_chunk::<3>().ok_or(BodyError::Truncated("the composition time"))?;
                    composition_ms = signed_24(*time);
                    data = data.slice(3..);
                }
            }
            CODED_FRAMES_X if video => {}
            _ => return Ok(Content::Other),
        }
        if data.is_empty() {
            return Ok(Content::Other);
        }
        let random_access = !video || is_random_access(self.frame_type);
        Ok(Content::Frame { composition_ms, offset_nanos: self.offset_nanos, random_access, data })
    }
}

fn known(kind: TrackKind, code: [u8; 4]) -> Option<Codec> {
    Some(match (kind, &code) {
        (TrackKind::Video, b"avc1") => Codec::Avc,
        (TrackKind::Video, b"hvc1") => Codec::Hevc,
        (TrackKind::Video, b"av01") => Codec::Av1,
        (TrackKind::Video, b"vp09") => Codec::Vp9,
        (TrackKind::Audio, b"mp4a") => Codec::Aac,
        (TrackKind::Audio, b".mp3") => Codec::Mp3,
        (TrackKind::Audio, b"Opus") => Codec::Opus,
        (TrackKind::Audio, b"fLaC") => Codec::Flac,
        (TrackKind::Audio, b"ac-3") => Codec::Ac3,
        (TrackKind::Audio, b"ec-3") => Codec::Eac3,
        _ => return None,
    })
}

struct Cursor<'a> {
    body: &'a Bytes,
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BodyError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk::<N>().ok_or(BodyError::Truncated(what))?;
        self.at += N;
        Ok(*bytes)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, BodyError> {
        self.array(what).map(u8::from_be_bytes)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, BodyError> {
        self.array(what).map(u16::from_be_bytes)
    }

    fn u24(&mut self, what: &'static str) -> Result<usize, BodyError> {
        let [b0, b1, b2] = self.array(what)?;
        Ok(u32::from_be_bytes([0, b0, b1, b2]) as usize)
    }

    fn coding(&mut self, kind: TrackKind) -> Result<Coding, BodyError> {
        let code = self.array("the FourCC")?;
        Ok(known(kind, code).map_or(Coding::FourCc(code), Coding::Known))
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<Bytes, BodyError> {
        let end = self.at + len;
        if end > self.body.len() {
            return Err(BodyError::Truncated(what));
        }
        let taken = self.body.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn rest(&mut self) -> Bytes {
        let rest = self.body.slice(self.at.min(self.body.len())..);
        self.at = self.body.len();
        rest
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.body.len()
    }
}
