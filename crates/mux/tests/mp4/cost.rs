//! What finishing and salvaging cost, by length. Prints figures:
//! `cargo test --release -p livetape-mux --test mp4 -- --ignored --nocapture cost`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_media::{Format, Frame, MediaTime, TrackId, WallTime};
use livetape_mux::{Muxer, Op, Salvage, open, salvage};

use crate::disk::Disk;
use crate::media::{aac, avc};
use crate::streams::Stream;

/// 30 pictures a second with B-frames, stamped 33 and 34 ms apart, and sound at 48 kHz.
struct Source {
    bytes: Bytes,
}

impl Source {
    fn feed(&self, seconds: i64, muxer: &mut dyn Muxer, mut perform: impl FnMut(Vec<Op>)) {
        let mut sounds = 0;
        for n in 0..seconds * 30 {
            let dts = n * 1000 / 30;
            let shown = [n + 2, n + 4, n + 1, n + 1][(n % 4) as usize] * 1000 / 30;
            let size = if n % 60 == 0 { 60_000 } else { 8_000 + (n * 7919 % 6_000) as usize };
            let mut ops = Vec::new();
            muxer.frame(&self.frame(TrackId::VIDEO, dts, shown, n % 60 == 0, size), &mut ops);
            while sounds * 1024 / 48 <= dts {
                let (at, size) = (sounds * 1024 / 48, 300 + (sounds * 31 % 120) as usize);
                muxer.frame(&self.frame(TrackId::AUDIO, at, at, true, size), &mut ops);
                sounds += 1;
            }
            perform(ops);
        }
    }

    fn frame(&self, track: TrackId, dts: i64, pts: i64, key: bool, size: usize) -> Frame {
        let (dts, pts) = (MediaTime::from_millis(dts), MediaTime::from_millis(pts));
        Frame { track, dts, pts, random_access: key, data: self.bytes.slice(..size) }
    }
}

fn resident_mib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    (pages * 4096) >> 20
}

#[test]
#[ignore = "prints figures; run by `cargo test --release -p livetape-mux --test mp4 cost -- --ignored --nocapture`"]
fn finish_and_salvage() {
    let source = Source { bytes: Bytes::from(vec![0; 60_000]) };
    for (name, seconds) in [("10 s", 10), ("30 min", 1800), ("2 h", 7200), ("12 h", 43_200)] {
        let mut stream = Stream::new("cost", vec![avc(), aac(48_000)], vec![], vec![]);
        stream.max_duration = Duration::from_secs(seconds as u64);
        stream.layout.mp4_reserve_max_bytes = 64 << 20;
        let mut disk = Disk::default();
        let mut ops = Vec::new();
        let mut muxer = open(Format::Mp4, stream.begin(), &mut ops);
        disk.perform_all(&ops);
        let start = Instant::now();
        source.feed(seconds, muxer.as_mut(), |ops| {
            // The head has two slices and is kept.
            for op in &ops {
                disk.forgets_media = matches!(op, Op::Append { slices, .. } if slices.len() > 2);
                disk.perform(op);
            }
        });
        let recorded = start.elapsed();
        let before = disk.clone();

        let mut ops = Vec::new();
        let start = Instant::now();
        let summary = muxer.end(None, &mut ops);
        let finished = start.elapsed();
        let index = ops.iter().map(|op| if let Op::Patch { data, .. } = op { data.len() } else { 0 }).max().unwrap();
        drop(ops);
        drop(muxer);

        let resident = resident_mib();
        let start = Instant::now();
        let salvaged = salvage(Format::Mp4, &before, WallTime::from_unix_millis(0)).unwrap();
        let took = start.elapsed();
        let grown = resident_mib().saturating_sub(resident);
        let Salvage::Complete { ops, .. } = salvaged else { panic!("it holds frames") };
        println!(
            "{name}: {:.1} GB, {} frames, taken in {recorded:?} with a disk in memory, index {index} bytes (at the end: {}), \
             end() {finished:?}, salvage {took:?} in {} operations, {grown} MiB more resident",
            summary.size_bytes as f64 / 1e9,
            summary.video.unwrap().frames + summary.audio.unwrap().frames,
            summary.index_at_end,
            ops.len(),
        );
    }
}
