//! The machine's calendar is set forward and back by days while streams are recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use livetape_testkit::livetape::Settings;
use livetape_testkit::receiver::Reply;
use livetape_testkit::root::faketime;
use livetape_testkit::{Census, Film, Fleet, Launch, Livetape, Receiver, clip};

/// A calendar that the program sees instead of the machine's. Clocks that only run forward stay as
/// they are.
struct Calendar(PathBuf);

impl Calendar {
    fn new(directory: &Path) -> Self {
        let calendar = Self(directory.join("calendar"));
        calendar.set("+0");
        calendar
    }

    /// So far from the true time, as `faketime` has it: `-2d`.
    fn set(&self, off: &str) {
        let next = self.0.with_extension("next");
        fs::write(&next, off).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    fn launch(&self) -> Launch {
        Launch::default()
            .with("LD_PRELOAD", faketime().to_string_lossy())
            .with("FAKETIME_TIMESTAMP_FILE", self.0.to_string_lossy())
            .with("FAKETIME_NO_CACHE", "1")
            .with("DONT_FAKE_MONOTONIC", "1")
    }
}

#[test]
fn a_calendar_that_jumps_moves_no_frame_and_holds_up_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let calendar = Calendar::new(directory.path());
    let mut refusals = 0;
    let receiver = Receiver::answering(move |_| {
        refusals += 1;
        // The second try of each of the first events falls behind a jump.
        if refusals <= 2 { Reply::Status(503) } else { Reply::Status(204) }
    });
    receiver.take_any_calendar();
    let settings = Settings::new()
        .webhook(&receiver)
        .set("record.mp4_max_duration", "\"2s\"")
        .set("record.min_duration", "\"0s\"");
    let livetape = Livetape::start_as(&settings, calendar.launch());
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 2);
    receiver.wait("both streams' first events are refused", |deliveries| deliveries.len() >= 2);
    calendar.set("-2d");
    let jumped = Instant::now();
    receiver.wait("they are tried again", |deliveries| deliveries.len() >= 4);
    println!("tried again {:?} after the calendar went back", jumped.elapsed());
    for (media, off) in [(3_000, "+3d"), (5_000, "-1h"), (7_000, "+0")] {
        fleet.wait_all_live(Duration::from_millis(media));
        calendar.set(off);
    }
    fleet.wait_all_live(Duration::from_millis(8_000));
    let sessions = fleet.finish();
    let census = Census::take(&livetape, &film, &sessions, &receiver);
    census.assert_sound();
    for recording in livetape.recordings() {
        let duration = recording.number("duration_ms");
        assert!((20..=10_500).contains(&duration), "{recording:?} lasts {duration} ms");
    }
    drop(livetape);
}
