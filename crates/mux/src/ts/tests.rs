//! Whole segments, judged by another project's conformance check and read back by our own scan.

use bytes::Bytes;
use livetape_media::codec::{AacConfig, AvcConfig, Mp3Config};
use oxideav_mpegts::validate_ts;
use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1000;

fn avc() -> Track {
    // A real record: x264, High, level 3, 640x360.
    let record = b"\x01\x64\x00\x1e\xff\xe1\x00\x1a\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2d\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0";
    Track { id: TrackId::VIDEO, config: CodecConfig::Avc(AvcConfig::parse(Bytes::from_static(record)).unwrap()) }
}

fn aac(record: &'static [u8]) -> Track {
    Track { id: TrackId::AUDIO, config: CodecConfig::Aac(AacConfig::parse(Bytes::from_static(record)).unwrap()) }
}

fn mp3() -> Track {
    Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(Mp3Config::parse_frame(&[0xff, 0xfb, 0x90, 0x64]).unwrap()) }
}

const LC_48: &[u8] = &[0x11, 0x90];

fn frame(track: TrackId, dts_ms: i64, pts_ms: i64, random_access: bool, data: Vec<u8>) -> Frame {
    let (dts, pts) = (MediaTime::from_millis(dts_ms), MediaTime::from_millis(pts_ms));
    Frame { track, dts, pts, random_access, data: data.into() }
}

fn picture(dts_ms: i64, key: bool, len: usize) -> Frame {
    let nal = [&(len as u32).to_be_bytes()[..], &[if key { 0x65 } else { 0x41 }], &vec![0x55; len - 1]].concat();
    frame(TrackId::VIDEO, dts_ms, dts_ms + 80, key, nal)
}

fn sound(pts_ms: i64, len: usize) -> Frame {
    frame(TrackId::AUDIO, pts_ms, pts_ms, true, vec![0x21; len])
}

/// Pictures every `interval` ms with a key frame every second, sound of 48 kHz, in order of time.
fn stream(from_ms: i64, until_ms: i64, interval: i64, with_video: bool, with_audio: bool) -> Vec<Frame> {
    let pictures = (from_ms..until_ms).step_by(interval as usize).filter(|_| with_video);
    let pictures = pictures.map(|at| picture(at, at % SECOND == 0, if at % SECOND == 0 { 70_000 } else { 3_000 }));
    let first = (from_ms * 48 + 1023) / 1024;
    let sounds = (first..).map(|n| n * 1024 / 48).take_while(|at| *at < until_ms).filter(|_| with_audio);
    let mut frames: Vec<Frame> = pictures.chain(sounds.map(|at| sound(at, 300))).collect();
    frames.sort_by_key(|frame| frame.dts);
    frames
}

/// Segments of 2 s in fragments of 400 ms, each with its number as its note.
fn segments(muxer: &mut TsMuxer, frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let (mut segment_end, mut fragment_end) = (None, MediaTime::ZERO);
    for frame in frames {
        if frame.dts >= fragment_end || segment_end.is_none_or(|end| frame.dts >= end) {
            if let Some(last) = segments.last_mut() {
                last.extend(muxer.close_fragment().unwrap_or_default());
            }
            fragment_end = frame.dts + MediaTime::from_millis(400);
        }
        if segment_end.is_none_or(|end| frame.dts >= end) {
            muxer.begin_segment(vec![segments.len() as u8]);
            segments.push(Vec::new());
            segment_end = Some(frame.dts + MediaTime::from_millis(2 * SECOND));
        }
        muxer.push(frame);
    }
    if let Some(last) = segments.last_mut() {
        last.extend(muxer.close_fragment().unwrap_or_default());
    }
    segments
}

fn check_conformant(bytes: &[u8]) -> oxideav_mpegts::TsValidationReport {
    let report = validate_ts(bytes);
    assert!(report.is_conformant(), "{report:#?}");
    assert!(report.packets > 0 && report.pcr.first().is_some_and(|pcr| pcr.samples > 1), "{report:#?}");
    report
}

/// A file.
struct Memory(Vec<u8>);

