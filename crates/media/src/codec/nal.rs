//! What the NAL unit streams of H.264 and H.265 have in common.

use bytes::Bytes;

use super::bits::BitReader;
use crate::{CodecError, FrameRate};

/// The longest parameter set looked into. Real ones are shorter than 200 bytes; what a longer one holds
/// beyond this is of no interest to a recorder.
const MAX_INTERESTING_BYTES: usize = 4096;

/// The payload of a NAL unit: without the emulation prevention bytes (`00 00 03` stands for `00 00`).
pub(crate) fn payload(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len().min(MAX_INTERESTING_BYTES));
    let mut zeros = 0;
    for &byte in nal.iter().take(MAX_INTERESTING_BYTES) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The bytes of each NAL length prefix, from `lengthSizeMinusOne`: 3 is not allowed by either specification.
pub(crate) fn length_size(what: &'static str, minus_one: u8) -> Result<u8, CodecError> {
    match minus_one & 3 {
        2 => Err(CodecError::Invalid { what, problem: "NAL lengths of 3 bytes are not allowed" }),
        other => Ok(other + 1),
    }
}

/// A place in a configuration record that is made of bytes.
pub(crate) struct RecordReader<'a> {
    what: &'static str,
    record: &'a Bytes,
    at: usize,
}

impl<'a> RecordReader<'a> {
    /// Reads `record`, which is a `what` (for errors), from byte `at` on.
    pub(crate) fn new(what: &'static str, record: &'a Bytes, at: usize) -> Self {
        Self { what, record, at }
    }

    fn truncated(&self, field: &'static str) -> CodecError {
        CodecError::Truncated { what: self.what, field, at: self.record.len() }
    }

    /// The next byte.
    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, CodecError> {
        let byte = self.record.get(self.at).copied().ok_or_else(|| self.truncated(field))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next two bytes as a number.
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, CodecError> {
        Ok(u16::from(self.byte(field)?) << 8 | u16::from(self.byte(field)?))
    }

    /// A NAL unit behind its 16-bit length, as a view into the record.
    pub(crate) fn unit(&mut self, field: &'static str) -> Result<Bytes, CodecError> {
        let end = usize::from(self.u16(field)?).saturating_add(self.at);
        if end > self.record.len() {
            return Err(self.truncated(field));
        }
        let unit = self.record.slice(self.at..end);
        self.at = end;
        Ok(unit)
    }
}

/// `ticks_per_second / ticks_per_frame`, shortened; `None` when either is zero or does not fit.
pub(crate) fn frame_rate(ticks_per_second: u64, ticks_per_frame: u64) -> Option<FrameRate> {
    let divisor = greatest_common_divisor(ticks_per_second, ticks_per_frame);
    if ticks_per_second == 0 || ticks_per_frame == 0 {
        return None;
    }
    let numerator = u32::try_from(ticks_per_second / divisor).ok()?;
    let denominator = u32::try_from(ticks_per_frame / divisor).ok()?;
    Some(FrameRate { numerator, denominator })
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Leaves out what comes before the timing in the video usability information, which H.264 and H.265 begin
/// alike: aspect ratio, overscan, video signal type, chroma sample location.
pub(crate) fn skip_picture_description(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    const EXTENDED_SAR: u32 = 255;
    if bits.flag("aspect_ratio_info")? && bits.bits(8, "aspect_ratio_idc")? == EXTENDED_SAR {
        bits.skip(32, "sample aspect ratio")?;
    }
    if bits.flag("overscan_info")? {
        bits.skip(1, "overscan_appropriate_flag")?;
    }
    if bits.flag("video_signal_type")? {
        bits.skip(4, "video_format")?;
        if bits.flag("colour_description")? {
            bits.skip(24, "colour_description")?;
        }
    }
    if bits.flag("chroma_loc_info")? {
        bits.ue("chroma_sample_loc_type_top_field")?;
        bits.ue("chroma_sample_loc_type_bottom_field")?;
    }
    Ok(())
}

/// One side of the picture: `coded` samples less `crop` units of `unit` samples.
pub(crate) fn side(what: &'static str, coded: u64, crop: [u32; 2], unit: u64) -> Result<u32, CodecError> {
    /// The most a container's 16-bit field holds.
    const MAX: u64 = 65_535;
    let cropped = (u64::from(crop[0]) + u64::from(crop[1])) * unit;
    match coded.checked_sub(cropped) {
        Some(size @ 1..=MAX) => Ok(size as u32),
        _ => Err(CodecError::Invalid { what, problem: "the picture's size is impossible" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_bytes_are_left_out_and_others_kept() {
        assert_eq!(payload(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3]), [0, 0, 1, 0, 0, 0, 0, 3, 0, 3]);
    }

    #[test]
    fn frame_rates_are_shortened_and_never_divide_by_zero() {
        assert_eq!(frame_rate(60_000, 2002), Some(FrameRate { numerator: 30_000, denominator: 1001 }));
        assert_eq!(frame_rate(u64::from(u32::MAX), 2 * u64::from(u32::MAX)).map(|r| r.denominator), Some(2));
        assert_eq!(frame_rate(0, 2), None);
        assert_eq!(frame_rate(2, 0), None);
    }
}
