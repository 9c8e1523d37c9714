//! Torn files of every format, and files nobody wrote: what salvage asks for can be done, and then
//! nothing more is to be done.
//!
//! ```text
//! input  format u8 (high bit: finished) | file *
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

/// Files by name, and whether each still grows.
#[derive(Clone, Default)]
struct Disk(BTreeMap<FileName, (bool, Vec<u8>)>);

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

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.0.iter().map(|(name, (growing, _))| (name.clone(), *growing)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let (_, bytes) = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(View(bytes)))
    }
}

impl Disk {
    fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => {
                assert!(self.0.insert(file.clone(), (true, Vec::new())).is_none(), "{file} must not exist");
            }
            Op::Append { file, slices } => {
                let growing = self.growing(file);
                for slice in slices {
                    growing.extend_from_slice(slice);
                }
            }
            Op::Patch { file, offset, data } => {
                let start = *offset as usize;
                let growing = self.growing(file);
                growing.get_mut(start..start + data.len()).expect("a patch lies within its file").copy_from_slice(data);
            }
            Op::Reserve { file, len } => {
                let growing = self.growing(file);
                growing.resize(growing.len() + *len as usize, 0);
            }
            Op::PunchHole { file, offset, len } => {
                let (start, len) = (*offset as usize, *len as usize);
                self.growing(file).get_mut(start..start + len).expect("a hole lies within its file").fill(0);
            }
            Op::Truncate { file, len } => {
                let growing = self.growing(file);
                assert!(*len as usize <= growing.len());
                growing.truncate(*len as usize);
            }
            Op::Sync { file } => drop(self.growing(file)),
            Op::Finish { file } => {
                self.growing(file);
                self.0.get_mut(file).expect("it is there").0 = false;
            }
            Op::Whole { file, data } => drop(self.0.insert(file.clone(), (false, data.to_vec()))),
            Op::Remove { file } => drop(self.0.remove(file)),
        }
    }

    fn growing(&mut self, file: &FileName) -> &mut Vec<u8> {
        let (growing, bytes) = self.0.get_mut(file).expect("an operation's file is there");
        assert!(*growing, "an operation's file still grows");
        bytes
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((selector, mut rest)) = data.split_first() else { return };
    let mut disk = Disk::default();
    let format = Format::ALL[usize::from(selector & 0x7f) % 3];
    let growing = selector & 0x80 == 0;
    match format {
        Format::Mp4 => drop(disk.0.insert(FileName::mp4(), (growing, rest.to_vec()))),
        Format::Flv => drop(disk.0.insert(FileName::flv(), (growing, rest.to_vec()))),
        Format::Hls => {
            while let [name, high, low, tail @ ..] = rest {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let (bytes, later) = tail.split_at(tail.len().min(length));
                let file = FileName::new(HLS_NAMES[usize::from(*name) % 8]).expect("a name a muxer gives");
                // Initialisation sections and the VOD playlist are written whole, never grown.
                let grows = name & 0x80 > 0 && !file.as_str().starts_with("init") && file.as_str() != "vod.m3u8";
                disk.0.insert(file, (grows, bytes.to_vec()));
                rest = later;
            }
        }
    }
    let wall = WallTime::from_unix_millis(0);
    let Ok(Salvage::Complete { ops, summary, cut_bytes }) = salvage(format, &disk, wall) else { return };
    assert!(cut_bytes <= data.len() as u64);
    for op in &ops {
        disk.perform(op);
    }
    match salvage(format, &disk, wall) {
        Ok(Salvage::Complete { summary: again, cut_bytes, .. }) => {
            assert_eq!(cut_bytes, 0, "nothing more is cut from a salvaged recording");
            assert_eq!(again.video.map(|video| video.frames), summary.video.map(|video| video.frames));
            assert_eq!(again.audio.map(|audio| audio.frames), summary.audio.map(|audio| audio.frames));
        }
        other => panic!("a salvaged recording stays one: {other:?}"),
    }
});
