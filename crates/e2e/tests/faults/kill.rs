//! `kill -9` at moments that chance decides, under many streams, with recordings cut every few seconds.

use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::livetape::Settings;
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

/// Kills the program again and again; what is in the data directory afterwards.
pub fn run(plan: &Plan) -> (Livetape, Census) {
    let mut dice = Dice::thrown();
    let receiver = Receiver::start();
    let limits = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"3s\"")
    });
    let settings = limits.set("record.segment_duration", "\"2s\"");
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
    (livetape, census)
}

#[test]
fn streams_that_are_cut_off_by_kills_are_whole_but_for_their_last_moment() {
    let span = [Duration::from_millis(900), Duration::from_millis(3500)];
    let (livetape, census) = run(&Plan { kills: 5, streams: 4, span });
    census.assert_sound();
    let lost = census.lost_by_kill();
    println!("lost at each kill, in ms: {lost:?}");
    assert!(lost.iter().all(|(_, ms)| *ms <= LOST_MAX_MS), "{lost:?}");
    assert!(census.recovered > 0 && census.frames > 1000, "{census:#?}");
    for recording in livetape.newest_ready(3) {
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
}
