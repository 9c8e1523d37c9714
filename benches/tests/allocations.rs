//! How often memory is allocated for a frame.
#![allow(missing_docs)]

use std::hint::black_box;

use livetape_benches::{Figure, Path, Stage, hold};

/// What twice as much costs beyond this is the cost of frames alone, without beginnings and ends.
const SECONDS: u64 = 12;

/// Counted in the build that tests run in, the numbers do not depend on the machine.
#[test]
fn a_frame_takes_as_many_allocations_as_are_written_down() {
    let mut figures = Vec::new();
    for stage in Stage::all() {
        let [(frames, once), (more_frames, twice)] = [SECONDS, 2 * SECONDS].map(|seconds| {
            let path = Path::new(&stage, seconds);
            let counted = allocation_counter::measure(|| _ = black_box(path.walk()));
            (path.frames() as f64, counted)
        });
        let added = more_frames - frames;
        let count = (twice.count_total - once.count_total) as f64 / added;
        let bytes = (twice.bytes_total - once.bytes_total) as f64 / added;
        let name = stage.name();
        let session = once.count_total as f64 - count * frames;
        for (what, value, within) in [
            ("allocations for 100 frames", count * 100.0, 0.03),
            ("bytes for a frame", bytes, 0.03),
            ("allocations for a session", session, 0.1),
        ] {
            figures.push(Figure { name: format!("{name}: {what}"), value, within });
        }
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/allocations.txt");
    let about = "allocations, in the build of the tests\nwritten by UPDATE_GOLDEN=1; see docs/performance.md";
    hold(&file, about, &figures).unwrap_or_else(|problem| panic!("{problem}"));
}
