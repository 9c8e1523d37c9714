//! The frame path, part by part and whole, without sockets and files: time for ten seconds of a
//! 2.5 Mbit/s stream, and how often memory was allocated for it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use livetape_benches::{Stream, Wire, now_at, policy, session_of};
use livetape_media::{Format, Item, MediaTime, Metadata};
use livetape_mux::{Begin, Layout, SegmentType};
use livetape_record::{Recorder, SessionId, StreamPath};
use livetape_rtmp::Output;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SECONDS: u64 = 10;
const BITS_PER_SECOND: u64 = 2_500_000;
/// What one read of a socket gives.
const READ_BYTES: usize = 64 << 10;

fn main() {
    divan::main();
}

/// From received bytes to items.
#[divan::bench(args = [128, 4_096, 60_000])]
fn dechunk(bencher: Bencher<'_, '_>, chunk_bytes: usize) {
    let wire = Wire::new(SECONDS, BITS_PER_SECOND, chunk_bytes);
    bencher
        .counter(BytesCount::new(wire.media.len()))
        .counter(ItemsCount::new(wire.frames))
        .with_inputs(|| session_of(&wire))
        .bench_local_values(|mut session| {
            for read in wire.media.chunks(READ_BYTES) {
                session.handle_input(read, now_at(Duration::ZERO));
                while let Some(output) = session.poll_output() {
                    black_box(output);
                }
            }
            session
        });
}

/// From frames to operations.
#[divan::bench(args = ["mp4", "hls fmp4", "hls ts", "flv"])]
fn mux(bencher: Bencher<'_, '_>, what: &str) {
    let frames: Vec<_> =
        Stream::new(BITS_PER_SECOND).take_while(|frame| frame.dts.as_millis() < SECONDS as i64 * 1000).collect();
    let tracks: Vec<_> = Stream::tracks()
        .into_iter()
        .filter_map(|item| match item {
            Item::Track(track) => Some(track),
            _ => None,
        })
        .collect();
    let format: Format = what.split(' ').next().unwrap().parse().unwrap();
    let segment_type = if what.ends_with("ts") { SegmentType::Ts } else { SegmentType::Fmp4 };
    bencher
        .counter(BytesCount::new(frames.iter().map(|frame| frame.data.len()).sum::<usize>()))
        .counter(ItemsCount::new(frames.len()))
        .with_inputs(|| Begin {
            tracks: tracks.clone(),
            start: MediaTime::from_millis(67),
            wall_start: now_at(Duration::ZERO).wall,
            metadata: Metadata::default(),
            max_duration: Duration::from_secs(1800),
            layout: Layout { segment_type, ..Layout::default() },
            playlists: None,
        })
        .bench_local_values(|begin| {
            let mut ops = Vec::new();
            let mut muxer = livetape_mux::open(format, begin, &mut ops);
            for frame in &frames {
                muxer.frame(frame, &mut ops);
                black_box(ops.drain(..).count());
            }
            muxer.end(None, &mut ops);
            black_box(ops)
        });
}

/// From received bytes to the operations of all three formats.
#[divan::bench]
fn pipeline(bencher: Bencher<'_, '_>) {
    let wire = Wire::new(SECONDS, BITS_PER_SECOND, 4_096);
    let recorders = || {
        Format::ALL.map(|format| {
            let stream = StreamPath { app: "live".into(), name: "bench".into() };
            Recorder::new(policy(format), SessionId(uuid::Uuid::nil()), stream)
        })
    };
    bencher
        .counter(BytesCount::new(wire.media.len()))
        .counter(ItemsCount::new(wire.frames))
        .with_inputs(|| (session_of(&wire), recorders()))
        .bench_local_values(|(mut session, mut recorders)| {
            let now = now_at(Duration::ZERO);
            let mut effects = Vec::new();
            for read in wire.media.chunks(READ_BYTES) {
                session.handle_input(read, now);
                while let Some(output) = session.poll_output() {
                    let Output::Item { item, .. } = output else { continue };
                    for recorder in &mut recorders {
                        recorder.push(&item, now, &mut effects);
                        black_box(effects.drain(..).count());
                    }
                }
            }
            (session, recorders)
        });
}
