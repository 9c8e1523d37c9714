//! Receivers of events that are away, refuse, or take long, while the program dies.

use std::time::{Duration, Instant};

use livetape_testkit::livetape::Settings;
use livetape_testkit::receiver::{Delivery, Reply};
use livetape_testkit::{Census, Film, Fleet, Launch, Livetape, Receiver, clip};

/// Away for two seconds, then it refuses for two, then it takes its time.
fn troubled() -> impl FnMut(&Delivery) -> Reply + Send + 'static {
    let begun = Instant::now();
    move |_| match begun.elapsed().as_secs() {
        0..2 => Reply::Close,
        2..4 => Reply::Status(503),
        _ => Reply::Late(Duration::from_millis(150)),
    }
}

#[test]
fn every_receiver_hears_of_everything_once_and_in_order_though_it_was_away_and_the_program_died() {
    let (good, bad) = (Receiver::start(), Receiver::answering(troubled()));
    let settings = Settings::new().webhook(&good).webhook(&bad).formats(&["mp4", "flv"]);
    let settings = settings
        .set("record.mp4_max_duration", "\"2s\"")
        .set("record.flv_max_duration", "\"2s\"")
        .set("record.min_duration", "\"0s\"");
    let mut livetape = Livetape::start_as(&settings, Launch::default().at_fixed_addresses());
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 2);
    for media in [2_500, 1_700, 3_100] {
        fleet.wait_all_live(Duration::from_millis(media));
        fleet.kill(&mut livetape);
        livetape.start_again();
    }
    fleet.wait_all_live(Duration::from_millis(2_500));
    let sessions = fleet.finish();
    let mut census = Census::take(&livetape, &film, &sessions, &good);
    census.check_receiver(&livetape, &bad);
    census.assert_sound();
    let refused = bad.deliveries().iter().filter(|delivery| !delivery.reply.accepts()).count();
    assert!(refused > 0, "the receiver was never in trouble");
}
