//! The pulse: how far every live session has come, written every quarter of a second, so that what
//! comes after a crash knows what had arrived.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use livetape_disk::{Pulse, Spool};
use livetape_finalize::WallClock;
use livetape_media::MediaTime;
use livetape_record::SessionId;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, warn};

use crate::live::Live;

/// How often it is written. After a crash, this much less than what arrived may be known of.
const EVERY: Duration = Duration::from_millis(250);

/// What the pulse is made of.
pub(super) struct Source {
    /// The live sessions.
    pub(super) live: Live,
    /// The data directory.
    pub(super) spool: Spool,
    /// The calendar.
    pub(super) wall: WallClock,
    /// Sessions of a process before this one, which recovery has not done with.
    pub(super) left: Vec<(SessionId, Option<MediaTime>)>,
}

impl Source {
    fn pulse(&self) -> Pulse {
        let mut sessions: BTreeMap<String, Option<i64>> = BTreeMap::new();
        for (id, received) in self.left.iter().copied().chain(self.live.received()) {
            let latest = sessions.entry(id.to_string()).or_default();
            *latest = (*latest).max(received.map(MediaTime::as_millis));
        }
        Pulse { at_ms: (self.wall)().as_unix_millis(), sessions }
    }
}

/// Writes the pulse of `source` until it is dropped. To be begun once recovery has read the one before.
pub(super) async fn run(source: Source) {
    let source = Arc::new(source);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failing, mut quiet) = (false, false);
    loop {
        ticks.tick().await;
        let next = source.pulse();
        // Once it says that nothing is live, it goes on saying so by itself.
        if next.sessions.is_empty() && quiet {
            continue;
        }
        let nothing_live = next.sessions.is_empty();
        let to = Arc::clone(&source);
        let written = tokio::task::spawn_blocking(move || next.write(&**to.spool.disk(), to.spool.root())).await;
        quiet = false;
        match written {
            Ok(Ok(())) => {
                quiet = nothing_live;
                failing = false;
            }
            Ok(Err(problem)) if failing => debug!("the pulse is not written: {problem}"),
            Ok(Err(problem)) => {
                failing = true;
                warn!("the pulse is not written; after a crash now, what was lost would be told too small: {problem}");
            }
            Err(problem) => error!("writing the pulse broke off: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    use livetape_disk::RealDisk;
    use livetape_finalize::system_clock;
    use livetape_record::StreamPath;

    use super::*;
    use crate::live::LiveSession;

    /// Reads the pulse of `root` until it is as wanted.
    async fn wait_for(root: &std::path::Path, wanted: impl Fn(&Pulse) -> bool) -> Pulse {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = Pulse::read(&RealDisk, root).unwrap();
            match found {
                Some(pulse) if wanted(&pulse) => return pulse,
                found => assert!(Instant::now() < deadline, "{found:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn the_pulse_follows_the_live_sessions_and_keeps_those_that_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let live = Live::default();
        let left: SessionId = format!("ses_{:032x}", 1).parse().unwrap();
        let id: SessionId = format!("ses_{:032x}", 2).parse().unwrap();
        let source = Source {
            live: live.clone(),
            spool: Spool::open(Arc::new(RealDisk), directory.path()).unwrap(),
            wall: system_clock(),
            left: vec![(left, Some(MediaTime::from_millis(5_000))), (left, None)],
        };
        let task = tokio::spawn(run(source));
        let kept = (left.to_string(), Some(5_000));
        let first = wait_for(directory.path(), |_| true).await;
        assert!(first.sessions.into_iter().eq([kept.clone()]));

        let path = StreamPath { app: "live".to_owned(), name: "cam".to_owned() };
        let (close, _closing) = tokio::sync::mpsc::channel(1);
        let new = LiveSession::new(id, path, "192.0.2.1:5000".to_owned(), system_clock()(), close);
        let Ok(place) = live.enter(new) else { panic!("it is live already") };
        let pulse = wait_for(directory.path(), |pulse| pulse.sessions.len() == 2).await;
        assert_eq!(pulse.sessions.get(&id.to_string()), Some(&None));
        place.session().latest_ms.store(81_240, Ordering::Relaxed);
        let later = wait_for(directory.path(), |pulse| pulse.sessions.values().any(|at| *at == Some(81_240))).await;
        assert!(later.at_ms >= pulse.at_ms && later.sessions.len() == 2);

        drop(place);
        let last = wait_for(directory.path(), |pulse| pulse.sessions.len() == 1).await;
        assert!(last.sessions.into_iter().eq([kept]));
        task.abort();
    }
}
