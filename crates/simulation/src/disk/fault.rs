//! Faults of a disk, planned by the number of the call.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// What goes wrong at one call that would change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No room: ENOSPC, and nothing is changed.
    NoSpace,
    /// The device fails: EIO, and nothing is changed. Of a sync: see [`Fault::FailedSync`].
    Io,
    /// A write takes only some of its bytes; any other call goes well.
    ShortWrite,
    /// A write takes some of its bytes and the rest finds no room; any other call finds none at all.
    ShortThenNoSpace,
    /// A sync fails, and what was not durable is silently dropped: it can still be read, later syncs
    /// succeed, and a power cut takes it. Any other call goes well.
    FailedSync,
    /// The call takes this long.
    Slow(Duration),
}

impl Fault {
    /// One of each kind.
    pub const EACH: [Self; 6] = [
        Self::NoSpace,
        Self::Io,
        Self::ShortWrite,
        Self::ShortThenNoSpace,
        Self::FailedSync,
        Self::Slow(Duration::from_secs(30)),
    ];
}

/// Which calls meet which fault. Calls that only read have no number.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    single: BTreeMap<u64, Fault>,
    full: Option<Range<u64>>,
}

impl Faults {
    /// One fault, at call number `call` (from 0).
    pub fn at(call: u64, fault: Fault) -> Self {
        Self { single: BTreeMap::from([(call, fault)]), full: None }
    }

    /// No room for anything new at any of these calls; syncing and removing go well.
    pub fn full(calls: Range<u64>) -> Self {
        Self { single: BTreeMap::new(), full: Some(calls) }
    }

    /// The fault of call number `call`, that `takes_room` or does not.
    pub(super) fn of(&self, call: u64, takes_room: bool) -> Option<Fault> {
        let full = takes_room && self.full.as_ref().is_some_and(|calls| calls.contains(&call));
        self.single.get(&call).copied().or(full.then_some(Fault::NoSpace))
    }

    /// Whether there is no room at call number `call`.
    pub(super) fn is_full(&self, call: u64) -> bool {
        self.full.as_ref().is_some_and(|calls| calls.contains(&call))
    }
}

pub(super) fn no_space() -> io::Error {
    io::Error::from_raw_os_error(28)
}

pub(super) fn device() -> io::Error {
    io::Error::from_raw_os_error(5)
}
