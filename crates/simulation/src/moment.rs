//! The moments between the effects of a life, at each of which a crash may come.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::disk::{Cut, DiskEffect, Volume};
use crate::journal::{Delivery, Effect};
use crate::publisher::Script;
use crate::store::StoreImage;
use crate::world::{Beginning, Life};

/// When a world starts again after a crash, since the one before began; at least so long after the crash.
const RESTART: Duration = Duration::from_secs(60);
const RESTART_AFTER: Duration = Duration::from_secs(20);

/// What there is right before an effect, or after the last one.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Which entry of the journal comes next.
    pub at: usize,
    /// What the disk holds.
    pub volume: Volume,
    /// The number of the catalog's last commit.
    pub commit: usize,
    /// What the simulated store holds.
    pub store: StoreImage,
    /// How many deliveries have been made.
    pub delivered: usize,
    /// The timestamp of the last frame pushed of each stream, in milliseconds.
    pub pushed: BTreeMap<u8, u32>,
    /// Time since the first world began.
    pub elapsed: Duration,
    /// What the disk is about to do.
    pub next: Option<DiskEffect>,
}

impl Moment {
    /// Every moment of a life.
    pub fn all(life: &Life) -> Vec<Self> {
        let mut now = Self {
            at: 0,
            volume: life.beginning.volume.clone(),
            commit: 0,
            store: life.beginning.store.clone(),
            delivered: 0,
            pushed: BTreeMap::new(),
            elapsed: life.beginning.elapsed,
            next: None,
        };
        let mut moments = Vec::new();
        for (at, entry) in life.entries.iter().enumerate() {
            if entry.is_effect() {
                now.at = at;
                now.next = if let Effect::Disk(effect) = entry { Some(effect.clone()) } else { None };
                moments.push(now.clone());
            }
            match entry {
                Effect::Disk(effect) => now.volume.apply(effect),
                Effect::Commit(number) => now.commit = *number,
                Effect::Put { .. }
                | Effect::Begun { .. }
                | Effect::PartPut { .. }
                | Effect::Completed { .. }
                | Effect::Aborted { .. } => now.store.apply(entry),
                Effect::Delivered(_) => now.delivered += 1,
                Effect::Pushed(marker) => {
                    let last = now.pushed.entry(marker.stream).or_default();
                    *last = Script::timestamp(*marker).max(*last);
                }
                Effect::Passed(elapsed) => now.elapsed = *elapsed,
                Effect::Away(_) => {}
            }
        }
        (now.at, now.next) = (life.entries.len(), None);
        moments.push(now);
        moments
    }

    /// The end of a life, of which only the catalog's last image need have been kept.
    pub fn last(life: &Life) -> Self {
        let mut all = Self::all(life);
        let mut last = all.remove(all.len() - 1);
        last.commit = life.images.len() - 1;
        last
    }

    /// The world that begins after a crash at this moment of `life`; `None` when this crash cannot come
    /// now.
    pub fn crash(&self, life: &Life, cut: Cut) -> Option<Beginning> {
        Some(Beginning {
            volume: cut.of(&self.volume, self.next.as_ref())?,
            catalog: Some(life.images[self.commit].clone()),
            store: self.store.clone(),
            elapsed: (life.beginning.elapsed + RESTART).max(self.elapsed + RESTART_AFTER),
        })
    }
}

/// The deliveries of a life, in order.
pub fn deliveries(life: &Life) -> Vec<Delivery> {
    let delivery = |entry: &Effect| if let Effect::Delivered(delivery) = entry { Some(delivery.clone()) } else { None };
    life.entries.iter().filter_map(delivery).collect()
}
