//! The pages of a catalog as the last commit left them: the file, and over it the write-ahead log.

use std::fs::File;
use std::io;
use std::path::Path;

use super::bytes::fill;
use super::wal::{Wal, read_image};
use crate::database::beside;

/// The size of a page of every catalog: SQLite's default, which none is made without.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Every page of a damaged catalog.
pub(super) struct Pages {
    file: Option<File>,
    wal_file: Option<File>,
    wal: Wal,
    /// How many there are.
    pub(super) count: u32,
}

impl Pages {
    /// Opens the catalog at `path`, whatever is there of it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            result => Some(result?),
        };
        let (wal, wal_file) = Wal::read(&beside(path, "-wal"))?;
        let len = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|metadata| metadata.len()))?;
        let in_file = u32::try_from(len.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX);
        let in_wal = wal.pages.last_key_value().map_or(0, |(page, _)| *page);
        Ok(Self { file, wal_file, wal, count: in_file.max(in_wal) })
    }

    /// Page `number`, from 1; `None` when it cannot be read.
    pub(super) fn read(&self, number: u32) -> Option<Vec<u8>> {
        let mut page = vec![0; PAGE_BYTES];
        if let (Some(offset), Some(file)) = (self.wal.pages.get(&number), &self.wal_file)
            && read_image(file, *offset, &mut page).is_ok()
        {
            return Some(page);
        }
        let offset = u64::from(number.checked_sub(1)?) * PAGE_BYTES as u64;
        fill(self.file.as_ref()?, offset, &mut page).ok()?;
        Some(page)
    }
}
