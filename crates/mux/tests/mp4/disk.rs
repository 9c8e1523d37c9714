//! A disk in memory that performs operations, and insists on their contract.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use livetape_mux::{FileName, Files, Op, ReadAt};

/// The one file of a recording. What was never written reads as zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    file: Option<Sparse>,
    finished: bool,
    /// Every slice but the first of an append is taken for zeros and not kept.
    pub(crate) forgets_media: bool,
}

#[derive(Clone, Debug, Default)]
struct Sparse {
    len: u64,
    extents: BTreeMap<u64, Bytes>,
}

impl Disk {
    /// A disk after `ops`.
    pub(crate) fn after(ops: &[Op]) -> Self {
        let mut disk = Self::default();
        disk.perform_all(ops);
        disk
    }

    pub(crate) fn perform_all(&mut self, ops: &[Op]) {
        ops.iter().for_each(|op| self.perform(op));
    }

    pub(crate) fn perform(&mut self, op: &Op) {
        assert!(!self.finished, "{op:?} on a finished file");
        if let Op::Create { .. } = op {
            assert!(self.file.replace(Sparse::default()).is_none(), "created twice");
            return;
        }
        let file = self.file.as_mut().expect("the file exists");
        match op {
            Op::Append { slices, .. } => {
                let kept = if self.forgets_media { 1 } else { slices.len() };
                slices.iter().take(kept).for_each(|slice| file.append(slice));
                file.len += slices.iter().skip(kept).map(|slice| slice.len() as u64).sum::<u64>();
            }
            Op::Patch { offset, data, .. } => file.patch(*offset, data),
            Op::Reserve { len, .. } => file.len += len,
            Op::PunchHole { offset, len, .. } => {
                assert!(offset + len <= file.len);
                file.remove(*offset, offset + len);
            }
            Op::Truncate { len, .. } => {
                assert!(*len <= file.len);
                file.remove(*len, file.len);
                file.len = *len;
            }
            Op::Sync { .. } => {}
            Op::Finish { .. } => self.finished = true,
            Op::Remove { .. } => self.file = None,
            Op::Create { .. } | Op::Whole { .. } => panic!("{op:?} makes no sense here"),
        }
    }

    /// Performs only the first `bytes` of an append or patch.
    pub(crate) fn perform_torn(&mut self, op: &Op, bytes: usize) {
        let file = FileName::mp4();
        match op {
            Op::Append { slices, .. } => {
                let whole = slices.concat();
                self.perform(&Op::Append { file, slices: vec![Bytes::from(whole).slice(..bytes)] });
            }
            Op::Patch { offset, data, .. } => {
                self.perform(&Op::Patch { file, offset: *offset, data: data.slice(..bytes) });
            }
            _ => panic!("{op:?} cannot tear"),
        }
    }

    pub(crate) fn exists(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn len(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.len)
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len() as usize];
        self.read(0, &mut bytes);
        bytes
    }

    /// The bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        self.file.as_ref().unwrap().read_exact_at(offset, buffer).unwrap();
    }
}

impl Sparse {
    fn append(&mut self, data: &Bytes) {
        if !data.is_empty() {
            self.extents.insert(self.len, data.clone());
            self.len += data.len() as u64;
        }
    }

    fn patch(&mut self, offset: u64, data: &Bytes) {
        let end = offset + data.len() as u64;
        assert!(end <= self.len, "a patch of bytes {offset}..{end} in a file of {}", self.len);
        self.remove(offset, end);
        if !data.is_empty() {
            self.extents.insert(offset, data.clone());
        }
    }

    /// Makes the range read as zero.
    fn remove(&mut self, start: u64, end: u64) {
        let first = self.extents.range(..start).next_back().map_or(start, |(at, _)| *at);
        let touched: Vec<_> = self.extents.range(first..end).map(|(at, data)| (*at, data.clone())).collect();
        for (at, data) in touched {
            let data_end = at + data.len() as u64;
            if data_end <= start {
                continue;
            }
            self.extents.remove(&at);
            if at < start {
                self.extents.insert(at, data.slice(..(start - at) as usize));
            }
            if data_end > end {
                self.extents.insert(end, data.slice((end - at) as usize..));
            }
        }
    }
}

impl ReadAt for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        let first = self.extents.range(..=offset).next_back().map_or(offset, |(at, _)| *at);
        for (at, data) in self.extents.range(first..end) {
            let (from, to) = (offset.max(*at), end.min(at + data.len() as u64));
            if from < to {
                let source = &data[(from - at) as usize..(to - at) as usize];
                buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
        Ok(())
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.file.iter().map(|_| (FileName::mp4(), !self.finished)).collect())
    }

    fn open(&self, _: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Borrowed(file)))
    }
}

struct Borrowed<'a>(&'a Sparse);

impl ReadAt for Borrowed<'_> {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, buffer)
    }
}
