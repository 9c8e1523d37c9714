//! The sequence parameter set of H.264 (ISO/IEC 14496-10, 7.3.2.1.1), as far as a recorder needs it.

use crate::codec::bits::BitReader;
use crate::codec::nal::{frame_rate, payload, side, skip_picture_description};
use crate::{CodecError, FrameRate, VideoFormat};

const WHAT: &str = "H.264 sequence parameter set";

/// Reads the picture's size and rate from a sequence parameter set with its NAL header.
pub(super) fn read(nal: &[u8]) -> Result<VideoFormat, CodecError> {
    if nal.first().is_some_and(|header| header & 0x1f != 7) {
        return Err(CodecError::Invalid { what: WHAT, problem: "its NAL unit type is not 7" });
    }
    let bytes = payload(nal);
    let mut bits = BitReader::new(WHAT, &bytes);
    bits.skip(8, "NAL header")?;
    let profile = bits.bits(8, "profile_idc")?;
    bits.skip(16, "constraints and level_idc")?;
    bits.ue("seq_parameter_set_id")?;
    let chroma = if has_chroma_format(profile) { Chroma::read(&mut bits)? } else { Chroma::Subsampled };
    bits.ue("log2_max_frame_num_minus4")?;
    skip_picture_order(&mut bits)?;
    bits.ue("max_num_ref_frames")?;
    bits.skip(1, "gaps_in_frame_num_value_allowed_flag")?;
    let width_in_mbs = u64::from(bits.ue("pic_width_in_mbs_minus1")?) + 1;
    let height_in_units = u64::from(bits.ue("pic_height_in_map_units_minus1")?) + 1;
    let frame_mbs_only = bits.flag("frame_mbs_only_flag")?;
    if !frame_mbs_only {
        bits.skip(1, "mb_adaptive_frame_field_flag")?;
    }
    bits.skip(1, "direct_8x8_inference_flag")?;
    let mut crop = [0; 4];
    if bits.flag("frame_cropping_flag")? {
        for edge in &mut crop {
            *edge = bits.ue("frame_crop_offset")?;
        }
    }
    let [left, right, top, bottom] = crop;
    let fields = if frame_mbs_only { 1 } else { 2 };
    let (unit_x, unit_y) = chroma.crop_units();
    Ok(VideoFormat {
        width: side(WHAT, width_in_mbs * 16, [left, right], unit_x)?,
        height: side(WHAT, height_in_units * 16 * fields, [top, bottom], unit_y * fields)?,
        // A set that ends here, or whose rest is damaged, still tells the size.
        frame_rate: timing(&mut bits).unwrap_or(None),
    })
}

/// Whether sets of this profile say how chroma is sampled (7.3.2.1.1).
fn has_chroma_format(profile: u32) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// How chroma is sampled, as far as cropping is concerned (table 6-1).
enum Chroma {
    /// Monochrome, 4:4:4, or three planes coded apart: cropping counts single samples.
    Full,
    /// 4:2:2.
    HalfWidth,
    /// 4:2:0.
    Subsampled,
}

impl Chroma {
    /// Reads from `chroma_format_idc` to the end of the scaling lists.
    fn read(bits: &mut BitReader<'_>) -> Result<Self, CodecError> {
        let idc = bits.ue("chroma_format_idc")?;
        if idc == 3 {
            bits.skip(1, "separate_colour_plane_flag")?;
        }
        bits.ue("bit_depth_luma_minus8")?;
        bits.ue("bit_depth_chroma_minus8")?;
        bits.skip(1, "qpprime_y_zero_transform_bypass_flag")?;
        if bits.flag("seq_scaling_matrix_present_flag")? {
            for list in 0..if idc == 3 { 12 } else { 8 } {
                if bits.flag("seq_scaling_list_present_flag")? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        match idc {
            0 | 3 => Ok(Self::Full),
            1 => Ok(Self::Subsampled),
            2 => Ok(Self::HalfWidth),
            _ => Err(CodecError::Invalid { what: WHAT, problem: "chroma_format_idc is above 3" }),
        }
    }

    /// Samples across and down that one unit of cropping stands for (7-19 to 7-22).
    fn crop_units(&self) -> (u64, u64) {
        match self {
            Self::Full => (1, 1),
            Self::HalfWidth => (2, 1),
            Self::Subsampled => (2, 2),
        }
    }
}

fn skip_scaling_list(bits: &mut BitReader<'_>, size: usize) -> Result<(), CodecError> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + i64::from(bits.se("delta_scale")?)).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    match bits.ue("pic_order_cnt_type")? {
        0 => {
            bits.ue("log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            bits.skip(1, "delta_pic_order_always_zero_flag")?;
            bits.se("offset_for_non_ref_pic")?;
            bits.se("offset_for_top_to_bottom_field")?;
            let count = bits.ue("num_ref_frames_in_pic_order_cnt_cycle")?;
            if count > 255 {
                return Err(CodecError::Invalid { what: WHAT, problem: "its picture order cycle is above 255" });
            }
            for _ in 0..count {
                bits.se("offset_for_ref_frame")?;
            }
        }
        2 => {}
        _ => return Err(CodecError::Invalid { what: WHAT, problem: "pic_order_cnt_type is above 2" }),
    }
    Ok(())
}

/// The frame rate of the video usability information (E.1.1): a frame lasts two ticks.
fn timing(bits: &mut BitReader<'_>) -> Result<Option<FrameRate>, CodecError> {
    if !bits.flag("vui_parameters_present_flag")? {
        return Ok(None);
    }
    skip_picture_description(bits)?;
    if !bits.flag("timing_info_present_flag")? {
        return Ok(None);
    }
    let ticks_per_field = u64::from(bits.bits(32, "num_units_in_tick")?);
    let ticks_per_second = u64::from(bits.bits(32, "time_scale")?);
    Ok(frame_rate(ticks_per_second, 2 * ticks_per_field))
}
