//! Tests of the test: with each mistake the harness must fail, and without it must not.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use livetape_simulation::faulty::{self, FAULT_BOUND_MS, Schedule};
use livetape_simulation::{Beginning, Crashes, Cut, DiskEffect, Effect, Fault, Faults, Harness, Mistake, Plan, live};

/// Holds a plan with a mistake against crashes, and says what was found; one thing is enough.
fn found(plan: &Plan, cut: Cut, step: usize) -> String {
    let harness = match Harness::new(plan, plan) {
        Ok(harness) => harness,
        Err(problem) => return problem,
    };
    found_in(&harness, cut, step)
}

fn found_in(harness: &Harness, cut: Cut, step: usize) -> String {
    found_by(harness, &|moment: usize| if moment.is_multiple_of(step) { vec![cut] } else { Vec::new() })
}

fn found_by(harness: &Harness, cuts: &(dyn Fn(usize) -> Vec<Cut> + Sync)) -> String {
    let tally = harness.run(&Crashes { cuts, again_every: 0, again: &|_| Vec::new(), until_failure: true });
    let problem = tally.failures.first().cloned();
    problem.unwrap_or_else(|| panic!("the harness finds nothing: {tally}"))
}

#[track_caller]
fn assert_says(problem: &str, words: &[&str]) {
    assert!(words.iter().any(|words| problem.contains(words)), "{problem}");
}

#[test]
fn files_that_are_not_synced_are_found() {
    let problem = found(&Plan::default().with_mistake(Mistake::NoSync), Cut::PowerDataLost, 5);
    assert_says(&problem, &["was finished, and", "lacks the last"]);
}

#[test]
fn directories_that_are_not_synced_are_found() {
    let problem = found(&Plan::default().with_mistake(Mistake::NoDirectorySync), Cut::PowerNamesLost, 5);
    assert_says(&problem, &["was finished, and", "lacks the last", "is ready and"]);
}

#[test]
fn a_rename_before_the_sync_is_found() {
    let plan = Plan::default().with_mistake(Mistake::RenameBeforeSync);
    let harness = Harness::new(&plan, &plan).unwrap();
    // Right before syncs, where the mistake shows.
    let effects = harness.life().entries.iter().filter(|entry| entry.is_effect());
    let syncs: Vec<bool> = effects.map(|entry| matches!(entry, Effect::Disk(DiskEffect::SyncData(_)))).collect();
    let cuts = |moment: usize| if syncs.get(moment) == Some(&true) { vec![Cut::PowerDataLost] } else { Vec::new() };
    let problem = found_by(&harness, &cuts);
    assert_says(&problem, &["lacks the last", "is failed", "was finished, and"]);
}

#[test]
fn a_torn_tail_that_is_not_cut_off_is_found() {
    let problem = found(&Plan::default().with_mistake(Mistake::NoTruncation), Cut::KillTorn(60), 1);
    assert_says(&problem, &["is failed", "beyond the end", "at its end"]);
}

#[test]
fn deleting_what_is_not_known_is_found() {
    let problem = found(&Plan::default().with_mistake(Mistake::UnknownDeleted), Cut::Kill, 50);
    assert_says(&problem, &["somebody's file is gone"]);
}

#[test]
fn a_store_that_says_yes_too_early_is_found() {
    let problem = found(&Plan::default().with_hasty_store(), Cut::Kill, 3);
    assert_says(&problem, &["is ready and"]);
}

#[test]
fn evicting_before_the_store_has_it_is_found() {
    let problem = found(&Plan::default().with_early_eviction(), Cut::Kill, 3);
    assert_says(&problem, &["is uploading with", "is failed"]);
}

#[test]
fn announcing_before_the_store_has_it_is_found() {
    let problem = found(&Plan::default().with_early_announcements(), Cut::Kill, 3);
    assert_says(&problem, &["was delivered"]);
}

#[test]
fn counting_a_delivery_before_it_is_made_is_found() {
    let problem = found(&Plan::default().with_hasty_sinks(), Cut::Kill, 1);
    assert_says(&problem, &["was never delivered"]);
}

#[test]
fn an_event_outside_its_rows_transaction_is_found() {
    let life = live(&Beginning::fresh(), &Plan { publishers: true, keeps: true, ..Plan::default() });
    let harness = Harness::of(life.with_events_apart(), &Plan::default()).unwrap();
    assert_says(&found_in(&harness, Cut::Kill, 10), &["is ready and its event is there: false"]);
}

#[test]
fn believing_a_sync_that_failed_before_is_found() {
    let calm = live(&Beginning::fresh(), &Plan { publishers: true, ..Plan::default() });
    let syncs: Vec<u64> = calm.sync_calls();
    // Syncs of files that are about to be finished, and of growing ones.
    let schedules: Vec<Schedule> = syncs
        .into_iter()
        .step_by(23)
        .map(|call| Schedule {
            name: format!("failed sync at call {call}"),
            faults: Faults::at(call, Fault::FailedSync),
            bound_ms: FAULT_BOUND_MS,
        })
        .collect();
    let careful = faulty::run(&schedules, &Plan::default());
    careful.assert_clean();
    let careless = faulty::run(&schedules, &Plan::default().with_mistake(Mistake::FailedSyncBelieved));
    let problem = careless.failures.first().expect("the harness finds nothing");
    assert_says(problem, &["after a power cut"]);
}
