//! A disk that is full, refuses, or forgets what it was told to keep.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use livetape_testkit::census::wait_settled;
use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::livetape::Settings;
use livetape_testkit::root::SmallDisk;
use livetape_testkit::{Census, Film, Fleet, Launch, Livetape, Publisher, Receiver, Strace, clip, fleet, index};

use crate::FORMATS;

const MIB: u64 = 1 << 20;

/// Warnings the receiver was told of: what kind.
pub fn warnings(livetape: &Livetape) -> Vec<String> {
    let sql = "select json_extract(body, '$.data.kind') as kind from events where type = 'recording.warning'";
    index::query(livetape, sql).iter().map(|row| row["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The sum of a metric over its labels that contain `label`.
pub fn metric(livetape: &Livetape, name: &str, label: &str) -> f64 {
    let lines = livetape.metrics();
    let of_name = lines.lines().filter(|line| line.starts_with(name) && line.contains(label));
    of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Fills the disk under `streams` streams, keeps it full for `full`, and heals it; what came of it.
pub fn fill(streams: u32, full: Duration) -> Census {
    let disk = SmallDisk::mount((16 + 6 * u64::from(streams)) * MIB);
    let receiver = Receiver::start();
    let settings = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"4s\"")
    });
    let settings = settings.set("record.min_free", "\"1MiB\"").set("record.segment_duration", "\"2s\"");
    let settings = settings.set("record.min_duration", "\"0s\"");
    let livetape = Livetape::start_as(&settings, Launch::default().data(&disk.path("data")));
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, streams);
    fleet.wait_all_live(Duration::from_secs(2));
    disk.fill_up_to(2 * MIB);
    let begun = Instant::now();

    eventually("the disk is low", || {
        if disk.free() < MIB { Ok(()) } else { Err(format!("{} bytes are free", disk.free())) }
    });
    let refusal = Publisher::try_publish(livetape.rtmp, "live", "late").err().expect("a new publish is refused");
    assert!(refusal.contains("disk is low") && refusal.contains("record.min_free"), "{refusal}");
    assert_eq!(livetape.http.get("/readyz").status, 503);
    eventually("recordings are refused, and that is counted", || {
        let refused = metric(&livetape, "livetape_recordings_refused_total", "");
        if refused >= 1.0 { Ok(()) } else { Err(livetape.metrics()) }
    });
    within(full + Duration::from_secs(30), "the disk has been full for long enough", || {
        if begun.elapsed() >= full { Ok(()) } else { Err(String::new()) }
    });
    assert!(fleet.crew().ended.is_empty(), "publishers were sent away: {:?}", fleet.crew().ended.len());

    disk.heal();
    let healed = Instant::now();
    within(Duration::from_secs(60), "every stream is recorded again in every format", || {
        let streams_now = livetape.http.json("/v1/streams");
        let growing = |stream: &serde_json::Value| {
            let recordings = stream["recordings"].as_array().into_iter().flatten();
            recordings.filter(|recording| recording["duration_ms"].as_i64() > Some(500)).count()
        };
        let items = streams_now["items"].as_array().cloned().unwrap_or_default();
        let all = items.len() == streams as usize && items.iter().all(|stream| growing(stream) == FORMATS.len());
        if all { Ok(()) } else { Err(streams_now.to_string()) }
    });
    println!("recorded again {:?} after there was room", healed.elapsed());
    eventually("a new publish is taken", || Publisher::try_publish(livetape.rtmp, "live", "later").map(drop));
    let sessions = fleet.finish();
    let census = Census::take_with_gaps(&livetape, &film, &sessions, &receiver);
    census.assert_sound();
    let heard = warnings(&livetape);
    assert!(heard.iter().any(|kind| kind.starts_with("disk")), "the operator was told of {heard:?}");
    census
}

#[test]
fn a_full_disk_leaves_nothing_unplayable_and_recording_goes_on_when_there_is_room() {
    let census = fill(3, Duration::from_secs(5));
    assert!(census.ready >= 9, "{census:?}");
}

#[test]
fn a_file_a_sync_of_which_failed_is_not_trusted_and_recording_goes_on_in_another() {
    let receiver = Receiver::start();
    let settings = Settings::new().webhook(&receiver).formats(&["flv"]).set("record.sync_interval", "\"500ms\"");
    let livetape = Livetape::start(&settings);
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 1);
    fleet.wait_all_live(Duration::from_secs(1));
    let recording = eventually("it is recorded", || livetape.of_stream("cam0000").pop().ok_or_else(String::new));
    let growing = livetape.data().join("spool").join(recording.text("id")).join("recording.flv.part");
    let suspect = fs::metadata(&growing).unwrap().ino();
    let path = format!("--trace-path={}", growing.display());
    let strace = Strace::attach(&livetape, &[&path, "--inject=fdatasync,fsync:error=EIO:when=1"]);
    strace.wait_injected(Duration::from_secs(20));
    strace.detach();
    eventually("another recording grows", || {
        let recordings = livetape.of_stream("cam0000");
        if recordings.len() >= 2 { Ok(()) } else { Err(format!("{recordings:?}")) }
    });
    fleet.wait_all_live(Duration::from_secs(6));
    let census = Census::take_with_gaps(&livetape, &film, &fleet.finish(), &receiver);
    census.assert_sound();
    // What waited since the key frame before the fault is given up, until the next key frame.
    assert!(census.gaps.iter().all(|gap| *gap <= 2_700), "{:?}", census.gaps);
    let recordings = livetape.of_stream("cam0000");
    let torn = recordings.iter().find(|other| other.text("id") == recording.text("id")).unwrap();
    assert_eq!(torn.text("state"), "ready");
    assert_ne!(fs::metadata(livetape.file(torn)).unwrap().ino(), suspect, "the suspect file itself was delivered");
}

#[test]
fn a_limit_on_the_size_of_files_ends_a_recording_and_not_the_process() {
    let receiver = Receiver::start();
    let settings = Settings::new().webhook(&receiver).formats(&["mp4", "flv"]);
    // Room for the index and its log, not for all of the media.
    let limited = Launch::default().by(["prlimit", "--fsize=6000000"]);
    let mut livetape = Livetape::start_as(&settings, limited);
    let film = Film::new(&clip::plain());
    let long = fleet::rush(livetape.rtmp, &film, 0, 0, Duration::from_secs(300)).unwrap();
    let short = fleet::rush(livetape.rtmp, &film, 1, 0, Duration::from_secs(5)).unwrap();
    wait_settled(&livetape, Duration::from_secs(60));
    assert_eq!(livetape.ended(), None);
    // How much of the long one is missing is not asked: it comes faster than any encoder's.
    let long = fleet::SessionLog { reached: None, ..long };
    let census = Census::take_with_gaps(&livetape, &film, &[long, short], &receiver);
    census.assert_sound();
    let ready = livetape.newest_ready(100);
    let largest = ready.iter().map(|recording| recording.number("size_bytes")).max();
    assert!(largest.is_some_and(|bytes| (4_000_000..=6_000_000).contains(&bytes)), "{largest:?}");
}
