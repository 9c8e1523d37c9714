//! Files beyond 4 GiB, without storing them.

use bytes::Bytes;
use livetape_media::{Format, TrackKind, WallTime};
use livetape_mux::object::{Fit, ObjectLayout, OneFile, finished};
use livetape_mux::{FileName, Files, Op, Salvage, salvage};
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
    places_in(|position, data| disk.read(position, data))
}

fn places_in(read: impl Fn(u64, &mut [u8])) -> Vec<(TrackKind, u64, usize)> {
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(RequiredInput { position, size }) = demuxer.required_input() {
        let mut data = vec![0; size.unwrap()];
        read(position, &mut data);
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

fn object(disk: &Disk) -> ObjectLayout {
    finished(OneFile::Mp4, &*disk.open(&FileName::mp4()).unwrap(), Fit::Exact).unwrap()
}

/// Checks that the frames stand in the object where they stand in the file, all moved by the same.
fn check_object(disk: &Disk) -> ObjectLayout {
    let layout = object(disk);
    let head = layout.head.len() as u64;
    let moved = places_in(|position, data| {
        let within = (head.saturating_sub(position) as usize).min(data.len());
        let (first, rest) = data.split_at_mut(within);
        first.copy_from_slice(&layout.head[position.min(head) as usize..][..within]);
        if !rest.is_empty() {
            disk.read(layout.body.start + position.max(head) - head, rest);
        }
    });
    let expected = places(disk).into_iter();
    let expected: Vec<_> =
        expected.map(|(kind, offset, size)| (kind, offset - layout.body.start + head, size)).collect();
    assert_eq!(moved, expected);
    layout
}

fn tables(head: &[u8]) -> (usize, usize) {
    let count = |kind: &[u8]| head.windows(4).filter(|window| *window == kind).count();
    (count(b"stco"), count(b"co64"))
}

/// Of a fifth of [`FRAME`] each, they reach 4 GiB.
const PICTURES: usize = 410;

/// A recording of a little less than 4 GiB without room for its index, whose last picture begins at `last`.
fn almost_4_gib(last: u64) -> Disk {
    let zeros = Bytes::from(vec![0; FRAME as usize]);
    let record = |first_len: u64| {
        let mut pictures: Vec<_> = (0..PICTURES).map(|n| video(n, n as i64 * 40, n as i64 * 40, n % 50 == 0)).collect();
        pictures.iter_mut().for_each(|frame| frame.data = zeros.slice(..FRAME as usize / 5));
        pictures[0].data = zeros.slice(..first_len as usize);
        let mut stream = Stream::new("almost-4-gib", vec![avc()], pictures, vec![]);
        stream.layout.mp4_reserve_max_bytes = 0;
        let (ops, summary) = stream.record();
        assert!(summary.index_at_end);
        Disk::after(&ops)
    };
    let last_picture = |disk: &Disk| places(disk).last().unwrap().1;
    let disk = record(FRAME / 10);
    let disk = record(FRAME / 10 + last - last_picture(&disk));
    assert_eq!(last_picture(&disk), last);
    disk
}

/// The index moves to the front, and the last offset past the 32 bits that were enough in the file.
#[test]
fn an_object_has_wide_offsets_exactly_when_it_needs_them() {
    const LAST: u64 = (1 << 32) - 1;
    let disk = almost_4_gib(LAST - 100_000);
    let layout = check_object(&disk);
    assert_eq!(tables(&layout.head), (1, 0));
    let by = layout.head.len() as u64 - layout.body.start;

    assert_eq!(tables(&check_object(&almost_4_gib(LAST - by)).head), (1, 0));
    let layout = check_object(&almost_4_gib(LAST - by + 1));
    assert_eq!(tables(&layout.head), (0, 1));
    assert_eq!(layout.head.len() as u64 - layout.body.start, by + 4 * PICTURES as u64, "by 4 bytes for each picture");
    assert_eq!(tables(&check_object(&almost_4_gib(LAST)).head), (0, 1));

    let disk = Disk::after(&six_gigabytes().record().0);
    assert_eq!(tables(&check_object(&disk).head), (0, 2), "wide offsets stay");
}
