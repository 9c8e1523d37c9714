//! A disk that stands still for half a minute; one that is full for minutes.

use std::time::Duration;

use livetape_testkit::livetape::Settings;

use super::number;
use crate::faults::disk::fill;
use crate::faults::stall::{Stalled, stall};

/// Prints what came of a stall of the first stream, and panics if another felt it.
fn assert_alone(stalled: &Stalled, length: Duration) {
    for (stream, behind) in stalled.behind.iter().enumerate() {
        println!("stream {stream}: its file was at most {behind:?} behind its publisher");
    }
    println!("{} KiB more were held at the worst; gaps in ms: {:?}", stalled.grown_kib, stalled.census.gaps);
    stalled.census.assert_sound();
    assert!(stalled.behind[0] >= length - Duration::from_secs(1), "the stall did not happen");
    assert!(stalled.behind[1..].iter().all(|behind| *behind < Duration::from_secs(2)), "{:?}", stalled.behind);
    assert!(stalled.grown_kib < 64 << 10, "{} KiB", stalled.grown_kib);
}

fn settings() -> Settings {
    Settings::new().set("record.max_held_size", "\"1MiB\"").set("record.stall_grace", "\"2s\"")
}

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak disk`"]
fn a_disk_that_stands_still_for_half_a_minute_delays_one_stream_only() {
    let length = Duration::from_secs(number("LIVETAPE_SOAK_STALL", 30));
    let stalled = stall(4, length, &["mp4", "flv"], settings());
    assert_alone(&stalled, length);
    // Its encoder was slowed down, and has sent everything since.
    assert_eq!(stalled.census.gaps, [0; 0]);
}

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak disk`"]
fn one_format_that_stands_still_drops_what_it_cannot_hold_and_the_other_loses_nothing() {
    let length = 2 * Duration::from_secs(number("LIVETAPE_SOAK_STALL", 30));
    let stalled = stall(4, length, &["flv"], settings());
    assert_alone(&stalled, length);
    // One recording of FLV ends where dropping began; the next begins where it ended.
    let gaps = &stalled.census.gaps;
    assert!(gaps.len() == 2 && gaps.iter().all(|gap| (5_000..60_000).contains(gap)), "{gaps:?}");
}

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak disk`"]
fn a_disk_that_is_full_for_minutes_leaves_nothing_unplayable() {
    let census = fill(4, Duration::from_secs(number("LIVETAPE_SOAK_FULL", 60)));
    println!("{} recordings, {} frames; gaps in ms: {:?}", census.ready, census.frames, census.gaps);
}
