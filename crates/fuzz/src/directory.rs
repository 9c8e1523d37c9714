//! The files of one recording, in memory.

use std::collections::BTreeMap;
use std::io;

use livetape_mux::{FileName, Files, Op, ReadAt};

use crate::input::share;

/// A recording's directory. Every operation that cannot be done is a finding, so it panics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory(BTreeMap<FileName, Entry>);

/// A file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Whether it bears its temporary name.
    pub growing: bool,
}

impl Directory {
    /// Puts a file there, whatever was there.
    pub fn put(&mut self, file: FileName, bytes: Vec<u8>, growing: bool) {
        self.0.insert(file, Entry { bytes, growing });
    }

    /// Takes a file away.
    pub fn take(&mut self, file: &FileName) -> Option<Entry> {
        self.0.remove(file)
    }

    /// Every file, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&FileName, &Entry)> {
        self.0.iter()
    }

    /// Every file, to be damaged.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = (&FileName, &mut Entry)> {
        self.0.iter_mut()
    }

    /// One file.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|(file, _)| file.as_str() == name).map(|(_, entry)| entry)
    }

    /// Bytes over all files.
    pub fn size(&self) -> usize {
        self.0.values().map(|entry| entry.bytes.len()).sum()
    }

    /// Whether a file still bears its temporary name.
    pub fn grows(&self) -> bool {
        self.0.values().any(|entry| entry.growing)
    }

    /// Does what a muxer or a salvage asks for.
    pub fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => {
                assert!(!self.0.contains_key(file), "{file} is created and is there already");
                self.put(file.clone(), Vec::new(), true);
            }
            Op::Append { file, slices } => {
                let bytes = self.growing(file);
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
            }
            Op::Patch { file, offset, data } => self.range(file, *offset, data.len() as u64).copy_from_slice(data),
            Op::Reserve { file, len } => {
                let bytes = self.growing(file);
                bytes.resize(bytes.len() + usize::try_from(*len).unwrap(), 0);
            }
            Op::PunchHole { file, offset, len } => self.range(file, *offset, *len).fill(0),
            Op::Truncate { file, len } => {
                let bytes = self.growing(file);
                let len = usize::try_from(*len).unwrap();
                assert!(len <= bytes.len(), "{file} is cut to more than it has");
                bytes.truncate(len);
            }
            Op::Sync { file } => drop(self.growing(file)),
            Op::Finish { file } => {
                self.growing(file);
                self.0.get_mut(file).unwrap().growing = false;
            }
            Op::Whole { file, data } => {
                let grows = self.0.get(file).is_some_and(|entry| entry.growing);
                assert!(!grows, "{file} is written whole while it grows");
                self.put(file.clone(), data.to_vec(), false);
            }
            Op::Remove { file } => assert!(self.take(file).is_some(), "{file} is removed and is not there"),
        }
    }

    /// The last write only began: `part` of 65,536 parts of it are on the disk. Names are given and
    /// heads are flipped at once or not at all.
    pub fn perform_part(&mut self, op: &Op, part: u16) {
        if let Op::Append { file, slices } = op {
            let all = slices.concat();
            let kept = share(all.len(), part);
            self.growing(file).extend_from_slice(&all[..kept]);
        }
    }

    fn growing(&mut self, file: &FileName) -> &mut Vec<u8> {
        let entry = self.0.get_mut(file).unwrap_or_else(|| panic!("{file} is not there"));
        assert!(entry.growing, "{file} is finished and still written to");
        &mut entry.bytes
    }

    fn range(&mut self, file: &FileName, offset: u64, len: u64) -> &mut [u8] {
        let start = usize::try_from(offset).unwrap();
        let end = start + usize::try_from(len).unwrap();
        self.growing(file).get_mut(start..end).unwrap_or_else(|| panic!("{file} does not reach to byte {end}"))
    }
}

struct View<'a>(&'a [u8]);

impl ReadAt for View<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Files for Directory {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.0.iter().map(|(name, entry)| (name.clone(), entry.growing)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let entry = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(View(&entry.bytes)))
    }
}
