use std::time::Duration;

use livetape_media::WallTime;

use super::*;

const AVC: &str = "0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20";
const OTHER_AVC: &str = "014d4028ffe10018674d4028eca03c0113d4d808800001f480007530078c18cb01000568ebe3cb20";
const HEVC: &str = "0101600000009000000000003ff000fcfdf8f800000f01a10001002c42010101600000030090000003000003003fa005120171c9265959a4932bc05a020000030002000003003c10";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Feeds a demuxer and keeps what it says.
struct Bench {
    demuxer: Demuxer,
    items: Vec<Item>,
}

impl Bench {
    fn new() -> Self {
        Self { demuxer: Demuxer::new(DemuxLimits::default()), items: Vec::new() }
    }

    fn now() -> Now {
        Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(0) }
    }

    fn video(&mut self, ms: u32, parts: &[&[u8]]) -> &mut Self {
        self.demuxer.video(ms, parts.concat().into(), Self::now(), &mut self.items);
        self
    }

    fn audio(&mut self, ms: u32, parts: &[&[u8]]) -> &mut Self {
        self.demuxer.audio(ms, parts.concat().into(), Self::now(), &mut self.items);
        self
    }

    fn data(&mut self, body: &[u8]) -> &mut Self {
        self.demuxer.data(0, Bytes::copy_from_slice(body), Self::now(), &mut self.items);
        self
    }

    fn avc_header(&mut self, record: &str) -> &mut Self {
        self.video(0, &[b"\x17\x00\x00\x00\x00", &bytes(record)])
    }

    /// What was said since the last call, one word or line each.
    fn said(&mut self) -> Vec<String> {
        self.items.drain(..).map(|item| line(&item)).collect()
    }
}

fn line(item: &Item) -> String {
    match item {
        Item::Track(track) => format!("track {}{} {}", track.id.kind.name(), track.id.index, track.config.rfc6381()),
        Item::Frame(frame) => {
            let key = if frame.random_access { " key" } else { "" };
            let (dts, pts) = (frame.dts.as_nanos() / 1000, frame.pts.as_nanos() / 1000);
            let hex: String = frame.data.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}{} {dts} {pts}{key} {hex}", frame.track.kind.name(), frame.track.index)
        }
        Item::Metadata(metadata) => format!("metadata {:?}", metadata.entries),
        Item::Jump { at, by, direction } => format!("jump at {at} by {by} {direction:?}"),
        Item::Moved { track, back } => format!("moved {} {back}", track.kind.name()),
        Item::Warning(warning) => format!("{}: {}", warning.kind.name(), warning.detail),
        Item::End(reason) => reason.name().to_owned(),
    }
}

#[test]
fn tracks_come_before_frames_and_repeated_headers_say_nothing() {
    let mut bench = Bench::new();
    bench.audio(0, &[b"\xaf\x00\x12\x10"]).avc_header(AVC);
    bench.video(40, &[b"\x17\x01\x00\x00\x50", b"\x00\x00\x00\x01\x65"]).avc_header(AVC);
    bench
        .audio(46, &[b"\xaf\x01\x21"])
        .audio(46, &[b"\xaf\x00\x12\x10"])
        .video(80, &[b"\x27\x01\xff\xff\xd8", b"\x00\x00\x00\x01\x41"]);
    assert_eq!(
        bench.said(),
        [
            "track audio0 mp4a.40.2",
            "track video0 avc1.42c00c",
            "video0 40000 120000 key 0000000165",
            "audio0 46000 46000 key 21",
            "video0 80000 40000 0000000141",
        ]
    );
    assert_eq!(bench.demuxer.counters(), Counters { frames: 3, ..Counters::default() });
}

