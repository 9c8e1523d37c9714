//! Fragments: `moof` and `mdat` (ISO/IEC 14496-12, 8.8).

use bytes::Bytes;
use livetape_media::TrackId;

use super::BoxWriter;

/// `sample_flags` of a frame a decoder may start at: depends on no other.
pub(super) const SYNC: u32 = 0x0200_0000;
/// `sample_flags` of any other frame: depends on others, not a sync sample.
pub(super) const NOT_SYNC: u32 = 0x0101_0000;

/// One frame as tables describe it. Ticks of its track's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Until the next frame's decoding time.
    pub(crate) duration: u32,
    /// Bytes.
    pub(crate) size: u32,
    /// From decoding to presentation. Negative only where a publisher's own presentation time lies
    /// before the decoding time of a frame that had already been written.
    pub(crate) composition: i32,
    /// Whether a decoder may start here.
    pub(crate) sync: bool,
}

/// The frames of one track in one fragment, consecutive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    /// `track_ID`.
    pub(crate) number: u32,
    /// Which track.
    pub(crate) id: TrackId,
    /// Decoding time of the first frame, in ticks since the origin.
    pub(crate) dts: u64,
    /// Its frames; never empty.
    pub(crate) samples: Vec<Sample>,
    /// Their bytes, one slice each.
    pub(crate) data: Vec<Bytes>,
}

impl Run {
    /// Bytes of its frames.
    pub(crate) fn bytes(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.size)).sum()
    }
}

/// A fragment: some frames of each track, in the tracks' order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragment {
    /// One for each track that has frames in it; never empty.
    pub(crate) runs: Vec<Run>,
}

impl Fragment {
    /// Appends the whole fragment to `slices`: its header, then every frame's own bytes. Returns the
    /// header's length.
    pub(crate) fn append_to(self, sequence: u32, slices: &mut Vec<Bytes>) -> u64 {
        let header = self.header(sequence);
        let header_len = header.len() as u64;
        slices.append(&mut self.into_slices(header));
        header_len
    }

    /// The whole fragment as slices: `header`, which [`Self::header`] made, then every frame's own bytes.
    /// The frames of the first run begin after the header, those of each further run after
    /// [`Run::bytes`] of the one before.
    pub(crate) fn into_slices(self, header: Bytes) -> Vec<Bytes> {
        let mut slices = Vec::with_capacity(1 + self.runs.iter().map(|run| run.data.len()).sum::<usize>());
        slices.push(header);
        for run in self.runs {
            slices.extend(run.data);
        }
        slices
    }

    /// What comes before the frames' bytes. `sequence` counts fragments from 1.
    ///
    /// ```text
    /// moof
    ///   mfhd  sequence_number:u32
    ///   traf  one for each run
    ///     tfhd  default-base-is-moof; track_ID, default duration and flags where all frames share them
    ///     tfdt  version 1; baseMediaDecodeTime:u64
    ///     trun  version 0 (1 with a negative offset); sample_count data_offset [first_sample_flags]
    ///           for each frame [duration] size [flags] [composition offset]
    /// mdat    size kind
    /// ```
    ///
    /// Frames of one fragment stay below 2 GiB together: the fragmenter cuts long before.
    pub(crate) fn header(&self, sequence: u32) -> Bytes {
        let frames: usize = self.runs.iter().map(|run| run.samples.len()).sum();
        let mut writer = BoxWriter::with_capacity(64 + self.runs.len() * 96 + frames * 16);
        let mut offsets = Vec::with_capacity(self.runs.len());
        writer.boxed(b"moof", |w| {
            w.full(b"mfhd", 0, 0, |w| w.u32(sequence));
            for run in &self.runs {
                w.boxed(b"traf", |w| traf(w, run, &mut offsets));
            }
        });
        let mut data_at = writer.len() as u64 + 8;
        for (run, field_at) in self.runs.iter().zip(offsets) {
            writer.set_u32(field_at, u32::try_from(data_at).unwrap_or(u32::MAX));
            data_at += run.bytes();
        }
        let mdat_len = 8 + self.runs.iter().map(Run::bytes).sum::<u64>();
        writer.u32(u32::try_from(mdat_len).unwrap_or(u32::MAX));
        writer.raw(b"mdat");
        writer.into_bytes().into()
    }
}

/// Flags of `tfhd`.
pub(super) mod tfhd {
    pub(crate) const BASE_DATA_OFFSET: u32 = 0x01;
    pub(crate) const SAMPLE_DESCRIPTION: u32 = 0x02;
    pub(crate) const DEFAULT_DURATION: u32 = 0x08;
    pub(crate) const DEFAULT_SIZE: u32 = 0x10;
    pub(crate) const DEFAULT_FLAGS: u32 = 0x20;
    pub(crate) const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
}

/// Flags of `trun`.
pub(super) mod trun {
    pub(crate) const DATA_OFFSET: u32 = 0x001;
    pub(crate) const FIRST_FLAGS: u32 = 0x004;
    pub(crate) const DURATION: u32 = 0x100;
    pub(crate) const SIZE: u32 = 0x200;
    pub(crate) const FLAGS: u32 = 0x400;
    pub(crate) const COMPOSITION: u32 = 0x800;
}

/// Writes the content of a `traf`; the place of `data_offset`, unknown until the `moof` is whole, goes
/// to `offsets`.
fn traf(w: &mut BoxWriter, run: &Run, offsets: &mut Vec<usize>) {
    let Some((first, rest)) = run.samples.split_first() else { return };
    let one_duration = rest.iter().all(|sample| sample.duration == first.duration);
    let rest_sync = rest.first().map_or(first.sync, |sample| sample.sync);
    let rest_alike = rest.iter().all(|sample| sample.sync == rest_sync);

    let mut flags = tfhd::DEFAULT_BASE_IS_MOOF | tfhd::DEFAULT_FLAGS;
    if one_duration {
        flags |= tfhd::DEFAULT_DURATION;
    }
    w.full(b"tfhd", 0, flags, |w| {
        w.u32(run.number);
        if one_duration {
            w.u32(first.duration);
        }
        w.u32(sample_flags(rest_sync));
    });
    w.full(b"tfdt", 1, 0, |w| w.u64(run.dts));

    let mut flags = trun::DATA_OFFSET | trun::SIZE;
    if !one_duration {
        flags |= trun::DURATION;
    }
    if !rest_alike {
        flags |= trun::FLAGS;
    } else if first.sync != rest_sync {
        flags |= trun::FIRST_FLAGS;
    }
    if run.samples.iter().any(|sample| sample.composition != 0) {
        flags |= trun::COMPOSITION;
    }
    let version = u8::from(run.samples.iter().any(|sample| sample.composition < 0));
    w.full(b"trun", version, flags, |w| {
        w.u32(run.samples.len() as u32);
        offsets.push(w.len());
        w.u32(0);
        if flags & trun::FIRST_FLAGS != 0 {
            w.u32(sample_flags(first.sync));
        }
        for sample in &run.samples {
            if flags & trun::DURATION != 0 {
                w.u32(sample.duration);
            }
            w.u32(sample.size);
            if flags & trun::FLAGS != 0 {
                w.u32(sample_flags(sample.sync));
            }
            if flags & trun::COMPOSITION != 0 {
                w.i32(sample.composition);
            }
        }
    });
}

fn sample_flags(sync: bool) -> u32 {
    if sync { SYNC } else { NOT_SYNC }
}
