//! Ten minutes of flood.

use std::time::Duration;

use super::number;
use crate::faults::flood::{assert_within_budget, flood};

#[test]
#[ignore = "takes ten minutes; run by `cargo xtask soak flood`"]
fn minutes_of_flood_stay_within_the_memory_that_is_allowed() {
    let flooded = flood(Duration::from_secs(number("LIVETAPE_SOAK_SECONDS", 600)));
    println!("{} recordings, {} bytes, {} frames", flooded.census.ready, flooded.census.bytes, flooded.census.frames);
    assert_within_budget(&flooded);
    flooded.census.assert_sound();
}
