//! 200 kills under 20 streams.

use std::time::{Duration, Instant};

use livetape_testkit::ffmpeg;

use super::{median, number};
use crate::faults::kill::{Killed, LOST_MAX_MS, Plan, run};

#[test]
#[ignore = "takes half an hour; run by `cargo xtask soak kill`"]
fn nothing_is_lost_in_hundreds_of_kills() {
    let begun = Instant::now();
    let (kills, streams) = (number("LIVETAPE_SOAK_KILLS", 200) as u32, number("LIVETAPE_SOAK_STREAMS", 20) as u32);
    let span = [Duration::from_millis(50), Duration::from_secs(8)];
    let Killed { livetape, census, .. } = run(&Plan { kills, streams, span });

    let lost = census.lost_by_kill();
    let cut: Vec<_> = census.losses.iter().filter(|loss| loss.kill.is_some()).collect();
    let most = |ms: &[u32]| ms.iter().copied().max().unwrap_or(0);
    let by_kill: Vec<u32> = lost.iter().map(|(_, ms)| *ms).collect();
    let each: Vec<u32> = cut.iter().map(|loss| loss.ms).collect();
    let of_sent: Vec<u32> = cut.iter().map(|loss| loss.of_sent_ms).collect();
    println!("kills                         {kills}, {} of them under streams that had begun", by_kill.len());
    println!("recordings ready              {} ({} completed after a crash)", census.ready, census.recovered);
    println!("recordings discarded          {}", census.discarded);
    println!("frames, bytes                 {}, {}", census.frames, census.bytes);
    println!("events                        {} ({} delivered again)", census.events, census.repeated);
    println!("problems                      {}", census.problems.len());
    println!("lost at a kill, worst stream  max {} ms, median {} ms", most(&by_kill), median(by_kill.clone()));
    println!("lost of a stream and format   max {} ms, median {} ms", most(&each), median(each.clone()));
    println!("the same, of what was sent    max {} ms, median {} ms", most(&of_sent), median(of_sent.clone()));
    for format in crate::FORMATS {
        let of: Vec<u32> = cut.iter().filter(|loss| loss.format == format).map(|loss| loss.ms).collect();
        println!("  {format}                         max {} ms, median {} ms", most(&of), median(of.clone()));
    }
    let said: Vec<u32> = cut
        .iter()
        .filter_map(|loss| Some(loss.said_ms.unwrap_or(0).abs_diff(loss.ms)).filter(|_| loss.ms > 0))
        .collect();
    println!("lost_ms of rows is off by     max {} ms, median {} ms", most(&said), median(said.clone()));
    println!("took                          {:?}", begun.elapsed());

    census.assert_sound();
    assert!(most(&by_kill) <= LOST_MAX_MS, "{lost:?}");
    // The index has been looked at to the last frame; a player's word on some of them.
    for recording in livetape.newest_ready(60) {
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
}
