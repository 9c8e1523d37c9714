//! From durable files to objects, rows and events.
//!
//! - `Finalizer` puts finished recordings into the store and removes them from the spool.
//! - `Announcer` delivers the events the catalog owes, to every [`sink::EventSink`] in order.
//! - `recover` brings what a crash left back onto that path, before anything else begins.
//!
//! Contract: the catalog is the queue. Memory holds nothing but wake-ups, so that every task may
//! be dropped at any point and begun again: the same objects, the same rows, the same event ids.

pub mod schedule;
pub mod signature;
pub mod sink;
pub mod webhook;
