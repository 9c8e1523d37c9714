//! No file descriptors are left.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Census, Film, Fleet, Launch, Livetape, Publisher, Receiver, clip, machine};

use crate::FORMATS;

#[test]
fn without_file_descriptors_running_streams_go_on_and_new_ones_wait() {
    let receiver = Receiver::start();
    let settings = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"3s\"")
    });
    let settings = settings
        .set("rtmp.handshake_timeout", "\"60s\"")
        .set("record.segment_duration", "\"2s\"")
        .set("record.min_duration", "\"0s\"");
    let livetape = Livetape::start_as(&settings, Launch::default().by(["prlimit", "--nofile=96"]));
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 3);
    fleet.wait_all_live(Duration::from_secs(2));
    // More connections than there are descriptors.
    let crowd: Vec<TcpStream> = (0..150).filter_map(|_| TcpStream::connect(livetape.rtmp).ok()).collect();
    let spent = machine::cpu(livetape.pid());
    let begun = Instant::now();
    within(Duration::from_secs(30), "four more seconds are sent", || {
        if begun.elapsed() > Duration::from_secs(4) { Ok(()) } else { Err(String::new()) }
    });
    let busy = (machine::cpu(livetape.pid()) - spent).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "{:.0} % of a processor while no descriptor is left, {} open",
        busy * 100.0,
        machine::open_files(livetape.pid())
    );
    assert!(busy < 0.6, "{:.0} % of a processor are spent", busy * 100.0);
    assert!(fleet.crew().ended.is_empty(), "running streams were sent away");
    drop(crowd);
    let publisher = eventually("a new publish is taken", || Publisher::try_publish(livetape.rtmp, "live", "late"));
    publisher.close();
    let sessions = fleet.finish();
    Census::take(&livetape, &film, &sessions, &receiver).assert_sound();
}
