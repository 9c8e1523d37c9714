//! The rows on one page of a b-tree, found without the tree around it.
//!
//! ```text
//! page     [file header on page 1] type | freeblock 2 | cells 2 | content 2 | - | [right child 4] | pointers
//! 0d       leaf of a table:            payload length | rowid | payload
//! 0a, 02   leaf, interior of an index: [left child 4] payload length | payload
//! record   header length | types | values
//! ```
//!
//! Contract: any bytes may be given; a cell that is not whole is left out, the others count. Spec:
//! sqlite.org/fileformat2.html.

use rusqlite::types::Value;

use super::bytes::{signed, u16_at, u32_at, varint};
use super::pages::{PAGE_BYTES, Pages};

/// A row as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// Its number; none of a row that stands in an index, as those of tables without rowid.
    pub(super) rowid: Option<i64>,
    /// Its columns.
    pub(super) values: Vec<Value>,
}

/// No row has more bytes: texts are bounded, and the longest are event bodies of 20 kB.
const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The rows of page `number`; nothing when it has none.
pub(super) fn records(pages: &Pages, number: u32) -> Vec<Record> {
    let Some(page) = pages.read(number) else { return Vec::new() };
    let start = if number == 1 { 100 } else { 0 };
    let (in_table, child, pointers) = match page.get(start) {
        Some(0x0d) => (true, 0, start + 8),
        Some(0x0a) => (false, 0, start + 8),
        Some(0x02) => (false, 4, start + 12),
        _ => return Vec::new(),
    };
    let cells = usize::from(u16_at(&page, start + 3).unwrap_or(0)).min(PAGE_BYTES / 2);
    let pointer = |cell: usize| u16_at(&page, pointers + 2 * cell).map(usize::from);
    (0..cells).filter_map(|cell| record(pages, &page, pointer(cell)?.checked_add(child)?, in_table)).collect()
}

/// The row that begins at byte `at` of `page`.
fn record(pages: &Pages, page: &[u8], mut at: usize, in_table: bool) -> Option<Record> {
    let (len, taken) = varint(page.get(at..)?)?;
    at += taken;
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_PAYLOAD_BYTES)?;
    let mut rowid = None;
    if in_table {
        let (id, taken) = varint(page.get(at..)?)?;
        at += taken;
        rowid = Some(id.cast_signed());
    }
    let local = local_bytes(len, in_table);
    let mut payload = page.get(at..at.checked_add(local)?)?.to_vec();
    if local < len {
        overflow(pages, u32_at(page, at + local)?, len, &mut payload)?;
    }
    Some(Record { rowid, values: values(&payload)? })
}

/// How much of a payload of `len` bytes stands on the page itself.
fn local_bytes(len: usize, in_table: bool) -> usize {
    let usable = PAGE_BYTES;
    let max = if in_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    let min = (usable - 12) * 32 / 255 - 23;
    if len <= max {
        return len;
    }
    let fitting = min + (len - min) % (usable - 4);
    if fitting <= max { fitting } else { min }
}

/// Appends what stands on overflow pages, up to `len` bytes in all.
fn overflow(pages: &Pages, mut next: u32, len: usize, payload: &mut Vec<u8>) -> Option<()> {
    while payload.len() < len {
        if next == 0 || next > pages.count {
            return None;
        }
        let page = pages.read(next)?;
        next = u32_at(&page, 0)?;
        let rest = page.get(4..)?;
        payload.extend_from_slice(rest.get(..(len - payload.len()).min(rest.len()))?);
    }
    Some(())
}

/// The columns of a record; `None` unless header and values fill it exactly.
fn values(payload: &[u8]) -> Option<Vec<Value>> {
    let (header_len, mut at) = varint(payload)?;
    let header = payload.get(..usize::try_from(header_len).ok()?)?;
    let mut body = payload.get(header.len()..)?;
    let mut values = Vec::new();
    while at < header.len() {
        let (kind, taken) = varint(header.get(at..)?)?;
        at += taken;
        let len = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let (bytes, rest) = body.split_at_checked(usize::try_from(len).ok()?)?;
        body = rest;
        values.push(match kind {
            0 => Value::Null,
            1..=6 => Value::Integer(signed(bytes)),
            7 => Value::Real(f64::from_be_bytes(*bytes.first_chunk()?)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            _ if kind % 2 == 1 => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
            _ => return None,
        });
    }
    (body.is_empty() && at == header.len()).then_some(values)
}
