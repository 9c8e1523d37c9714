//! Crash schedules: one life, cut at each of its effects in each image, and again at each effect of
//! what follows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use livetape_catalog::RecordingState;
use livetape_record::RecordingId;

use crate::disk::Cut;
use crate::journal::Effect;
use crate::judge::{self, History, PastLife, Reference, objects_of};
use crate::known::Known;
use crate::moment::{Moment, deliveries};
use crate::read::{Content, Readings};
use crate::world::{Beginning, Life, Plan, SYNC_INTERVAL, live};

/// What a kill may cost, in milliseconds of media.
pub const KILL_BOUND_MS: u32 = 500;
/// What a power cut may cost: besides, what was written since the last sync; a sync that is due comes
/// with the next write, a fragment later.
pub const POWER_BOUND_MS: u32 = KILL_BOUND_MS + SYNC_INTERVAL.as_millis() as u32 + 400;
/// Failures that are told in full.
const TOLD: usize = 12;

/// Which crashes are tried.
pub struct Crashes<'a> {
    /// The cuts at the moment with this number, of so many.
    pub cuts: &'a (dyn Fn(usize) -> Vec<Cut> + Sync),
    /// Of the worlds that begin again, every which one is crashed once more; none for 0.
    pub again_every: usize,
    /// The cuts at the moment with this number of such a world.
    pub again: &'a (dyn Fn(usize) -> Vec<Cut> + Sync),
    /// Stop at the first failure.
    pub until_failure: bool,
}

/// A life and everything that may be asked of it.
pub struct Harness {
    life: Life,
    moments: Vec<Moment>,
    contents: BTreeMap<RecordingId, Arc<Content>>,
    reference: Reference,
    readings: Readings,
    /// How worlds go on after a crash.
    after: Plan,
    known: Vec<OnceLock<Known>>,
}

/// What came of many crashes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Crashes, each at a moment, with an image.
    pub schedules: usize,
    /// Worlds that were started, for images that differ.
    pub worlds: usize,
    /// What did not hold, and after which crash.
    pub failures: Vec<String>,
    /// Media lost at worst by kills alone, and with a power cut, in milliseconds.
    pub worst_ms: (u32, u32),
    /// Crashes, all of them power cuts, after which a recording that was not finished holds frames that are
    /// not what was sent.
    pub damaged: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} schedules in {} worlds, {:.1} s; lost at worst: {} ms by a kill, {} ms by a power cut; {} with damaged frames; {} failures",
            self.schedules,
            self.worlds,
            self.took.as_secs_f64(),
            self.worst_ms.0,
            self.worst_ms.1,
            self.damaged,
            self.failures.len()
        )
    }
}

impl Tally {
    /// Panics with the failures, if there are any.
    pub fn assert_clean(&self) {
        println!("{self}");
        // One of each kind: problems that differ in numbers only are alike.
        let mut kinds: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for failure in &self.failures {
            let problem = failure.rsplit("): ").next().unwrap_or(failure);
            let kind = problem.chars().filter(|c| !c.is_ascii_digit()).collect();
            kinds.entry(kind).or_insert((0, failure)).0 += 1;
        }
        let told: Vec<String> = kinds.values().take(TOLD).map(|(count, one)| format!("{count} like: {one}")).collect();
        assert!(self.failures.is_empty(), "{self}\n{}", told.join("\n"));
    }
}

/// A crash and what is known of the world before it.
struct Past<'a> {
    told: String,
    history: &'a History,
}

impl Harness {
    /// Lives the workload once as `plan` says, and checks that every frame of it is recorded and every
    /// invariant holds at every moment. After crashes, worlds go on as `after` says.
    ///
    /// # Errors
    /// What does not hold.
    pub fn new(plan: &Plan, after: &Plan) -> Result<Self, String> {
        Self::of(live(&Beginning::fresh(), &Plan { publishers: true, keeps: true, ..plan.clone() }), after)
    }

