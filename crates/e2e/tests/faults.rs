//! Real faults on the real program: what arrived is not lost, nothing is damaged or doubled, and one
//! stream's trouble stays its own. What is tried here in seconds, `soak` tries for minutes.

mod announcement;
mod calendar;
pub mod call;
mod descriptors;
pub mod disk;
pub mod flood;
pub mod kill;
mod network;
pub mod stall;
pub mod weather;
