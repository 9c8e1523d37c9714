//! What can go wrong between a finished file and its announced object.

use std::time::Duration;

use livetape_catalog::{CatalogError, StoreRole};
use livetape_disk::DiskError;
use livetape_record::RecordingId;
use livetape_store::{Fault, KeyError, StoreError};

use crate::PlanError;
use crate::environment::Stopped;

/// Why a step on a recording's way to its object did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum FinalizeError {
    /// The catalog.
    #[error("the catalog: {0}")]
    Catalog(#[from] CatalogError),
    /// The spool.
    #[error("the spool: {0}")]
    Spool(#[from] DiskError),
    /// The object store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not answer in time.
    #[error("the store took longer than {0:?}")]
    StoreTimeout(Duration),
    /// The recording's files are not what its row says.
    #[error("the recording's files in the spool are damaged: {0}")]
    Damaged(String),
    /// No object of the store can hold the recording.
    #[error("the store cannot hold the recording: {0}")]
    Plan(#[from] PlanError),
    /// The row's key cannot be one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Told of a recording that is not in the catalog, or still grows.
    #[error("{id} is {state}, so there is nothing to finish")]
    NotFinished {
        /// Which.
        id: RecordingId,
        /// Its state, or that it is unknown.
        state: &'static str,
    },
    /// A recording is in a store that is not configured any more.
    #[error("the {0} store, which has the recording, is not configured any more")]
    NotConfigured(StoreRole),
    /// A store has none of the recordings that are to be deleted.
    #[error(
        "the {0} store has none of the recordings that are to be deleted, so nothing is deleted: is it the right one, \
         and mounted? What is really gone from it can be deleted by DELETE /v1/recordings/ID"
    )]
    WrongStore(StoreRole),
    /// The recording does not grow any more.
    #[error("the recording is over, and what is left of it is put as a whole")]
    Over,
    /// What is said of a recording cannot be written down.
    #[error("writing down what the recording is: {0}")]
    Text(#[from] serde_json::Error),
    /// A task was stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes: try again, soon and then less often.
    Retry,
    /// People must put it right first: try again now and then.
    RetrySlowly,
    /// This recording cannot be completed: its row becomes `failed`.
    Fail,
    /// Nothing can be done or recorded now; the next start looks at it again.
    Drop,
}

/// Where failures come from, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The store failed or did not answer.
    Store,
    /// The store is not as configured.
    Configuration,
    /// The store, or the spool's disk, is full.
    DiskFull,
    /// The store does not let us.
    Denied,
    /// The store asks for patience.
    Throttled,
    /// The store cannot be reached.
    Network,
    /// The recording's files are damaged or gone, or its key is taken.
    Damage,
    /// Reading or removing files in the spool failed.
    Spool,
    /// The catalog failed.
    Catalog,
}

impl Trouble {
    /// Every one, in the order of its counters.
    pub const ALL: [Self; 9] = [
        Self::Store,
        Self::Configuration,
        Self::DiskFull,
        Self::Denied,
        Self::Throttled,
        Self::Network,
        Self::Damage,
        Self::Spool,
        Self::Catalog,
    ];

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Configuration => "configuration",
            Self::DiskFull => "disk_full",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Network => "network",
            Self::Damage => "damage",
            Self::Spool => "spool",
            Self::Catalog => "catalog",
        }
    }

    /// Whether the next recording will most likely meet it too.
    pub(crate) const fn is_everybodys(self) -> bool {
        !matches!(self, Self::Damage | Self::Spool)
    }
}

impl FinalizeError {
    /// Where it comes from.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Catalog(error) if error.is_full() => Trouble::DiskFull,
            Self::Catalog(_) => Trouble::Catalog,
            Self::Spool(error) if error.is_full() => Trouble::DiskFull,
            Self::Spool(_) | Self::Stopped(_) | Self::Over => Trouble::Spool,
            Self::Store(error) => match error.fault() {
                Fault::Ours => Trouble::Damage,
                Fault::Store => Trouble::Store,
                Fault::Configuration => Trouble::Configuration,
                Fault::DiskFull => Trouble::DiskFull,
                Fault::Denied => Trouble::Denied,
                Fault::Throttled => Trouble::Throttled,
                Fault::Network => Trouble::Network,
            },
            Self::StoreTimeout(_) => Trouble::Store,
            Self::Plan(_) | Self::NotConfigured(_) | Self::WrongStore(_) => Trouble::Configuration,
            Self::Damaged(_) | Self::Key(_) | Self::Text(_) | Self::NotFinished { .. } => Trouble::Damage,
        }
    }

    /// Whether a file that was to be read is not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Spool(DiskError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// What to do about it.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Catalog(error) if error.is_refusal() => Verdict::Drop,
            Self::NotFinished { .. } => Verdict::Drop,
            Self::Store(error) if !error.retryable() => Verdict::Fail,
            Self::Damaged(_) | Self::Key(_) | Self::Text(_) => Verdict::Fail,
            Self::Plan(_) | Self::NotConfigured(_) | Self::WrongStore(_) => Verdict::RetrySlowly,
            Self::Store(error) => match error.fault() {
                Fault::Configuration | Fault::Denied => Verdict::RetrySlowly,
                Fault::Ours | Fault::Store | Fault::DiskFull | Fault::Throttled | Fault::Network => Verdict::Retry,
            },
            Self::Catalog(_) | Self::Spool(_) | Self::StoreTimeout(_) | Self::Stopped(_) | Self::Over => Verdict::Retry,
        }
    }
}
