//! A disk in memory whose every change is an effect in a journal.

mod cut;
mod effect;
mod fault;
mod volume;

use std::any::Any;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use livetape_disk::{Disk, DiskFile, Entry, EntryKind, Identity, LockAttempt, Space, Stat};

pub use cut::Cut;
pub use effect::{DiskEffect, Inode, Place};
pub use fault::{Fault, Faults};
pub use volume::{ROOT, Volume};

use crate::clock::SimClock;
use crate::journal::{Effect, Journal};

/// What the disk says it could hold.
const TOTAL_BYTES: u64 = 1 << 40;

/// A simulated disk. Cheap to clone.
///
/// Paths are absolute. A file that was opened stays the same file whatever becomes of its name.
#[derive(Clone)]
pub struct SimDisk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    journal: Journal,
    clock: Option<SimClock>,
}

struct State {
    volume: Volume,
    faults: Faults,
    /// Calls so far that change, or would have changed, something.
    calls: u64,
    locked: BTreeSet<PathBuf>,
}

impl SimDisk {
    /// A disk that holds `volume`; what changes goes to `journal`. A slow call lets time pass on `clock`.
    pub fn new(volume: Volume, journal: Journal, clock: Option<SimClock>) -> Self {
        let state = State { volume, faults: Faults::default(), calls: 0, locked: BTreeSet::new() };
        Self(Arc::new(Shared { state: Mutex::new(state), journal, clock }))
    }

    /// Has calls from now on meet these faults.
    pub fn plan(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Calls so far that change, or would have changed, something.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What the disk holds now.
    pub fn volume(&self) -> Volume {
        self.lock().volume.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Counts a call and looks what it meets; `takes_room` when it needs some.
    fn meet(&self, state: &mut State, takes_room: bool) -> io::Result<Option<Fault>> {
        let call = state.calls;
        state.calls += 1;
        match state.faults.of(call, takes_room) {
            Some(Fault::NoSpace) => Err(fault::no_space()),
            Some(Fault::Io) => Err(fault::device()),
            Some(Fault::Slow(time)) => {
                if let Some(clock) = &self.0.clock {
                    clock.block(time);
                }
                Ok(None)
            }
            met => Ok(met),
        }
    }

    fn make(&self, state: &mut State, effect: DiskEffect) {
        state.volume.apply(&effect);
        self.0.journal.push(Effect::Disk(effect));
    }

    /// A call that takes room, or fails as a whole.
    fn grow(&self, change: impl FnOnce(&Volume) -> io::Result<DiskEffect>) -> io::Result<DiskEffect> {
        self.call(true, change)
    }

    fn call(&self, takes_room: bool, change: impl FnOnce(&Volume) -> io::Result<DiskEffect>) -> io::Result<DiskEffect> {
        let mut state = self.lock();
        // A call that could not be made anyway is no effect, and meets no fault.
        let effect = change(&state.volume)?;
        if let Some(Fault::ShortThenNoSpace) = self.meet(&mut state, takes_room)?
            && takes_room
        {
            return Err(fault::no_space());
        }
        self.make(&mut state, effect.clone());
        Ok(effect)
    }

    fn open_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        let inode = look(&state.volume, path)?.ok_or(ErrorKind::NotFound)?;
        if state.volume.bytes(inode).is_none() {
            return Err(ErrorKind::IsADirectory.into());
        }
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }
}

/// What stands at a path; an error when something on the way to it is a file.
fn look(volume: &Volume, path: &Path) -> io::Result<Option<Inode>> {
    let through_a_file = |path: &Path| volume.find(path).is_some_and(|inode| volume.bytes(inode).is_some());
    match path.ancestors().skip(1).any(through_a_file) {
        true => Err(ErrorKind::NotADirectory.into()),
        false => Ok(volume.find(path)),
    }
}

/// The place a path names, whose directory must be there.
fn place(volume: &Volume, path: &Path) -> io::Result<Place> {
    look(volume, path)?;
    let (parent, name) = path.parent().zip(path.file_name()).ok_or(ErrorKind::InvalidInput)?;
    let directory = volume.find(parent).ok_or(ErrorKind::NotFound)?;
    Ok(Place { directory, name: name.to_owned() })
}

fn free_place(volume: &Volume, path: &Path) -> io::Result<Place> {
    match look(volume, path)? {
        Some(_) => Err(ErrorKind::AlreadyExists.into()),
        None => place(volume, path),
    }
}

fn taken_place(volume: &Volume, path: &Path) -> io::Result<(Place, Inode)> {
    let inode = look(volume, path)?.ok_or(ErrorKind::NotFound)?;
    Ok((place(volume, path)?, inode))
}

/// Whether what stands at `from` may have the name `to`.
fn check_rename(from: &Path, to: &Path) -> io::Result<()> {
    if to != from && to.starts_with(from) { Err(ErrorKind::InvalidInput.into()) } else { Ok(()) }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let effect = self.grow(|volume| Ok(DiskEffect::Create(free_place(volume, path)?, volume.next_inode())))?;
        let DiskEffect::Create(_, inode) = effect else { unreachable!("what was just made") };
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_file(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_file(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let state = self.lock();
        Ok(look(&state.volume, path)?.map(|inode| Stat {
            kind: kind(&state.volume, inode),
            size_bytes: state.volume.bytes(inode).map_or(0, |bytes| bytes.len() as u64),
            identity: Identity { device: 1, inode },
        }))
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let (source, target) = (place(volume, from)?, place(volume, to)?);
            let inode = volume.find(from).ok_or(ErrorKind::NotFound)?;
            check_rename(from, to)?;
            let over = volume.find(to);
            match over.map(|over| (kind(volume, over), kind(volume, inode))) {
                Some((EntryKind::Directory, EntryKind::File)) => Err(ErrorKind::IsADirectory.into()),
                Some((EntryKind::File, EntryKind::Directory)) => Err(ErrorKind::NotADirectory.into()),
                Some((EntryKind::Directory, _))
                    if over.and_then(|over| volume.entries(over)).is_some_and(|names| !names.is_empty()) =>
                {
                    Err(ErrorKind::DirectoryNotEmpty.into())
                }
                _ => Ok(DiskEffect::Rename(source, target)),
            }
        };
        let same = |volume: &Volume| volume.find(from).is_some() && volume.find(from) == volume.find(to);
        // Two names of one file: nothing happens, and both stay.
        if same(&self.lock().volume) { Ok(()) } else { self.call(false, change).map(drop) }
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let source = place(volume, from)?;
            place(volume, to)?;
            volume.find(from).ok_or(ErrorKind::NotFound)?;
            let target = free_place(volume, to)?;
            check_rename(from, to)?;
            Ok(DiskEffect::Rename(source, target))
        };
        self.call(false, change).map(drop)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let (_, inode) = taken_place(volume, from)?;
            let target = free_place(volume, to)?;
            if kind(volume, inode) != EntryKind::File {
                return Err(ErrorKind::PermissionDenied.into());
            }
            Ok(DiskEffect::Link(inode, target))
        };
        self.grow(change).map(drop)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let (place, inode) = taken_place(volume, path)?;
            match kind(volume, inode) {
                EntryKind::Directory => Err(ErrorKind::IsADirectory.into()),
                _ => Ok(DiskEffect::Remove(place)),
            }
        };
        self.call(false, change).map(drop)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.grow(|volume| Ok(DiskEffect::CreateDir(free_place(volume, path)?, volume.next_inode()))).map(drop)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let (place, inode) = taken_place(volume, path)?;
            let entries = volume.entries(inode).ok_or(ErrorKind::NotADirectory)?;
            if !entries.is_empty() {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            Ok(DiskEffect::Remove(place))
        };
        self.call(false, change).map(drop)
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock();
        let inode = look(&state.volume, path)?.ok_or(ErrorKind::NotFound)?;
        let entries = state.volume.entries(inode).ok_or(ErrorKind::NotADirectory)?;
        Ok(entries
            .iter()
            .map(|(name, inode)| Entry { name: name.clone(), kind: kind(&state.volume, *inode) })
            .collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let change = |volume: &Volume| {
            let inode = look(volume, path)?.ok_or(ErrorKind::NotFound)?;
            volume.entries(inode).ok_or(ErrorKind::NotADirectory)?;
            Ok(DiskEffect::SyncDir(inode))
        };
        self.call(false, change).map(drop)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.lock();
        let free_bytes = if state.faults.is_full(state.calls) { 0 } else { TOTAL_BYTES / 2 };
        Ok(Space { free_bytes, total_bytes: TOTAL_BYTES })
    }

    fn try_lock(&self, path: &Path, holder: &str) -> io::Result<LockAttempt> {
        if self.lock().locked.contains(path) {
            let state = self.lock();
            let text = state.volume.find(path).and_then(|inode| state.volume.bytes(inode)).unwrap_or_default();
            return Ok(LockAttempt::Taken(String::from_utf8_lossy(text).into_owned()));
        }
        let file = match self.create_new(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.open(path),
            result => result,
        }?;
        file.set_len(0)?;
        file.write_at(0, &[IoSlice::new(holder.as_bytes())])?;
        self.lock().locked.insert(path.to_owned());
        Ok(
            LockAttempt::Held(
                Box::new(Held { disk: self.clone(), path: path.to_owned() }) as Box<dyn Any + Send + Sync>
            ),
        )
    }
}

