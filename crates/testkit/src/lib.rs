//! What the end-to-end tests are made of: the program under test as a child process, publishers
//! (ffmpeg, GStreamer, and one written here that can break every rule), a webhook receiver, and
//! judges (ffprobe, ffmpeg's decoder, mediainfo).
//!
//! Contract: nothing here uses the project's own parsers or writers. What the program wrote is
//! judged by foreign programs and by the little readers in this crate. Every wait has a deadline
//! and asks again and again until then; nothing sleeps for a guessed time.
//!
//! Functions panic with a full account when something is not as it should be: they run in tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod census;
pub mod clip;
pub mod container;
pub mod deadline;
pub mod dice;
pub mod elementary;
pub mod ffmpeg;
pub mod film;
pub mod fleet;
pub mod flv;
pub mod gstreamer;
pub mod http;
pub mod index;
pub mod judge;
pub mod livetape;
pub mod machine;
pub mod mediainfo;
pub mod packets;
pub mod place;
pub mod program;
pub mod proxy;
pub mod publisher;
pub mod receiver;
pub mod root;
pub mod strace;

pub use census::Census;
pub use dice::Dice;
pub use film::Film;
pub use fleet::Fleet;
pub use livetape::{Launch, Livetape, Recording};
pub use packets::{Reel, Tape};
pub use publisher::Publisher;
pub use receiver::Receiver;
pub use strace::Strace;
