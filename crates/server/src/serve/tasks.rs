//! The tasks the service cannot do without.

use std::collections::BTreeMap;
use std::future::Future;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::metrics;

/// A named set of tasks. Dropped, it ends them.
#[derive(Default)]
pub(super) struct Tasks {
    set: JoinSet<()>,
    names: BTreeMap<Id, &'static str>,
}

impl Tasks {
    /// Runs `work` as the task `name`.
    pub(super) fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(work);
        self.names.insert(handle.id(), name);
    }

    /// Waits until one of them has ended, which none does while the service runs; its name.
    pub(super) async fn first_fault(&mut self) -> &'static str {
        match self.set.join_next_with_id().await {
            Some(ended) => self.note(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits for the task `name` until `deadline`. Whether it has ended.
    pub(super) async fn ended(&mut self, name: &'static str, deadline: Instant) -> bool {
        while self.names.values().any(|running| *running == name) {
            match tokio::time::timeout_at(deadline, self.set.join_next_with_id()).await {
                Ok(Some(ended)) => {
                    self.note(ended);
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Ends all that are left, where they are.
    pub(super) fn abort(&mut self) {
        self.set.abort_all();
    }

    fn note(&mut self, ended: Result<(Id, ()), JoinError>) -> &'static str {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or("unknown");
        if let Err(error) = ended
            && error.is_panic()
        {
            metrics::task_panicked(name);
            tracing::error!(task = name, "a task ended by a fault of the program; the panic message above says where");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_by_the_task_that_had_it() {
        let mut tasks = Tasks::default();
        tasks.spawn("quiet", std::future::pending());
        tasks.spawn("loud", async { panic!("as the test wants") });
        assert_eq!(tasks.first_fault().await, "loud");
        assert!(!tasks.ended("quiet", Instant::now()).await);
        assert!(tasks.ended("loud", Instant::now()).await);
        tasks.abort();
        assert!(tasks.ended("quiet", Instant::now() + std::time::Duration::from_secs(10)).await);
    }
}
