//! Threads that write for all recorders: no more of them awake than have something to do, as many as it takes when a
//! disk lets some hang.
//!
//! A job takes microseconds; waking a thread for it takes longer. So a job wakes nobody while somebody is at work, and
//! whoever is goes on to the next. Only when a job has waited for [`PATIENCE`] do those at work hang, and one more begins.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::error;

/// How long a job waits for those at work.
const PATIENCE: Duration = Duration::from_millis(5);
/// How long a thread rests until it ends; one stays.
const REST: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped and all is done.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is a job for one more thread, or it is over.
    news: Condvar,
    max_threads: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Instant, Job)>,
    threads: usize,
    at_rest: usize,
    /// A task looks whether jobs wait for too long.
    watched: bool,
    over: bool,
}

impl Pool {
    /// At most so many threads, at least one. None begins before there is a job.
    pub(super) fn new(max_threads: usize) -> Self {
        let shared = Shared { state: Mutex::default(), news: Condvar::new(), max_threads: max_threads.max(1) };
        Self(Arc::new(shared))
    }

    /// Has `work` done. The receiver fails when it panics. Needs a runtime.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(work());
        });
        let mut state = self.0.lock();
        state.jobs.push_back((Instant::now(), job));
        if state.threads == state.at_rest {
            self.0.one_more(&mut state);
        }
        if !std::mem::replace(&mut state.watched, true) {
            tokio::spawn(watch(Arc::clone(&self.0)));
        }
        receiver
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.news.notify_all();
    }
}

/// Sees to it that no job waits for those that hang. Ends when there is none.
async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(PATIENCE).await;
        let mut state = shared.lock();
        match state.jobs.front() {
            Some((since, _)) if since.elapsed() >= PATIENCE => shared.one_more(&mut state),
            Some(_) => {}
            None => {
                state.watched = false;
                return;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more thread goes to work, unless all there may be are there.
    fn one_more(self: &Arc<Self>, state: &mut State) {
        if state.at_rest > 0 {
            self.news.notify_one();
        } else if state.threads < self.max_threads {
            let (shared, runtime) = (Arc::clone(self), Handle::current());
            let work = move || {
                // What is told of from here may begin tasks.
                let _inside = runtime.enter();
                shared.work();
            };
            match thread::Builder::new().name("recorder".to_owned()).spawn(work) {
                Ok(_) => state.threads += 1,
                Err(problem) => error!("a thread that writes cannot be had; recordings wait for others: {problem}"),
            }
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some((_, job)) = state.jobs.pop_front() {
                drop(state);
                // Whoever waits for it is told by the channel that breaks; the panic has been logged.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.lock();
            } else if state.over {
                break;
            } else {
                state.at_rest += 1;
                let (woken, rest) = self.news.wait_timeout(state, REST).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.at_rest -= 1;
                if rest.timed_out() && state.jobs.is_empty() && state.threads > 1 {
                    break;
                }
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn jobs_are_done_by_one_thread_while_none_hangs() {
        let pool = Pool::new(8);
        let jobs: Vec<_> = (0..1_000).map(|number| pool.run(move || (number, thread::current().id()))).collect();
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
            pool.run(move || held.lock().unwrap().recv().unwrap())
        };
        let hanging = [hang(), hang(), hang()];
        assert_eq!(pool.run(|| 7).await, Ok(7));
        let fourth = hang();
        let behind = pool.run(|| 8);
        assert!(tokio::time::timeout(PATIENCE * 20, behind).await.is_err(), "there is no fifth thread");
        for _ in 0..4 {
            release.send(()).unwrap();
        }
        for job in hanging.into_iter().chain([fourth]) {
            job.await.unwrap();
        }
        assert_eq!(pool.run(|| 9).await, Ok(9));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_job_is_done() {
        let pool = Pool::new(1);
        let died = pool.run(|| panic!("meant"));
        assert!(died.await.is_err());
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
