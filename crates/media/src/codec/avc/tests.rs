use proptest::prelude::*;

use super::*;
use crate::FrameRate;
use crate::codec::test_bits::{BitWriter, bytes};

/// A record with what it says: width, height, rate, codec string.
type Case = (&'static str, u32, u32, (u32, u32), &'static str);

/// Records made by x264.
const RECORDS: [Case; 6] = [
    (
        "0164001fffe1001a6764001facd9405005bb0110000003001000000303c0f183196001000668ebe3cb22c0fdf8f800",
        1280,
        720,
        (30, 1),
        "avc1.64001f",
    ),
    (
        "014d4028ffe10018674d4028eca03c0113d4d808800001f480007530078c18cb01000568ebe3cb20",
        1918,
        1078,
        (30_000, 1001),
        "avc1.4d4028",
    ),
    (
        "0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20",
        320,
        180,
        (25, 1),
        "avc1.42c00c",
    ),
    // 4:2:2, 10 bits, extended sample aspect ratio.
    (
        "017a001fffe1001f677a001fb6cd940a42fe227ffc05a8050440000003004000001903c60c658001000668ebe3c4b2c0fefafa00",
        642,
        362,
        (50, 1),
        "avc1.7a001f",
    ),
    // 4:4:4.
    (
        "01f4000dffe1001b67f4000d919b282a33c7c5e022000003000200000300601e28532c01000868ebe3c44c000440fff8f800",
        322,
        182,
        (24, 1),
        "avc1.f4000d",
    ),
    // Interlaced.
    (
        "0164001effe100186764001eacd940b424d8088000000300800000190f8a14cb01000668fba3cb22c0fdf8f800",
        720,
        576,
        (25, 1),
        "avc1.64001e",
    ),
];

#[test]
fn records_of_x264_are_read_and_kept_whole() {
    for (hex, width, height, (numerator, denominator), codec) in RECORDS {
        let record = bytes(hex);
        let config = AvcConfig::parse(record.clone()).unwrap();
        let frame_rate = Some(FrameRate { numerator, denominator });
        assert_eq!(config.format, VideoFormat { width, height, frame_rate }, "{hex}");
        assert_eq!((config.rfc6381().as_str(), config.nal_length_size), (codec, 4));
        assert_eq!((config.sps.len(), config.pps.len()), (1, 1));
        assert_eq!(config.record, record);
    }
}

#[test]
fn a_record_cut_anywhere_within_its_parameter_sets_is_refused() {
    let record = bytes(RECORDS[2].0);
    for len in 0..record.len() {
        let error = AvcConfig::parse(record.slice(..len)).unwrap_err();
        assert!(matches!(error, CodecError::Truncated { .. }), "{len}: {error}");
    }
}

#[test]
fn length_sizes_are_1_2_and_4() {
    let mut record = bytes(RECORDS[0].0).to_vec();
    for (field, expected) in [(0xfc, Some(1)), (0xfd, Some(2)), (0xfe, None), (0xff, Some(4))] {
        record[4] = field;
        assert_eq!(AvcConfig::parse(record.clone().into()).ok().map(|config| config.nal_length_size), expected);
    }
}

#[test]
fn what_is_no_usable_record_is_refused_by_name() {
    for (hex, problem) in [
        ("0042c00cffe1", "its version is not 1"),
        ("0142c00cffe000", "it has no sequence parameter set"),
        ("0142c00cffe100046842c00c00", "its NAL unit type is not 7"),
    ] {
        let error = AvcConfig::parse(bytes(hex)).unwrap_err();
        assert!(error.to_string().contains(problem), "{hex}: {error}");
    }
}

/// A record around a High-profile sequence parameter set that says `chroma` from `chroma_format_idc` to the
/// scaling lists, 20 x 15 macroblocks, and crops one unit at each edge.
fn high_profile(chroma: impl Fn(&mut BitWriter), frame_mbs_only: bool) -> Bytes {
    let mut sps = BitWriter::default();
    sps.bits(8, 0x67).bits(8, 100).bits(8, 0).bits(8, 30).ue(0);
    chroma(&mut sps);
    sps.ue(0).ue(1).bits(1, 0).se(-3).se(5).ue(2).se(-9).se(300); // frame_num, picture order type 1
    sps.ue(4).bits(1, 0).ue(19).ue(14).bits(1, u32::from(frame_mbs_only));
    if !frame_mbs_only {
        sps.bits(1, 0);
    }
    sps.bits(1, 1).bits(1, 1).ue(1).ue(1).ue(1).ue(1).bits(1, 0).bits(1, 1);
    let sps = sps.finish();
    let mut record = vec![1, 100, 0, 30, 0xff, 0xe1, 0, u8::try_from(sps.len()).unwrap()];
    record.extend(sps);
    record.push(0);
    record.into()
}

#[test]
fn cropping_counts_in_the_units_of_the_chroma_format() {
    let plain = |idc: u32, separate: Option<u32>| {
        move |sps: &mut BitWriter| {
            sps.ue(idc);
            if let Some(separate) = separate {
                sps.bits(1, separate);
            }
            sps.ue(0).ue(0).bits(1, 0).bits(1, 0);
        }
    };
    for (idc, separate, frame_mbs_only, width, height) in [
        (0, None, true, 318, 238),
        (1, None, true, 316, 236),
        (2, None, true, 316, 238),
        (3, Some(0), true, 318, 238),
        (3, Some(1), true, 318, 238),
        (1, None, false, 316, 472),
        (3, Some(0), false, 318, 476),
    ] {
        let config = AvcConfig::parse(high_profile(plain(idc, separate), frame_mbs_only)).unwrap();
        assert_eq!(config.format, VideoFormat { width, height, frame_rate: None }, "chroma {idc} {separate:?}");
    }
}

#[test]
fn scaling_lists_are_stepped_over() {
    let lists = |sps: &mut BitWriter| {
        sps.ue(1).ue(0).ue(0).bits(1, 0).bits(1, 1);
        sps.bits(1, 1); // list 0: flat, all 16 deltas written
        for _ in 0..16 {
            sps.se(0);
        }
        sps.bits(1, 1).se(-8); // list 1: the default, ends at once
        sps.bits(1, 1).se(4).se(-12); // list 2: stops after one entry
        sps.bits(4, 0); // lists 3 to 5 and 6: absent
        sps.bits(1, 1); // list 7: 64 entries
        for _ in 0..64 {
            sps.se(1);
        }
    };
    let config = AvcConfig::parse(high_profile(lists, true)).unwrap();
    assert_eq!((config.format.width, config.format.height), (316, 236));
}

proptest! {
    #[test]
    fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = AvcConfig::parse(record.into()).map(|config| config.rfc6381());
    }

    #[test]
    fn no_damage_of_a_real_record_panics(which in 0usize..6, at in 0usize..60, byte: u8) {
        let mut record = bytes(RECORDS[which].0).to_vec();
        let at = at % record.len();
        record[at] = byte;
        let _ = AvcConfig::parse(record.into()).map(|config| config.rfc6381());
    }
}
