//! Minutes of bad network under many streams.

use std::time::Duration;

use super::number;
use crate::faults::weather::storm;

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak net`"]
fn minutes_of_bad_network_leave_whole_recordings() {
    let (streams, seconds) = (number("LIVETAPE_SOAK_STREAMS", 20) as u32, number("LIVETAPE_SOAK_SECONDS", 120));
    let (broken, census) = storm(streams, Duration::from_millis(150), Duration::from_secs(seconds));
    println!("{broken} sessions broken off: {} recordings, {} frames", census.ready, census.frames);
    census.assert_sound();
}
