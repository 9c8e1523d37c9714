//! Everything is deleted, crashed at each effect in every kind of image: nothing is left, nothing is forgotten.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use livetape_media::Format;
use livetape_record::RecordingId;
use livetape_simulation::judge::{all_deleted_but, at_moment, held_kept, none_forgotten};
use livetape_simulation::known::Known;
use livetape_simulation::read::{Content, Readings};
use livetape_simulation::schedule::contents;
use livetape_simulation::{Beginning, Cut, Life, Mistake, Moment, Plan, live};

/// A world in which everything is recorded and in the store.
struct Recorded {
    beginning: Beginning,
    contents: BTreeMap<RecordingId, Arc<Content>>,
    readings: Readings,
}

impl Recorded {
    fn new(over: bool) -> Self {
        let life = live(&Beginning::fresh(), &Plan { publishers: true, over, ..Plan::default() });
        let readings = Readings::default();
        let contents = contents(&life, &readings);
        assert!(contents.len() > 10, "{}", contents.len());
        Self { beginning: Moment::last(&life).crash(&life, Cut::Kill).unwrap(), contents, readings }
    }

    /// Every third recording, but of playlists over an MP4.
    fn some(&self, over: bool) -> Vec<RecordingId> {
        let ids = self.contents.keys().copied().filter(|id| !over || id.format != Format::Hls);
        ids.step_by(3).collect()
    }

    /// That nothing is left but what is held, as it was.
    fn check(&self, held: &BTreeSet<RecordingId>, life: &Life) -> Result<(), String> {
        all_deleted_but(held, &self.contents, life, &self.readings)
    }
}

/// Deletes everything that nobody holds, as `plan` says, and holds each moment of that, and the end after each of
/// `cuts`, against what must be so; where that is `released`, the end after the holds are taken off as well. How many
/// crashes there were.
fn crashed(plan: &Plan, cuts: impl Fn(usize) -> Vec<Cut>, released: impl Fn(usize) -> bool) -> Result<usize, String> {
    let recorded = Recorded::new(plan.over);
    let recordings: Vec<RecordingId> = recorded.contents.keys().copied().collect();
    let holds = if plan.releases { recorded.some(plan.over) } else { Vec::new() };
    let life = live(&recorded.beginning, &Plan { keeps: true, holds, releases: false, ..plan.clone() });
    let of = |known: &Known| -> BTreeSet<RecordingId> {
        known.recordings.iter().filter(|(_, row)| row.held).map(|(id, _)| *id).collect()
    };
    let mut known: BTreeMap<usize, Known> = BTreeMap::new();
    let mut crashes = 0;
    let moments = Moment::all(&life);
    let mut held = BTreeSet::new();
    for (number, moment) in moments.iter().enumerate() {
        let told = |cut: Option<Cut>, problem| {
            format!("{cut:?} at moment {number}, before {:?}: {problem}", life.entries.get(moment.at))
        };
        let known = known.entry(moment.commit).or_insert_with(|| Known::read(&life.images[moment.commit]));
        at_moment(moment, known, &life).map_err(|problem| told(None, problem))?;
        none_forgotten(&recordings, known).map_err(|problem| told(None, problem))?;
        held_kept(&held, known).map_err(|problem| told(None, problem))?;
        held = of(known);
        for cut in cuts(number) {
            let Some(beginning) = moment.crash(&life, cut) else { continue };
            let plan = Plan { releases: false, ..plan.clone() };
            let after = live(&beginning, &plan);
            recorded.check(&held, &after).map_err(|problem| told(Some(cut), problem))?;
            crashes += 1;
            if released(number) {
                let beginning = Moment::last(&after).crash(&after, cut).unwrap();
                let end = live(&beginning, &Plan { releases: true, ..plan });
                recorded.check(&BTreeSet::new(), &end).map_err(|problem| told(Some(cut), problem))?;
            }
        }
    }
    let expected = if plan.releases { recorded.contents.len() / 4 } else { 0 };
    assert!(held.len() >= expected, "{} are held", held.len());
    recorded.check(&held, &life)?;
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
    let crashes = crashed(&deleting(), |moment| vec![any_cut(moment)], |_| false);
    let crashes = crashes.unwrap_or_else(|problem| panic!("{problem}"));
    println!("{crashes} crashes");
    assert!(crashes > 150, "{crashes}");
}

#[test]
fn deletions_of_playlists_over_an_mp4_come_to_their_end() {
    let plan = Plan { over: true, ..deleting() };
    let cuts = |moment| if moment % 2 == 0 { vec![any_cut(moment / 2)] } else { Vec::new() };
    let crashes = crashed(&plan, cuts, |_| false);
    let crashes = crashes.unwrap_or_else(|problem| panic!("{problem}"));
    assert!(crashes > 50, "{crashes}");
}

#[test]
fn what_is_held_is_deleted_after_the_hold_is_taken_off_and_not_before_whatever_crashes() {
    for (over, step) in [(false, 5), (true, 7)] {
        let plan = Plan { over, releases: true, ..deleting() };
        let cuts = |moment| if moment % step == 0 { vec![any_cut(moment / step)] } else { Vec::new() };
        let crashes = crashed(&plan, cuts, |moment| moment % (3 * step) == 0);
        let crashes = crashes.unwrap_or_else(|problem| panic!("{problem}"));
        println!("{crashes} crashes, HLS over MP4: {over}");
        assert!(crashes > 15, "{crashes}");
    }
}

#[test]
fn a_deletion_of_what_was_held_is_found() {
    let recorded = Recorded::new(false);
    let held: BTreeSet<RecordingId> = recorded.some(false).into_iter().collect();
    let life = live(&recorded.beginning, &Plan { keeps: true, ..deleting() });
    let problem = recorded.check(&held, &life).expect_err("the harness finds nothing");
    assert!(problem.contains("is held: true"), "{problem}");
    let last = Known::read(life.images.last().unwrap());
    let problem = held_kept(&held, &last).expect_err("the harness finds nothing");
    assert!(problem.contains("is gone"), "{problem}");
}

#[test]
fn removals_that_are_not_synced_are_found() {
    let plan = deleting().with_mistake(Mistake::NoDirectorySync);
    let cuts = |moment| if moment % 3 == 0 { vec![Cut::PowerNamesLost] } else { Vec::new() };
    let problem = crashed(&plan, cuts, |_| false);
    let problem = problem.expect_err("the harness finds nothing");
    assert!(problem.contains("is in the store still"), "{problem}");
}

#[test]
#[ignore = "minutes: every image of every effect; run by `cargo xtask soak world`"]
fn exhaustive_crashes_of_deletions() {
    let step: usize = std::env::var("LIVETAPE_SOAK_STEP").map_or(1, |step| step.parse().unwrap());
    let cuts = |moment: usize| {
        let power = [Cut::PowerAllLost, Cut::PowerNamesLost, Cut::PowerDataLost];
        let any = (0..4).map(|seed| Cut::PowerAny((moment * 4 + seed) as u64));
        let all = [Cut::Kill].into_iter().chain(power).chain(any);
        all.filter(|_| moment.is_multiple_of(step)).collect()
    };
    for plan in [deleting(), Plan { releases: true, ..deleting() }] {
        let crashes = crashed(&plan, cuts, |moment| plan.releases && moment % (5 * step) == 0);
        println!("{} crashes", crashes.unwrap_or_else(|problem| panic!("{problem}")));
    }
}
