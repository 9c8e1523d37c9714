//! The RTMP server dialogue as a state machine: bytes in, items and bytes out.
//!
//! A [`Session`] is one connection. It does no I/O and reads no clock: the caller hands in what it
//! received and what time it is, and after every call carries out what [`Session::poll_output`] says.
//!
//! Contract:
//! - nothing that a peer sends makes it panic, block, or hold more than [`Limits`] allow;
//! - the outputs do not depend on how the input was cut;
//! - every accepted publish gets exactly one [`Item::End`](livetape_media::Item::End), as its last item;
//! - [`Output::Close`] is the last output, and comes exactly once.
//!
//! Specifications: Adobe's RTMP 1.0, Enhanced RTMP v2; and what encoders do beside them.

mod aggregate;
mod budget;
mod chunk;
mod command;
mod error;
mod handshake;
mod limits;
mod message;
mod name;
mod output;
mod query;
mod reply;
mod session;
#[cfg(test)]
#[path = "../tests/support/wire.rs"]
mod wire;

pub use chunk::Format;
pub use error::SessionError;
pub use limits::Limits;
pub use output::{CloseReason, Output, PublishId, PublishRequest, Rejection, RejectionCode};
pub use query::Query;
pub use session::Session;
