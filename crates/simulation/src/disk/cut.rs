//! What a crash leaves of a disk.

use std::sync::Arc;

use super::effect::DiskEffect;
use super::volume::{Change, DirectoryNode, FileNode, Node, Volume};
use crate::random::Random;

/// What a disk writes at once, whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A crash, and what it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// `kill -9` between two calls: what was written stays.
    Kill,
    /// `kill -9` within a write: this many hundredths of its bytes are written. A write over bytes that
    /// exist stops between two sectors: the kernel does not stop within a page.
    KillTorn(u8),
    /// Power cut: nothing stays but what was synced.
    PowerAllLost,
    /// Power cut: everything stays, but of the last write of each file that was not synced half of the
    /// sectors.
    PowerLastTorn,
    /// Power cut: names stay, data that was not synced does not, as of ext4's empty files.
    PowerDataLost,
    /// Power cut: names and lengths stay, data that was not synced reads as zeros.
    PowerZeros,
    /// Power cut: data stays, names that were not synced do not.
    PowerNamesLost,
    /// Power cut: of everything that was not synced, any part: each write, each sector of it, each
    /// length and each name by itself, whatever their order was. The number is a seed.
    PowerAny(u64),
}

impl Cut {
    /// Whether the machine stays up.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillTorn(_))
    }

    /// What is left of `volume`; `next` was under way. `None` when this crash needs a write under way
    /// and there is none.
    pub fn of(self, volume: &Volume, next: Option<&DiskEffect>) -> Option<Volume> {
        let mut left = volume.clone();
        match self {
            Self::Kill => return Some(left),
            Self::KillTorn(hundredths) => {
                let DiskEffect::Write { inode, offset, data } = next? else { return None };
                let mut length = (data.len() * usize::from(hundredths) / 100).max(1);
                if offset + (data.len() as u64) <= volume.bytes(*inode)?.len() as u64 {
                    length = sectors(*offset, data.len()).iter().map(|part| part.1).rfind(|end| *end <= length)?;
                }
                if length >= data.len() {
                    return None;
                }
                let part = data.slice(..length);
                left.apply(&DiskEffect::Write { inode: *inode, offset: *offset, data: part });
                return Some(left);
            }
            _ => {}
        }
        let seed = if let Self::PowerAny(seed) = self { seed } else { 0 };
        let mut random = Random::new(seed);
        for node in left.nodes.values_mut() {
            match node {
                Node::File(file) => self.file(file, &mut random),
                Node::Directory(directory) => self.directory(directory, seed),
            }
        }
        left.settle();
        Some(left)
    }

    fn file(self, file: &mut FileNode, random: &mut Random) {
        if file.pending.is_empty() {
            file.bytes = file.durable.clone();
            return;
        }
        let mut bytes = file.durable.as_ref().clone();
        match self {
            Self::Kill | Self::KillTorn(_) | Self::PowerAllLost | Self::PowerDataLost => {}
            Self::PowerNamesLost => file.pending.iter().for_each(|change| change.make(&mut bytes)),
            Self::PowerZeros => bytes.resize(file.bytes.len(), 0),
            Self::PowerLastTorn => {
                let last = file.pending.iter().rposition(|change| matches!(change, Change::Write(..)));
                for (index, change) in file.pending.iter().enumerate() {
                    match change {
                        Change::Write(offset, data) if Some(index) == last => {
                            let sectors = sectors(*offset, data.len());
                            let half = sectors.len() / 2;
                            sectors.into_iter().take(half).for_each(|part| part.make(*offset, data, &mut bytes));
                        }
                        change => change.make(&mut bytes),
                    }
                }
            }
            Self::PowerAny(_) => bytes = any_part(file, random),
        }
        file.bytes = Arc::new(bytes);
    }

    fn directory(self, directory: &mut DirectoryNode, seed: u64) {
        match self {
            Self::PowerAllLost | Self::PowerNamesLost => directory.names = directory.durable.clone(),
            Self::PowerAny(_) => {
                let mut names = directory.durable.clone();
                // By the effect's number, so that a rename stays whole.
                let kept = |effect: u64| Random::new(seed ^ effect.rotate_left(32)).coin();
                let kept = directory.pending.iter().filter(|assignment| kept(assignment.effect));
                kept.for_each(|assignment| assignment.make(&mut names));
                directory.names = names;
            }
            _ => {}
        }
    }
}

/// Any part of what is not durable of a file.
fn any_part(file: &FileNode, random: &mut Random) -> Vec<u8> {
    let (mut bytes, mut whole) = (file.durable.as_ref().clone(), file.durable.as_ref().clone());
    let mut lengths = vec![whole.len()];
    for change in &file.pending {
        change.make(&mut whole);
        lengths.push(whole.len());
        match (random.below(3), change) {
            (0, _) => {}
            (1, Change::Write(offset, data)) => {
                let kept: Vec<Part> = sectors(*offset, data.len()).into_iter().filter(|_| random.coin()).collect();
                kept.into_iter().for_each(|part| part.make(*offset, data, &mut bytes));
            }
            (_, change) => change.make(&mut bytes),
        }
    }
    let index = usize::try_from(random.below(lengths.len() as u64)).unwrap();
    bytes.resize(lengths[index], 0);
    bytes
}

/// The part of a write that falls into one sector: first and last byte of the write's data.
struct Part(usize, usize);

impl Part {
    fn make(&self, offset: u64, data: &bytes::Bytes, bytes: &mut Vec<u8>) {
        Change::Write(offset + self.0 as u64, data.slice(self.0..self.1)).make(bytes);
    }
}

fn sectors(offset: u64, len: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < len {
        let rest = SECTOR_BYTES - (offset + start as u64) % SECTOR_BYTES;
        let end = len.min(start + usize::try_from(rest).unwrap());
        parts.push(Part(start, end));
        start = end;
    }
    parts
}
