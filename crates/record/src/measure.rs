//! What the times of frames show: of one track, of its key frames, of pictures and sound together.
//!
//! Contract: each takes a frame in constant time and without an allocation, and keeps a bounded amount however long
//! a stream lasts.

mod apart;
mod gops;
mod pace;

pub(crate) use apart::{Apart, Curve};
pub(crate) use gops::Gops;
pub(crate) use pace::Pace;
