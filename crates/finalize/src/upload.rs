//! Bringing recordings into a store that takes objects in parts, while they grow and when they end.
//!
//! ```text
//! mp4, flv   part 1, 2, 3 ... as they fill | the last one and part 1 again, with the final head | complete
//! hls        each segment once it is listed, then the playlist as far as all it lists is there  | the other playlists
//! ```
//!
//! Contract: every step can be dropped and begun again, by this process or the next: what is in the store is
//! asked of the store. Part 1 goes up early with a head that can be played, so that at every moment the parts
//! that are there make a playable object. No playlist lists what is not in the store.

mod carried;
mod file;
mod follow;
mod permits;
mod plan;
mod playlist;
mod sweep;
mod way;

pub(crate) use carried::Carried;
pub(crate) use file::FileWay;
pub(crate) use follow::{Before, Followers};
pub(crate) use permits::{Permits, Urgency};
pub use plan::PlanError;
pub(crate) use playlist::PlaylistWay;
pub(crate) use sweep::Sweeper;
pub(crate) use way::Way;
