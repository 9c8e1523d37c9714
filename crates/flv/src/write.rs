//! Writing tags: what stands in front of a frame, sequence headers, `onMetaData`.
//!
//! H.264, AAC and MP3 are written in the legacy form, which every player knows; other codecs in that of
//! Enhanced RTMP, behind their FourCC ([`crate::Demuxer`] draws both).

use livetape_media::{Codec, CodecConfig, TrackKind};

use crate::tag::{TagHeader, TagKind};

/// The most bytes [`frame_prefix`] writes.
pub const MAX_PREFIX_BYTES: usize = 8;

/// Appends the header of a file and the size of the tag before the first.
pub fn file_header(audio: bool, video: bool, out: &mut Vec<u8>) {
    out.extend(b"FLV\x01");
    out.push(u8::from(audio) << 2 | u8::from(video));
    out.extend([0, 0, 0, 9, 0, 0, 0, 0]);
}

/// Appends a whole tag.
pub fn tag(kind: TagKind, timestamp_ms: u32, body: &[u8], out: &mut Vec<u8>) {
    let header = TagHeader { kind, size: u32::try_from(body.len()).unwrap_or(u32::MAX), timestamp_ms };
    out.extend(header.to_bytes());
    out.extend(body);
    out.extend(header.whole_size().to_be_bytes());
}

/// The kind of tag that carries `codec`.
pub fn kind_of(codec: Codec) -> TagKind {
    match codec.kind() {
        TrackKind::Video => TagKind::Video,
        TrackKind::Audio => TagKind::Audio,
    }
}

/// Appends the body of the sequence header for `config`; false, and nothing, for codecs that have none since
/// their frames say all.
pub fn sequence_header(config: &CodecConfig, out: &mut Vec<u8>) -> bool {
    const SEQUENCE_START: u8 = 0;
    match config {
        CodecConfig::Mp3(_) | CodecConfig::Ac3(_) => return false,
        CodecConfig::Avc(_) => out.extend([KEY << 4 | AVC, SEQUENCE_START, 0, 0, 0]),
        CodecConfig::Aac(_) => out.extend([AAC_44_KHZ_16_BIT_STEREO, SEQUENCE_START]),
        _ => enhanced(config.codec(), KEY, SEQUENCE_START, out),
    }
    out.extend(config.record());
    true
}

/// Appends what stands in front of a frame's data in the body of its tag. `composition_ms` is written where the
/// codec has it, within 24 bits.
pub fn frame_prefix(config: &CodecConfig, random_access: bool, composition_ms: i32, out: &mut Vec<u8>) {
    const INTER: u8 = 2;
    const CODED_FRAMES: u8 = 1;
    const MAX: i32 = (1 << 23) - 1;
    let [_, c0, c1, c2] = composition_ms.clamp(-MAX - 1, MAX).to_be_bytes();
    let frame_type = if random_access { KEY } else { INTER };
    match config {
        CodecConfig::Avc(_) => out.extend([frame_type << 4 | AVC, CODED_FRAMES, c0, c1, c2]),
        CodecConfig::Hevc(_) => {
            enhanced(Codec::Hevc, frame_type, CODED_FRAMES, out);
            out.extend([c0, c1, c2]);
        }
        CodecConfig::Aac(_) => out.extend([AAC_44_KHZ_16_BIT_STEREO, CODED_FRAMES]),
        CodecConfig::Mp3(_) => out.push(mp3_header(config)),
        _ => enhanced(config.codec(), frame_type, CODED_FRAMES, out),
    }
}

/// The codec as `videocodecid` and `audiocodecid` name it: the legacy number, or the FourCC read as a number.
pub fn codec_id(config: &CodecConfig) -> u32 {
    match config {
        CodecConfig::Avc(_) => u32::from(AVC),
        CodecConfig::Aac(_) => u32::from(AAC_44_KHZ_16_BIT_STEREO >> 4),
        CodecConfig::Mp3(_) => u32::from(mp3_header(config) >> 4),
        _ => u32::from_be_bytes(*four_cc(config.codec())),
    }
}

const KEY: u8 = 1;
const AVC: u8 = 7;
/// Rate, size and channels of this byte mean nothing for AAC; this is what the specification asks for.
const AAC_44_KHZ_16_BIT_STEREO: u8 = 0xaf;

/// The header byte of MP3: the nearest of the four rates it knows (frames say the true one), and a number of its
/// own for 8 kHz.
fn mp3_header(config: &CodecConfig) -> u8 {
    const MP3: u8 = 2;
    const MP3_8_KHZ: u8 = 14;
    const SIXTEEN_BIT: u8 = 2;
    let (rate, channels) = config.audio().map_or((44_100, 2), |audio| (audio.sample_rate, audio.channels));
    let (format, rate) = match rate {
        8_000 => (MP3_8_KHZ, 0),
        rate if rate < 16_000 => (MP3, 1),
        rate if rate < 32_000 => (MP3, 2),
        _ => (MP3, 3),
    };
    format << 4 | rate << 2 | SIXTEEN_BIT | u8::from(channels > 1)
}

fn enhanced(codec: Codec, frame_type: u8, packet_type: u8, out: &mut Vec<u8>) {
    const AUDIO: u8 = 9;
    let upper = match codec.kind() {
        TrackKind::Video => 8 | frame_type,
        TrackKind::Audio => AUDIO,
    };
    out.push(upper << 4 | packet_type);
    out.extend(four_cc(codec));
}

fn four_cc(codec: Codec) -> &'static [u8; 4] {
    match codec {
        Codec::Avc => b"avc1",
        Codec::Hevc => b"hvc1",
        Codec::Av1 => b"av01",
        Codec::Vp9 => b"vp09",
        Codec::Aac => b"mp4a",
        Codec::Mp3 => b".mp3",
        Codec::Opus => b"Opus",
        Codec::Flac => b"fLaC",
        Codec::Ac3 => b"ac-3",
        Codec::Eac3 => b"ec-3",
    }
}

#[cfg(test)]
mod tests;
