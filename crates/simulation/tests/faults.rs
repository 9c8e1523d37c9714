//! The workload on a disk that fails and goes on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use livetape_simulation::faulty::{self, FAULT_BOUND_MS, Schedule};
use livetape_simulation::{Beginning, Fault, Faults, Plan, live};

/// A fault at every `step`th call, one kind after the other, or every kind at each.
fn schedules(step: u64, every_kind: bool) -> Vec<Schedule> {
    let (first, end) = live(&Beginning::fresh(), &Plan { publishers: true, ..Plan::default() }).calls;
    let mut schedules = Vec::new();
    for (number, call) in (first..end).enumerate().filter(|(number, _)| *number as u64 % step == step / 2) {
        let kinds = Fault::EACH.iter().enumerate();
        let turn = number / usize::try_from(step).unwrap() % Fault::EACH.len();
        for (_, fault) in kinds.filter(|(kind, _)| every_kind || *kind == turn) {
            let name = format!("{fault:?} at call {call}");
            schedules.push(Schedule { name, faults: Faults::at(call, *fault), bound_ms: FAULT_BOUND_MS });
        }
    }
    schedules
}

/// A disk that is full for a while.
fn full(step: u64, calls: u64) -> Vec<Schedule> {
    let (first, end) = live(&Beginning::fresh(), &Plan { publishers: true, ..Plan::default() }).calls;
    let begins = (first..end).step_by(usize::try_from(step).unwrap());
    begins
        .map(|call| Schedule {
            name: format!("full from call {call} on, for {calls}"),
            faults: Faults::full(call..call + calls),
            bound_ms: u32::MAX,
        })
        .collect()
}

/// Every which call the exhaustive tests take.
fn step() -> u64 {
    std::env::var("LIVETAPE_SOAK_STEP").map_or(1, |step| step.parse().unwrap())
}

#[test]
fn a_disk_that_fails_once_costs_one_recording_its_end_and_the_operator_hears_of_it() {
    faulty::run(&schedules(31, false), &Plan::default()).assert_clean();
}

#[test]
fn a_disk_that_is_full_for_a_while_damages_nothing() {
    faulty::run(&full(211, 25), &Plan::default()).assert_clean();
}

#[test]
#[ignore = "minutes: every fault at every call; run by `cargo xtask soak world`"]
fn exhaustive_faults() {
    faulty::run(&schedules(step(), true), &Plan::default()).assert_clean();
}

#[test]
#[ignore = "minutes: full from every call on; run by `cargo xtask soak world`"]
fn exhaustive_full_disks() {
    faulty::run(&full(5 * step(), 40), &Plan::default()).assert_clean();
}
