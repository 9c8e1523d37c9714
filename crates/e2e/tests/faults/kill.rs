//! `kill -9` at moments that chance decides, under many streams, with recordings cut every few seconds.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::fleet::SessionLog;
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::{Census, Dice, Film, Fleet, Launch, Livetape, Receiver, clip, ffmpeg};

use crate::FORMATS;

/// How often, and how.
pub struct Plan {
    pub kills: u32,
    pub streams: u32,
    /// From a start to the next kill.
    pub span: [Duration; 2],
}

/// Media in milliseconds that may be missing of a session that a kill ended.
pub const LOST_MAX_MS: u32 = 500;

/// What was killed, and what came of it.
pub struct Killed {
    pub livetape: Livetape,
    pub census: Census,
    film: Film,
    sessions: Vec<SessionLog>,
    receiver: Receiver,
}

/// Kills the program again and again; what is in the data directory afterwards.
pub fn run(plan: &Plan) -> Killed {
    let mut dice = Dice::thrown();
    let receiver = Receiver::start();
    let limits = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"3s\"")
    });
    let settings = limits.set("record.segment_duration", "\"2s\"").set("record.min_duration", "\"0s\"");
    let mut livetape = Livetape::start_as(&settings, Launch::default().at_fixed_addresses());
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, plan.streams);
    let [shortest, longest] = plan.span;
    let begun = Instant::now();
    for kill in 1..=plan.kills {
        // The moment is the fault: nothing is waited for here.
        thread::sleep(dice.between(shortest, longest));
        if let Some(ended) = livetape.ended() {
            panic!("the program ended by itself: {ended}\n{}", livetape.log().join("\n"));
        }
        fleet.kill(&mut livetape);
        livetape.start_again_unwatched();
        if kill % 10 == 0 {
            let (ended, late) = {
                let mut crew = fleet.crew();
                (crew.ended.len(), std::mem::take(&mut crew.latest))
            };
            println!(
                "{kill} kills in {:?}: {ended} sessions cut off; frames were at most {late:?} late",
                begun.elapsed()
            );
        }
    }
    livetape.wait_started();
    fleet.wait_all_live(Duration::from_secs(3));
    let sessions = fleet.finish();
    let census = Census::take(&livetape, &film, &sessions, &receiver);
    Killed { livetape, census, film, sessions, receiver }
}

#[test]
fn streams_that_are_cut_off_by_kills_are_whole_but_for_their_last_moment() {
    let span = [Duration::from_millis(900), Duration::from_millis(3500)];
    let Killed { livetape, census, film, sessions, receiver } = run(&Plan { kills: 5, streams: 4, span });
    census.assert_sound();
    let lost = census.lost_by_kill();
    println!("lost at each kill, in ms: {lost:?}");
    assert!(lost.iter().all(|(_, ms)| *ms <= LOST_MAX_MS), "{lost:?}");
    assert!(census.recovered > 0 && census.frames > 1000, "{census:#?}");
    for recording in livetape.newest_ready(3) {
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }

    // Whoever finds nothing must be able to find something.
    let newest = livetape.newest_ready(30);
    let [mp4, hls, flv] = FORMATS.map(|format| livetape.file(&of_format(&newest, format)[0]));
    let mut bytes = fs::read(&mp4).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    fs::write(&mp4, bytes).unwrap();
    fs::remove_file(hls.with_file_name("segment-000000.m4s")).unwrap();
    fs::write(&flv, &fs::read(&flv).unwrap()[..5000]).unwrap();
    fs::write(livetape.data().join("media/stranger.mp4"), "a stranger").unwrap();
    let damaged = Census::take(&livetape, &film, &sessions, &receiver).problems;
    for path in [&mp4, &hls, &flv] {
        let id = newest.iter().find(|recording| livetape.file(recording) == *path).unwrap().text("id");
        let seen = |problem: &String| problem.contains(&id) || problem.contains(path.to_str().unwrap());
        assert!(damaged.iter().any(seen), "the damage to {} is not seen: {damaged:#?}", path.display());
    }
    assert!(damaged.iter().any(|problem| problem.contains("stranger")), "{damaged:#?}");
}
