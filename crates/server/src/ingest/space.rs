//! Whether there is space to begin a recording.

use std::sync::Arc;
use std::time::Duration;

use livetape_disk::{DiskError, Space};
use livetape_finalize::Destination;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

/// How long the disk may take to tell.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the disk, one look at a time: a disk that hangs takes one thread, however many ask.
#[derive(Default)]
pub(super) struct SpaceProbe {
    look: Mutex<Option<JoinHandle<Result<Space, DiskError>>>>,
}

impl SpaceProbe {
    /// Whether there is space; if not, why.
    pub(super) async fn check(&self, to: &Arc<Destination>) -> Result<(), String> {
        let min = to.min_free_bytes;
        match tokio::time::timeout(PATIENCE, self.space(to)).await {
            Ok(Ok(Ok(space))) if space.free_bytes >= min => Ok(()),
            Ok(Ok(Ok(space))) => Err(format!(
                "the recorder's disk is low: {} bytes are free, {min} are wanted (record.min_free)",
                space.free_bytes
            )),
            Ok(Ok(Err(problem))) => Err(format!("the recorder's disk cannot be looked at: {problem}")),
            Ok(Err(problem)) => Err(format!("the recorder's disk cannot be looked at: {problem}")),
            Err(_) => Err(format!("the recorder's disk has not answered for {} s", PATIENCE.as_secs())),
        }
    }

    async fn space(&self, to: &Arc<Destination>) -> Result<Result<Space, DiskError>, JoinError> {
        let mut look = self.look.lock().await;
        let handle = look.get_or_insert_with(|| {
            let to = to.clone();
            tokio::task::spawn_blocking(move || to.spool.space())
        });
        // Given up here, the look goes on, and the next one to ask waits for it.
        let result = handle.await;
        *look = None;
        result
    }
}
