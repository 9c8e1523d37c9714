//! What an object store must do, and a directory as one.
//!
//! Contract: when a put returns, the object is whole and survives a power cut; a put that is
//! repeated after any interruption succeeds; what is in the store under a key never changes,
//! except playlists. Errors say whose fault they are and whether another attempt can help.
//!
//! The crate knows nothing of recordings, rows or events: keys and files come in, objects are
//! there after. Everything that may block runs on the blocking pool.

mod content_type;
mod directory;
mod error;
mod key;
mod object_store;
mod part_store;

pub use content_type::ContentType;
pub use directory::DirectoryStore;
pub use error::{Fault, StoreError};
pub use key::{KeyError, ObjectKey};
pub use object_store::{Listed, Listing, ObjectStore, Pending, PutFile, Stored};
pub use part_store::{Part, PartRules, PartStore, UPLOAD_ID_MAX_BYTES, Upload, Uploads};
