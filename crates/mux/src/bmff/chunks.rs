//! The same media at another place: an index whose tables of chunks point elsewhere (ISO/IEC 14496-12, 8.7.5).
//!
//! The index stands before the media, so its own length decides where the media begins. Where an offset no
//! longer fits into 32 bits its table takes 64 (`stco` becomes `co64`), which makes the index longer and may
//! carry another table past the border: that is done until all fit.
//!
//! Contract: every other byte of the index is carried over as it is, but for the sizes of the boxes around such
//! a table. Whatever the bytes, no panic; the memory is that of the new index.

use std::ops::Range;

use super::{BoxHeader, BoxWriter};

/// From a `moov` to its tables of samples.
const PATH: [&[u8; 4]; 4] = [b"trak", b"mdia", b"minf", b"stbl"];
/// Bytes of a table before its numbers: size, type, version and flags, count.
const TABLE_HEADER: usize = 16;
/// Bytes of a box header with a 32-bit size; no other stands in an index.
const HEADER: usize = 8;
/// A recording has two tracks.
const MAX_TABLES: usize = 16;

/// Why an index cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadIndex {
    /// Where in it.
    pub(crate) at: usize,
    /// What is wrong.
    pub(crate) problem: &'static str,
}

/// A `moov`, its tables of chunks, and where they are to point.
#[derive(Debug)]
pub(crate) struct ChunkTables<'a> {
    moov: &'a [u8],
    /// Where the media begins by the `moov`.
    from: u64,
    /// Where it is to begin.
    to: u64,
    tables: Vec<Table>,
}

/// One `stco` or `co64`.
#[derive(Clone, Debug)]
struct Table {
    /// Where in the `moov` it stands.
    place: Range<usize>,
    /// Where the boxes that it lies in begin: `trak` to `stbl`.
    around: [usize; PATH.len()],
    /// Its numbers have 64 bits in the `moov`.
    wide: bool,
    /// Its numbers have 64 bits after the move.
    becomes_wide: bool,
    /// The greatest of its numbers.
    greatest: u64,
}

impl<'a> ChunkTables<'a> {
    /// Finds the tables of `moov`, a whole box. Every chunk begins within `media`.
    pub(crate) fn find(moov: &'a [u8], media: &Range<u64>) -> Result<Self, BadIndex> {
        let mut found = Self { moov, from: media.start, to: media.start, tables: Vec::new() };
        if found.box_at(0, moov.len())? != (*b"moov", moov.len()) {
            return Err(BadIndex { at: 0, problem: "the index is not one box" });
        }
        found.descend(HEADER..moov.len(), 0, &mut [0; PATH.len()], media)?;
        if found.tables.is_empty() {
            return Err(BadIndex { at: 0, problem: "the index has no table of chunks" });
        }
        Ok(found)
    }

    /// Looks for tables in the boxes that stand at `range`, `depth` steps down the path.
    fn descend(
        &mut self,
        range: Range<usize>,
        depth: usize,
        around: &mut [usize; PATH.len()],
        media: &Range<u64>,
    ) -> Result<(), BadIndex> {
        let mut at = range.start;
        while at < range.end {
            let (kind, end) = self.box_at(at, range.end)?;
            match (PATH.get(depth), around.get_mut(depth)) {
                (Some(step), Some(place)) if kind == **step => {
                    *place = at;
                    self.descend(at + HEADER..end, depth + 1, around, media)?;
                }
                (None, _) if &kind == b"stco" || &kind == b"co64" => {
                    if self.tables.len() == MAX_TABLES {
                        return Err(BadIndex { at, problem: "the index has too many tables of chunks" });
                    }
                    self.tables.push(self.table(at..end, &kind == b"co64", *around, media)?);
                }
                _ => {}
            }
            at = end;
        }
        Ok(())
    }

    /// The type and the end of the box at `at`, which ends by `limit`.
    fn box_at(&self, at: usize, limit: usize) -> Result<([u8; 4], usize), BadIndex> {
        let header = self.moov.get(at..limit).and_then(BoxHeader::parse);
        let size = header.filter(|header| header.header_len == HEADER as u64).and_then(|header| header.size);
        let end = size.and_then(|size| at.checked_add(usize::try_from(size).ok()?)).filter(|end| *end <= limit);
        match (header, end) {
            (Some(header), Some(end)) => Ok((header.kind, end)),
            _ => Err(BadIndex { at, problem: "a box of the index is not whole" }),
        }
    }

