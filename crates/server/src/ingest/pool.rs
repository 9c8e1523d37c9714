//! Threads that record: they run the connections' tasks and carry out what these hand over to be written. No more of them
//! are awake than have something to do, as many as it takes when a disk lets some hang.
//!
//! What a task has just read is written by the thread that read it, right after: it is still in that core's cache, and
//! nobody needs to be woken. Both take microseconds; so work wakes nobody while somebody is at work, and whoever is goes
//! on to the next. Only when something has waited for [`PATIENCE`] is one more called; one that is known to take long is
//! not counted as somebody at work from its beginning.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_task::Runnable;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::error;

/// How long work waits for those who are at work, and how long one of them may take until it is held to hang.
const PATIENCE: Duration = Duration::from_millis(5);
/// So many that take long are begun without waiting for it to show.
const AT_LONG_WORK: usize = 32;
/// How long a thread rests until it ends; one stays.
const REST: Duration = Duration::from_secs(10);

/// The threads. They end when it is dropped and all is done.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    max_threads: usize,
    /// So many may compute at a time.
    cores: usize,
}

#[derive(Default)]
struct State {
    /// Before the tasks, so that a task's jobs are done before the next task makes some.
    jobs: VecDeque<(Instant, Job)>,
    tasks: VecDeque<(Instant, Runnable)>,
    threads: usize,
    /// Threads that wait to be called, by their places. The last is called first: what it works with may still be in a
    /// cache, and those that are not needed end. One that was called is not among them, even if it has not noticed.
    resting: Vec<(usize, Thread)>,
    /// Threads at something of which it is known that it takes long.
    at_long_work: usize,
    /// Since when each of the others is at what it does; a place for each thread.
    since: Vec<Option<Instant>>,
    /// Places of threads that have ended.
    free: Vec<usize>,
    /// A task looks whether work waits for too long.
    watched: bool,
    over: bool,
}

struct Job {
    work: Box<dyn FnOnce() + Send>,
    takes_long: bool,
}

enum Work {
    Job(Job),
    Task(Runnable),
}

impl Pool {
    /// At most so many threads, at least one. None begins before there is work.
    pub(super) fn new(max_threads: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let shared = Shared { state: Mutex::default(), max_threads: max_threads.max(1), cores };
        Self(Arc::new(shared))
    }

    /// Has `work` done. The receiver fails when it panics. Needs a runtime.
    pub(super) fn run<T: Send + 'static>(
        &self,
        takes_long: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let work = Box::new(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(work());
        });
        self.0.add(Work::Job(Job { work, takes_long }));
        receiver
    }

    /// Runs `future` to its end. The receiver fails when it panics. Needs a runtime.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let (shared, runtime) = (Arc::clone(&self.0), Handle::current());
        let future = async move {
            // Nobody may be waiting any more.
            let _ = sender.send(future.await);
        };
        // Whoever wakes it may be a thread of no runtime.
        let schedule = move |runnable| {
            let _inside = runtime.enter();
            shared.add(Work::Task(runnable));
        };
        let (runnable, task) = async_task::spawn(future, schedule);
        task.detach();
        runnable.schedule();
        receiver
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.over = true;
        for (_, thread) in state.resting.drain(..) {
            thread.unpark();
        }
    }
}

/// Sees to it that no work waits for those that hang. Ends when there is none.
async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(PATIENCE).await;
        let now = Instant::now();
        let mut state = shared.lock();
        match state.oldest() {
            Some(_) if state.wants_one_more(now, shared.cores) => shared.call(&mut state),
            Some(_) => {}
            None => {
                state.watched = false;
                return;
            }
        }
    }
}

impl State {
    fn oldest(&self) -> Option<Instant> {
        let job = self.jobs.front().map(|(since, _)| *since);
        let task = self.tasks.front().map(|(since, _)| *since);
        job.into_iter().chain(task).min()
    }

