//! What can go wrong with an object store, whose fault it is, and whether to try again.

use std::io;
use std::path::PathBuf;

use crate::ObjectKey;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A mistake or damage on our side: the file to put is gone, or the key is taken.
    Ours,
    /// The store: slow, unreachable, failing.
    Store,
    /// The operator's settings: no such bucket or directory.
    Configuration,
    /// There is no room left.
    DiskFull,
    /// The store knows us but does not let us.
    Denied,
    /// The store asks for patience: too many requests.
    Throttled,
    /// The store cannot be reached, or the connection broke.
    Network,
}

impl Fault {
    /// Every one, for metrics.
    pub const ALL: [Self; 7] =
        [Self::Ours, Self::Store, Self::Configuration, Self::DiskFull, Self::Denied, Self::Throttled, Self::Network];

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Store => "store",
            Self::Configuration => "configuration",
            Self::DiskFull => "disk_full",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Network => "network",
        }
    }
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file to put could not be read, or is not there.
    #[error("the file to store, {}, cannot be read: {source}", path.display())]
    Source {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key holds another object. Keys are unique, so this is never overwritten.
    #[error(
        "'{key}' is already in the store with other contents ({existing_bytes} bytes there, {new_bytes} bytes to put); \
         it is not overwritten: move it away if it does not belong there"
    )]
    Taken {
        /// Which key.
        key: ObjectKey,
        /// Size of what is there.
        existing_bytes: u64,
        /// Size of what was to be put.
        new_bytes: u64,
    },
    /// What arrived in the store does not have the size of what was sent.
    #[error("'{key}' has {found_bytes} bytes in the store instead of {expected_bytes}")]
    SizeDiffers {
        /// Which key.
        key: ObjectKey,
        /// What was sent.
        expected_bytes: u64,
        /// What arrived.
        found_bytes: u64,
    },
    /// There is no room left.
    #[error("the store is full ({doing}): {source}")]
    Full {
        /// What was being done, to what.
        doing: String,
        /// As the system says it.
        source: io::Error,
    },
    /// We are not allowed to.
    #[error("the store does not allow it ({doing}): {source}")]
    Denied {
        /// What was being done, to what.
        doing: String,
        /// As the system says it.
        source: io::Error,
    },
    /// The store is not set up as configured.
    #[error("the store is not as configured: {problem}")]
    Configuration {
        /// What is wrong and what to do.
        problem: String,
    },
    /// The store failed, or did not answer in time.
    #[error("the store failed ({doing}): {source}")]
    Unavailable {
        /// What was being done, to what.
        doing: String,
        /// As the system says it.
        source: io::Error,
    },
    /// The store asks for fewer requests.
    #[error("the store asks to slow down ({doing}): {source}")]
    Throttled {
        /// What was being done, to what.
        doing: String,
        /// As the store says it.
        source: io::Error,
    },
    /// The store cannot be reached, or the connection broke.
    #[error("the store cannot be reached ({doing}): {source}")]
    Network {
        /// What was being done, to what.
        doing: String,
        /// As the system says it.
        source: io::Error,
    },
    /// What arrived in the store is not what was sent.
    #[error("'{key}' has other contents in the store than were sent: {detail}")]
    ContentsDiffer {
        /// Which key.
        key: ObjectKey,
        /// What was compared.
        detail: String,
    },
    /// The store does not know the upload (any more).
    #[error("the upload of '{key}' is not known to the store any more; it is begun anew")]
    UploadGone {
        /// Which key.
        key: ObjectKey,
    },
}

impl StoreError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Source { .. } | Self::Taken { .. } => Fault::Ours,
            Self::SizeDiffers { .. }
            | Self::ContentsDiffer { .. }
            | Self::UploadGone { .. }
            | Self::Unavailable { .. } => Fault::Store,
            Self::Throttled { .. } => Fault::Throttled,
            Self::Network { .. } => Fault::Network,
            Self::Full { .. } => Fault::DiskFull,
            Self::Denied { .. } => Fault::Denied,
            Self::Configuration { .. } => Fault::Configuration,
        }
    }

    /// Whether the same call may succeed later. Settings and rights are put right by people, and
    /// then the call succeeds: those count as retryable. A missing file and a taken key do not.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Taken { .. } => false,
            Self::Source { source, .. } => {
                !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput)
            }
            Self::SizeDiffers { .. }
            | Self::ContentsDiffer { .. }
            | Self::UploadGone { .. }
            | Self::Full { .. }
            | Self::Denied { .. }
            | Self::Configuration { .. }
            | Self::Throttled { .. }
            | Self::Network { .. }
            | Self::Unavailable { .. } => true,
        }
    }

    /// Sorts an error of the file system under the store, met while `doing`.
    pub(crate) fn from_io(doing: impl FnOnce() -> String, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let doing = doing();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::Full { doing, source },
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Denied { doing, source },
            Kind::NotADirectory => Self::Configuration { problem: format!("{doing}: {source}") },
            _ => Self::Unavailable { doing, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_sorted_by_whose_fault_they_are() {
        for (errno, fault) in [(28, Fault::DiskFull), (122, Fault::DiskFull), (13, Fault::Denied), (30, Fault::Denied)]
        {
            let error = StoreError::from_io(|| "linking a".into(), io::Error::from_raw_os_error(errno));
            assert_eq!((error.fault(), error.retryable()), (fault, true), "{errno}");
        }
        let error = StoreError::from_io(|| "linking a".into(), io::Error::from_raw_os_error(5));
        assert_eq!(error.fault(), Fault::Store);
    }

    #[test]
    fn a_file_that_is_gone_is_not_tried_again_but_one_that_cannot_be_read_is() {
        let at = |errno| StoreError::Source { path: "a".into(), source: io::Error::from_raw_os_error(errno) };
        assert!(!at(2).retryable());
        assert!(at(5).retryable());
        assert!(at(24).retryable(), "too many open files passes");
    }
}
