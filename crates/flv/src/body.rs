//! What the body of an audio or video tag says, legacy and Enhanced RTMP (versions 1 and 2) alike.
//!
//! ```text
//! legacy video:   frame_type:4 codec:4 | AVC, HEVC: packet_type:8 | cts:s24 | data
//! legacy audio:   format:4 rate:2 size:1 stereo:1 | AAC: packet_type:8 | data
//! enhanced video: 1 frame_type:3 packet_type:4 | [ ModEx ]* | [ multitrack ] | fourcc:32 | payload
//! enhanced audio: format=9:4 packet_type:4     | [ ModEx ]* | [ multitrack ] | fourcc:32 | payload
//! ModEx:          size-1:8 (255: size-1:16 follows) | data | type:4 packet_type:4
//! multitrack:     type:4 packet_type:4 | [ fourcc:32 unless ManyTracksManyCodecs ]
//!                 { [ fourcc:32 if ManyTracksManyCodecs ] track:8 [ size:24 unless OneTrack ] payload }*
//! payload:        SequenceStart: configuration; CodedFrames: [ AVC, HEVC: cts:s24 ] data; CodedFramesX: data
//! ```

mod enhanced;

use std::fmt;

use bytes::Bytes;
use livetape_media::{Codec, TrackKind};

/// What one track gets from one tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The track's number, 0 unless the tag is of a multitrack publisher.
    pub(crate) track: u8,
    pub(crate) coding: Coding,
    pub(crate) content: Content,
}

/// How a packet is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coding {
    Known(Codec),
    /// A number of the legacy header.
    Legacy(TrackKind, u8),
    FourCc([u8; 4]),
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AUDIO: [&str; 9] = [
            "linear PCM",
            "ADPCM",
            "MP3",
            "little-endian PCM",
            "Nellymoser 16 kHz",
            "Nellymoser 8 kHz",
            "Nellymoser",
            "G.711 A-law",
            "G.711 mu-law",
        ];
        const VIDEO: [&str; 7] =
            ["number 0", "JPEG", "Sorenson H.263", "Screen video", "VP6", "VP6 with alpha", "Screen video 2"];
        match self {
            Self::Known(codec) => codec.fmt(f),
            Self::Legacy(TrackKind::Audio, 11) => f.write_str("Speex"),
            Self::Legacy(kind, number) => {
                let names: &[&str] = if *kind == TrackKind::Audio { &AUDIO } else { &VIDEO };
                match names.get(usize::from(*number)) {
                    Some(name) => f.write_str(name),
                    None => write!(f, "number {number}"),
                }
            }
            // Whatever the publisher put there: only what is printable reaches a log.
            Self::FourCc(code) => write!(f, "'{}'", code.escape_ascii()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A codec configuration, not empty.
    Configuration(Bytes),
    /// A frame, not empty.
    Frame {
        /// Composition time less decoding time, in ms.
        composition_ms: i32,
        /// Added to the presentation time.
        offset_nanos: u32,
        random_access: bool,
        data: Bytes,
    },
    /// Anything else: end of sequence, colour information, channel layout.
    Other,
}

/// A body that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("it ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("its {what} is {value}, which does not exist")]
    Unknown { what: &'static str, value: u8 },
}

/// The frame type of a command to the player, which carries no media.
const COMMAND: u8 = 5;

fn is_random_access(frame_type: u8) -> bool {
    const KEY: u8 = 1;
    const GENERATED_KEY: u8 = 4;
    matches!(frame_type, KEY | GENERATED_KEY)
}

/// Gives `each` what a video body holds. An empty body, and one that ends before anything was said, hold
/// nothing.
pub(crate) fn video(body: &Bytes, each: impl FnMut(Packet)) -> Result<(), BodyError> {
    let Some(&first) = body.first() else { return Ok(()) };
    if first & 0x80 != 0 {
        return enhanced::walk(TrackKind::Video, body, each);
    }
    legacy_video(first, body, each)
}

/// Gives `each` what an audio body holds.
pub(crate) fn audio(body: &Bytes, each: impl FnMut(Packet)) -> Result<(), BodyError> {
    const ENHANCED: u8 = 9;
    let Some(&first) = body.first() else { return Ok(()) };
    if first >> 4 == ENHANCED {
        return enhanced::walk(TrackKind::Audio, body, each);
    }
    legacy_audio(first, body, each)
}

fn legacy_video(first: u8, body: &Bytes, mut each: impl FnMut(Packet)) -> Result<(), BodyError> {
    const AVC: u8 = 7;
    /// An extension of Chinese networks, older than Enhanced RTMP.
    const HEVC: u8 = 12;
    const END_OF_SEQUENCE: u8 = 2;
    let (frame_type, number) = (first >> 4, first & 0xf);
    if frame_type == COMMAND || body.len() == 1 {
        return Ok(());
    }
    let codec = match number {
        AVC => Codec::Avc,
        HEVC => Codec::Hevc,
        _ => {
            each(Packet { track: 0, coding: Coding::Legacy(TrackKind::Video, number), content: Content::Other });
            return Ok(());
        }
    };
    // Some publishers cut the end marker short.
    if body.get(1) == Some(&END_OF_SEQUENCE) {
        each(Packet { track: 0, coding: Coding::Known(codec), content: Content::Other });
        return Ok(());
    }
    let Some(&[_, packet_type, c0, c1, c2]) = body.first_chunk::<5>() else {
        return Err(BodyError::Truncated("the composition time"));
    };
    let data = body.slice(5..);
    let content = match packet_type {
        _ if data.is_empty() => Content::Other,
        0 => Content::Configuration(data),
        1 => Content::Frame {
            composition_ms: signed_24([c0, c1, c2]),
            offset_nanos: 0,
            random_access: is_random_access(frame_type),
            data,
        },
        value => return Err(BodyError::Unknown { what: "packet type", value }),
    };
    each(Packet { track: 0, coding: Coding::Known(codec), content });
    Ok(())
}

fn legacy_audio(first: u8, body: &Bytes, mut each: impl FnMut(Packet)) -> Result<(), BodyError> {
    const MP3: u8 = 2;
    const AAC: u8 = 10;
    const MP3_8_KHZ: u8 = 14;
    let number = first >> 4;
    let frame = |data| Content::Frame { composition_ms: 0, offset_nanos: 0, random_access: true, data };
    let (codec, content) = match (number, body.get(1)) {
        (_, None) => return Ok(()),
        (MP3 | MP3_8_KHZ, _) => (Codec::Mp3, frame(body.slice(1..))),
        (AAC, _) if body.len() == 2 => (Codec::Aac, Content::Other),
        (AAC, Some(0)) => (Codec::Aac, Content::Configuration(body.slice(2..))),
        (AAC, Some(1)) => (Codec::Aac, frame(body.slice(2..))),
        (AAC, Some(&value)) => return Err(BodyError::Unknown { what: "packet type", value }),
        _ => {
            each(Packet { track: 0, coding: Coding::Legacy(TrackKind::Audio, number), content: Content::Other });
            return Ok(());
        }
    };
    each(Packet { track: 0, coding: Coding::Known(codec), content });
    Ok(())
}

/// A signed number of 24 bits.
fn signed_24([b0, b1, b2]: [u8; 3]) -> i32 {
    i32::from_be_bytes([b0, b1, b2, 0]) >> 8
}

#[cfg(test)]
mod tests;
