//! What of a recording this process has brought into the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use livetape_catalog::StoreRole;
use livetape_store::{Part, Upload};
use tokio::time::Instant;

/// What of one recording is in the store, as far as this process knows: a part or an object is noted when
/// its put has returned. Lost with the process; the store is asked then.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// Which store.
    pub(crate) role: StoreRole,
    /// MP4 and FLV: the upload under way.
    pub(super) upload: Option<Upload>,
    /// Its parts that hold what the file holds; part 1 with the head of a growing file.
    pub(super) parts: BTreeMap<u32, Part>,
    /// HLS: bytes of the growing playlist of which all that they list is there.
    pub(super) listed_bytes: u64,
    /// How much of the growing playlist is in the store, and since when.
    pub(super) playlist: Option<(u64, Instant)>,
    /// The multivariant playlist that is in the store.
    pub(super) variant: Option<Bytes>,
}

impl Carried {
    /// Nothing yet, into the store with this role.
    pub(crate) fn into_store(role: StoreRole) -> Self {
        Self { role, ..Self::default() }
    }

    /// Nothing that was put in parts can be relied on any more.
    pub(super) fn forget_parts(&mut self) {
        self.upload = None;
        self.parts.clear();
    }
}
