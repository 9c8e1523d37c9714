use bytes::Bytes;
use livetape_media::codec::{AacConfig, Ac3Config, AvcConfig, HevcConfig, Mp3Config, OpusConfig};

use super::*;
use crate::{Outline, configuration, outline};

fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

const AVC: &str = "0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20";
const HEVC: &str = "0101600000009000000000003ff000fcfdf8f800000f01a10001002c42010101600000030090000003000003003fa005120171c9265959a4932bc05a020000030002000003003c10";

fn configs() -> Vec<CodecConfig> {
    vec![
        CodecConfig::Avc(AvcConfig::parse(bytes(AVC)).unwrap()),
        CodecConfig::Hevc(HevcConfig::parse(bytes(HEVC)).unwrap()),
        CodecConfig::Aac(AacConfig::parse(bytes("1210")).unwrap()),
        CodecConfig::Opus(OpusConfig::parse(bytes("4f707573486561640102380180bb0000000000")).unwrap()),
        CodecConfig::Mp3(Mp3Config::parse_frame(&bytes("fffb5064")).unwrap()),
        CodecConfig::Ac3(Ac3Config::parse_frame(&bytes("0b77fe95144043e1")).unwrap()),
    ]
}

#[test]
fn what_is_written_is_what_an_outline_finds() {
    for config in configs() {
        let kind = kind_of(config.codec());
        let mut header = Vec::new();
        if sequence_header(&config, &mut header) {
            let header = Bytes::from(header);
            assert_eq!(outline(kind, &header), Outline::SequenceHeader(config.codec()));
            assert_eq!(configuration(kind, &header), Some(config.clone()));
        }
        let composed = matches!(config, CodecConfig::Avc(_) | CodecConfig::Hevc(_));
        for (random_access, composition_ms) in [(true, 0), (kind == TagKind::Audio, 80), (true, -80)] {
            let mut body = Vec::new();
            frame_prefix(&config, random_access, composition_ms, &mut body);
            let prefix_bytes = body.len();
            assert!(prefix_bytes <= MAX_PREFIX_BYTES);
            body.extend([1, 2, 3]);
            let composition_ms = if composed { composition_ms } else { 0 };
            let expected = Outline::Frame { codec: config.codec(), random_access, composition_ms, prefix_bytes };
            assert_eq!(outline(kind, &body.into()), expected);
        }
    }
}

#[test]
fn legacy_codecs_have_their_numbers_and_others_their_four_characters() {
    let ids: Vec<_> = configs().iter().map(codec_id).collect();
    assert_eq!(ids, [7, 0x6876_6331, 10, 0x4f70_7573, 2, 0x6163_2d33]);
}

#[test]
fn mp3_headers_name_the_nearest_rate() {
    for (frame, expected) in
        [("fffb5064", 0x2f), ("fffb54c4", 0x2e), ("fff350c4", 0x2a), ("ffe310c4", 0x26), ("ffe318c4", 0xe2)]
    {
        let config = CodecConfig::Mp3(Mp3Config::parse_frame(&bytes(frame)).unwrap());
        let mut prefix = Vec::new();
        frame_prefix(&config, true, 0, &mut prefix);
        assert_eq!(prefix, [expected], "{frame}");
    }
}

#[test]
fn composition_times_are_kept_within_24_bits() {
    let config = &configs()[0];
    for (given, written) in [(i32::MAX, [0x7f, 0xff, 0xff]), (i32::MIN, [0x80, 0, 0]), (-1, [0xff, 0xff, 0xff])] {
        let mut prefix = Vec::new();
        frame_prefix(config, false, given, &mut prefix);
        assert_eq!(prefix[2..], written);
    }
}
