//! Files beyond 4 GiB, without storing them.

use bytes::Bytes;
use livetape_media::{Format, TrackKind, WallTime};
use livetape_mux::{Op, Salvage, salvage};
use shiguredo_mp4::demux::{Input, Mp4FileDemuxer, RequiredInput};

use crate::disk::Disk;
use crate::media::{aac, audio, avc, video};
use crate::streams::Stream;

const FRAME: u64 = 50 << 20;

/// 120 pictures of 50 MiB, all the same zeros, and sound.
fn six_gigabytes() -> Stream {
    let zeros = Bytes::from(vec![0; FRAME as usize]);
    let mut pictures: Vec<_> = (0..120).map(|n| video(n, n as i64 * 40, n as i64 * 40, n % 50 == 0)).collect();
    pictures.iter_mut().for_each(|frame| frame.data = zeros.clone());
    let sound = (0..200).map(|n| audio(n, n as i64 * 1024 / 48)).collect();
    let mut stream = Stream::new("six-gigabytes", vec![avc(), aac(48_000)], pictures, sound);
    stream.max_duration = std::time::Duration::from_secs(3600);
    stream
}

/// Where the reader finds the frames of each track: offset and size.
fn places(disk: &Disk) -> Vec<(TrackKind, u64, usize)> {
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(RequiredInput { position, size }) = demuxer.required_input() {
        let mut data = vec![0; size.unwrap()];
        disk.read(position, &mut data);
        demuxer.handle_input(Input { position, data: &data });
    }
    demuxer.tracks().unwrap();
    let mut places = Vec::new();
    while let Some(sample) = demuxer.next_sample().unwrap() {
        let video = sample.track.kind == shiguredo_mp4::TrackKind::Video;
        let kind = if video { TrackKind::Video } else { TrackKind::Audio };
        places.push((kind, sample.data_offset, sample.data_size));
    }
    places
}

#[test]
fn offsets_beyond_4_gib_are_right_and_survive_salvage() {
    let stream = six_gigabytes();
    let (ops, summary) = stream.record();
    let disk = Disk::after(&ops);
    assert!(disk.len() > 5 << 30);
    assert_eq!(summary.size_bytes, disk.len());
    let places = places(&disk);
    assert_eq!(places.len(), 320);
    assert!(places.iter().filter(|(kind, _, _)| *kind == TrackKind::Video).all(|(_, _, size)| *size as u64 == FRAME));
    let mut sounds = places.iter().filter(|(kind, _, _)| *kind == TrackKind::Audio);
    for frame in stream.track(TrackKind::Audio) {
        let (_, offset, size) = sounds.next().unwrap();
        let mut data = vec![0; *size];
        disk.read(*offset, &mut data);
        assert!(data == frame.data, "at {offset}");
    }

    let unfinished = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
    let mut torn = Disk::after(&ops[..unfinished]);
    let Salvage::Complete { ops: rest, summary: again, .. } =
        salvage(Format::Mp4, &torn, WallTime::from_unix_millis(0)).unwrap()
    else {
        panic!("it holds frames");
    };
    torn.perform_all(&rest);
    assert_eq!(again.size_bytes, summary.size_bytes);
    assert_eq!(self::places(&torn), places);
}
