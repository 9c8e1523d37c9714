//! Everything is deleted, crashed at each effect in every kind of image: nothing is left, nothing is forgotten.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use livetape_catalog::RecordingState;
use livetape_record::RecordingId;
use livetape_simulation::judge::{all_deleted, at_moment, none_forgotten};
use livetape_simulation::known::Known;
use livetape_simulation::{Beginning, Cut, Life, Mistake, Moment, Plan, live};

/// A world in which everything is recorded and in the store, and what is ready there.
fn recorded(over: bool) -> (Beginning, Vec<RecordingId>) {
    let life = live(&Beginning::fresh(), &Plan { publishers: true, over, ..Plan::default() });
    let ready = life.rows.iter().filter(|row| row.state == RecordingState::Ready).map(|row| row.id).collect();
    (Moment::last(&life).crash(&life, Cut::Kill).unwrap(), ready)
}

/// Deletes everything, as `plan` says, and holds each moment of that, and the end after each of `cuts`,
/// against what must be so. How many crashes there were.
fn crashed(plan: &Plan, cuts: impl Fn(usize) -> Vec<Cut>) -> Result<usize, String> {
    let (beginning, recordings) = recorded(plan.over);
    assert!(recordings.len() > 10, "{}", recordings.len());
    let life = live(&beginning, &Plan { keeps: true, ..plan.clone() });
    all_deleted(&recordings, &life)?;
    let mut known: BTreeMap<usize, Known> = BTreeMap::new();
    let mut crashes = 0;
    for (number, moment) in Moment::all(&life).iter().enumerate() {
        let told = |cut: Option<Cut>, problem| {
            format!("{cut:?} at moment {number}, before {:?}: {problem}", life.entries.get(moment.at))
        };
        let known = known.entry(moment.commit).or_insert_with(|| Known::read(&life.images[moment.commit]));
        at_moment(moment, known, &life).map_err(|problem| told(None, problem))?;
        none_forgotten(&recordings, known).map_err(|problem| told(None, problem))?;
        for cut in cuts(number) {
            let Some(beginning) = moment.crash(&life, cut) else { continue };
            let after: Life = live(&beginning, plan);
            all_deleted(&recordings, &after).map_err(|problem| told(Some(cut), problem))?;
            crashes += 1;
        }
    }
    Ok(crashes)
}

fn deleting() -> Plan {
    Plan { deletes: true, ..Plan::default() }
}

/// Each moment gets one, and the next moment the next.
fn any_cut(moment: usize) -> Cut {
    match moment % 6 {
        0 => Cut::PowerAllLost,
        1 => Cut::PowerNamesLost,
        2 => Cut::PowerAny(moment as u64),
        _ => Cut::Kill,
    }
}

#[test]
fn deletions_that_are_crashed_anywhere_come_to_their_end() {
    let crashes = crashed(&deleting(), |moment| vec![any_cut(moment)]);
    let crashes = crashes.unwrap_or_else(|problem| panic!("{problem}"));
    println!("{crashes} crashes");
    assert!(crashes > 150, "{crashes}");
}

#[test]
fn deletions_of_playlists_over_an_mp4_come_to_their_end() {
    let plan = Plan { over: true, ..deleting() };
    let crashes = crashed(&plan, |moment| if moment % 2 == 0 { vec![any_cut(moment / 2)] } else { Vec::new() });
    let crashes = crashes.unwrap_or_else(|problem| panic!("{problem}"));
    assert!(crashes > 50, "{crashes}");
}

#[test]
fn removals_that_are_not_synced_are_found() {
    let plan = deleting().with_mistake(Mistake::NoDirectorySync);
    let problem = crashed(&plan, |moment| if moment % 3 == 0 { vec![Cut::PowerNamesLost] } else { Vec::new() });
    let problem = problem.expect_err("the harness finds nothing");
    assert!(problem.contains("is in the store still"), "{problem}");
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_of_deletions() {
    let cuts = |moment: usize| {
        let power = [Cut::PowerAllLost, Cut::PowerNamesLost, Cut::PowerDataLost];
        [Cut::Kill]
            .into_iter()
            .chain(power)
            .chain((0..4).map(|seed| Cut::PowerAny((moment * 4 + seed) as u64)))
            .collect()
    };
    println!("{} crashes", crashed(&deleting(), cuts).unwrap_or_else(|problem| panic!("{problem}")));
}