#[test]
fn a_changed_header_takes_effect_at_the_next_frame_of_its_track() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).audio(0, &[b"\xaf\x00\x12\x10"]).video(0, &[b"\x17\x01\x00\x00\x00\x01"]).said();
    bench.avc_header(OTHER_AVC).audio(20, &[b"\xaf\x01\x21"]);
    bench.video(40, &[b"\x17\x01\x00\x00\x00\x02"]).video(80, &[b"\x27\x01\x00\x00\x00\x03"]);
    assert_eq!(
        bench.said(),
        ["audio0 20000 20000 key 21", "track video0 avc1.4d4028", "video0 40000 40000 key 02", "video0 80000 80000 03"]
    );
    // Back and forth without a frame in between is no change.
    bench.avc_header(AVC).avc_header(OTHER_AVC).video(120, &[b"\x27\x01\x00\x00\x00\x04"]);
    assert_eq!(bench.said(), ["video0 120000 120000 04"]);
}

#[test]
fn headers_and_end_markers_are_not_on_the_timeline() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).video(20_000_000, &[b"\x17\x01\x00\x00\x00\x01"]);
    bench.video(0, &[b"\x17\x02\x00\x00\x00"]).video(20_000_040, &[b"\x27\x01\x00\x00\x00\x02"]);
    assert_eq!(
        bench.said(),
        ["track video0 avc1.42c00c", "video0 20000000000 20000000000 key 01", "video0 20000040000 20000040000 02"]
    );
}

#[test]
fn frames_before_their_configuration_are_left_out_with_one_warning() {
    let mut bench = Bench::new();
    for at in 0..3 {
        bench.video(at * 40, &[b"\x27\x01\x00\x00\x00\x01"]);
    }
    assert_eq!(bench.said(), [""; 0]);
    bench.avc_header(AVC);
    assert_eq!(
        bench.said(),
        ["frames_skipped: 3 video frames without a codec configuration were left out", "track video0 avc1.42c00c"]
    );
    assert_eq!(bench.demuxer.counters().skipped_frames, 3);

    for at in 0..600 {
        bench.audio(at * 20, &[b"\xaf\x01\x21"]);
    }
    assert_eq!(
        bench.said(),
        ["frames_skipped: 250 audio frames without a codec configuration were left out, and more may follow"]
    );
    bench.audio(0, &[b"\xaf\x00\x12\x10"]);
    assert_eq!(bench.said(), ["track audio0 mp4a.40.2"]);
}

#[test]
fn the_end_tells_of_frames_that_never_got_a_configuration() {
    let mut bench = Bench::new();
    bench.video(0, &[b"\x91hvc1\x00\x00\x00\x01"]).said();
    let Bench { demuxer, items } = &mut bench;
    demuxer.finish(items);
    assert_eq!(bench.said(), ["frames_skipped: 1 video frames without a codec configuration were left out"]);
}

#[test]
fn an_unknown_codec_is_told_once_and_costs_the_other_track_nothing() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).said();
    for at in 0..3 {
        bench.audio(at * 20, &[b"\xb2spx"]).video(at * 40, &[b"\x17\x01\x00\x00\x00\x01"]);
    }
    assert_eq!(
        bench.said(),
        [
            "unsupported_codec: the audio codec Speex cannot be recorded",
            "video0 0 0 key 01",
            "video0 40000 40000 key 01",
            "video0 80000 80000 key 01"
        ]
    );
    assert_eq!(bench.demuxer.counters().unsupported, 3);
}

#[test]
fn an_unreadable_header_leaves_the_old_one_in_force() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).avc_header("0142c00cff").avc_header("0142c00cff").video(0, &[b"\x17\x01\x00\x00\x00\x01"]);
    assert_eq!(
        bench.said(),
        [
            "track video0 avc1.42c00c",
            "media_unreadable: h264 sequence header: AVCDecoderConfigurationRecord ends at byte 5, \
             in the middle of numOfSequenceParameterSets; left out (1 so far)",
            "video0 0 0 key 01",
        ]
    );
    assert_eq!(bench.demuxer.counters().unreadable, 2);
}

