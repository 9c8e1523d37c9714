//! A simulated world around the real engine: a disk, a store and receivers that keep a journal of every
//! effect, so that the world can be stopped after any of them, in any image that a kill or a power
//! cut may leave, and started again.
//!
//! The engine in it is the real one: `rtmp::Session`, `record::Recorder`, `finalize::Writer`, `Spool`,
//! `Catalog`, `Finalizer`, `Announcer`, `recover`. What it is judged by is not: recordings are read back
//! by readers that share no code with the muxers.
//!
//! - [`SimDisk`] is a disk in memory; [`Volume`] what it holds, and what of it is durable; [`Cut`] says
//!   what a crash leaves.
//! - [`Journal`] holds the effects of a world in one order.
//!
//! Functions panic with a full account when the harness itself meets what it does not expect: they run
//! in tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod careless;
pub mod catalog;
pub mod clock;
pub mod disk;
pub mod faulty;
pub mod ingest;
pub mod journal;
pub mod judge;
pub mod known;
pub mod marker;
pub mod moment;
pub mod publication;
pub mod publisher;
pub mod random;
pub mod read;
pub mod receiver;
pub mod schedule;
pub mod store;
pub mod world;

pub use careless::Mistake;
pub use catalog::{CatalogImage, CatalogTape};
pub use clock::SimClock;
pub use disk::{Cut, DiskEffect, Fault, Faults, SimDisk, Volume};
pub use journal::{Delivery, Effect, Journal};
pub use marker::Marker;
pub use moment::Moment;
pub use publisher::Script;
pub use random::Random;
pub use receiver::{ReceiverAct, SimReceiver};
pub use schedule::{Crashes, Harness, Tally};
pub use store::{SimStore, SimUpload, StoreAct, StoreImage};
pub use world::{Beginning, Life, Plan, live};
