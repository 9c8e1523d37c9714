//! What a segment costs, however many came before it, and what a week costs. Prints figures:
//! `cargo test --release -p livetape-mux --test hls -- --ignored --nocapture cost`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_media::{Format, Frame, MediaTime, TrackId, WallTime};
use livetape_mux::{Muxer, Op, Salvage, SegmentType, open, salvage};

use crate::disk::Disk;
use crate::media::{aac, avc};
use crate::streams::{KINDS, Stream};

/// A stream that never ends: pictures and sounds of constant length, cut out of one buffer.
struct Source {
    bytes: Bytes,
    /// Of a picture every so many ms, and every how many a key frame.
    interval: i64,
    gop: i64,
    key_bytes: usize,
    picture_bytes: usize,
}

impl Source {
    fn feed(&self, from_ms: i64, until_ms: i64, muxer: &mut dyn Muxer, mut perform: impl FnMut(Vec<Op>)) {
        let mut sound = (from_ms * 48 + 1023) / 1024;
        for n in from_ms / self.interval..until_ms / self.interval {
            let at = n * self.interval;
            let key = n % self.gop == 0;
            let mut ops = Vec::new();
            let size = if key { self.key_bytes } else { self.picture_bytes };
            muxer.frame(&self.frame(TrackId::VIDEO, at, key, size), &mut ops);
            while sound * 1024 / 48 < at + self.interval {
                muxer.frame(&self.frame(TrackId::AUDIO, sound * 1024 / 48, true, 300), &mut ops);
                sound += 1;
            }
            perform(ops);
        }
    }

    fn frame(&self, track: TrackId, at_ms: i64, random_access: bool, size: usize) -> Frame {
        let at = MediaTime::from_millis(at_ms);
        Frame { track, dts: at, pts: at, random_access, data: self.bytes.slice(..size) }
    }
}

fn source(interval: i64, gop: i64, key_bytes: usize, picture_bytes: usize) -> Source {
    let len = key_bytes.max(picture_bytes).max(300);
    let mut bytes = vec![0x80; len];
    bytes[..5].copy_from_slice(&[0, 0, 0xff, 0xff, 0x41]);
    Source { bytes: bytes.into(), interval, gop, key_bytes, picture_bytes }
}

fn stream(kind: SegmentType) -> Stream {
    Stream::new("cost", vec![avc(), aac()], vec![], vec![]).of(kind)
}

fn op_bytes(op: &Op) -> usize {
    match op {
        Op::Append { slices, .. } => slices.iter().map(Bytes::len).sum(),
        Op::Whole { data, .. } => data.len(),
        _ => 0,
    }
}

#[test]
fn a_segment_costs_the_same_however_many_came_before() {
    for kind in KINDS {
        let source = source(200, 10, 400, 100);
        let mut ops = Vec::new();
        let mut muxer = open(Format::Hls, stream(kind).begin(), &mut ops);
        // Operations and bytes of each segment but the first, whose playlist has a head.
        let mut costs: Vec<(usize, usize)> = vec![(0, 0)];
        let mut playlist_bytes = 0;
        source.feed(0, 2_400_000, muxer.as_mut(), |ops| {
            for op in &ops {
                let name = match op {
                    Op::Append { file, .. } => file.as_str(),
                    _ => "",
                };
                let (count, bytes) = costs.last_mut().unwrap();
                (*count, *bytes) = (*count + 1, *bytes + op_bytes(op));
                if name == "media.m3u8" {
                    playlist_bytes += op_bytes(op);
                    costs.push((0, 0));
                }
            }
        });
        let whole = &costs[2..costs.len() - 1];
        assert!(whole.len() > 390, "{}", whole.len());
        // Sound does not divide 6 s evenly, so that a segment may have a frame or a fragment more.
        let mean = |costs: &[(usize, usize)]| {
            let count = costs.len() as f64;
            let sum = costs.iter().fold((0, 0), |sum, cost| (sum.0 + cost.0, sum.1 + cost.1));
            (sum.0 as f64 / count, sum.1 as f64 / count)
        };
        let (early, late) = (mean(&whole[..100]), mean(&whole[whole.len() - 100..]));
        assert!((early.0 - late.0).abs() < 0.5, "{early:?} and {late:?} operations");
        assert!((early.1 - late.1).abs() < 100.0, "{early:?} and {late:?} bytes");
        assert!(playlist_bytes < whole.len() * 40 + 1000);
    }
}

fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4
}

#[test]
#[ignore = "prints figures; run by `cargo test --release -p livetape-mux --test hls cost -- --ignored --nocapture`"]
fn a_week() {
    const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
    for kind in KINDS {
        let source = source(500, 4, 1_000, 200);
        let mut ops = Vec::new();
        let mut muxer = open(Format::Hls, stream(kind).begin(), &mut ops);
        source.feed(0, 60_000, muxer.as_mut(), |_| {});
        let before = resident_kib();
        let start = Instant::now();
        source.feed(60_000, WEEK_MS, muxer.as_mut(), |_| {});
        let took = start.elapsed();
        let grown = resident_kib().saturating_sub(before);
        let segments = muxer.progress().segments;
        let mut ops = Vec::new();
        let start = Instant::now();
        let summary = muxer.end(None, &mut ops);
        let ended = start.elapsed();
        let sizes: Vec<usize> = ops.iter().map(op_bytes).filter(|bytes| *bytes > 0).collect();
        println!(
            "{kind:?}: {segments} segments, {:?}, {:.2} GB in {took:?}; {grown} KiB more resident than after a minute; \
             end() {ended:?}, operations of {sizes:?} bytes",
            summary.duration,
            summary.size_bytes as f64 / 1e9
        );
    }
}

#[test]
#[ignore = "prints figures; run by `cargo test --release -p livetape-mux --test hls cost -- --ignored --nocapture`"]
fn a_gigabyte() {
    for kind in KINDS {
        // 4 Mbit/s, 30 pictures a second.
        let source = source(33, 60, 90_000, 15_800);
        let mut ops = Vec::new();
        let mut muxer = open(Format::Hls, stream(kind).begin(), &mut ops);
        let mut media = 0usize;
        let start = Instant::now();
        source.feed(0, 2_000_000, muxer.as_mut(), |ops| media += ops.iter().map(op_bytes).sum::<usize>());
        let took = start.elapsed();
        println!(
            "{kind:?}: {:.2} GB in {took:?}: {:.3} s/GB",
            media as f64 / 1e9,
            took.as_secs_f64() * 1e9 / media as f64
        );
    }
}

#[test]
#[ignore = "prints figures; run by `cargo test --release -p livetape-mux --test hls cost -- --ignored --nocapture`"]
fn salvage_of_a_day() {
    for kind in KINDS {
        let source = source(500, 4, 300, 100);
        let mut ops = Vec::new();
        let mut muxer = open(Format::Hls, stream(kind).begin(), &mut ops);
        let mut disk = Disk::default();
        ops.iter().for_each(|op| disk.perform(op));
        source.feed(0, 24 * 3600 * 1000, muxer.as_mut(), |ops| ops.iter().for_each(|op| disk.perform(op)));
        let start = Instant::now();
        let salvaged = salvage(Format::Hls, &disk, WallTime::default()).unwrap();
        let took = start.elapsed();
        let Salvage::Complete { summary, .. } = salvaged else { panic!("it holds segments") };
        assert!(summary.duration >= Duration::from_secs(24 * 3600 - 1));
        let media = livetape_mux::FileName::new("media.m3u8").unwrap();
        disk.files.get_mut(&media).unwrap().data.clear();
        let start = Instant::now();
        salvage(Format::Hls, &disk, WallTime::default()).unwrap();
        println!("{kind:?}: {} files in {took:?}; with the playlist lost {:?}", disk.files.len(), start.elapsed());
    }
}