impl crate::ReadAt for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let end = std::io::ErrorKind::UnexpectedEof;
        let from = self.0.get(offset as usize..offset as usize + buffer.len()).ok_or(end)?;
        buffer.copy_from_slice(from);
        Ok(())
    }
}

#[test]
fn segments_in_a_row_are_one_conformant_stream() {
    for interval in [40, 200, 1000] {
        let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
        let segments = segments(&mut muxer, &stream(0, 20_000, interval, true, true));
        assert_eq!(segments.len(), 10);
        for segment in &segments {
            assert_eq!(validate_ts(segment).programs, [(1, PMT_PID)], "each segment can be played alone");
        }
        let report = check_conformant(&segments.concat());
        assert_eq!(report.null_packets, 10);
    }
}

#[test]
fn sound_alone_carries_the_clock() {
    for track in [aac(LC_48), mp3()] {
        let mut muxer = TsMuxer::new(&[track], MediaTime::ZERO);
        let segments = segments(&mut muxer, &stream(0, 20_000, 40, false, true));
        let report = check_conformant(&segments.concat());
        assert_eq!(report.pcr[0].pid, AUDIO_PID);
    }
}

#[test]
fn the_clock_goes_on_while_pictures_stay_away() {
    let mut frames = stream(0, 20_000, 40, true, true);
    frames.retain(|frame| frame.track == TrackId::AUDIO || !(3_000..14_000).contains(&frame.dts.as_millis()));
    let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
    check_conformant(&segments(&mut muxer, &frames).concat());
}

#[test]
fn timestamps_wrap_without_a_seam() {
    // 33 bits of 90 kHz last 26.5 hours; the origin is at 10 s.
    let wrap = (1i64 << 33) / 90 - 10_000;
    let from = wrap / SECOND * SECOND - 5 * SECOND;
    let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
    let segments = segments(&mut muxer, &stream(from, from + 10_000, 40, true, true));
    check_conformant(&segments.concat());
    let scans: Vec<_> = segments.iter().map(|segment| SegmentScan::read(&Memory(segment.clone())).unwrap()).collect();
    for (scan, at) in scans.iter().zip((from..).step_by(2000)) {
        let (begin, end) = scan.video.span.unwrap();
        let moment = |ticks| SegmentScan::moment(ticks, MediaTime::ZERO, MediaTime::from_millis(at)).as_millis();
        assert_eq!((moment(begin), moment(end)), (at, at + 2000));
        assert_eq!(scan.video.frames, 50);
    }
}

#[test]
fn a_restart_says_that_the_clock_jumps() {
    let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
    let mut bytes = segments(&mut muxer, &stream(0, 4_000, 40, true, true)).concat();
    muxer.restart(&[avc(), mp3()]);
    bytes.extend(segments(&mut muxer, &stream(50_000, 54_000, 40, true, true)).concat());
    let report = check_conformant(&bytes);
    assert_eq!(report.pcr[0].signalled_discontinuities, 1);
}

#[test]
fn what_a_segment_holds_can_be_read_from_it() {
    let he = aac(&[0xeb, 0x09, 0x88, 0x00]);
    for sound_track in [aac(LC_48), he, mp3()] {
        let mut muxer = TsMuxer::new(&[avc(), sound_track.clone()], MediaTime::ZERO);
        let mut frames = stream(0, 2_000, 40, true, true);
        if matches!(sound_track.config, CodecConfig::Mp3(_)) {
            let header = [0xff, 0xfb, 0x94, 0x64]; // 128 kbit/s at 48 kHz: 384 bytes
            let sounds = frames.iter_mut().filter(|frame| frame.track == TrackId::AUDIO);
            sounds.for_each(|frame| frame.data = [&header[..], &[0; 380]].concat().into());
        }
        let segment = segments(&mut muxer, &frames).concat();
        let scan = SegmentScan::read(&Memory(segment.clone())).unwrap();
        assert_eq!(scan.note[..2], [0, 0xff]);
        assert_eq!(scan.whole_bytes, segment.len() as u64);
        assert_eq!((scan.video.frames, scan.audio.frames), (50, 94));
        assert_eq!(scan.video.span, Some((0, 2 * 90_000)));
        assert_eq!(scan.video.rate.frames_per_second(), 25.0);
        assert_eq!(scan.tracks[0].config.rfc6381(), avc().config.rfc6381());
        assert_eq!(scan.tracks[0].config.video(), avc().config.video());
        assert_eq!(scan.tracks[1].config.rfc6381(), sound_track.config.rfc6381());
        assert_eq!(
            scan.tracks[1].config.audio().map(|audio| audio.channels),
            sound_track.config.audio().map(|audio| audio.channels)
        );
        let head = SegmentScan::read_head(&Memory(segment)).unwrap();
        assert_eq!(head.tracks, scan.tracks);
        assert!(head.video.frames < 25);
    }
}

