use livetape_media::codec::{
    AacConfig, Ac3Config, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};
use livetape_media::{AudioFormat, FrameRate, VideoFormat};

use super::*;

fn picture(width: u32, height: u32) -> VideoFormat {
    VideoFormat { width, height, frame_rate: None }
}

fn sound(sample_rate: u32, channels: u16) -> AudioFormat {
    AudioFormat { sample_rate, output_sample_rate: sample_rate, channels, samples_per_frame: Some(1024) }
}

fn entry(config: CodecConfig) -> TrackEntry {
    let id = TrackId { kind: config.codec().kind(), index: 0 };
    TrackEntry::of(&Track { id, config }, 1).unwrap()
}

fn ends_with_box(entry: &TrackEntry, at: usize, kind: &[u8; 4], body: &[u8]) {
    let expected = [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat();
    assert_eq!(&entry.sample_entry[at..], expected);
    assert_eq!(entry.sample_entry[..4], (entry.sample_entry.len() as u32).to_be_bytes());
}

#[test]
fn video_records_are_carried_byte_for_byte() {
    // Trailing bytes that no specification knows, as some encoders send them.
    let record = Bytes::from_static(b"\x01\x64\x00\x1f\xff\xe1 anything at all \x00\x01");
    let format = picture(1280, 720);
    let avc = AvcConfig { record: record.clone(), format, nal_length_size: 4, sps: vec![], pps: vec![] };
    let avc = entry(CodecConfig::Avc(avc));
    ends_with_box(&avc, 86, b"avcC", &record);
    assert_eq!(avc.sample_entry[32..36], [5, 0, 2, 208], "width and height");
    let hevc = HevcConfig { record: record.clone(), format, nal_length_size: 4, vps: vec![], sps: vec![], pps: vec![] };
    ends_with_box(&entry(CodecConfig::Hevc(hevc)), 86, b"hvcC", &record);
    ends_with_box(&entry(CodecConfig::Av1(Av1Config { record: record.clone(), format })), 86, b"av1C", &record);
}

#[test]
fn vp9_records_come_with_and_without_the_header_of_their_box() {
    let format = picture(640, 360);
    let bare = Bytes::from_static(&[0, 31, 0x82, 1, 1, 1, 0, 0]);
    let headed = Bytes::from_static(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]);
    for record in [bare, headed.clone()] {
        ends_with_box(&entry(CodecConfig::Vp9(Vp9Config { record, format })), 86, b"vpcC", &headed);
    }
}

#[test]
fn aac_carries_its_whole_configuration() {
    // HE-AAC v2: object type 29, core 24 kHz, extension 48 kHz, then the core's own type.
    let record = Bytes::from_static(&[0xeb, 0x09, 0x88, 0x00, 0x11]);
    let format =
        AudioFormat { sample_rate: 24_000, output_sample_rate: 48_000, channels: 2, samples_per_frame: Some(1024) };
    let config =
        AacConfig { record: record.clone(), format, object_type: 2, extension_type: 29, channel_configuration: 1 };
    let entry = entry(CodecConfig::Aac(config));
    let descriptors = [
        &[0, 0, 0, 0, 3, 28, 0, 0, 0, 4, 20, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5][..],
        &record,
        &[6, 1, 2],
    ]
    .concat();
    ends_with_box(&entry, 36, b"esds", &descriptors);
    assert_eq!((entry.timescale, entry.step), (24_000, Some(1024)), "the core coder's clock: durations not doubled");
    assert_eq!(entry.sample_entry[32..36], [0x5d, 0xc0, 0, 0], "24,000 Hz");
}

#[test]
fn mp3_says_which_mpeg_it_is() {
    for (rate, oti) in [(44_100, 0x6b), (22_050, 0x69), (11_025, 0x69)] {
        let entry = entry(CodecConfig::Mp3(Mp3Config { format: sound(rate, 2) }));
        assert_eq!(entry.fourcc(), b"mp4a");
        ends_with_box(
            &entry,
            36,
            b"esds",
            &[0, 0, 0, 0, 3, 21, 0, 0, 0, 4, 13, oti, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 1, 2],
        );
    }
}

#[test]
fn a_rate_above_65535_is_left_to_the_configuration() {
    let config = AacConfig {
        record: Bytes::from_static(&[0x10, 0x10]),
        format: sound(96_000, 2),
        object_type: 2,
        extension_type: 0,
        channel_configuration: 2,
    };
    assert_eq!(entry(CodecConfig::Aac(config)).sample_entry[32..36], [0; 4]);
}

#[test]
fn opus_and_flac_headers_are_turned_into_their_boxes() {
    let head = Bytes::from_static(b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x01\x00\x00");
    let opus = entry(CodecConfig::Opus(OpusConfig { record: head, format: sound(48_000, 2) }));
    ends_with_box(&opus, 36, b"dOps", &[0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 1, 0]);
    let torn = OpusConfig { record: Bytes::from_static(b"OpusHead\x01\x02"), format: sound(48_000, 2) };
    let id = TrackId::AUDIO;
    assert_eq!(TrackEntry::of(&Track { id, config: CodecConfig::Opus(torn) }, 1), None);

    for record in [&b"fLaC\x80\0\0\x02xx"[..], b"\x80\0\0\x02xx"] {
        let config = FlacConfig { record: Bytes::from_static(record), format: sound(44_100, 2) };
        ends_with_box(&entry(CodecConfig::Flac(config)), 36, b"dfLa", b"\0\0\0\0\x80\0\0\x02xx");
    }
}

#[test]
fn tracks_that_cannot_be_carried_take_no_number() {
    let ac3 = CodecConfig::Ac3(Ac3Config { enhanced: false, format: sound(48_000, 6) });
    let rate = FrameRate { numerator: 30_000, denominator: 1001 };
    let format = VideoFormat { width: 64, height: 64, frame_rate: Some(rate) };
    let avc =
        CodecConfig::Avc(AvcConfig { record: Bytes::new(), format, nal_length_size: 4, sps: vec![], pps: vec![] });
    let tracks = [Track { id: TrackId::AUDIO, config: ac3 }, Track { id: TrackId::VIDEO, config: avc }];
    let entries = TrackEntry::of_all(&tracks);
    assert_eq!(entries.iter().map(|entry| (entry.number, entry.id)).collect::<Vec<_>>(), [(1, TrackId::VIDEO)]);
    assert_eq!(entries[0].lone_duration, 3003);
}

#[test]
fn what_is_written_is_read_back() {
    let aac = AacConfig::parse(Bytes::from_static(&[0x12, 0x10])).unwrap();
    let mp3 = Mp3Config {
        format: AudioFormat {
            sample_rate: 22_050,
            output_sample_rate: 22_050,
            channels: 1,
            samples_per_frame: Some(576),
        },
    };
    for config in [CodecConfig::Aac(aac), CodecConfig::Mp3(mp3)] {
        let written = entry(config);
        let read = TrackEntry::from_file(1, TrackKind::Audio, written.timescale, written.sample_entry.clone());
        assert_eq!(read, written);
    }
}