    /// Whether something has waited for too long, and there are cores for one more that computes: those who have been at
    /// one thing for long wait for a disk.
    fn wants_one_more(&self, now: Instant, cores: usize) -> bool {
        let long = |since: &Instant| now.saturating_duration_since(*since) >= PATIENCE;
        let hanging = self.since.iter().flatten().filter(|since| long(since)).count();
        self.oldest().is_some_and(|since| long(&since)) && self.at_work() < cores + hanging
    }

    fn next(&mut self) -> Option<Work> {
        if let Some((_, job)) = self.jobs.pop_front() {
            return Some(Work::Job(job));
        }
        self.tasks.pop_front().map(|(_, task)| Work::Task(task))
    }

    fn begin(&mut self, place: usize, since: Option<Instant>) {
        if let Some(place) = self.since.get_mut(place) {
            *place = since;
        }
    }

    fn leave(&mut self, place: usize) {
        self.threads -= 1;
        self.free.push(place);
    }

    /// Threads that will soon take the next thing to do, unless they hang.
    fn at_work(&self) -> usize {
        self.threads - self.resting.len() - self.at_long_work
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is more to do.
    fn add(self: &Arc<Self>, work: Work) {
        let (now, mut state) = (Instant::now(), self.lock());
        match work {
            Work::Job(job) => state.jobs.push_back((now, job)),
            Work::Task(task) => state.tasks.push_back((now, task)),
        }
        if state.at_work() == 0 && state.at_long_work < AT_LONG_WORK {
            self.call(&mut state);
        }
        if !std::mem::replace(&mut state.watched, true) {
            tokio::spawn(watch(Arc::clone(self)));
        }
    }

    /// One more thread goes to work, unless all there may be are there.
    fn call(self: &Arc<Self>, state: &mut State) {
        if let Some((_, thread)) = state.resting.pop() {
            thread.unpark();
        } else if state.threads < self.max_threads {
            let place = state.free.pop().unwrap_or_else(|| {
                state.since.push(None);
                state.since.len() - 1
            });
            let (shared, runtime) = (Arc::clone(self), Handle::current());
            let work = move || {
                // What is told of from here may begin tasks.
                let _inside = runtime.enter();
                shared.work(place);
            };
            match thread::Builder::new().name("recorder".to_owned()).spawn(work) {
                Ok(_) => state.threads += 1,
                Err(problem) => {
                    state.free.push(place);
                    error!("a thread that records cannot be had; recordings wait for others: {problem}");
                }
            }
        }
    }

    fn work(self: &Arc<Self>, place: usize) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.next() {
                state = self.carry_out(work, place, state);
            } else if state.over {
                break;
            } else if let Some(called) = self.rest(place, state) {
                state = called;
            } else {
                return;
            }
        }
        state.leave(place);
    }

    /// Waits to be called; `None`: it was not needed for long, and is not any more.
    fn rest<'a>(&'a self, place: usize, mut state: MutexGuard<'a, State>) -> Option<MutexGuard<'a, State>> {
        state.resting.push((place, thread::current()));
        let mut since = Instant::now();
        loop {
            drop(state);
            thread::park_timeout(REST.saturating_sub(since.elapsed()));
            state = self.lock();
            let Some(at) = state.resting.iter().position(|(resting, _)| *resting == place) else { return Some(state) };
            if since.elapsed() < REST {
                continue;
            }
            if state.threads > 1 {
                state.resting.remove(at);
                state.leave(place);
                return None;
            }
            since = Instant::now();
        }
    }

    fn carry_out<'a>(
        self: &'a Arc<Self>,
        work: Work,
        place: usize,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let takes_long = matches!(&work, Work::Job(job) if job.takes_long);
        if takes_long {
            state.at_long_work += 1;
            if state.at_work() == 0 && state.at_long_work < AT_LONG_WORK && state.oldest().is_some() {
                self.call(&mut state);
            }
        } else {
            state.begin(place, Some(Instant::now()));
        }
        drop(state);
        // Whoever waits for it is told by the channel that breaks; the panic has been logged.
        let _ = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Job(job) => (job.work)(),
            Work::Task(task) => {
                task.run();
            }
        }));
        let mut state = self.lock();
        if takes_long {
            state.at_long_work -= 1;
        } else {
            state.begin(place, None);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn jobs_are_done_by_one_thread_while_none_hangs() {
        let pool = Pool::new(8);
        let jobs: Vec<_> = (0..1_000).map(|number| pool.run(false, move || (number, thread::current().id()))).collect();
        let mut by = Vec::new();
        for (number, job) in jobs.into_iter().enumerate() {
            let (done, thread) = job.await.unwrap();
            assert_eq!(done, number);
            by.push(thread);
        }
        by.dedup();
        assert!(by.len() < 100, "{} changes of threads", by.len());
    }

    #[tokio::test]
    async fn jobs_that_hang_stand_in_nobodys_way_up_to_the_limit() {
        let pool = Pool::new(4);
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let hang = || {
            let held = Arc::clone(&held);
            pool.run(false, move || held.lock().unwrap().recv().unwrap())
        };
        let hanging = [hang(), hang(), hang()];
        assert_eq!(pool.run(false, || 7).await, Ok(7));
        let fourth = hang();
        let behind = pool.run(false, || 8);
        assert!(tokio::time::timeout(PATIENCE * 20, behind).await.is_err(), "there is no fifth thread");
        for _ in 0..4 {
            release.send(()).unwrap();
        }
        for job in hanging.into_iter().chain([fourth]) {
            job.await.unwrap();
        }
        assert_eq!(pool.run(false, || 9).await, Ok(9));
    }

    #[tokio::test]
    async fn what_takes_long_stands_in_nobodys_way_from_its_beginning() {
        let pool = Pool::new(4);
        let (release, held) = mpsc::channel::<()>();
        let long = pool.run(true, move || held.recv().unwrap());
        let before = Instant::now();
        for _ in 0..100 {
            pool.run(false, || ()).await.unwrap();
        }
        assert!(before.elapsed() < PATIENCE * 50, "{:?}", before.elapsed());
        assert_eq!(pool.0.lock().at_long_work, 1);
        release.send(()).unwrap();
        long.await.unwrap();
    }

    #[tokio::test]
    async fn a_task_is_run_and_what_it_hands_over_is_done_by_the_same_thread() {
        let pool = Arc::new(Pool::new(8));
        let inner = Arc::clone(&pool);
        let task = pool.spawn(async move {
            let mut same = 0;
            for _ in 0..100 {
                let here = thread::current().id();
                let there = inner.run(false, || thread::current().id()).await.unwrap();
                same += usize::from(here == there);
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            same
        });
        let same = task.await.unwrap();
        assert!(same > 80, "{same}");
        assert!(pool.spawn(async { panic!("meant") }).await.is_err());
        assert_eq!(pool.spawn(async { 5 }).await, Ok(5));
    }

    #[test]
    fn one_more_is_called_when_those_at_work_hang_not_when_they_compute() {
        let long_ago = Instant::now();
        let (just_now, now) = (long_ago + PATIENCE / 2, long_ago + PATIENCE);
        let job = |since| (since, Job { work: Box::new(|| ()), takes_long: false });
        let state = |waits: Instant, at_work: &[Instant]| State {
            jobs: VecDeque::from([job(waits)]),
            threads: at_work.len(),
            since: at_work.iter().copied().map(Some).collect(),
            ..State::default()
        };
        let wants = |state: State| state.wants_one_more(now, 2);
        assert!(wants(state(long_ago, &[just_now])), "a second core is free");
        assert!(!wants(state(long_ago, &[just_now, just_now])), "both cores compute");
        assert!(wants(state(long_ago, &[just_now, long_ago])), "one of two hangs");
        assert!(wants(state(long_ago, &[long_ago; 40])), "all hang");
        assert!(!wants(state(just_now, &[long_ago; 40])), "it has not waited for long");
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_job_is_done() {
        let pool = Pool::new(1);
        let died = pool.run(false, || panic!("meant"));
        assert!(died.await.is_err());
        assert_eq!(pool.run(false, || 1).await, Ok(1));
    }
}
