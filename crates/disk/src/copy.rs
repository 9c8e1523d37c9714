//! Copying a file.

use std::io::{self, IoSlice};
use std::path::Path;

use crate::{Disk, DiskError, DiskFile};

/// What is read and written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Copies the file `from` to `to`, which must not exist, syncs it and says how many bytes it has.
///
/// `to` should be a temporary name: the copy is not whole before this returns, and its name is not
/// durable before its directory is synced.
pub fn copy_new(disk: &dyn Disk, from: &Path, to: &Path) -> Result<u64, DiskError> {
    let source = disk.open_read(from).map_err(DiskError::io("opening", from))?;
    let target = disk.create_new(to).map_err(DiskError::io("creating", to))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut copied = 0u64;
    loop {
        let taken = read_some(&*source, copied, &mut buffer).map_err(DiskError::io("reading", from))?;
        let Some(bytes) = buffer.get(..taken).filter(|bytes| !bytes.is_empty()) else { break };
        copied += write_all(&*target, copied, &mut [IoSlice::new(bytes)]).map_err(DiskError::io("writing", to))?;
    }
    target.sync_data().map_err(DiskError::io("syncing", to))?;
    Ok(copied)
}

/// Reads until something came or the end is reached.
fn read_some(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(offset, buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The whole of a small file; `None` when it is not there, an error when it has more than
/// `max_bytes`.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match disk.open_read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(DiskError::io("opening", path))?,
    };
    let read = || {
        let len = usize::try_from(file.size()?.min(max_bytes.saturating_add(1))).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        read_exact(&*file, 0, &mut bytes)?;
        if bytes.len() as u64 > max_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {max_bytes} bytes")));
        }
        Ok(bytes)
    };
    read().map(Some).map_err(DiskError::io("reading", path))
}

/// Fills `buffer` from `offset` on; [`io::ErrorKind::UnexpectedEof`] when the file ends before.
pub fn read_exact(file: &dyn DiskFile, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let taken = read_some(file, offset, buffer)?;
        if taken == 0 {
            let problem = format!("the file ends at byte {offset}, {} bytes too early", buffer.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem));
        }
        offset += taken as u64;
        buffer = buffer.get_mut(taken..).unwrap_or_default();
    }
    Ok(())
}

/// Writes all `slices` from `offset` on, however few bytes each write takes, and says how many
/// bytes that were. After an error it is not known how many of them were written.
pub fn write_all(file: &dyn DiskFile, offset: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<u64> {
    let mut written = 0u64;
    // Empty slices first: a write of nothing but them would look like a full disk.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_at(offset + written, slices) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk takes no more bytes")),
            Ok(taken) => {
                written += taken as u64;
                IoSlice::advance_slices(&mut slices, taken);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
