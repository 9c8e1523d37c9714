//! The workload, crashed at its effects in every kind of image, and again at the effects of recovery.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use livetape_simulation::{Crashes, Cut, Harness, Plan, ReceiverAct, StoreAct};
use livetape_store::PartRules;

/// Power cuts, of which each moment gets one, and the next moment the next.
fn power_cut(moment: usize) -> Cut {
    match moment % 8 {
        0 => Cut::PowerAllLost,
        1 => Cut::PowerLastTorn,
        2 => Cut::PowerDataLost,
        3 => Cut::PowerZeros,
        4 => Cut::PowerNamesLost,
        _ => Cut::PowerAny(moment as u64),
    }
}

/// Every which moment the exhaustive tests take.
fn step() -> usize {
    std::env::var("LIVETAPE_SOAK_STEP").map_or(1, |step| step.parse().unwrap())
}

/// Every image there is, with a few seeds.
fn every_cut(moment: usize) -> Vec<Cut> {
    if !moment.is_multiple_of(step()) {
        return Vec::new();
    }
    let torn = [1, 35, 60, 99].map(Cut::KillTorn);
    let power = [0, 1, 2, 3, 4].map(power_cut);
    let any = (0..6).map(|seed| Cut::PowerAny((moment * 6 + seed) as u64));
    [Cut::Kill].into_iter().chain(torn).chain(power).chain(any).collect()
}

fn never(_: usize) -> Vec<Cut> {
    Vec::new()
}

/// A store in memory that takes objects in small parts, so that every recording has several.
fn in_parts() -> Plan {
    let rules = PartRules { part_bytes: 300, equal: false, parts_max: 10_000 };
    Plan { store: Some(Vec::new()), parts: Some(rules), ..Plan::default() }
}

/// The same, and HLS is playlists over the MP4.
fn over_in_parts() -> Plan {
    Plan { over: true, ..in_parts() }
}

/// A store in memory that fails in every way, and two receivers, one of them bad.
fn troubled() -> Plan {
    use ReceiverAct as R;
    use StoreAct as S;
    let slow = Duration::from_millis(300);
    let store = vec![
        S::Take,
        S::Slow(slow),
        S::Refuse,
        S::Take,
        S::TakeAndSayNothing,
        S::Reset,
        S::Slow(slow),
        S::Take,
        S::Refuse,
        S::Take,
        S::TakeAndSayNothing,
        S::Slow(slow),
        S::Reset,
    ];
    let bad = vec![
        R::Refuse,
        R::TakeAndSayNothing,
        R::Slow(slow),
        R::Take,
        R::Reset,
        R::Take,
        R::TakeAndSayNothing,
        R::Slow(slow),
    ];
    Plan { store: Some(store), receivers: [vec![R::Slow(slow)], bad], ..Plan::default() }
}

fn harness() -> Harness {
    Harness::new(&Plan::default(), &Plan::default()).unwrap()
}

#[test]
fn a_kill_before_any_effect_costs_half_a_second_at_most_and_doubles_nothing() {
    let harness = harness();
    let cuts =
        |moment: usize| if moment.is_multiple_of(3) { vec![Cut::Kill, Cut::KillTorn(60)] } else { vec![Cut::Kill] };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 900 && tally.worst_ms.0 > 300, "{tally}");
}

#[test]
fn a_power_cut_costs_what_was_not_synced_and_nothing_that_was_finished() {
    let harness = harness();
    let cuts = |moment: usize| if moment % 3 == 1 { vec![power_cut(moment / 3)] } else { Vec::new() };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 250 && tally.worst_ms.1 > 900, "{tally}");
}

#[test]
fn recovery_that_is_crashed_itself_comes_to_the_same_end() {
    let harness = harness();
    let cuts = |moment: usize| match moment % 97 {
        13 => vec![Cut::Kill],
        49 => vec![power_cut(moment)],
        _ => Vec::new(),
    };
    let again = |moment: usize| match moment % 13 {
        3 => vec![Cut::Kill],
        8 => vec![power_cut(moment)],
        _ => Vec::new(),
    };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 1, again: &again, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 100, "{tally}");
}

