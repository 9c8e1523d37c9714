use proptest::prelude::*;

use super::*;
use crate::FrameRate;
use crate::codec::test_bits::{BitWriter, bytes};

/// A record with what it says: width, height, rate, codec string.
type Case = (&'static str, u32, u32, (u32, u32), &'static str);

/// Records made by x265: Main, cropped; Main 10 with scaling lists; two temporal layers.
const RECORDS: [Case; 3] = [
    (
        "0101600000009000000000003ff000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003f959809a10001002c42010101600000030090000003000003003fa005120171c9265959a4932bc05a020000030002000003003c10a2000100074401c172b46240",
        642,
        362,
        (30, 1),
        "hvc1.1.6.L63.90",
    ),
    (
        "01022000000090000000000078f000fcfdfafa00000f03a00001001840010c01ffff022000000300900000030000030078959809a10001002a420101022000000300900000030000030078a00280802d1365959a49395e02d01000003e90000ea60080a2000100074401c172b46240",
        1280,
        720,
        (60_000, 1001),
        "hvc1.2.4.L120.90",
    ),
    (
        "0101600000009000000000007bf002fffdf8f800001303a00001001c40010c02ffff01600000030090000003000003007b00009594aca048a10001004142010201600000030090000003000003007b0000a003c08010e5965652b2c9272bc05a0200000300020000030064c24930dc001e848003d0970007a12000f42440a2000100074401c172b46240",
        1920,
        1080,
        (50, 1),
        "hvc1.1.6.L123.90",
    ),
];

#[test]
fn records_of_x265_are_read_and_kept_whole() {
    for (hex, width, height, (numerator, denominator), codec) in RECORDS {
        let record = bytes(hex);
        let config = HevcConfig::parse(record.clone()).unwrap();
        let frame_rate = Some(FrameRate { numerator, denominator });
        assert_eq!(config.format, VideoFormat { width, height, frame_rate }, "{hex}");
        assert_eq!((config.rfc6381().as_str(), config.nal_length_size), (codec, 4));
        assert_eq!((config.vps.len(), config.sps.len(), config.pps.len()), (1, 1, 1));
        assert_eq!(config.record, record);
    }
}

#[test]
fn a_record_cut_anywhere_is_refused() {
    let record = bytes(RECORDS[0].0);
    for len in 0..record.len() {
        let error = HevcConfig::parse(record.slice(..len)).unwrap_err();
        assert!(matches!(error, CodecError::Truncated { .. }), "{len}: {error}");
    }
}

#[test]
fn codec_strings_name_space_tier_and_every_constraint() {
    let mut record = bytes(RECORDS[0].0).to_vec();
    record[1] = 0xa4; // space B, high tier, profile 4
    record[2..6].copy_from_slice(&[0x08, 0, 0, 0]);
    record[6..12].copy_from_slice(&[0xbd, 0, 0x0c, 0, 0, 0]);
    assert_eq!(HevcConfig::parse(record.into()).unwrap().rfc6381(), "hvc1.B4.10.H63.BD.0.C");
}

/// A record around a sequence parameter set with `tools` between block sizes and usability information.
fn record(sub_layers: u32, tools: impl Fn(&mut BitWriter)) -> Bytes {
    let mut sps = BitWriter::default();
    sps.bits(16, 0x4201).bits(4, 0).bits(3, sub_layers).bits(1, 1);
    sps.bits(32, 0).bits(32, 0).bits(32, 0);
    for layer in 0..sub_layers {
        sps.bits(1, layer & 1).bits(1, 1);
    }
    if sub_layers > 0 {
        sps.bits(2 * (8 - sub_layers), 0);
    }
    for layer in 0..sub_layers {
        for _ in 0..if layer & 1 == 1 { 12 } else { 1 } {
            sps.bits(8, 0xff);
        }
    }
    sps.ue(0).ue(2).ue(640).ue(360).bits(1, 1).ue(1).ue(2).ue(3).ue(4); // 4:2:2, cropped
    sps.ue(0).ue(0).ue(4).bits(1, 0).ue(4).ue(2).ue(0);
    for _ in 0..6 {
        sps.ue(1);
    }
    tools(&mut sps);
    sps.bits(2, 0).bits(1, 1); // usability information follows
    sps.bits(1, 1).bits(8, 255).bits(32, 1).bits(1, 1).bits(1, 0).bits(1, 1).bits(4, 0).bits(1, 1).bits(24, 0);
    sps.bits(1, 1).ue(0).ue(0).bits(3, 0).bits(1, 1).ue(0).ue(0).ue(0).ue(0);
    sps.bits(1, 1).bits(32, 1001).bits(32, 24_000).bits(1, 0);
    // Emulation prevention, as an encoder does it.
    let mut unit = Vec::new();
    for byte in sps.finish() {
        if unit.ends_with(&[0, 0]) && byte <= 3 {
            unit.push(3);
        }
        unit.push(byte);
    }
    let mut record = vec![0; 21];
    record.extend([3, 1, 33, 0, 1]);
    record.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
    record.extend(unit);
    record.into()
}

#[test]
fn every_tool_before_the_timing_is_stepped_over() {
    let expected = VideoFormat {
        width: 640 - 2 * 3,
        height: 360 - 7,
        frame_rate: Some(FrameRate { numerator: 24_000, denominator: 1001 }),
    };
    let plain = |sps: &mut BitWriter| {
        sps.bits(1, 0).bits(2, 0).bits(1, 0).ue(0).bits(1, 0);
    };
    let rich = |sps: &mut BitWriter| {
        sps.bits(1, 1).bits(1, 1); // scaling lists: the first by its coefficients, others by prediction
        for size in 0..4 {
            for matrix in 0..if size == 3 { 2 } else { 6 } {
                if matrix > 0 {
                    sps.bits(1, 0).ue(1);
                    continue;
                }
                sps.bits(1, 1);
                if size > 1 {
                    sps.se(-3);
                }
                for _ in 0..if size == 0 { 16 } else { 64 } {
                    sps.se(2);
                }
            }
        }
        sps.bits(2, 3).bits(1, 1).bits(8, 0x77).ue(0).ue(2).bits(1, 0); // PCM
        sps.ue(3); // reference picture sets: three pictures; two of them predicted; from these two, one
        sps.ue(2).ue(1).ue(0).bits(1, 1).ue(0).bits(1, 1).ue(0).bits(1, 0);
        sps.bits(1, 1).bits(1, 1).ue(0).bits(2, 0b00).bits(1, 1).bits(2, 0b01).bits(2, 0b00);
        sps.bits(1, 1).bits(1, 0).ue(3).bits(2, 0b00).bits(1, 1).bits(2, 0b00);
        sps.bits(1, 1).ue(2).bits(8, 0xaa).bits(1, 1).bits(8, 0x55).bits(1, 0); // long-term, 8-bit order counts
    };
    for sub_layers in [0, 1, 3, 6] {
        assert_eq!(HevcConfig::parse(record(sub_layers, plain)).unwrap().format, expected, "{sub_layers} layers");
        assert_eq!(HevcConfig::parse(record(sub_layers, rich)).unwrap().format, expected, "{sub_layers} layers");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = HevcConfig::parse(record.into()).map(|config| config.rfc6381());
    }

    #[test]
    fn no_damage_of_a_real_record_panics(which in 0usize..3, at in 0usize..200, byte: u8) {
        let mut record = bytes(RECORDS[which].0).to_vec();
        let at = at % record.len();
        record[at] = byte;
        let _ = HevcConfig::parse(record.into()).map(|config| config.rfc6381());
    }
}
