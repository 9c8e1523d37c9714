//! The disk stands still for one stream: the others do not wait for it, and memory stays bounded.

use std::fs;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::within;
use livetape_testkit::film::Mark;
use livetape_testkit::flv::{self, Kind};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Census, Film, Fleet, Livetape, Receiver, Strace, clip, machine};

/// What a stall did.
pub struct Stalled {
    /// Of each stream: by how much its file on the disk was behind its publisher, at most.
    pub behind: Vec<Duration>,
    /// How much more memory the process held at its worst, in KiB.
    pub grown_kib: u64,
    /// What is in the recordings afterwards.
    pub census: Census,
}

/// How much of a stream's film is in the FLV file on the disk, growing or finished.
fn on_disk(livetape: &Livetape, film: &Film, recordings: &[String]) -> Duration {
    let newest = recordings.last().map(|id| livetape.data().join("spool").join(id).join("recording.flv.part"));
    let bytes = newest.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let (tags, _) = flv::parse_growing(&bytes);
    let last = tags.iter().rev().find(|tag| tag.kind == Kind::Video && tag.is_frame());
    let mark = last.and_then(|tag| Mark::read(Kind::Video, &tag.body[5..]));
    mark.map_or(Duration::ZERO, |mark| Duration::from_millis(u64::from(film.time(Kind::Video, mark.number))))
}

/// Holds up every write and sync of the first stream's files of these formats (the last of them FLV)
/// for `length`, under `streams` streams.
pub fn stall(streams: u32, length: Duration, formats: &[&str], settings: Settings) -> Stalled {
    let receiver = Receiver::start();
    let settings = settings.webhook(&receiver).formats(&["mp4", "flv"]).set("record.sync_interval", "\"1s\"");
    let settings = settings.set("record.min_duration", "\"0s\"");
    let livetape = Livetape::start(&settings);
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, streams);
    fleet.wait_all_live(Duration::from_secs(2));
    let names: Vec<String> = fleet.crew().cameras.iter().map(|camera| camera.name()).collect();
    let ids = |name: &str, format: &str| -> Vec<String> {
        let of_stream = livetape.of_stream(name);
        let of_format = of_stream.iter().filter(|recording| recording.text("format") == format);
        of_format.map(|recording| recording.text("id")).collect()
    };
    let before = machine::resident_kib(livetape.pid());
    let paths: Vec<String> = formats
        .iter()
        .flat_map(|format| ids(&names[0], format).into_iter().map(move |id| (id, format)))
        .map(|(id, format)| format!("--trace-path={}/spool/{id}/recording.{format}.part", livetape.data().display()))
        .collect();
    let held = format!("--inject=pwritev,pwrite64,fdatasync,fsync,ftruncate:delay_enter={}", 2 * length.as_micros());
    let mut arguments: Vec<&str> = paths.iter().map(String::as_str).collect();
    arguments.push(&held);
    let strace = Strace::attach(&livetape, &arguments);
    let begun = Instant::now();
    let mut behind = vec![Duration::ZERO; names.len()];
    let mut grown_kib = 0;
    within(length + Duration::from_secs(30), "the stall is over", || {
        for (name, behind) in names.iter().zip(&mut behind) {
            let disk = on_disk(&livetape, &film, &ids(name, "flv"));
            let played = fleet.crew().cameras.iter().find(|camera| camera.name() == *name).unwrap().played();
            *behind = (*behind).max(played.saturating_sub(disk));
        }
        grown_kib = grown_kib.max(machine::resident_kib(livetape.pid()).saturating_sub(before));
        if begun.elapsed() >= length { Ok(()) } else { Err(format!("{behind:?}")) }
    });
    strace.detach();
    within(Duration::from_secs(60), "the stalled stream is recorded again", || {
        let played = fleet.crew().cameras[0].played();
        let behind = played.saturating_sub(on_disk(&livetape, &film, &ids(&names[0], "flv")));
        if behind < Duration::from_millis(1_500) { Ok(()) } else { Err(format!("{behind:?} behind")) }
    });
    let census = Census::take_with_gaps(&livetape, &film, &fleet.finish(), &receiver);
    Stalled { behind, grown_kib, census }
}

#[test]
fn a_disk_that_stands_still_for_one_stream_delays_no_other() {
    let stalled = stall(3, Duration::from_secs(4), &["mp4", "flv"], Settings::new());
    println!("behind by {:?}; {} KiB more are held", stalled.behind, stalled.grown_kib);
    stalled.census.assert_sound();
    assert_eq!(stalled.census.gaps, [0; 0], "four seconds fit into what may wait for the disk");
    assert!(stalled.behind[0] >= Duration::from_secs(3), "the stall did not happen: {:?}", stalled.behind);
    assert!(stalled.behind[1..].iter().all(|behind| *behind < Duration::from_secs(2)), "{:?}", stalled.behind);
}
