//! FLV: tags, one after the other, each closed by its size.

use super::Found;
use crate::marker::Marker;

/// The frames of a file.
pub(super) fn file(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let mut rest = bytes.strip_prefix(b"FLV\x01\x05\0\0\0\x09\0\0\0\0").ok_or("it does not begin as FLV does")?;
    let mut found = Vec::new();
    let mut metadata = false;
    while let Some((head, after)) = rest.split_first_chunk::<11>() {
        let at = bytes.len() - rest.len();
        let size = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let timestamp = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
        let body = after.get(..size).ok_or(format!("the tag at {at} goes beyond the end"))?;
        let closing = after.get(size..size + 4).ok_or(format!("the tag at {at} is not closed"))?;
        if closing != (size as u32 + 11).to_be_bytes() {
            return Err(format!("the tag at {at} is closed by another size"));
        }
        match (head[0], body) {
            (8, [_, 1, ..]) | (9, [_, 1, ..]) => found.push((Marker::of(body), f64::from(timestamp))),
            (8 | 9, [_, 0, ..]) => {}
            (18, _) => metadata = true,
            _ => return Err(format!("the tag at {at} is of no known kind")),
        }
        rest = &after[size + 4..];
    }
    if !rest.is_empty() || !metadata {
        return Err(format!("{} bytes at its end, metadata: {metadata}", rest.len()));
    }
    Ok(found)
}