    fn table(
        &self,
        place: Range<usize>,
        wide: bool,
        around: [usize; PATH.len()],
        media: &Range<u64>,
    ) -> Result<Table, BadIndex> {
        let bad = |problem| BadIndex { at: place.start, problem };
        let numbers = self.moov.get(place.start + TABLE_HEADER..place.end);
        let count = self.moov.get(place.start + TABLE_HEADER - 4..).and_then(|rest| rest.first_chunk());
        let (Some(numbers), Some(count)) = (numbers, count) else { return Err(bad("a table of chunks is too short")) };
        let len = u64::from(u32::from_be_bytes(*count)) * if wide { 8 } else { 4 };
        if numbers.len() as u64 != len {
            return Err(bad("a table of chunks has another length than it says"));
        }
        let table = Table { place, around, wide, becomes_wide: wide, greatest: media.start };
        let mut greatest = media.start;
        for offset in table.offsets(self.moov) {
            if !media.contains(&offset) {
                return Err(BadIndex { at: table.place.start, problem: "a chunk lies outside the media" });
            }
            greatest = greatest.max(offset);
        }
        Ok(Table { greatest, ..table })
    }

    /// Has the media begin behind the index and `besides` other bytes. Returns the length the index then has.
    pub(crate) fn move_media(&mut self, besides: u64) -> u64 {
        loop {
            let growth: u64 = self.tables.iter().map(Table::growth).sum();
            let len = self.moov.len() as u64 + growth;
            self.to = besides.saturating_add(len);
            let (from, to) = (self.from, self.to);
            let fits = |table: &Table| table.becomes_wide || u32::try_from(moved(table.greatest, from, to)).is_ok();
            match self.tables.iter_mut().find(|table| !fits(table)) {
                Some(table) => table.becomes_wide = true,
                None => return len,
            }
        }
    }

    /// Appends the index as [`ChunkTables::move_media`] left it.
    pub(crate) fn write(&self, out: &mut BoxWriter) -> Result<(), BadIndex> {
        let start = out.len();
        let mut copied = 0;
        for table in &self.tables {
            out.raw(self.moov.get(copied..table.place.start).unwrap_or_default());
            out.u32(u32::try_from(table.place.len() as u64 + table.growth()).unwrap_or(u32::MAX));
            out.raw(if table.becomes_wide { b"co64" } else { b"stco" });
            out.raw(self.moov.get(table.place.start + HEADER..table.place.start + TABLE_HEADER).unwrap_or_default());
            let offsets = table.offsets(self.moov);
            offsets.for_each(|offset| out.u32_or_u64(table.becomes_wide, moved(offset, self.from, self.to)));
            copied = table.place.end;
        }
        out.raw(self.moov.get(copied..).unwrap_or_default());
        self.resize(start, out)
    }

    /// Makes the boxes around tables that became longer as long as they now are; the index begins at `start`.
    fn resize(&self, start: usize, out: &mut BoxWriter) -> Result<(), BadIndex> {
        for table in self.tables.iter().filter(|table| table.growth() > 0) {
            for at in [0].iter().chain(&table.around) {
                let before = self.tables.iter().filter(|other| other.place.start < *at);
                let place = start + at + before.map(|other| other.growth() as usize).sum::<usize>();
                let size = out.u32_at(place).and_then(|size| size.checked_add(u32::try_from(table.growth()).ok()?));
                let size = size.ok_or(BadIndex { at: *at, problem: "the index becomes too long" })?;
                out.set_u32(place, size);
            }
        }
        Ok(())
    }
}

/// Where a byte at `offset` is when what began at `from` begins at `to`.
fn moved(offset: u64, from: u64, to: u64) -> u64 {
    offset.saturating_sub(from).saturating_add(to)
}

impl Table {
    /// By how many bytes it becomes longer.
    fn growth(&self) -> u64 {
        let widened = self.becomes_wide && !self.wide;
        if widened { (self.place.len() - TABLE_HEADER) as u64 } else { 0 }
    }

