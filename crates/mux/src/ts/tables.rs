//! The tables at the head of every segment (ISO/IEC 13818-1, 2.4.4).
//!
//! ```text
//! PAT: 00 | b0 length:8 | transport_stream_id:16 | 11 version:5 1 | 00 00 | programme:16 | 111 PMT PID:13 | CRC:32
//! PMT: 02 | b0 length:8 | programme:16 | 11 version:5 1 | 00 00 | 111 PCR PID:13 | f0 00 | stream.. | CRC:32
//!      stream: type:8 | 111 PID:13 | 1111 length:12 | descriptors
//! ```

use livetape_media::CodecConfig;
use livetape_media::codec::AacConfig;

/// The packet identifier of the programme's own table.
pub(super) const PMT_PID: u16 = 0x1000;
/// The packet identifier of the video track.
pub(super) const VIDEO_PID: u16 = 0x100;
/// The packet identifier of the audio track.
pub(super) const AUDIO_PID: u16 = 0x101;

/// H.264.
pub(super) const TYPE_AVC: u8 = 0x1b;
/// AAC with ADTS headers.
pub(super) const TYPE_AAC: u8 = 0x0f;
/// MPEG-1 audio.
pub(super) const TYPE_MPEG1_AUDIO: u8 = 0x03;
/// MPEG-2 audio: the halved sampling rates.
pub(super) const TYPE_MPEG2_AUDIO: u8 = 0x04;
/// MPEG-4_audio_descriptor (2.6.38).
pub(super) const MPEG4_AUDIO_DESCRIPTOR: u8 = 0x1c;

const PROGRAMME: u16 = 1;

/// The programme association table.
pub(super) fn association() -> Vec<u8> {
    let mut body = Vec::with_capacity(16);
    body.extend_from_slice(&PROGRAMME.to_be_bytes());
    body.extend_from_slice(&(0xe000 | PMT_PID).to_be_bytes());
    section(0x00, 1, 0, &body)
}

/// The programme map table: its tracks, the one that carries the clock, and which version of the
/// table it is.
pub(super) fn map(video: bool, audio: Option<&CodecConfig>, version: u8) -> Vec<u8> {
    let clock = if video { VIDEO_PID } else { AUDIO_PID };
    let mut body = Vec::with_capacity(32);
    body.extend_from_slice(&(0xe000 | clock).to_be_bytes());
    body.extend_from_slice(&[0xf0, 0]);
    if video {
        stream(&mut body, TYPE_AVC, VIDEO_PID, &[]);
    }
    match audio {
        Some(CodecConfig::Aac(config)) => stream(&mut body, TYPE_AAC, AUDIO_PID, &aac_descriptor(config)),
        Some(CodecConfig::Mp3(config)) => {
            let kind = if config.format.sample_rate >= 32_000 { TYPE_MPEG1_AUDIO } else { TYPE_MPEG2_AUDIO };
            stream(&mut body, kind, AUDIO_PID, &[]);
        }
        _ => {}
    }
    section(0x02, PROGRAMME, version, &body)
}

fn stream(body: &mut Vec<u8>, kind: u8, pid: u16, descriptors: &[u8]) {
    body.push(kind);
    body.extend_from_slice(&(0xe000 | pid).to_be_bytes());
    body.extend_from_slice(&(0xf000 | descriptors.len() as u16).to_be_bytes());
    body.extend_from_slice(descriptors);
}

/// What ADTS headers cannot say: that there is SBR, or SBR and parametric stereo, in the stream
/// (audioProfileLevelIndication, ISO/IEC 14496-3, table 1.14).
fn aac_descriptor(config: &AacConfig) -> Vec<u8> {
    let few_channels = config.format.channels <= 2;
    match (config.extension_type, few_channels) {
        (5, true) => vec![MPEG4_AUDIO_DESCRIPTOR, 1, 0x2c],
        (5, false) => vec![MPEG4_AUDIO_DESCRIPTOR, 1, 0x2e],
        (29, true) => vec![MPEG4_AUDIO_DESCRIPTOR, 1, 0x30],
        (29, false) => vec![MPEG4_AUDIO_DESCRIPTOR, 1, 0x32],
        _ => Vec::new(),
    }
}

/// The extension type (5 = SBR, 29 = SBR and PS) a profile and level indication means; 0 for none.
pub(super) fn extension_type(indication: u8) -> u8 {
    match indication {
        0x2c..=0x2f => 5,
        0x30..=0x33 => 29,
        _ => 0,
    }
}

fn section(table: u8, id: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 12);
    out.push(table);
    // What follows the length: five bytes of head, the body, the checksum.
    out.extend_from_slice(&(0xb000 | (body.len() as u16 + 9)).to_be_bytes());
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[0xc1 | (version & 0x1f) << 1, 0, 0]);
    out.extend_from_slice(body);
    let crc = crc32(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// The checksum of tables (annex A): polynomial 0x04c11db7, most significant bit first.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let carry = if crc & 0x8000_0000 != 0 { 0x04c1_1db7 } else { 0 };
            crc << 1 ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standards() {
        // The check value catalogued for CRC-32/MPEG-2.
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
        assert_eq!(crc32(&association()), 0, "a section with its checksum has remainder zero");
    }

    #[test]
    fn the_version_changes_nothing_but_itself_and_the_checksum() {
        let (a, b) = (map(true, None, 0), map(true, None, 33));
        assert_eq!((a[5], b[5]), (0xc1, 0xc3));
        assert_eq!((&a[..5], &a[6..17]), (&b[..5], &b[6..17]));
    }
}