#[test]
fn start_codes_become_length_prefixes() {
    let mut bench = Bench::new();
    let sps = &bytes(AVC)[8..33];
    let pps = &bytes(AVC)[36..41];
    bench.video(0, &[b"\x17\x00\x00\x00\x00\x00\x00\x00\x01", sps, b"\x00\x00\x01", pps]);
    bench.video(0, &[b"\x17\x01\x00\x00\x00", b"\x00\x00\x00\x01\x06\x05\x00\x00\x00\x01\x65\x88"]);
    assert_eq!(bench.said(), ["track video0 avc1.42c00c", "video0 0 0 key 000000020605000000026588"]);
    // Lengths of 1 and of 256 look like start codes and stay.
    let mut unit = vec![0, 0, 1, 0];
    unit.extend([0x41; 256]);
    bench.video(40, &[b"\x27\x01\x00\x00\x00", &unit]).video(80, &[b"\x27\x01\x00\x00\x00", b"\x00\x00\x00\x01\x41"]);
    let frames: Vec<_> = bench.said();
    assert!(frames[0].contains("00000100414141") && frames[1].ends_with("0000000141"), "{frames:?}");
    assert_eq!(bench.demuxer.counters().converted_frames, 1);
}

#[test]
fn a_time_that_is_moved_is_told_before_its_frame_with_how_far_it_ran_back() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).video(40, &[b"\x17\x01\x00\x00\x00\x01"]).said();
    for at in [40, 15, 80] {
        bench.video(at, &[b"\x27\x01\x00\x00\x00\x02"]);
    }
    let said = bench.said();
    let frames = ["video0 40125 40000 02", "video0 40250 15000 02", "video0 80000 80000 02"];
    assert_eq!(said, ["moved video 0.000 s", frames[0], "moved video 0.025 s", frames[1], frames[2]]);
    assert_eq!(bench.demuxer.counters().repaired_times, 2);
}

#[test]
fn a_jump_is_told_before_the_first_frame_behind_it() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).video(0, &[b"\x17\x01\x00\x00\x00\x01"]).said();
    bench.video(40, &[b"\x27\x01\x00\x00\x00\x02"]).video(3_600_080, &[b"\x27\x01\x00\x00\x00\x03"]);
    assert_eq!(
        bench.said(),
        ["video0 40000 40000 02", "jump at 0.080 s by 3600.000 s Forward", "video0 80000 80000 03"]
    );
}

#[test]
fn nanoseconds_refine_what_is_shown_and_never_turn_sound_back() {
    let mut bench = Bench::new();
    bench.video(0, &[b"\x90hvc1", &bytes(HEVC)]).video(1, &[b"\x97\x02\x07\xa1\x20\x03hvc1\x01"]);
    bench.audio(0, &[b"\xaf\x00\x12\x10"]);
    bench.audio(2, &[b"\x97\x02\x0c\x35\x00\x01mp4a\x21"]).audio(2, &[b"\xaf\x01\x21"]);
    assert_eq!(
        bench.said(),
        [
            "track video0 hvc1.1.6.L63.90",
            "video0 1000 1500 key 01",
            "track audio0 mp4a.40.2",
            "audio0 2800 2800 key 21",
            "moved audio 0.000 s",
            "audio0 2925 2925 key 21",
        ]
    );
}

#[test]
fn further_tracks_have_numbers_of_their_own() {
    let mut bench = Bench::new();
    let record = bytes("1210");
    bench.audio(0, &[b"\x95\x10mp4a\x00\x00\x00\x02", &record, b"\x03\x00\x00\x02", &record]);
    bench.audio(0, &[b"\x95\x11mp4a\x00\x00\x00\x01a\x03\x00\x00\x01b"]);
    assert_eq!(
        bench.said(),
        ["track audio0 mp4a.40.2", "track audio3 mp4a.40.2", "audio0 0 0 key 61", "audio3 0 0 key 62"]
    );
}

#[test]
fn a_publisher_of_countless_tracks_is_bounded() {
    let mut bench = Bench::new();
    for track in 0..=255u8 {
        bench.audio(0, &[b"\x95\x00mp4a", &[track], &bytes("1210")]);
    }
    let said = bench.said();
    assert_eq!(said.iter().filter(|line| line.starts_with("track")).count(), MAX_TRACKS);
    assert_eq!(said.len(), MAX_TRACKS + 1);
}

