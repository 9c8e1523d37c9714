//! Fault schedules: the workload while the disk fails at one call and goes on, or is full for a while.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use livetape_finalize::Report;

use crate::disk::{Cut, DiskEffect, Faults};
use crate::journal::Effect;
use crate::judge::{self, History, PastLife, Reference};
use crate::moment::{Moment, deliveries};
use crate::read::Readings;
use crate::schedule::{Tally, contents};
use crate::world::{Beginning, Life, Plan, live};

/// The most media that one fault may cost of each stream in each format: what was not written, and
/// what comes until the next key frame.
pub const FAULT_BOUND_MS: u32 = 500 + 480 + 480;

/// One life with faults, and what they may cost.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What it is, for messages.
    pub name: String,
    /// The faults, by the number of the call after publishers may come.
    pub faults: Faults,
    /// The most media that may be missing of each stream in each format, in milliseconds.
    pub bound_ms: u32,
}

/// Lives each schedule to its end, and judges it; and then once more after a power cut, which must find
/// everything that was announced in the store.
pub fn run(schedules: &[Schedule], plan: &Plan) -> Tally {
    let begun = Instant::now();
    let plan = Plan { publishers: true, ..plan.clone() };
    let readings = Readings::default();
    let calm = live(&Beginning::fresh(), &Plan { faults: Faults::default(), ..plan.clone() });
    let reference = match plan.returning {
        None => Reference::new(&contents(&calm, &readings)),
        Some(_) => Reference::everything(),
    };
    let pushed = Moment::last(&calm).pushed;
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let try_one = |schedule: &Schedule| {
        let life = live(&Beginning::fresh(), &Plan { faults: schedule.faults.clone(), ..plan.clone() });
        let history = History {
            pushed: pushed.clone(),
            bound_ms: schedule.bound_ms,
            gaps: true,
            returning: plan.returning,
            ..History::default()
        };
        let judged = judge::at_rest(&life, &history, &reference, &readings).and_then(|cost| {
            let lost = cost.lost_ms;
            if lost > 0 && !told(&life) {
                return Err(format!("{lost} ms are missing, and nobody was told"));
            }
            after_power_cut(&life, &history, &reference, &readings, &plan)?;
            Ok(lost)
        });
        let mut tally = tally.lock().unwrap();
        tally.schedules += 1;
        tally.worlds += 2;
        match judged {
            Ok(lost) => tally.worst_ms.0 = tally.worst_ms.0.max(lost),
            Err(problem) => tally.failures.push(format!("({}): {problem}", schedule.name)),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(schedule) = schedules.get(next.fetch_add(1, Ordering::SeqCst)) {
                    try_one(schedule);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.took = begun.elapsed();
    tally
}

/// Whether anybody could know that something went wrong.
fn told(life: &Life) -> bool {
    let reported = life.reports.iter().any(|report| matches!(report, Report::Broken { .. } | Report::Refused { .. }));
    let kinds: BTreeSet<&str> = life.events.iter().map(|event| event.kind.as_str()).collect();
    let rows = life.rows.iter().any(|row| row.recovered || row.error.is_some());
    reported && (rows || kinds.contains("recording.warning") || kinds.contains("recording.failed"))
}

/// Cuts the power at the end: what was announced must be there as it was.
fn after_power_cut(
    life: &Life,
    history: &History,
    reference: &Reference,
    readings: &Readings,
    plan: &Plan,
) -> Result<(), String> {
    let moment = Moment::last(life);
    let beginning = moment.crash(life, Cut::PowerAllLost).ok_or("there is no such crash")?;
    let after = live(&beginning, &Plan { publishers: false, faults: Faults::default(), ..plan.clone() });
    let lives = vec![PastLife::of(life, life.entries.len(), history.bound_ms)];
    let history = History { kept: contents(life, readings), delivered: deliveries(life), lives, ..history.clone() };
    judge::at_rest(&after, &history, reference, readings)
        .map(drop)
        .map_err(|problem| format!("after a power cut: {problem}"))
}

impl Life {
    /// The calls that synced a file, by the number [`Faults`] know them by, of a life in which no call failed.
    pub fn sync_calls(&self) -> Vec<u64> {
        let disk = self.entries.iter().filter_map(|entry| match entry {
            Effect::Disk(effect) => Some(effect),
            _ => None,
        });
        let number = |(call, effect): (u64, &DiskEffect)| matches!(effect, DiskEffect::SyncData(_)).then_some(call);
        (0..).zip(disk).filter_map(number).collect()
    }
}
