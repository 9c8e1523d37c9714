//! What this crate takes from the machine: the calendar, chance, and threads that may wait.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use livetape_media::WallTime;
use ring::rand::{SecureRandom, SystemRandom};

/// The calendar's time. A parameter, so that it can follow a simulated clock.
pub type WallClock = Arc<dyn Fn() -> WallTime + Send + Sync>;

/// The machine's calendar.
pub fn system_clock() -> WallClock {
    Arc::new(|| {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        WallTime::from_unix_millis(millis)
    })
}

/// A random number, for jitter.
pub(crate) fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter; nothing else depends on it.
    let _ = SystemRandom::new().fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// A call on the blocking pool did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blocking call was stopped: {0}")]
pub struct Stopped(String);

impl Stopped {
    /// A task was stopped.
    pub(crate) fn of(error: &tokio::task::JoinError) -> Self {
        Self(error.to_string())
    }
}

/// Runs `call` on the blocking pool.
pub(crate) async fn blocking<T, E, F>(call: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Stopped> + Send + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(Stopped::of(&error).into()))
}
