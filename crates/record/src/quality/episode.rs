//! What is told of a trouble: few things, however often its signs come.
//!
//! Contract, for each kind of trouble of each track: it is told when it is first noticed. While its signs go on, their
//! number is told a minute later, then after two, four, eight ... When there has been none for [`CALM`], it is over;
//! that is told too, unless it was a single thing that happened. One that begins again soon waits until the time is up,
//! and is then told as one with what came in between. So the events of a stream grow with the logarithm of its troubles.

use std::collections::BTreeMap;
use std::time::Duration;

use livetape_media::{Phase, TrackKind, WarningKind};

use super::sign::Sign;

/// Without a sign for so long, a trouble is over.
const CALM: Duration = Duration::from_secs(10);
/// The least time between two things that are told of a trouble, but for its end.
const SPACING: Duration = Duration::from_secs(60);
/// The most.
const SPACING_MAX: Duration = Duration::from_secs(6 * 3600);

/// What is told of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of trouble.
    pub kind: WarningKind,
    /// The track it is about, if it is about one.
    pub track: Option<TrackKind>,
    /// Which part of it.
    pub phase: Phase,
    /// How often it was noticed since it began.
    pub count: u64,
    /// In words.
    pub detail: String,
}

/// The troubles of a stream.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    kinds: BTreeMap<(WarningKind, Option<TrackKind>), Episode>,
    /// When something may have to be told without a further sign.
    due: Option<Duration>,
}

#[derive(Debug)]
struct Episode {
    run: Option<Run>,
    /// When the next thing may be told.
    not_before: Duration,
    spacing: Duration,
}

/// A trouble that goes on, as far as is known.
#[derive(Debug)]
struct Run {
    since: Duration,
    last: Duration,
    count: u64,
    sign: Sign,
    told: bool,
}

impl Episodes {
    /// A sign was noticed, so many times; not once, when it only goes on.
    pub(super) fn notice(&mut self, sign: Sign, times: u64, now: Duration, out: &mut Vec<Finding>) {
        let new = || Episode { run: None, not_before: Duration::ZERO, spacing: SPACING };
        self.kinds.entry((sign.kind(), sign.track())).or_insert_with(new).notice(sign, times, now, out);
        self.look(now, out);
    }

    /// When [`Episodes::look`] wants to be called.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Tells what there is to be told now.
    pub(super) fn look(&mut self, now: Duration, out: &mut Vec<Finding>) {
        for episode in self.kinds.values_mut() {
            episode.look(now, out);
        }
        self.due = self.kinds.values().filter_map(Episode::due).min();
    }

    /// The stream is over, and every trouble with it.
    pub(super) fn finish(&mut self, now: Duration, out: &mut Vec<Finding>) {
        for episode in self.kinds.values_mut() {
            if let Some(run) = episode.run.take() {
                out.extend(run.end(now));
            }
        }
        self.due = None;
    }
}

impl Episode {
    fn notice(&mut self, sign: Sign, times: u64, now: Duration, out: &mut Vec<Finding>) {
        if self.run.is_none() {
            if now < self.not_before {
                self.widen();
            } else if now >= self.not_before + self.spacing {
                self.spacing = SPACING;
            }
        }
        let new = || Run { since: now, last: now, count: 0, sign, told: false };
        let run = self.run.get_or_insert_with(new);
        (run.last, run.sign) = (now, sign);
        run.count = run.count.saturating_add(times).max(1);
        if now >= self.not_before {
            out.push(run.tell(now));
            if std::mem::replace(&mut run.told, true) {
                self.widen();
            }
            self.not_before = now + self.spacing;
        }
    }

    fn widen(&mut self) {
        self.spacing = (self.spacing * 2).min(SPACING_MAX);
    }

    fn due(&self) -> Option<Duration> {
        let run = self.run.as_ref()?;
        let calm = run.last + CALM;
        Some(if run.told { calm } else { calm.max(self.not_before) })
    }

    fn look(&mut self, now: Duration, out: &mut Vec<Finding>) {
        if self.due().is_some_and(|due| now >= due)
            && let Some(run) = self.run.take()
        {
            out.extend(run.end(now));
            self.not_before = self.not_before.max(now + self.spacing);
        }
    }
}

