//! When recordings are deleted by themselves, as configured.

use std::sync::Arc;

use livetape_disk::{Disk, DiskError, RealDisk};
use livetape_finalize::{Policy, Room};

use crate::config::{Config, StoreKind};

/// What `[store]` and `[events]` say.
pub(super) fn policy(config: &Config) -> Policy {
    let (keep, max_bytes) = (config.store.retention.duration(), config.store.max_size.bytes());
    let keep_events = config.events.retention.duration();
    crate::metrics::store_limit(max_bytes);
    Policy {
        keep: (!keep.is_zero()).then_some(keep),
        keep_events: (!keep_events.is_zero()).then_some(keep_events),
        max_bytes: (max_bytes > 0).then_some(max_bytes),
        room: room(config),
    }
}

/// The room there is to be in the store's directory, if it is one.
fn room(config: &Config) -> Option<Room> {
    let min_free_bytes = config.store.min_free.bytes();
    if min_free_bytes == 0 || config.store.kind != StoreKind::Directory {
        return None;
    }
    let path = config.store_path();
    let free = move || {
        let failed = |source| DiskError::Io { action: "looking for free space in", path: path.clone(), source };
        RealDisk.space(&path).map(|space| space.free_bytes).map_err(failed)
    };
    Some(Room { free: Arc::new(free), min_free_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteSize, EventSettings, Period};

    #[test]
    fn by_default_nothing_is_deleted() {
        let policy = policy(&Config::default());
        assert!(policy.keep.is_none() && policy.max_bytes.is_none() && policy.room.is_none());
        assert_eq!(policy.keep_events, Some(std::time::Duration::from_secs(30 * 86_400)), "but for events");
        let for_ever = Config { events: EventSettings { retention: Period::from_millis(0) }, ..Config::default() };
        assert_eq!(super::policy(&for_ever).keep_events, None);
    }

    #[test]
    fn what_is_set_is_kept_and_only_a_directory_has_room() {
        let mut config = Config::default();
        config.store.retention = Period::from_secs(7);
        config.store.max_size = ByteSize::from_bytes(8);
        config.store.min_free = ByteSize::from_bytes(9);
        config.store.path = std::env::temp_dir();
        let policy = super::policy(&config);
        assert_eq!((policy.keep, policy.max_bytes), (Some(std::time::Duration::from_secs(7)), Some(8)));
        let room = policy.room.unwrap();
        assert_eq!(room.min_free_bytes, 9);
        assert!((room.free)().unwrap() > 0);
        config.store.kind = StoreKind::S3;
        assert!(super::policy(&config).room.is_none());
    }
}
