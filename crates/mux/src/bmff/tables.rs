//! The sample tables of a progressive file, streamed from the compact index (ISO/IEC 14496-12, 8.5 to
//! 8.7).

use super::{BoxWriter, TrackEntry, TrackIndex};

/// Bytes the tables of `index` take, or a little more.
pub(super) fn size_hint(entry: &TrackEntry, index: &TrackIndex) -> usize {
    let numbers = index.durations.len() * 8
        + index.compositions.len() * 8
        + index.sync_count * 4
        + index.chunk_lengths.len() * 12
        + index.samples() * 4
        + index.chunk_count * 8;
    entry.sample_entry.len() + usize::try_from(numbers).unwrap_or(usize::MAX).saturating_add(512)
}

/// ```text
/// stbl
///   stsd  the sample entry
///   stts  decoding: runs of (frames, duration)
///   ctts  presentation: runs of (frames, offset), none negative; absent when all are 0
///   stss  the numbers of the sync samples; absent when all are
///   stsc  runs of chunks with the same number of frames
///   stsz  sizes
///   stco  places of chunks; co64 when one is beyond 4 GiB
///   sgpd sbgp   AAC: "roll" -1, every frame needs the one before it to sound right
/// ```
pub(super) fn stbl(writer: &mut BoxWriter, entry: &TrackEntry, index: &TrackIndex) {
    writer.boxed(b"stbl", |w| {
        stsd(w, entry);
        runs(w, b"stts", index.durations.len(), index.durations.runs());
        let raise = index.raise();
        let offsets = || index.compositions.runs().map(|(count, offset)| (count, offset + raise));
        if offsets().any(|(_, offset)| offset != 0) {
            runs(w, b"ctts", index.compositions.len(), offsets());
        }
        if index.sync_count != index.samples() {
            stss(w, index);
        }
        stsc(w, index);
        stsz(w, index);
        chunk_offsets(w, index);
        if entry.fourcc() == b"mp4a" && index.samples() > 0 {
            roll(w, index.samples());
        }
    });
}

/// `stsd`: one sample entry.
pub(super) fn stsd(writer: &mut BoxWriter, entry: &TrackEntry) {
    writer.full(b"stsd", 0, 0, |w| {
        w.u32(1);
        w.raw(&entry.sample_entry);
    });
}

fn runs(writer: &mut BoxWriter, kind: &[u8; 4], count: u64, runs: impl Iterator<Item = (u64, i64)>) {
    writer.full(kind, 0, 0, |w| {
        w.u32(clamped(count));
        for (length, value) in runs {
            w.u32(clamped(length));
            w.u32(clamped(u64::try_from(value).unwrap_or(0)));
        }
    });
}

fn stss(writer: &mut BoxWriter, index: &TrackIndex) {
    writer.full(b"stss", 0, 0, |w| {
        w.u32(clamped(index.sync_count));
        let mut number = 1;
        for step in index.syncs.iter() {
            number += step;
            w.u32(clamped(number));
        }
    });
}

fn stsc(writer: &mut BoxWriter, index: &TrackIndex) {
    writer.full(b"stsc", 0, 0, |w| {
        w.u32(clamped(index.chunk_lengths.len()));
        let mut first_chunk = 1;
        for (chunks, frames) in index.chunk_lengths.runs() {
            w.u32(clamped(first_chunk));
            w.u32(clamped(u64::try_from(frames).unwrap_or(0)));
            w.u32(1);
            first_chunk += chunks;
        }
    });
}

fn stsz(writer: &mut BoxWriter, index: &TrackIndex) {
    // A common size of zero would announce a table.
    let common = index.same_size.unwrap_or(0);
    writer.full(b"stsz", 0, 0, |w| {
        w.u32(common);
        w.u32(clamped(index.samples()));
        if common == 0 {
            index.sizes.iter().for_each(|size| w.u32(clamped(size)));
        }
    });
}

fn chunk_offsets(writer: &mut BoxWriter, index: &TrackIndex) {
    let wide = u32::try_from(index.last_chunk).is_err();
    writer.full(if wide { b"co64" } else { b"stco" }, 0, 0, |w| {
        w.u32(clamped(index.chunk_count));
        let mut offset = 0;
        for step in index.chunks.iter() {
            offset += step;
            w.u32_or_u64(wide, offset);
        }
    });
}

/// ```text
/// sgpd  version 1  "roll" default_length:u32=2 entry_count:u32=1  roll_distance:i16=-1
/// sbgp  version 0  "roll" entry_count:u32=1  sample_count:u32 group_description_index:u32=1
/// ```
fn roll(writer: &mut BoxWriter, samples: u64) {
    writer.full(b"sgpd", 1, 0, |w| {
        w.raw(b"roll");
        w.u32(2);
        w.u32(1);
        w.u16(0xffff);
    });
    writer.full(b"sbgp", 0, 0, |w| {
        w.raw(b"roll");
        w.u32(1);
        w.u32(clamped(samples));
        w.u32(1);
    });
}

fn clamped(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
