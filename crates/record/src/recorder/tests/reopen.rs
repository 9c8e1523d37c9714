//! Recordings that a crash tore.

use super::pause::{Life, session, tracks};
use super::*;
use crate::report::Recovery;
use crate::{Closing, Gap, GapRule, Reopening, Splice, Tail};

fn wall(millis: i64) -> WallTime {
    WallTime::from_unix_millis(1_000_000 + millis)
}

fn ms(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// A recording of the first 2 s, and 300 ms more of which nothing is left. Others of its stream hold those.
fn torn(policy: Policy, rule: GapRule, gaps: Vec<Gap>) -> Life {
    let format = policy.format;
    let muxer = Box::new(Witness { format, start: ms(80), last: ms(1_960), size_bytes: 0 });
    let tracks = tracks().into_iter().filter_map(|item| match item {
        Item::Track(track) => Some(track),
        _ => None,
    });
    let id = RecordingId { session: SessionId(Uuid::from_u128(1)), format, sequence: 3 };
    let lost = Duration::from_millis(300);
    let (start, started_at, at, ends) = (ms(80), wall(0), wall(5_000), ms(2_000));
    let torn = Reopening { id, muxer, tracks: tracks.collect(), start, started_at, gaps, ends, lost, cut_bytes: 7, at };
    let mut life = Life::new(policy.clone(), rule);
    life.log.lines.push("torn:".to_owned());
    life.recorder = recorder(policy).reopened(torn);
    // A frame decoded at 2,300 would come then, and be shown 80 ms later.
    life.tail = Tail::reopened(ms(2_300), wall(2_300));
    life.base = 10_000;
    life.splice = Some(Splice::new(life.tail.clone(), rule, Duration::from_secs(1)));
    life
}

fn closing(life: &Life) -> &Closing {
    let [closing] = life.closings.as_slice() else { panic!("{:?}", life.closings) };
    closing
}

fn recovery(lost_ms: u64) -> Option<Recovery> {
    Some(Recovery { reason: "crash".to_owned(), cut_bytes: 7, lost_ms })
}

#[test]
fn a_recording_that_a_crash_tore_goes_on_and_says_what_is_missing() {
    for format in [Format::Mp4, Format::Flv, Format::Hls] {
        for rule in [GapRule::Keep, GapRule::Collapse] {
            let mut life = torn(policy(format, 600_000), rule, Vec::new());
            life.push(&session(1));
            life.push(&[end()]);
            assert!(life.log.lines[0].starts_with("torn: >> v0K"), "{:?}", life.log.lines);
            assert_eq!(life.log.lines.len(), 1);
            let [gap] = life.gaps[..] else { panic!("{:?}", life.gaps) };
            // What it holds ends 300 ms before what others hold, by the calendar as well.
            assert_eq!((gap.from, gap.to, gap.lost), (wall(1_920), wall(10_000), Duration::from_millis(300)));
            let length = match (format, rule) {
                (Format::Hls, _) => 0,
                (_, GapRule::Keep) => 8_080,
                (_, GapRule::Collapse) => 380,
            };
            assert_eq!(gap.length, Duration::from_millis(length), "{format} {rule:?}");
            assert!(format == Format::Hls || gap.at == Duration::from_millis(1_920), "{gap:?}");
            let closing = closing(&life);
            assert_eq!((closing.id.sequence, closing.lost), (3, Duration::from_millis(300)));
            let report = &closing.report;
            assert!(report.recovered);
            assert_eq!(report.recovery, recovery(300));
            assert_eq!((report.first_at, report.last_at), (Some(wall(0)), Some(wall(10_966))));
            let observed = report.observed.as_ref().unwrap();
            assert_eq!((observed.since, observed.configurations.total), (Some(wall(5_000)), 2));
            assert!(report.video.iter().chain(&report.audio).all(|track| track.bytes.is_none()));
        }
    }
}

#[test]
fn one_that_is_not_gone_on_with_ends_with_what_it_holds_however_short_it_is() {
    for (rule, reason) in [(GapRule::Keep, EndReason::Crash), (GapRule::Collapse, EndReason::Drop)] {
        let mut short = policy(Format::Mp4, 600_000);
        short.min_duration = Duration::from_secs(60);
        let mut life = torn(short, rule, Vec::new());
        life.push(&[Item::End(reason)]);
        let closing = closing(&life);
        assert_eq!((closing.reason, closing.lost), (StopReason::End(reason), Duration::from_millis(300)));
        assert_eq!((&closing.report.observed, closing.report.recovered), (&None, true));
        assert_eq!((closing.ended_at, closing.report.last_at), (wall(1_920), Some(wall(1_920))));
        assert_eq!(closing.report.recovery, recovery(300));
    }
}

#[test]
fn crashes_before_count_with_what_they_cost() {
    let before = Gap {
        from: wall(500),
        to: wall(1_000),
        at: Duration::from_millis(420),
        length: Duration::ZERO,
        apart: Duration::ZERO,
        lost: Duration::from_millis(41),
    };
    let mut life = torn(policy(Format::Mp4, 600_000), GapRule::Keep, vec![before]);
    life.push(&[Item::End(EndReason::Crash)]);
    assert_eq!(closing(&life).lost, Duration::from_millis(341));
    // Half a second of the calendar is in the gap.
    assert_eq!(closing(&life).ended_at, wall(2_420));

    let mut life = torn(policy(Format::Mp4, 600_000), GapRule::Keep, vec![before]);
    life.push(&session(1));
    assert_eq!(life.gaps.iter().map(|gap| gap.lost.as_millis()).collect::<Vec<_>>(), [300]);
    life.push(&[end()]);
    assert_eq!((closing(&life).lost, &closing(&life).report.recovery), (Duration::from_millis(341), &recovery(341)));
}

#[test]
fn another_configuration_begins_the_next_file() {
    let mut life = torn(policy(Format::Flv, 600_000), GapRule::Keep, Vec::new());
    life.push(&[vec![video(1280), audio(48_000)], steady(1, 25), vec![end()]].concat());
    assert_eq!(life.log.lines[0], "torn: -> codec_changed");
    assert!(life.log.lines[1].starts_with("1 codec_changed: v0K"), "{:?}", life.log.lines);
    let [first, second] = life.closings.as_slice() else { panic!() };
    assert_eq!((first.report.recovered, second.report.recovered), (true, false));
    assert_eq!(second.lost, Duration::ZERO);
}