impl Run {
    /// It begins, or goes on.
    fn tell(&self, now: Duration) -> Finding {
        let phase = match (self.told, self.sign.is_momentary() && self.count == 1) {
            (true, _) => Phase::GoesOn,
            (false, true) => Phase::Once,
            (false, false) => Phase::Began,
        };
        let seconds = now.saturating_sub(self.since).as_secs();
        let so_far = match (self.count, seconds) {
            (1, 0) => String::new(),
            (1, _) => format!("; for {seconds} s so far"),
            (count, _) => format!("; {count} times in {seconds} s so far"),
        };
        self.finding(phase, so_far)
    }

    /// It is over. Nothing, when it was a single thing that has been told.
    fn end(&self, now: Duration) -> Option<Finding> {
        if self.count == 1 && self.sign.is_momentary() {
            return (!self.told).then(|| self.finding(Phase::Once, String::new()));
        }
        let seconds = self.last.min(now).saturating_sub(self.since).as_secs();
        let times = if self.count == 1 { String::new() } else { format!(", {} times", self.count) };
        Some(self.finding(Phase::Ended, format!("; that is over after {seconds} s{times}")))
    }

    fn finding(&self, phase: Phase, more: String) -> Finding {
        let (kind, track, count) = (self.sign.kind(), self.sign.track(), self.count);
        Finding { kind, track, phase, count, detail: self.sign.to_string() + &more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUCK: Sign = Sign::Stuck { track: TrackKind::Video };

    fn told(signs: impl IntoIterator<Item = u64>, until: u64) -> Vec<(Phase, u64)> {
        let (mut episodes, mut out) = (Episodes::default(), Vec::new());
        let mut signs = signs.into_iter().peekable();
        for second in 0..until {
            let now = Duration::from_secs(second);
            while signs.next_if(|at| *at == second).is_some() {
                episodes.notice(STUCK, 1, now, &mut out);
            }
            if episodes.due().is_some_and(|due| now >= due) {
                episodes.look(now, &mut out);
            }
        }
        out.iter().map(|finding| (finding.phase, finding.count)).collect()
    }

    #[test]
    fn a_single_thing_is_told_once() {
        assert_eq!(told([5], 1_000), [(Phase::Once, 1)]);
        assert_eq!(told([5, 500], 1_000), [(Phase::Once, 1), (Phase::Once, 1)]);
    }

    #[test]
    fn what_goes_on_is_told_ever_more_rarely_and_its_end_once() {
        let found = told(0..600, 2_000);
        let expected = [(Phase::Once, 1), (Phase::GoesOn, 61), (Phase::GoesOn, 181), (Phase::GoesOn, 421)];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4..], [(Phase::Ended, 600)]);
    }

    #[test]
    fn a_trouble_that_comes_and_goes_for_a_week_is_told_a_few_times() {
        let week = 7 * 86_400;
        let found = told((0..week).step_by(25), week);
        assert!(found.len() < 120, "{} events", found.len());
        let a_day = told((0..86_400).step_by(12), 86_400);
        assert!(a_day.len() < 40, "{} events", a_day.len());
    }

    #[test]
    fn what_is_held_back_is_told_when_its_time_has_come() {
        // Over at 20, again from 30 to 32: that is told at 80 + 60.
        let found = told((0..10).chain(30..33), 400);
        assert_eq!(found, [(Phase::Once, 1), (Phase::Ended, 10), (Phase::Ended, 3)]);
    }

    #[test]
    fn the_end_of_the_stream_is_the_end_of_every_trouble() {
        let (mut episodes, mut out) = (Episodes::default(), Vec::new());
        episodes.notice(Sign::Missing { track: TrackKind::Audio, since: Default::default() }, 1, SPACING, &mut out);
        episodes.finish(SPACING * 2, &mut out);
        let phases: Vec<_> = out.iter().map(|finding| finding.phase).collect();
        assert_eq!((phases.as_slice(), episodes.due()), (&[Phase::Began, Phase::Ended][..], None));
        assert!(out[1].detail.contains("that is over"), "{}", out[1].detail);
    }
}