fn kind(volume: &Volume, inode: Inode) -> EntryKind {
    if volume.bytes(inode).is_some() { EntryKind::File } else { EntryKind::Directory }
}

/// A lock that is held.
struct Held {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock().locked.remove(&self.path);
    }
}

struct SimFile {
    disk: SimDisk,
    inode: Inode,
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().volume.bytes(self.inode).map_or(0, <[u8]>::len) as u64)
    }

    fn write_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut data: Vec<u8> = slices.iter().take(1024).flat_map(|slice| slice.iter().copied()).collect();
        if data.is_empty() {
            return Ok(0);
        }
        let mut state = self.disk.lock();
        let met = self.disk.meet(&mut state, true)?;
        if matches!(met, Some(Fault::ShortWrite | Fault::ShortThenNoSpace)) && data.len() > 1 {
            data.truncate(data.len() / 2);
        }
        if met == Some(Fault::ShortThenNoSpace) {
            // The rest of the same write finds no room either.
            let next = state.calls;
            state.faults = Faults::at(next, Fault::NoSpace);
        }
        let written = data.len();
        self.disk.make(&mut state, DiskEffect::Write { inode: self.inode, offset, data: Bytes::from(data) });
        Ok(written)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = state.volume.bytes(self.inode).unwrap_or_default();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        Ok(taken)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.call(false, |_| Ok(DiskEffect::SetLen(self.inode, len))).map(drop)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.disk.call(false, |_| Ok(DiskEffect::Punch(self.inode, offset, len))).map(|_| true)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let forget = |state: &mut State| self.disk.make(state, DiskEffect::Forget(self.inode));
        match self.disk.meet(&mut state, false) {
            Ok(Some(Fault::FailedSync)) => {
                forget(&mut state);
                Err(fault::device())
            }
            Err(error) => {
                forget(&mut state);
                Err(error)
            }
            Ok(_) => {
                self.disk.make(&mut state, DiskEffect::SyncData(self.inode));
                Ok(())
            }
        }
    }
}