    /// The same, of a life whose every catalog was kept.
    ///
    /// # Errors
    /// What does not hold.
    pub fn of(life: Life, after: &Plan) -> Result<Self, String> {
        let readings = Readings::default();
        let contents = contents(&life, &readings);
        let reference = match after.returning {
            None => Reference::new(&contents),
            Some(_) => Reference::everything(),
        };
        let moments = Moment::all(&life);
        let pushed = moments.last().map(|moment| moment.pushed.clone()).unwrap_or_default();
        let history = History { pushed, returning: after.returning, ..History::default() };
        judge::at_rest(&life, &history, &reference, &readings)?;
        let known = life.images.iter().map(|_| OnceLock::new()).collect();
        // Publishers who come back do so after a crash as well.
        let after = Plan { publishers: after.returning.is_some(), ..after.clone() };
        Ok(Self { life, moments, contents, reference, readings, after, known })
    }

    /// How many moments there are.
    pub fn moments(&self) -> usize {
        self.moments.len()
    }

    /// The life that is cut.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// How many objects were begun while their recordings grew: their first parts were put twice.
    pub fn begun_early(&self) -> usize {
        let mut first_parts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &self.life.entries {
            if let Effect::PartPut { id, number: 1, .. } = entry {
                *first_parts.entry(id).or_default() += 1;
            }
        }
        first_parts.values().filter(|puts| **puts > 1).count()
    }

