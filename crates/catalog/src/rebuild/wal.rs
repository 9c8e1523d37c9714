//! The write-ahead log, read without SQLite: which pages were committed, and whether it is whole.
//!
//! ```text
//! header, 32 bytes   magic 377f0682 | 3007000 | page size | sequence | salt 1, 2 | checksum 1, 2
//! frame, 24 bytes    page number | pages after the commit, or 0 | salt 1, 2 | checksum 1, 2
//!   and one page
//! ```
//!
//! A frame's checksum goes on from the one stored in the frame before it, so that each frame can be
//! held against its neighbour even behind a damaged one. SQLite itself stops at the first frame that
//! does not fit, as it must after a power cut, and so would take a damaged log for a short one.
//! Spec: sqlite.org/fileformat2.html#walformat.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::bytes::{fill, u32_at};
use super::pages::PAGE_BYTES;

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: u64 = FRAME_HEADER_BYTES as u64 + PAGE_BYTES as u64;
/// Little-endian checksums, as a little-endian machine writes them; the last bit is set on others.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// What a write-ahead log holds.
#[derive(Debug, Default)]
pub(crate) struct Wal {
    /// Where the latest committed image of each page is.
    pub(super) pages: BTreeMap<u32, u64>,
    /// What is wrong with it, if a crash does not explain it.
    pub(crate) damage: Option<String>,
}

struct Frame {
    page: u32,
    commits: bool,
    /// It is what was written.
    whole: bool,
}

impl Wal {
    /// Reads the log at `path`; an empty one when there is none.
    pub(crate) fn read(path: &Path) -> io::Result<(Self, Option<File>)> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Self::default(), None)),
            result => result?,
        };
        let len = file.metadata()?.len();
        let mut header = [0; HEADER_BYTES as usize];
        if len < HEADER_BYTES {
            return Ok((Self::default(), Some(file)));
        }
        fill(&file, 0, &mut header)?;
        let big_endian = u32_at(&header, 0) == Some(MAGIC | 1);
        let sum = [u32_at(&header, 24).unwrap_or(0), u32_at(&header, 28).unwrap_or(0)];
        let sound = (u32_at(&header, 0) == Some(MAGIC) || big_endian)
            && u32_at(&header, 4) == Some(VERSION)
            && u32_at(&header, 8) == Some(PAGE_BYTES as u32)
            && checksum([0, 0], header.get(..24).unwrap_or_default(), big_endian) == sum;
        let frames = read_frames(&file, len, sound.then_some(&header), sum, big_endian)?;
        Ok((Self::new(sound, &frames), Some(file)))
    }

    fn new(header_sound: bool, frames: &[Frame]) -> Self {
        let last_commit = frames.iter().rposition(|frame| frame.whole && frame.commits);
        let committed = last_commit.and_then(|last| frames.get(..=last)).unwrap_or_default();
        let mut wal = Self::default();
        for (number, frame) in committed.iter().enumerate().filter(|(_, frame)| frame.whole) {
            wal.pages.insert(frame.page, HEADER_BYTES + number as u64 * FRAME_BYTES + FRAME_HEADER_BYTES as u64);
        }
        // A power cut tears what was written last: no more than one transaction, whose commit may be there
        // when something before it is not. Whatever a second commit follows had been synced.
        let first_bad = committed.iter().position(|frame| !frame.whole);
        let after = first_bad.map_or(0, |bad| committed.iter().skip(bad).filter(|f| f.whole && f.commits).count());
        wal.damage = if !header_sound && !committed.is_empty() {
            Some("its write-ahead log (-wal) has a damaged header".to_owned())
        } else if after > 1 {
            first_bad.map(|bad| format!("frame {} of its write-ahead log (-wal) is damaged", bad + 1))
        } else {
            None
        };
        wal
    }
}

/// The frames of the log's generation, up to the first one of another. Without a header, the
/// generation is the first frame's.
fn read_frames(
    file: &File,
    len: u64,
    header: Option<&[u8; HEADER_BYTES as usize]>,
    header_sum: [u32; 2],
    big_endian: bool,
) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut salts = header.and_then(|header| header.get(16..24)).map(<[u8]>::to_vec);
    let mut before = header_sum;
    let mut buffer = vec![0; FRAME_BYTES as usize];
    let mut strange = 0;
    for number in 0..(len - HEADER_BYTES) / FRAME_BYTES {
        fill(file, HEADER_BYTES + number * FRAME_BYTES, &mut buffer)?;
        let Some((head, image)) = buffer.split_at_checked(FRAME_HEADER_BYTES) else { break };
        let own = head.get(8..16).unwrap_or_default();
        let salts = salts.get_or_insert_with(|| own.to_vec());
        let sum = checksum(before, head.get(..8).unwrap_or_default(), big_endian);
        let sum = checksum(sum, image, big_endian);
        let stored = [u32_at(head, 16).unwrap_or(0), u32_at(head, 20).unwrap_or(0)];
        let page = u32_at(head, 0).unwrap_or(0);
        let ours = own == salts.as_slice();
        let whole = ours && sum == stored && page > 0;
        // A frame of an older generation ends the log; one with a damaged salt is followed by ours.
        strange = if ours { 0 } else { strange + 1 };
        if strange > 1 {
            break;
        }
        frames.push(Frame { page, commits: u32_at(head, 4).unwrap_or(0) > 0, whole });
        before = stored;
    }
    Ok(frames)
}

/// SQLite's checksum over pairs of 32-bit words.
fn checksum([mut a, mut b]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let word = |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    for pair in bytes.as_chunks::<8>().0 {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = *pair;
        a = a.wrapping_add(word([b0, b1, b2, b3])).wrapping_add(b);
        b = b.wrapping_add(word([b4, b5, b6, b7])).wrapping_add(a);
    }
    [a, b]
}

/// Reads the committed image at `offset`.
pub(super) fn read_image(file: &File, offset: u64, page: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(page, offset)
}
