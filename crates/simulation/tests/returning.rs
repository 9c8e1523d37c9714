//! Publishers that go and come back, while their recordings wait for them and after, or never; crashed at each effect,
//! after which they come back once more.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use livetape_media::Format;
use livetape_record::GapRule;
use livetape_simulation::faulty::{self, FAULT_BOUND_MS, Schedule};
use livetape_simulation::judge::{History, Reference, at_rest};
use livetape_simulation::read::Readings;
use livetape_simulation::{Beginning, Crashes, Cut, Fault, Faults, Harness, Life, Mistake, Plan, Tally, live};
use livetape_store::PartRules;

fn returning(rule: GapRule) -> Plan {
    Plan { returning: Some(rule), ..Plan::default() }
}

fn over(rule: GapRule) -> Plan {
    Plan { over: true, ..returning(rule) }
}

fn over_in_parts(rule: GapRule) -> Plan {
    let rules = PartRules { part_bytes: 300, equal: false, parts_max: 10_000 };
    Plan { store: Some(Vec::new()), parts: Some(rules), ..over(rule) }
}

/// Power cuts, of which each moment gets one, and the next moment the next.
fn power_cut(moment: usize) -> Cut {
    match moment % 7 {
        0 => Cut::PowerAllLost,
        1 => Cut::PowerLastTorn,
        2 => Cut::PowerDataLost,
        3 => Cut::PowerZeros,
        4 => Cut::PowerNamesLost,
        _ => Cut::PowerAny(moment as u64),
    }
}

/// One of all cuts at each `step`th moment.
fn some(step: usize) -> impl Fn(usize) -> Vec<Cut> + Sync {
    move |moment| match (moment % step, moment / step % 4) {
        (0, 0 | 2) => vec![Cut::Kill],
        (0, 1) => vec![Cut::KillTorn(60)],
        (0, _) => vec![power_cut(moment / step)],
        _ => Vec::new(),
    }
}

fn never(_: usize) -> Vec<Cut> {
    Vec::new()
}