#[test]
fn sound_that_says_all_in_its_frames_is_configured_by_them() {
    let mut bench = Bench::new();
    let mp3 = bytes("fffb5064");
    bench.audio(0, &[b"\x2f", &mp3]).audio(26, &[b"\x2f", &bytes("fffb50c4")]).audio(52, &[b"\x2f", b"torn"]);
    bench.audio(78, &[b"\x2f", &bytes("fffb54c4")]);
    assert_eq!(
        bench.said(),
        [
            "track audio0 mp4a.40.34",
            "audio0 0 0 key fffb5064",
            "audio0 26000 26000 key fffb50c4",
            "audio0 52000 52000 key 746f726e",
            "track audio0 mp4a.40.34",
            "audio0 78000 78000 key fffb54c4",
        ]
    );
    // FLV's number for MP3 at 8 kHz; then E-AC-3 behind an empty SequenceStart.
    let mut bench = Bench::new();
    bench.audio(0, &[b"\xe2", &bytes("ffe318c4")]).audio(20, &[b"\x90ec-3"]);
    bench.audio(20, &[b"\x91ec-3", &bytes("0b77017f3487c000")]).audio(40, &[b"\x91ec-3junk"]);
    assert_eq!(
        bench.said(),
        [
            "track audio0 mp4a.40.34",
            "audio0 0 0 key ffe318c4",
            "track audio0 ec-3",
            "audio0 20000 20000 key 0b77017f3487c000",
            "audio0 40000 40000 key 6a756e6b",
        ]
    );
    let mut bench = Bench::new();
    bench.audio(0, &[b"\x2fjunk"]);
    assert_eq!(
        bench.said(),
        ["media_unreadable: mp3 frame: MP3 frame header: it does not begin with a sync word; left out (1 so far)"]
    );
}

#[test]
fn metadata_comes_in_every_wrapping_and_once() {
    let object = b"\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00\x00\x00\x09";
    let said = r#"metadata [("width", Number(1280.0))]"#;
    let set = b"\x02\x00\x0d@setDataFrame";
    let name = b"\x02\x00\x0aonMetaData";
    assert_eq!(Bench::new().data(&[set.as_slice(), name, object].concat()).said(), [said]);
    assert_eq!(Bench::new().data(&[name.as_slice(), object].concat()).said(), [said]);
    assert_eq!(Bench::new().data(&[name.as_slice(), b"\x05", object].concat()).said(), [said]);
    let amf3 = b"\x11\x0a\x0b\x01\x0bwidth\x04\x8a\x00\x01";
    assert_eq!(Bench::new().data(&[name.as_slice(), amf3].concat()).said(), [said]);

    let mut bench = Bench::new();
    for _ in 0..10 {
        bench.data(&[name.as_slice(), object].concat());
    }
    bench.data(b"\x02\x00\x0aonTextData").data(set).data(b"").data(&[name.as_slice(), b"\x05"].concat());
    assert_eq!(bench.said(), [said]);
    bench.data(b"\x02\x00\xff").data(b"\x04");
    let trouble = bench.said();
    assert_eq!(trouble.len(), 1);
    assert!(trouble[0].starts_with("media_unreadable: data message 1 that cannot be read"), "{trouble:?}");
}

#[test]
fn empty_and_tiny_bodies_are_nothing() {
    let mut bench = Bench::new();
    bench.video(0, &[b""]).video(0, &[b"\x17"]).audio(0, &[b""]).audio(0, &[b"\xaf"]).audio(0, &[b"\xaf\x01"]);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.demuxer.counters(), Counters::default());
}

#[test]
fn a_frame_of_another_codec_waits_for_its_own_configuration() {
    let mut bench = Bench::new();
    bench.avc_header(AVC).video(0, &[b"\x91hvc1\x00\x00\x00\x01"]).video(40, &[b"\x90hvc1", &bytes(HEVC)]);
    bench.video(40, &[b"\x27\x01\x00\x00\x00\x02"]).video(80, &[b"\x93hvc1\x03"]);
    assert_eq!(
        bench.said(),
        [
            "track video0 avc1.42c00c",
            "video0 40000 40000 02",
            "frames_skipped: 1 video frames without a codec configuration were left out",
            "track video0 hvc1.1.6.L63.90",
            "video0 80000 80000 key 03",
        ]
    );
}
