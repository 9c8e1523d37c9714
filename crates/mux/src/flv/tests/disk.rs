//! A disk in memory, for one recording.

use std::collections::BTreeMap;
use std::io;

use crate::{FileName, Files, Op, ReadAt};

/// Files by name; each with whether it still grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    files: BTreeMap<FileName, (Vec<u8>, bool)>,
}

impl Disk {
    pub(super) fn perform_all(&mut self, ops: &[Op]) {
        ops.iter().for_each(|op| self.perform(op));
    }

    pub(super) fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => assert!(self.files.insert(file.clone(), (Vec::new(), true)).is_none()),
            Op::Append { file, slices } => self.growing(file).extend(slices.concat()),
            Op::Patch { file, offset, data } => {
                let offset = *offset as usize;
                self.growing(file)[offset..offset + data.len()].copy_from_slice(data);
            }
            Op::Reserve { file, len } => {
                let file = self.growing(file);
                file.resize(file.len() + *len as usize, 0);
            }
            Op::Truncate { file, len } => self.growing(file).truncate(*len as usize),
            Op::Finish { file } => {
                self.growing(file);
                self.files.get_mut(file).unwrap().1 = false;
            }
            other => panic!("{other:?}"),
        }
    }

    /// The growing FLV file.
    pub(super) fn growing(&mut self, file: &FileName) -> &mut Vec<u8> {
        let (bytes, growing) = self.files.get_mut(file).expect("the file has been created");
        assert!(*growing, "a finished file is never changed");
        bytes
    }

    /// The finished FLV file.
    pub(super) fn finished(&self) -> &[u8] {
        let (bytes, growing) = &self.files[&FileName::flv()];
        assert!(!growing);
        bytes
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.files.iter().map(|(name, (_, growing))| (name.clone(), *growing)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let (bytes, _) = self.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Opened(bytes)))
    }
}

struct Opened<'a>(&'a [u8]);

impl ReadAt for Opened<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let range = offset as usize..offset as usize + buffer.len();
        buffer.copy_from_slice(self.0.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
