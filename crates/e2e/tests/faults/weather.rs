//! A network that breaks, freezes and crawls: every session is whole as far as it came, and whoever
//! comes back is let in at once.

use std::time::{Duration, Instant};

use livetape_testkit::deadline::within;
use livetape_testkit::livetape::Settings;
use livetape_testkit::proxy::{Proxy, Weather};
use livetape_testkit::{Census, Dice, Film, Fleet, Livetape, Receiver, clip};

use crate::FORMATS;

/// `streams` publishers whose connections fare badly, one fault every `pace`, for `length`.
pub fn storm(streams: u32, pace: Duration, length: Duration) -> (usize, Census) {
    let mut dice = Dice::thrown();
    let receiver = Receiver::start();
    let settings = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"3s\"")
    });
    let settings = settings.set("rtmp.idle_timeout", "\"3s\"").set("record.min_duration", "\"0s\"");
    let livetape = Livetape::start(&settings);
    let proxy = Proxy::start(livetape.rtmp);
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(proxy.address, &film, streams);
    fleet.wait_all_live(Duration::from_secs(1));
    let (begun, mut next, mut faults) = (Instant::now(), Instant::now(), 0);
    within(length + Duration::from_secs(60), "the storm is over", || {
        if Instant::now() >= next {
            next += pace;
            faults += 1;
            let weather =
                [Weather::HalfOpen, Weather::Broken, Weather::Crawling, Weather::Fair][dice.below(4) as usize];
            // Of the newest, which are most likely still in use.
            let newest = proxy.count().min(2 * streams as usize) as u64;
            proxy.set(proxy.count() - 1 - dice.below(newest) as usize, weather);
        }
        if begun.elapsed() > length { Ok(()) } else { Err(String::new()) }
    });
    let (ended, live) = {
        let crew = fleet.crew();
        (0..proxy.count()).for_each(|number| proxy.set(number, Weather::Broken));
        (crew.ended.len(), crew.cameras.iter().filter(|camera| camera.unsent().is_some()).count())
    };
    within(Duration::from_secs(30), "everybody has noticed", || {
        let noticed = fleet.crew().ended.len() - ended;
        if noticed >= live { Ok(()) } else { Err(format!("{noticed} of {live}")) }
    });
    within(Duration::from_secs(30), "everybody is back", || {
        let streams_now = livetape.http.json("/v1/streams");
        let live = streams_now["items"].as_array().map_or(0, Vec::len);
        if live == streams as usize { Ok(()) } else { Err(streams_now.to_string()) }
    });
    fleet.wait_all_live(Duration::from_secs(2));
    let sessions = fleet.finish();
    let sent_away = sessions.iter().filter(|session| session.reached.is_none()).count();
    println!("{faults} faults, {sent_away} sessions broken off, {} that ended well", sessions.len() - sent_away);
    assert_eq!(sessions.len() - sent_away, streams as usize, "the last sessions end well");
    (sent_away, Census::take(&livetape, &film, &sessions, &receiver))
}

#[test]
fn connections_that_break_freeze_or_crawl_leave_whole_recordings() {
    let (broken, census) = storm(3, Duration::from_millis(400), Duration::from_secs(5));
    census.assert_sound();
    assert!(broken > 2, "{broken} sessions were broken off");
}
