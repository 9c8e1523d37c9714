//! Which recording is worked on next.
//!
//! Holds an id and a few words for each recording that is finished and not yet ready; the catalog
//! holds the same set durably. Pure: times come in.
//!
//! ```text
//! ready ----> running ----> gone
//!   ^            |
//!   `- waiting <-'  tried again at its time, or at once when the store works again
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use livetape_media::MediaTime;
use livetape_record::RecordingId;
use tokio::time::Instant;

/// The longest pause between two attempts while nothing gets through.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What is to be done about a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// It is finished: bring it into the store.
    Upload,
    /// It could not be written to its end: complete it first.
    Complete {
        /// How much of its session had arrived when it broke, on the session's timeline.
        received: Option<MediaTime>,
    },
    /// It was discarded: give up what of it was put.
    Forget,
}

/// One recording to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: RecordingId,
    pub(super) task: Task,
    /// Which attempt this is, from 1.
    pub(super) attempt: u32,
    /// Nothing has got through for a while, because of what every recording would have met.
    pub(super) troubled: bool,
}

/// How an attempt ended that has to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retry {
    pub(super) at: Instant,
    /// Every recording would have met the same.
    pub(super) everybodys: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    task: Task,
    failures: u32,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Ready,
    Waiting { at: Instant, everybodys: bool },
    Running,
}

/// The recordings that are on their way.
#[derive(Debug)]
pub(super) struct Queue {
    transfers_max: usize,
    entries: BTreeMap<RecordingId, Entry>,
    ready: BTreeMap<u64, RecordingId>,
    waiting: BTreeSet<(Instant, u64, RecordingId)>,
    running: usize,
    numbers: u64,
    /// Failures in a row that everybody would have met, and when the next attempt may begin.
    blocked: u32,
    blocked_until: Option<Instant>,
}

impl Queue {
    pub(super) fn new(transfers_max: usize) -> Self {
        Self {
            transfers_max: transfers_max.max(1),
            entries: BTreeMap::new(),
            ready: BTreeMap::new(),
            waiting: BTreeSet::new(),
            running: 0,
            numbers: 0,
            blocked: 0,
            blocked_until: None,
        }
    }

    /// Adds a recording behind all others; nothing happens when it is there.
    pub(super) fn push(&mut self, id: RecordingId, task: Task) {
        if self.entries.contains_key(&id) {
            return;
        }
        let number = self.numbers;
        self.numbers += 1;
        self.ready.insert(number, id);
        self.entries.insert(id, Entry { number, task, failures: 0, state: State::Ready });
    }