fn crashed(plan: &Plan, cuts: &(dyn Fn(usize) -> Vec<Cut> + Sync)) -> Tally {
    let harness = Harness::new(plan, plan).unwrap();
    let tally = harness.run(&Crashes { cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    tally
}

/// Each recording of a stream in a format, by how many gaps it has.
fn gaps(life: &Life, stream: &str, format: Format) -> Vec<usize> {
    let of = life.rows.iter().filter(|row| row.stream == stream && row.id.format == format);
    let mut rows: Vec<_> = of.map(|row| (row.id, row.gaps.len())).collect();
    rows.sort();
    rows.into_iter().map(|(_, gaps)| gaps).collect()
}

#[test]
fn a_publisher_that_comes_back_in_time_goes_on_in_the_same_recordings_and_after_that_in_new_ones() {
    for (rule, plan) in [
        (GapRule::Keep, returning(GapRule::Keep)),
        (GapRule::Collapse, returning(GapRule::Collapse)),
        (GapRule::Keep, over(GapRule::Keep)),
    ] {
        let harness = Harness::new(&plan, &plan).unwrap();
        let life = harness.life();
        assert_eq!(gaps(life, "stream-0", Format::Mp4), [1, 0]);
        assert_eq!(gaps(life, "stream-0", Format::Hls), [1, 0]);
        // FLV may not become as long as the gap makes it; without the gap it may, and is cut soon after.
        let flv = if rule == GapRule::Keep { vec![0, 0, 0] } else { vec![1, 0] };
        assert_eq!(gaps(life, "stream-0", Format::Flv), flv);
        // The publisher comes back with another configuration.
        assert_eq!(gaps(life, "stream-1", Format::Mp4), [0, 0]);
        let hls = if plan.over { vec![0, 0] } else { vec![1] };
        assert_eq!(gaps(life, "stream-1", Format::Hls), hls);
    }
}

#[test]
fn no_crash_while_publishers_go_and_come_back_costs_more_than_the_last_half_second_or_doubles_anything() {
    let tally = crashed(&returning(GapRule::Keep), &some(9));
    assert!(tally.schedules > 50 && tally.worst_ms.0 > 300, "{tally}");
    let tally = crashed(&returning(GapRule::Collapse), &some(31));
    assert!(tally.schedules > 10, "{tally}");
}

#[test]
fn playlists_over_an_mp4_that_waits_are_what_it_is_after_any_crash() {
    let tally = crashed(&over(GapRule::Keep), &some(19));
    assert!(tally.schedules > 20, "{tally}");
    let tally = crashed(&over_in_parts(GapRule::Collapse), &some(43));
    assert!(tally.schedules > 10, "{tally}");
}

#[test]
fn recovery_of_what_waits_that_is_crashed_itself_comes_to_the_same_end() {
    let plan = returning(GapRule::Keep);
    let harness = Harness::new(&plan, &plan).unwrap();
    let again = some(47);
    let tally = harness.run(&Crashes { cuts: &some(127), again_every: 1, again: &again, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 25, "{tally}");
}

/// A fault at every `step`th call, one kind after the other.
fn faults(plan: &Plan, step: usize) -> Vec<Schedule> {
    let (first, end) = live(&Beginning::fresh(), &Plan { publishers: true, ..plan.clone() }).calls;
    let schedule = |(number, call): (usize, u64)| {
        let fault = Fault::EACH[number / step % Fault::EACH.len()];
        let name = format!("{fault:?} at call {call}");
        Schedule { name, faults: Faults::at(call, fault), bound_ms: FAULT_BOUND_MS }
    };
    (first..end).enumerate().filter(|(number, _)| number % step == step / 2).map(schedule).collect()
}

#[test]
fn a_disk_that_fails_while_publishers_go_and_come_back_costs_one_recording_its_end() {
    let plan = returning(GapRule::Keep);
    faulty::run(&faults(&plan, 43), &plan).assert_clean();
}

#[test]
fn recordings_that_wait_and_are_not_synced_are_found() {
    let plan = returning(GapRule::Keep).with_mistake(Mistake::NoSync);
    let harness = Harness::new(&plan, &plan).unwrap();
    let cuts = |moment: usize| if moment.is_multiple_of(7) { vec![Cut::PowerDataLost] } else { Vec::new() };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: true });
    let problem = tally.failures.first().expect("the harness finds nothing");
    assert!(problem.contains("lacks") || problem.contains("was finished, and"), "{problem}");
}

#[test]
fn rows_that_say_something_else_than_happened_are_found() {
    let rule = GapRule::Keep;
    let plan = returning(rule);
    let judged = |life: &Life| {
        let history = History { returning: Some(rule), ..History::default() };
        at_rest(life, &history, &Reference::everything(), &Readings::default())
    };
    let calm = live(&Beginning::fresh(), &Plan { publishers: true, ..plan });
    judged(&calm).unwrap();
    let place = calm.rows.iter().position(|row| row.gaps.len() == 1).unwrap();
    let found = |change: fn(&mut Life, usize), words: &str| {
        let mut life = live(&Beginning::fresh(), &Plan { publishers: true, ..returning(rule) });
        change(&mut life, place);
        let problem = judged(&life).expect_err("the judge finds nothing");
        assert!(problem.contains(words), "{problem}");
    };
    found(|life, place| life.rows[place].gaps.clear(), "an event says that it went on");
    found(|life, place| life.rows[place].gaps[0].at += Duration::from_millis(40), "of what is played");
    found(|life, place| life.rows[place].gaps[0].to = life.rows[place].gaps[0].from, "ms of its stream");
    found(|life, place| life.rows[place].waiting_until = life.rows[place].ended_at, "it waits still");
    found(|life, place| life.rows[place].ended_at = Some(life.rows[place].started_at), "behind its last frame");
    // The first recording of its format and stream is missing from the store's rows.
    found(|life, place| drop(life.rows.remove(place)), "belongs to no recording");
}

/// Every image there is, with a few seeds, at every so manyth moment.
fn every_cut(moment: usize) -> Vec<Cut> {
    let step: usize = std::env::var("LIVETAPE_SOAK_STEP").map_or(1, |step| step.parse().unwrap());
    if !moment.is_multiple_of(step) {
        return Vec::new();
    }
    let torn = [1, 60].map(Cut::KillTorn);
    let any = (0..3).map(|seed| Cut::PowerAny((moment * 3 + seed) as u64));
    [Cut::Kill].into_iter().chain(torn).chain([0, 1, 2, 3, 4].map(power_cut)).chain(any).collect()
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_while_publishers_go_and_come_back() {
    let (keep, collapse) = (GapRule::Keep, GapRule::Collapse);
    for plan in [returning(keep), returning(collapse), over(keep), over(collapse), over_in_parts(keep)] {
        crashed(&plan, &every_cut);
    }
}

#[test]
#[ignore = "minutes: faults at every third call; run by `cargo xtask soak world`"]
fn exhaustive_faults_while_publishers_go_and_come_back() {
    let step: usize = std::env::var("LIVETAPE_SOAK_STEP").map_or(1, |step| step.parse().unwrap());
    for rule in [GapRule::Keep, GapRule::Collapse] {
        faulty::run(&faults(&returning(rule), 3 * step), &returning(rule)).assert_clean();
    }
}
