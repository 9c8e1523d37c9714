//! A bucket under load: how long it takes until recordings are whole there, and an outage of minutes.
//!
//! The bucket is that of `LIVETAPE_TEST_S3` where there is one (`cargo xtask ceph start`), else one in
//! memory.

use std::time::{Duration, Instant};

use livetape_fake_s3::{Faults, Profile};
use livetape_testkit::deadline::within;
use livetape_testkit::fleet::hurry;
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::{Census, Film, Fleet, Livetape, Receiver, clip, machine};

use super::number;
use crate::FORMATS;
use crate::bucket::{Cloud, real};

/// How much faster than they play they are pushed.
const SPEED: u32 = 60;
/// How long the recordings are whose ends are measured.
const LENGTHS: [(&str, u64); 3] = [("10 s", 10), ("30 min", 1_800), ("2 h", 7_200)];

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak bucket`"]
fn the_end_does_not_depend_on_the_length() {
    let rounds = number("LIVETAPE_SOAK_ROUNDS", 5);
    let cloud = real().map_or_else(|| Some(Cloud::new(Profile::aws())), |_| None);
    let settings = real().unwrap_or_else(|| cloud.as_ref().unwrap().settings());
    let settings = ["mp4", "flv", "hls"]
        .iter()
        .fold(settings, |settings, format| settings.set(&format!("record.{format}_max_duration"), "\"12h\""));
    let settings = settings.set("s3.part_size", "\"16MiB\"").set("record.sync_interval", "\"1s\"");
    let livetape = Livetape::start(&settings.set("s3.request_timeout", "\"30s\""));
    let film = Film::new(&clip::long());
    let mut stream = 0;
    println!("pushed {SPEED} times as fast; from the publisher's last byte to ready, medians of {rounds} in ms");
    for (length, seconds) in LENGTHS {
        let mut took: [Vec<u32>; 3] = Default::default();
        let mut bytes = 0;
        for _ in 0..rounds {
            stream += 1;
            hurry(livetape.rtmp, &film, stream, Duration::from_secs(seconds), SPEED).expect("the stream is taken");
            let begun = Instant::now();
            let mut ready = [None; 3];
            within(Duration::from_secs(120), "all are ready", || {
                let recordings = livetape.of_stream(&format!("cam{stream:04}"));
                for (format, ready) in FORMATS.iter().zip(&mut ready) {
                    let is_ready = of_format(&recordings, format).iter().any(|r| r.text("state") == "ready");
                    if is_ready && ready.is_none() {
                        *ready = Some(begun.elapsed());
                    }
                }
                if ready.iter().all(Option::is_some) { Ok(()) } else { Err(format!("{ready:?}")) }
            });
            let recordings = livetape.of_stream(&format!("cam{stream:04}"));
            assert_eq!(recordings.len(), 3, "they were cut");
            bytes = of_format(&recordings, "mp4")[0].number("size_bytes");
            for (took, ready) in took.iter_mut().zip(ready) {
                took.push(ready.unwrap().as_millis() as u32);
            }
        }
        let medians: Vec<String> =
            FORMATS.iter().zip(took).map(|(format, took)| format!("{format} {}", super::median(took))).collect();
        println!("{length:<8} {:>5} MB  {}", bytes / 1_000_000, medians.join("  "));
    }
}

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak bucket`"]
fn what_a_gigabyte_costs() {
    let megabytes = number("LIVETAPE_SOAK_MEGABYTES", 1_000);
    let film = Film::new(&clip::heavy());
    // 12 s of it.
    let rate = std::fs::metadata(clip::heavy()).unwrap().len() / 12;
    let cloud = Cloud::new(Profile::aws());
    let tls = real().zip(std::env::var("LIVETAPE_TEST_S3_TLS").ok()).map(|(settings, endpoint)| {
        let authority = std::env::var("LIVETAPE_TEST_S3_CA").expect("LIVETAPE_TEST_S3_CA names its authority");
        settings.set("s3.endpoint", &format!("\"{endpoint}\"")).set("s3.ca_file", &format!("\"{authority}\""))
    });
    let targets = [
        ("a directory", Some(Settings::new())),
        ("a bucket over http", Some(real().unwrap_or_else(|| cloud.settings()))),
        ("a bucket over https", tls),
    ];
    println!("one MP4 of {megabytes} MB, pushed four times as fast as it plays");
    for (target, settings) in targets {
        let Some(settings) = settings else { continue };
        let settings = settings.formats(&["mp4"]).set("record.mp4_max_duration", "\"12h\"");
        let livetape = Livetape::start(&settings.set("s3.part_size", "\"16MiB\"").set("s3.request_timeout", "\"30s\""));
        let before = machine::cpu(livetape.pid());
        let media = Duration::from_secs(megabytes * 1_000_000 / rate);
        hurry(livetape.rtmp, &film, 1, media, 4).expect("the stream is taken");
        let recording = &livetape.wait_ready("cam0001", &["mp4"], 1)[0];
        let gigabytes = recording.number("size_bytes") as f64 / 1e9;
        let cpu = (machine::cpu(livetape.pid()) - before).as_secs_f64();
        let memory = machine::peak_kib(livetape.pid()) / 1024;
        println!("{target:<20} {:.2} s of CPU per GB, {memory} MiB of memory at most", cpu / gigabytes);
    }
}

#[test]
#[ignore = "takes minutes; run by `cargo xtask soak bucket`"]
fn an_outage_under_many_streams_with_a_death_in_the_middle_loses_nothing() {
    let seconds = number("LIVETAPE_SOAK_OUTAGE", 600);
    let streams = number("LIVETAPE_SOAK_STREAMS", 20) as u32;
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::ceph());
    let settings = FORMATS.iter().fold(cloud.settings().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"20s\"")
    });
    let mut livetape = Livetape::start_as(&settings, livetape_testkit::Launch::default().at_fixed_addresses());
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, streams);
    fleet.wait_all_live(Duration::from_secs(5));
    cloud.network.set(Faults::refused());
    let begun = Instant::now();
    let wait = |until: Duration| {
        while begun.elapsed() < until {
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    wait(Duration::from_secs(seconds / 2));
    fleet.kill(&mut livetape);
    livetape.start_again();
    fleet.wait_all_live(Duration::from_secs(1));
    wait(Duration::from_secs(seconds));
    let waiting = livetape.http.json("/v1/recordings?state=uploading&limit=100")["items"].as_array().unwrap().len();
    cloud.network.heal();
    let healed = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    let sessions = fleet.finish();
    livetape_testkit::census::wait_settled(&livetape, Duration::from_secs(600));
    let drained = healed.elapsed();
    cloud.fetch(&mut livetape);
    let census = Census::take(&livetape, &film, &sessions, &receiver);
    println!("away                {:?}, with a kill in the middle", Duration::from_secs(seconds));
    println!("being put then      {waiting}");
    println!("drained in          {drained:?}");
    println!(
        "recordings ready    {} ({} after a crash), {} discarded",
        census.ready, census.recovered, census.discarded
    );
    println!("frames, bytes       {}, {}", census.frames, census.bytes);
    println!("events              {} ({} delivered again)", census.events, census.repeated);
    census.assert_sound();
    cloud.assert_no_uploads();
}