#[test]
fn stores_and_receivers_that_fail_change_nothing_of_it() {
    let harness = Harness::new(&troubled(), &troubled()).unwrap();
    let cuts = |moment: usize| if moment % 13 == 4 { vec![Cut::Kill, Cut::PowerAllLost] } else { Vec::new() };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 100, "{tally}");
}

#[test]
fn recordings_that_are_put_while_they_grow_are_whole_after_any_crash_and_no_upload_is_left() {
    let harness = Harness::new(&in_parts(), &in_parts()).unwrap();
    let early = harness.begun_early();
    assert!(early > 3, "{early} objects were begun while their recordings grew");
    let cuts = |moment: usize| match moment % 19 {
        0 | 7 => vec![Cut::Kill],
        13 => vec![power_cut(moment / 19)],
        _ => Vec::new(),
    };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 50, again: &cuts, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 250, "{tally}");
}

#[test]
fn playlists_over_an_mp4_are_what_it_is_after_any_crash() {
    let plan = Plan { over: true, ..Plan::default() };
    let harness = Harness::new(&plan, &plan).unwrap();
    let cuts = |moment: usize| match moment % 7 {
        0 => vec![Cut::Kill],
        2 => vec![Cut::KillTorn(60)],
        4 => vec![power_cut(moment / 7)],
        _ => Vec::new(),
    };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 40, again: &cuts, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 300, "{tally}");
}

#[test]
fn playlists_over_an_mp4_reach_a_store_that_takes_parts_after_it() {
    let harness = Harness::new(&over_in_parts(), &over_in_parts()).unwrap();
    let cuts = |moment: usize| match moment % 23 {
        0 => vec![Cut::Kill],
        11 => vec![power_cut(moment / 23)],
        _ => Vec::new(),
    };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 80, "{tally}");
}

#[test]
fn a_store_that_fails_in_the_middle_of_uploads_changes_nothing_of_it() {
    let plan = Plan { parts: in_parts().parts, ..troubled() };
    let harness = Harness::new(&plan, &plan).unwrap();
    let cuts = |moment: usize| if moment % 23 == 4 { vec![Cut::Kill, Cut::PowerAllLost] } else { Vec::new() };
    let tally = harness.run(&Crashes { cuts: &cuts, again_every: 0, again: &never, until_failure: false });
    tally.assert_clean();
    assert!(tally.schedules > 80, "{tally}");
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_of_uploads_in_parts() {
    for plan in [in_parts(), over_in_parts(), Plan { parts: in_parts().parts, workers: 8, ..troubled() }] {
        let harness = Harness::new(&plan, &plan).unwrap();
        harness.run(&Crashes { cuts: &every_cut, again_every: 0, again: &never, until_failure: false }).assert_clean();
    }
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes() {
    harness().run(&Crashes { cuts: &every_cut, again_every: 0, again: &never, until_failure: false }).assert_clean();
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_of_playlists_over_an_mp4() {
    let plan = Plan { over: true, ..Plan::default() };
    let harness = Harness::new(&plan, &plan).unwrap();
    harness.run(&Crashes { cuts: &every_cut, again_every: 0, again: &never, until_failure: false }).assert_clean();
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_with_trouble_in_the_store_and_at_the_receivers() {
    let plan = Plan { workers: 8, ..troubled() };
    let harness = Harness::new(&plan, &plan).unwrap();
    harness.run(&Crashes { cuts: &every_cut, again_every: 0, again: &never, until_failure: false }).assert_clean();
}

#[test]
#[ignore = "many minutes: two crashes, each at every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_of_recovery() {
    let cuts = |moment: usize| vec![Cut::Kill, power_cut(moment)];
    let again = |moment: usize| vec![Cut::Kill, power_cut(moment)];
    harness().run(&Crashes { cuts: &cuts, again_every: step(), again: &again, until_failure: false }).assert_clean();
}
