//! The spool, on real directories and on a disk that fails where told.
