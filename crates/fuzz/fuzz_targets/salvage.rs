//! What a crash left, or anybody put there: any bytes as the files of a recording. What salvage
//! says must be possible, and doing it must leave nothing more to do.
#![no_main]

use std::collections::BTreeMap;
use std::io;

use libfuzzer_sys::fuzz_target;
use livetape_media::{Format, WallTime};
use livetape_mux::{FileName, Files, Op, ReadAt, Salvage, salvage};

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
    let [selector, data @ ..] = data else { return };
    let format = Format::ALL[usize::from(selector % 3)];
    let mut disk = Disk::default();
    match format {
        Format::Mp4 => drop(disk.0.insert(FileName::mp4(), (selector & 4 == 0, data.to_vec()))),
        Format::Flv => drop(disk.0.insert(FileName::flv(), (selector & 4 == 0, data.to_vec()))),
        Format::Hls => {
            let ts = selector & 8 != 0;
            let names = if ts {
                ["media.m3u8", "segment-000000.ts", "segment-000001.ts"]
            } else {
                ["media.m3u8", "init-0.mp4", "segment-000000.m4s"]
            };
            // Each file's length stands before it, in two bytes.
            let mut rest = data;
            for (n, name) in names.iter().enumerate() {
                let [high, low, after @ ..] = rest else { break };
                let (content, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(after.len()));
                let growing = match n {
                    0 => selector & 4 == 0,
                    1 => ts && selector & 16 != 0,
                    _ => selector & 32 == 0,
                };
                let Some(name) = FileName::new(name) else { return };
                disk.0.insert(name, (growing, content.to_vec()));
                rest = after;
            }
        }
    }
    let wall = WallTime::from_unix_millis(0);
    let Ok(Salvage::Complete { ops, summary, .. }) = salvage(format, &disk, wall) else { return };
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