    /// Tries crashes, on as many threads as there are processors.
    pub fn run(&self, crashes: &Crashes<'_>) -> Tally {
        let begun = Instant::now();
        let tally = Mutex::new(Tally::default());
        // Equal images lead to equal worlds: one is started, and held against each of the pasts.
        let mut groups: Vec<Vec<(usize, Cut)>> = Vec::new();
        let mut by_print: HashMap<u64, usize> = HashMap::new();
        for (number, moment) in self.moments.iter().enumerate() {
            if let Err(problem) = judge::at_moment(moment, self.known(moment.commit), &self.life) {
                tally.lock().unwrap().failures.push(format!("{}: {problem}", self.tell(number, None)));
            }
            for cut in (crashes.cuts)(number) {
                let Some(beginning) = moment.crash(&self.life, cut) else { continue };
                let group = *by_print.entry(print(&beginning)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[group].push((number, cut));
            }
        }
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::SeqCst);
                let done = crashes.until_failure && !tally.lock().unwrap().failures.is_empty();
                let Some(group) = groups.get(index).filter(|_| !done) else { return };
                let again = crashes.again_every > 0 && index.is_multiple_of(crashes.again_every);
                self.begin_again(group, again.then_some(crashes.again), &tally);
            }
        };
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        let mut tally = tally.into_inner().unwrap();
        tally.took = begun.elapsed();
        tally
    }

    /// Starts one world over an image, and judges it after each crash that leaves this image.
    fn begin_again(
        &self,
        group: &[(usize, Cut)],
        again: Option<&(dyn Fn(usize) -> Vec<Cut> + Sync)>,
        tally: &Mutex<Tally>,
    ) {
        let (number, cut) = group[0];
        let Some(beginning) = self.moments[number].crash(&self.life, cut) else { return };
        let life = live(&beginning, &Plan { keeps: again.is_some(), ..self.after.clone() });
        tally.lock().unwrap().worlds += 1;
        for (number, cut) in group {
            let history = self.history(*number, *cut);
            self.judge(&life, &Past { told: self.tell(*number, Some(*cut)), history: &history }, cut.is_kill(), tally);
        }
        if let Some(again) = again {
            let history = self.history(number, cut);
            self.crash_again(&life, &history, (number, cut), again, tally);
        }
    }

    /// Crashes a world that began again, at each of its effects.
    fn crash_again(
        &self,
        life: &Life,
        history: &History,
        (number, cut): (usize, Cut),
        again: &(dyn Fn(usize) -> Vec<Cut> + Sync),
        tally: &Mutex<Tally>,
    ) {
        let contents = contents(life, &self.readings);
        let delivered = deliveries(life);
        let mut known: BTreeMap<usize, Known> = BTreeMap::new();
        let mut prints: HashMap<u64, Life> = HashMap::new();
        for (second, moment) in Moment::all(life).iter().enumerate() {
            let known = known.entry(moment.commit).or_insert_with(|| Known::read(&life.images[moment.commit]));
            let told = |second_cut: Option<Cut>| {
                let entry = life.entries.get(moment.at);
                format!("{}\n  then {second_cut:?} at moment {second}, before {entry:?}", self.tell(number, Some(cut)))
            };
            if let Err(problem) = judge::at_moment(moment, known, life) {
                tally.lock().unwrap().failures.push(format!("{}: {problem}", told(None)));
            }
            for second_cut in again(second) {
                let Some(beginning) = moment.crash(life, second_cut) else { continue };
                let world = prints.entry(print(&beginning)).or_insert_with(|| {
                    tally.lock().unwrap().worlds += 1;
                    live(&beginning, &self.after)
                });
                let mut history = history.clone();
                history.tells &= second_cut.is_kill();
                history.delivered.extend_from_slice(&delivered[..moment.delivered]);
                let finished = known.recordings.iter().filter(|(_, row)| row.is_finished());
                history.kept.extend(finished.filter_map(|(id, _)| Some((*id, contents.get(id)?.clone()))));
                if !second_cut.is_kill() {
                    history.bound_ms =
                        history.bound_ms.max(if history.returning.is_some() { 0 } else { POWER_BOUND_MS });
                    (history.damage, history.failures) = (true, true);
                }
                if history.returning.is_some() {
                    history.lives.push(PastLife::of(life, moment.at, bound_ms(second_cut)));
                }
                let kill = cut.is_kill() && second_cut.is_kill();
                self.judge(world, &Past { told: told(Some(second_cut)), history: &history }, kill, tally);
            }
        }
    }

    fn judge(&self, life: &Life, past: &Past<'_>, kill: bool, tally: &Mutex<Tally>) {
        let judged = judge::at_rest(life, past.history, &self.reference, &self.readings);
        let mut tally = tally.lock().unwrap();
        tally.schedules += 1;
        match judged {
            Ok(cost) if kill => tally.worst_ms.0 = tally.worst_ms.0.max(cost.lost_ms),
            Ok(cost) => {
                tally.worst_ms.1 = tally.worst_ms.1.max(cost.lost_ms);
                tally.damaged += usize::from(cost.damaged > 0);
            }
            Err(problem) => tally.failures.push(format!("{}: {problem}", past.told)),
        }
    }

    /// What is known of the world before a crash.
    fn history(&self, number: usize, cut: Cut) -> History {
        let moment = &self.moments[number];
        let finished = self.known(moment.commit).recordings.iter().filter(|(_, row)| row.is_finished());
        History {
            pushed: moment.pushed.clone(),
            delivered: deliveries(&self.life)[..moment.delivered].to_vec(),
            kept: finished.map(|(id, _)| (*id, self.contents[id].clone())).collect(),
            bound_ms: if self.after.returning.is_some() { 0 } else { bound_ms(cut) },
            damage: !cut.is_kill(),
            gaps: false,
            tells: cut.is_kill(),
            over: self.after.over,
            failures: !cut.is_kill(),
            returning: self.after.returning,
            lives: match self.after.returning {
                Some(_) => vec![PastLife::of(&self.life, moment.at, bound_ms(cut))],
                None => Vec::new(),
            },
        }
    }

    fn known(&self, commit: usize) -> &Known {
        self.known[commit].get_or_init(|| Known::read(&self.life.images[commit]))
    }

    fn tell(&self, number: usize, cut: Option<Cut>) -> String {
        let at = self.moments[number].at;
        format!("{cut:?} at moment {number}, before {:?}", self.life.entries.get(at))
    }
}

/// What a crash may cost, in milliseconds of media.
fn bound_ms(cut: Cut) -> u32 {
    if cut.is_kill() { KILL_BOUND_MS } else { POWER_BOUND_MS }
}

/// What the recordings that are ready hold; those that cannot be read are left out.
pub fn contents(life: &Life, readings: &Readings) -> BTreeMap<RecordingId, Arc<Content>> {
    let objects = objects_of(life);
    let ready = life.rows.iter().filter(|row| row.state == RecordingState::Ready);
    ready
        .filter_map(|row| {
            let read = readings.read(row.id.format, &row.key, &objects);
            Some((row.id, Arc::new(read.as_ref().as_ref().ok()?.clone())))
        })
        .collect()
}

/// Equal for beginnings that lead to equal worlds.
fn print(beginning: &Beginning) -> u64 {
    let mut hasher = DefaultHasher::new();
    beginning.volume.fingerprint(&mut hasher);
    beginning.catalog.hash(&mut hasher);
    beginning.store.hash(&mut hasher);
    hasher.finish()
}