    /// The next recording to work on, the oldest first; `None` when nothing may begin at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        self.wake(now);
        if self.is_busy() || self.blocked_until.is_some_and(|until| until > now) {
            return None;
        }
        let (_, id) = self.ready.pop_first()?;
        let entry = self.entries.get_mut(&id)?;
        entry.state = State::Running;
        self.running += 1;
        let (task, attempt) = (entry.task, entry.failures.saturating_add(1));
        Some(Job { id, task, attempt, troubled: self.is_blocked() })
    }

    /// When [`Queue::take`] may have something that it does not have now, if only time passes.
    pub(super) fn next_at(&self) -> Option<Instant> {
        if self.is_busy() {
            return None;
        }
        let waiting = self.waiting.first().map(|(at, ..)| *at);
        match (self.ready.is_empty(), self.blocked_until) {
            (true, _) => waiting.max(waiting.and(self.blocked_until)),
            (false, until) => until,
        }
    }

    /// The recording is done with, one way or the other. `through`: it shows that the store works.
    pub(super) fn finish(&mut self, id: RecordingId, through: bool) {
        if let Some(entry) = self.entries.remove(&id)
            && entry.state == State::Running
        {
            self.running -= 1;
        }
        if through {
            self.unblock();
        }
    }

    /// The recording is tried again.
    pub(super) fn retry(&mut self, id: RecordingId, now: Instant, retry: Retry) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.state == State::Running) else { return };
        self.running -= 1;
        entry.failures = entry.failures.saturating_add(1);
        entry.state = State::Waiting { at: retry.at, everybodys: retry.everybodys };
        self.waiting.insert((retry.at, entry.number, id));
        if retry.everybodys {
            self.blocked = self.blocked.saturating_add(1);
            if self.is_blocked() {
                let pause = Duration::from_secs(1 << (self.blocked.min(5))).min(PAUSE_MAX);
                self.blocked_until = Some(now + pause);
            }
        }
    }

    /// How many recordings are not done with.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether everything that is left waits for another attempt.
    pub(super) fn only_waits(&self) -> bool {
        self.running == 0 && (self.ready.is_empty() || self.is_blocked())
    }

    /// The store works again: what failed because of it is tried at once.
    fn unblock(&mut self) {
        if self.blocked == 0 {
            return;
        }
        self.blocked = 0;
        self.blocked_until = None;
        let (woken, still): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(_, _, id)| {
                self.entries.get(id).is_some_and(|entry| matches!(entry.state, State::Waiting { everybodys: true, .. }))
            });
        self.waiting = still;
        woken.into_iter().for_each(|(_, number, id)| self.make_ready(number, id));
    }

    fn wake(&mut self, now: Instant) {
        while let Some((at, number, id)) = self.waiting.first().copied()
            && at <= now
        {
            self.waiting.pop_first();
            self.make_ready(number, id);
        }
    }

    fn make_ready(&mut self, number: u64, id: RecordingId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.state = State::Ready;
            self.ready.insert(number, id);
        }
    }

    /// Whether so many are being worked on that no other may begin before one of them ends.
    fn is_busy(&self) -> bool {
        // While nothing gets through, one probe at a time, and not one after the other.
        self.running >= if self.is_blocked() { 1 } else { self.transfers_max }
    }

    /// More failures in a row than transfers that may fail together.
    fn is_blocked(&self) -> bool {
        usize::try_from(self.blocked).unwrap_or(usize::MAX) >= self.transfers_max
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::Format;
    use livetape_record::SessionId;

    use super::*;

    fn id(sequence: u32) -> RecordingId {
        let session: SessionId = "ses_0192f0c1000070008000000000000001".parse().unwrap();
        RecordingId { session, format: Format::Mp4, sequence }
    }

    fn take(queue: &mut Queue, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| queue.take(now)).map(|job| job.id.sequence).collect()
    }

    fn filled(transfers_max: usize, recordings: u32) -> Queue {
        let mut queue = Queue::new(transfers_max);
        (1..=recordings).for_each(|sequence| queue.push(id(sequence), Task::Upload));
        queue
    }

    #[test]
    fn the_oldest_come_first_and_only_so_many_at_once() {
        let now = Instant::now();
        let mut queue = filled(2, 5);
        queue.push(id(1), Task::Complete { received: None });
        assert_eq!(queue.len(), 5);
        assert_eq!(take(&mut queue, now), [1, 2]);
        queue.finish(id(2), true);
        assert_eq!(take(&mut queue, now), [3]);
        queue.finish(id(1), true);
        queue.finish(id(3), true);
        assert_eq!(take(&mut queue, now), [4, 5]);
        queue.finish(id(4), true);
        queue.finish(id(5), true);
        assert!(queue.len() == 0 && queue.only_waits() && queue.next_at().is_none());
    }

    #[test]
    fn one_that_failed_of_itself_waits_while_others_go_on() {
        let now = Instant::now();
        let mut queue = filled(1, 3);
        let at = now + Duration::from_secs(60);
        assert_eq!(take(&mut queue, now), [1]);
        queue.retry(id(1), now, Retry { at, everybodys: false });
        assert_eq!(take(&mut queue, now), [2]);
        queue.finish(id(2), true);
        assert_eq!(take(&mut queue, now), [3]);
        queue.finish(id(3), true);
        assert!(queue.take(now).is_none() && queue.next_at() == Some(at));
        assert!(queue.only_waits());
        let again = queue.take(at).unwrap();
        assert_eq!((again.id, again.attempt), (id(1), 2));
    }

    #[test]
    fn while_nothing_gets_through_one_is_tried_at_a_time_and_not_always_the_same() {
        let mut now = Instant::now();
        let mut queue = filled(2, 10);
        assert_eq!(take(&mut queue, now), [1, 2]);
        for sequence in [1, 2] {
            let at = now + Duration::from_secs(300);
            queue.retry(id(sequence), now, Retry { at, everybodys: true });
        }
        assert!(queue.only_waits());
        let mut tried: Vec<u32> = Vec::new();
        for _ in 0..6 {
            assert!(queue.take(now).is_none(), "nothing before its time");
            now = queue.next_at().unwrap();
            let probe = take(&mut queue, now);
            assert_eq!(probe.len(), 1);
            assert_eq!(queue.next_at(), None, "until the probe ends, time alone changes nothing");
            tried.extend(&probe);
            queue.retry(id(probe[0]), now, Retry { at: now + Duration::from_secs(300), everybodys: true });
        }
        assert_eq!(tried, [3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn when_the_store_works_again_everything_that_failed_with_it_is_tried_at_once() {
        let now = Instant::now();
        let mut queue = filled(3, 4);
        assert_eq!(take(&mut queue, now), [1, 2, 3]);
        let at = now + Duration::from_secs(300);
        queue.retry(id(1), now, Retry { at, everybodys: true });
        queue.retry(id(2), now, Retry { at, everybodys: false });
        queue.retry(id(3), now, Retry { at, everybodys: true });
        assert_eq!(take(&mut queue, now), [4]);
        queue.finish(id(4), true);
        assert_eq!(take(&mut queue, now), [1, 3], "the second has its own trouble");
    }

    #[test]
    fn a_pause_is_never_longer_than_half_a_minute() {
        let mut now = Instant::now();
        let mut queue = filled(1, 1);
        for _ in 0..50 {
            let job = queue.take(now).unwrap();
            queue.retry(job.id, now, Retry { at: now, everybodys: true });
            let next = queue.next_at().unwrap();
            assert!(next > now && next - now <= PAUSE_MAX, "{:?}", next - now);
            now = next;
        }
    }
}
