//! The ISO base media file format (ISO/IEC 14496-12): frames to samples, samples to fragments,
//! boxes to bytes.
//!
//! Contract: codec configuration records are carried byte for byte; media bytes are never copied
//! (a fragment is its `moof` and `mdat` header followed by the frames' own slices); the same frames
//! give the same bytes. Box trees are drawn above the function that writes them.
//!
//! How a fragmented file or an HLS segment is made of it:
//!
//! ```text
//! let tracks = TrackEntry::of_all(&begin.tracks);         // number 1, 2 ...; what cannot be carried is left out
//! init_section(brands, &tracks, wall_start, zero)         // ftyp | moov(mvex)
//! let mut fragmenter = Fragmenter::new(&tracks, origin, limits);
//! while let Some(fragment) = fragmenter.push(&frame)      // now and then: everything before `frame`
//!     fragment.append_to(sequence, &mut slices);          // moof | mdat header | the frames' bytes
//! fragmenter.cut()                                        // the same on demand
//! fragmenter.finish(end)                                  // the rest, with the held-back frames; more may follow
//! ```
//!
//! Times in fragments (formats differ in what players accept, so this is the form all of them do): no
//! edit list, one common timeline for all tracks (`tfdt` of every track counts from the same
//! [`Origin`]), composition offsets that are not negative.

mod boxes;
mod chunks;
mod entry;
mod fragment;
mod fragmenter;
mod grid;
mod index;
mod init;
mod log;
mod movie;
mod placement;
mod reader;
mod reference_time;
mod tables;

pub(crate) use boxes::BoxWriter;
pub(crate) use chunks::{BadIndex, ChunkTables};
pub(crate) use entry::TrackEntry;
pub(crate) use fragment::{Fragment, Run, Sample};
pub(crate) use fragmenter::{FragmentLimits, Fragmenter};
pub(crate) use index::TrackIndex;
pub(crate) use init::{Brands, init_section};
pub(crate) use movie::{Movie, progressive};
pub(crate) use placement::Origin;
pub(crate) use reader::{BoxHeader, InitSection, ReadRun, read_fragment, sequence_number};
pub(crate) use reference_time::{PRFT_LEN, prft, read_prft};
