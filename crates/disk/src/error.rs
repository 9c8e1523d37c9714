//! What went wrong on the disk.

use std::io;
use std::path::PathBuf;

use livetape_mux::FileName;

/// A failed operation on media files: what was being done, to which path, and why.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// An effect failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// An append failed after some of its bytes. The file was cut back to where the append began
    /// and can be completed from there.
    #[error("appending {wanted} bytes to {}: {source}; the file was cut back to {whole} whole bytes", path.display())]
    AppendUndone {
        /// The file.
        path: PathBuf,
        /// How much was to be appended.
        wanted: u64,
        /// The file's length, up to its last whole operation.
        whole: u64,
        /// Why it failed.
        source: io::Error,
    },
    /// An append failed, and so did cutting the file back. Bytes from `whole` on are torn; the
    /// file takes no further operation until it is salvaged.
    #[error(
        "appending {wanted} bytes to {}: {source}; cutting it back to {whole} bytes failed as well ({cut}), \
         so what follows byte {whole} is torn until the recording is salvaged",
        path.display()
    )]
    AppendTorn {
        /// The file.
        path: PathBuf,
        /// How much was to be appended.
        wanted: u64,
        /// The file's length up to its last whole operation.
        whole: u64,
        /// Why the append failed.
        source: io::Error,
        /// Why cutting failed.
        cut: io::Error,
    },
    /// The file had failed before and takes no further operation.
    #[error("{} takes no further operation: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What had failed.
        reason: &'static str,
    },
    /// An operation on a file that is not growing: never created, or finished already.
    #[error("{operation} of {}: the recording has no growing file of that name", path.display())]
    NotGrowing {
        /// What was to be done.
        operation: &'static str,
        /// The file, by its final name.
        path: PathBuf,
    },
    /// A file that should be new is there already.
    #[error("creating {}: it is there already", path.display())]
    Exists {
        /// The file or directory.
        path: PathBuf,
    },
    /// An operation beyond the end of its file.
    #[error("{operation} of bytes {offset} to {end} of {}, which has {len} bytes", path.display())]
    OutOfRange {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// First byte.
        offset: u64,
        /// First byte not concerned.
        end: u64,
        /// The file's length.
        len: u64,
    },
    /// A file name a recording cannot have: the temporary suffix is not a muxer's to use.
    #[error("'{file}' cannot be a recording's file: names ending in .part are temporary")]
    FileName {
        /// The name.
        file: FileName,
    },
    /// A name that is not a recording's directory.
    #[error("'{name}' is not the name of a recording's directory (rec_ and lower-case letters, digits, _)")]
    RecordingName {
        /// The name, shortened.
        name: String,
    },
    /// Something of another kind stands where a file or directory is needed.
    #[error("{} is not {wanted}; symbolic links are not followed here", path.display())]
    WrongKind {
        /// Where.
        path: PathBuf,
        /// What is needed there.
        wanted: &'static str,
    },
    /// Another process has the data directory.
    #[error(
        "{} is locked{}: another livetape uses this data directory; stop it, or use another directory",
        path.display(),
        holder(.pid)
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, if it left its number.
        pid: Option<u32>,
    },
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// The system's error, if one is behind it.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Io { source, .. } | Self::AppendUndone { source, .. } | Self::AppendTorn { source, .. } => {
                Some(source)
            }
            _ => None,
        }
    }

    /// Whether there was no room: the disk is full or a quota is reached. Freeing space helps.
    pub fn is_full(&self) -> bool {
        self.io_error()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