#[test]
fn channels_without_a_configuration_number_keep_their_program_config() {
    // ffmpeg's encoder, four channels.
    let record = b"\x11\x80\x04\xc4\x04\x00\x21\x10\x0dLavc59.37.100\x56\xe5\x00";
    let mut muxer = TsMuxer::new(&[aac(record)], MediaTime::ZERO);
    let bytes = segments(&mut muxer, &stream(0, 4_000, 40, false, true)).concat();
    check_conformant(&bytes);
    assert_eq!(bytes.windows(13).filter(|window| window == b"Lavc59.37.100").count(), 2, "once in each segment");
    let scan = SegmentScan::read(&Memory(bytes)).unwrap();
    assert_eq!(scan.tracks[0].config.audio().map(|audio| audio.channels), Some(4));
    assert_eq!(scan.audio.frames, 188);
}

#[test]
fn frames_that_cannot_be_wrapped_are_left_out_and_the_rest_stays() {
    let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
    muxer.begin_segment(Vec::new());
    for frame in [picture(0, true, 10), sound(0, 9000), sound(21, 5), picture(40, false, 10)] {
        muxer.push(&frame);
    }
    let bytes = muxer.close_fragment().unwrap().to_vec();
    let scan = SegmentScan::read(&Memory(bytes)).unwrap();
    assert_eq!((scan.video.frames, scan.audio.frames), (2, 1));
    assert_eq!(muxer.close_fragment(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_cut_off_the_whole_frames_before_it_are_found(
        cut in 0usize..60_000, pictures in proptest::collection::vec(1usize..70_000, 1..6),
    ) {
        let mut muxer = TsMuxer::new(&[avc(), aac(LC_48)], MediaTime::ZERO);
        muxer.begin_segment(vec![1, 2, 3]);
        // One fragment for each frame, so that where each ends is known.
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for (at, len) in (0..).step_by(40).zip(&pictures) {
            for frame in [picture(at, at == 0, *len), sound(at, len % 1000)] {
                muxer.push(&frame);
                bytes.extend(muxer.close_fragment().unwrap());
                ends.push((bytes.len(), frame.track.kind));
            }
        }
        let len = bytes.len().saturating_sub(cut);
        bytes.truncate(len);
        let scan = SegmentScan::read(&Memory(bytes)).unwrap();
        let whole: Vec<_> = ends.iter().filter(|(end, _)| *end <= len).collect();
        prop_assert_eq!(scan.whole_bytes, whole.last().map_or(0, |(end, _)| *end as u64));
        let count = |kind| whole.iter().filter(|(_, other)| *other == kind).count() as u64;
        prop_assert_eq!(scan.video.frames, count(TrackKind::Video));
        prop_assert_eq!(scan.audio.frames, count(TrackKind::Audio));
    }

    #[test]
    fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), pids in proptest::collection::vec(0usize..4, 10)) {
        // Random bytes that look like packets get further.
        for (packet, pid) in bytes.chunks_mut(PACKET).zip(pids) {
            let [a, b] = [0u16, PMT_PID, VIDEO_PID, AUDIO_PID][pid].to_be_bytes();
            if let [sync, high, low, ..] = packet {
                (*sync, *high, *low) = (0x47, *high & 0xe0 | a, b);
            }
        }
        let file = Memory(bytes);
        let _ = SegmentScan::read(&file);
        let _ = SegmentScan::read_head(&file);
    }
}
