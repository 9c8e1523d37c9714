//! Torn files of every format: salvage ends, cuts no more than there is, and asks for nothing
//! beyond the end of a file.
//!
//! ```text
//! input  format u8 | file *
//! file   name u8 (high bit: still growing) | length u16 | bytes
//! ```

#![no_main]

use std::collections::BTreeMap;
use std::io;

use libfuzzer_sys::fuzz_target;
use livetape_media::{Format, WallTime};
use livetape_mux::{FileName, Files, Op, ReadAt, Salvage, salvage};

const HLS_NAMES: [&str; 8] = [
    "init-0.mp4",
    "segment-000000.m4s",
    "segment-000001.m4s",
    "segment-000000.ts",
    "segment-000001.ts",
    "media.m3u8",
    "vod.m3u8",
    "init-1.mp4",
];

struct Memory(BTreeMap<FileName, (Vec<u8>, bool)>);

struct File<'a>(&'a [u8]);

impl ReadAt for File<'_> {
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

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.0.iter().map(|(name, (_, growing))| (name.clone(), *growing)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let (bytes, _) = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File(bytes)))
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((format, mut rest)) = data.split_first() else { return };
    let mut files = BTreeMap::new();
    let format = Format::ALL[usize::from(*format) % 3];
    match format {
        Format::Mp4 => _ = files.insert(FileName::mp4(), (rest.to_vec(), true)),
        Format::Flv => _ = files.insert(FileName::flv(), (rest.to_vec(), true)),
        Format::Hls => {
            while let [name, high, low, tail @ ..] = rest {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let (bytes, later) = tail.split_at(tail.len().min(length));
                let file = FileName::new(HLS_NAMES[usize::from(*name) % 8]).unwrap();
                files.insert(file, (bytes.to_vec(), name & 0x80 > 0));
                rest = later;
            }
        }
    }
    let files = Memory(files);
    if let Ok(Salvage::Complete { ops, cut_bytes, .. }) = salvage(format, &files, WallTime::from_unix_millis(0)) {
        assert!(cut_bytes <= data.len() as u64);
        for op in ops {
            if let Op::Truncate { file, len } = op {
                assert!(len <= files.0[&file].0.len() as u64, "a file is cut to more than it has");
            }
        }
    }
});