    /// Its numbers.
    fn offsets(&self, moov: &[u8]) -> impl Iterator<Item = u64> {
        let numbers = moov.get(self.place.start + TABLE_HEADER..self.place.end).unwrap_or_default();
        let size = if self.wide { 8 } else { 4 };
        numbers.chunks_exact(size).map(|number| number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `moov` with a track of each of `tables`, between other boxes.
    fn moov(tables: &[(bool, &[u64])]) -> Vec<u8> {
        let mut writer = BoxWriter::default();
        writer.boxed(b"moov", |w| {
            w.full(b"mvhd", 0, 0, |w| w.zeros(9));
            for (wide, offsets) in tables {
                w.boxed(b"trak", |w| {
                    w.boxed(b"tkhd", |w| w.zeros(3));
                    w.boxed(b"mdia", |w| {
                        w.boxed(b"minf", |w| {
                            w.boxed(b"stbl", |w| {
                                w.full(b"stsz", 0, 0, |w| w.zeros(5));
                                w.full(if *wide { b"co64" } else { b"stco" }, 0, 0, |w| {
                                    w.u32(offsets.len() as u32);
                                    offsets.iter().for_each(|offset| w.u32_or_u64(*wide, *offset));
                                });
                                w.full(b"sgpd", 1, 0, |w| w.u32(7));
                            });
                            w.boxed(b"dinf", |_| {});
                        });
                    });
                });
            }
            w.boxed(b"udta", |w| w.zeros(2));
        });
        writer.into_bytes()
    }

    const START: u64 = 4096;
    const ALL: Range<u64> = START..1 << 40;
    const BORDER: u64 = 1 << 32;

    /// `before`, with the media moved behind it and 44 bytes, is `after` with the same numbers.
    #[track_caller]
    fn check(before: &[(bool, &[u64])], wide_after: &[bool]) {
        let old = moov(before);
        let mut tables = ChunkTables::find(&old, &ALL).unwrap();
        let len = tables.move_media(44);
        let mut out = BoxWriter::default();
        out.raw(b"head");
        tables.write(&mut out).unwrap();
        let offsets: Vec<Vec<u64>> = (before.iter())
            .map(|(_, offsets)| offsets.iter().map(|offset| offset - START + 44 + len).collect())
            .collect();
        let expected: Vec<(bool, &[u64])> =
            wide_after.iter().zip(&offsets).map(|(wide, offsets)| (*wide, offsets.as_slice())).collect();
        let expected = moov(&expected);
        assert_eq!(len, expected.len() as u64);
        assert!(out.into_bytes() == [b"head", expected.as_slice()].concat());
    }

    #[test]
    fn offsets_move_and_nothing_else_does() {
        check(&[(false, &[START, START + 100])], &[false]);
        check(&[(false, &[START, 1 << 20]), (true, &[START + 7, BORDER * 3])], &[false, true]);
        check(&[(true, &[START]), (false, &[])], &[true, false]);
    }

    #[test]
    fn a_table_becomes_wide_at_the_first_byte_beyond_4_gib() {
        let moved_by = |tables: &[(bool, &[u64])]| 44 + moov(tables).len() as u64 - START;
        // The index is shorter than the room it had: everything moves towards the front.
        check(&[(false, &[START, BORDER - 1])], &[false]);

        // Behind a head as long as the room, everything moves towards the end.
        let many: Vec<u64> = (0..2_000).map(|n| START + n * 10).collect();
        let with = |last: u64| [many.as_slice(), &[last]].concat();
        let by = moved_by(&[(false, &with(0))]);
        check(&[(false, &with(BORDER - 1 - by))], &[false]);
        check(&[(false, &with(BORDER - by))], &[true]);
        check(&[(false, &with(BORDER - 1))], &[true]);
    }

    #[test]
    fn a_table_that_becomes_wide_carries_others_past_the_border() {
        let many: Vec<u64> = (0..2_000).map(|n| START + n * 10).collect();
        let with = |last: u64| [many.as_slice(), &[last]].concat();
        let by = 44 + moov(&[(false, &with(0)), (false, &with(0)), (false, &with(0))]).len() as u64 - START;
        // Each fits until the one behind it has grown.
        let tables = [with(BORDER - 1 - by - 12_000), with(BORDER - 1 - by - 4_000), with(BORDER - by)];
        let before: Vec<(bool, &[u64])> = tables.iter().map(|offsets| (false, offsets.as_slice())).collect();
        check(&before, &[true, true, true]);
        check(&[before[0], before[1], (false, &many)], &[false, false, false]);
    }

    #[test]
    fn an_index_that_points_elsewhere_or_is_not_whole_is_refused() {
        let good = moov(&[(false, &[START, START + 9])]);
        let problem = |moov: &[u8], media: Range<u64>| ChunkTables::find(moov, &media).unwrap_err().problem;
        assert_eq!(problem(&good, START + 1..BORDER), "a chunk lies outside the media");
        assert_eq!(problem(&good, START..START + 9), "a chunk lies outside the media");
        assert_eq!(problem(&good[..good.len() - 1], ALL), "a box of the index is not whole");
        assert_eq!(problem(&[good.as_slice(), &[0]].concat(), ALL), "the index is not one box");
        assert_eq!(problem(&moov(&[]), ALL), "the index has no table of chunks");
        assert_eq!(problem(&moov(&[(true, &[START][..]); 17]), ALL), "the index has too many tables of chunks");
        assert_eq!(problem(&[], ALL), "a box of the index is not whole");
        for count in [0, 1, 3, u8::MAX] {
            let mut bad = good.clone();
            let at = bad.windows(4).position(|window| window == b"stco").unwrap();
            bad[at + 11] = count;
            assert_eq!(problem(&bad, ALL), "a table of chunks has another length than it says");
        }
    }
}
