//! A spool in a temporary directory, and short names for operations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use livetape_disk::{Disk, RealDisk, Spool, SpoolWriter};
use livetape_mux::{FileName, Op};
use tempfile::TempDir;

pub const ID: &str = "rec_0192f0c1000070008000000000000001_mp4_1";

pub struct Fixture {
    pub spool: Spool,
    pub writer: SpoolWriter,
    directory: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self::on(Arc::new(RealDisk))
    }

    pub fn on(disk: Arc<dyn Disk>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(disk, directory.path()).unwrap();
        let writer = spool.create_recording(ID, b"").unwrap();
        Self { spool, writer, directory }
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join("spool").join(ID).join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Names in the recording's directory.
    pub fn names(&self) -> Vec<String> {
        names(&self.root().join("spool").join(ID))
    }
}

pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn name(text: &str) -> FileName {
    FileName::new(text).unwrap()
}

pub fn create(file: &str) -> Op {
    Op::Create { file: name(file) }
}

pub fn append(file: &str, slices: &[&str]) -> Op {
    let slices = slices.iter().map(|slice| Bytes::copy_from_slice(slice.as_bytes())).collect();
    Op::Append { file: name(file), slices }
}

pub fn patch(file: &str, offset: u64, data: &str) -> Op {
    Op::Patch { file: name(file), offset, data: Bytes::copy_from_slice(data.as_bytes()) }
}

pub fn reserve(file: &str, len: u64) -> Op {
    Op::Reserve { file: name(file), len }
}

pub fn punch(file: &str, offset: u64, len: u64) -> Op {
    Op::PunchHole { file: name(file), offset, len }
}

pub fn truncate(file: &str, len: u64) -> Op {
    Op::Truncate { file: name(file), len }
}

pub fn sync(file: &str) -> Op {
    Op::Sync { file: name(file) }
}

pub fn finish(file: &str) -> Op {
    Op::Finish { file: name(file) }
}

pub fn whole(file: &str, data: &str) -> Op {
    Op::Whole { file: name(file), data: Bytes::copy_from_slice(data.as_bytes()) }
}

pub fn remove(file: &str) -> Op {
    Op::Remove { file: name(file) }
}
