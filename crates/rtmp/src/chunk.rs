//! Chunks: how messages are cut up on the wire (RTMP 1.0, section 5.3).
//!
//! ```text
//! basic header    fmt:2 csid:6                     csid 2..=63
//!                 fmt:2 0     | csid-64:8          csid 64..=319
//!                 fmt:2 1     | csid-64:16 (LE)    csid 64..=65599
//! message header  fmt 0: timestamp:24 length:24 type:8 stream:32 (LE)
//!                 fmt 1: delta:24     length:24 type:8
//!                 fmt 2: delta:24
//!                 fmt 3: -
//! extended        timestamp or delta:32, when the 24 bits are all ones
//! payload         at most the chunk size
//! ```

mod block;
mod header;
mod reader;
mod writer;

pub use header::Format;
pub(crate) use reader::ChunkReader;
pub(crate) use writer::ChunkWriter;
