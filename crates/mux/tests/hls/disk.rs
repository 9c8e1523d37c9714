//! A disk in memory that performs operations, and insists on their contract.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use livetape_mux::{FileName, Files, Op, ReadAt};

/// The files of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<FileName, File>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) data: Vec<u8>,
    pub(crate) finished: bool,
}

impl Disk {
    /// A disk after `ops`.
    pub(crate) fn after(ops: &[Op]) -> Self {
        let mut disk = Self::default();
        ops.iter().for_each(|op| disk.perform(op));
        disk
    }

    pub(crate) fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => {
                let before = self.files.insert(file.clone(), File::default());
                assert!(before.is_none(), "{file} is created twice");
            }
            Op::Append { file, slices } => slices.iter().for_each(|slice| self.growing(file).extend_from_slice(slice)),
            Op::Truncate { file, len } => {
                let data = self.growing(file);
                assert!(*len <= data.len() as u64, "{file} is not that long");
                data.truncate(*len as usize);
            }
            Op::Finish { file } => {
                self.growing(file);
                self.files.get_mut(file).unwrap().finished = true;
            }
            Op::Whole { file, data } => {
                let whole = File { data: data.to_vec(), finished: true };
                let before = self.files.insert(file.clone(), whole);
                assert!(before.is_none_or(|before| before.finished), "{file} grows");
            }
            Op::Remove { file } => assert!(self.files.remove(file).is_some(), "{file} does not exist"),
            Op::Sync { file } => {
                self.growing(file);
            }
            Op::Patch { file, offset, data } => self.range(file, *offset, data.len()).copy_from_slice(data),
            Op::PunchHole { file, offset, len } => self.range(file, *offset, *len as usize).fill(0),
            Op::Reserve { file, len } => {
                let data = self.growing(file);
                data.resize(data.len() + *len as usize, 0);
            }
        }
    }

    /// Performs only the first `bytes` of an append.
    pub(crate) fn perform_torn(&mut self, op: &Op, bytes: usize) {
        let Op::Append { file, slices } = op else { panic!("{op:?} cannot tear") };
        let whole = Bytes::from(slices.concat());
        self.perform(&Op::Append { file: file.clone(), slices: vec![whole.slice(..bytes)] });
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.file(name).data.clone()).unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> &File {
        self.find(name).unwrap_or_else(|| panic!("{name} does not exist"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&File> {
        self.files.get(&FileName::new(name).unwrap())
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.files.values().map(|file| file.data.len() as u64).sum()
    }

    /// The segments, in order.
    pub(crate) fn segments(&self) -> Vec<(&str, &File)> {
        let files = self.files.iter().map(|(name, file)| (name.as_str(), file));
        files.filter(|(name, _)| name.starts_with("segment-")).collect()
    }

    /// Bytes that are there of a file that grows.
    fn range(&mut self, file: &FileName, offset: u64, len: usize) -> &mut [u8] {
        self.growing(file).get_mut(offset as usize..offset as usize + len).expect("bytes that exist")
    }

    fn growing(&mut self, file: &FileName) -> &mut Vec<u8> {
        let found = self.files.get_mut(file).unwrap_or_else(|| panic!("{file} does not exist"));
        assert!(!found.finished, "{file} is finished");
        &mut found.data
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.files.iter().map(|(name, file)| (name.clone(), !file.finished)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let file = self.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Open(&file.data)))
    }
}

struct Open<'a>(&'a [u8]);

impl ReadAt for Open<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let bytes = self.0.get(offset..offset + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
