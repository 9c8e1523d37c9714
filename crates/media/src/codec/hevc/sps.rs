//! The sequence parameter set of H.265 (ISO/IEC 23008-2, 7.3.2.2), as far as a recorder needs it.

use crate::codec::bits::BitReader;
use crate::codec::nal::{frame_rate, payload, side, skip_picture_description};
use crate::{CodecError, FrameRate, VideoFormat};

const WHAT: &str = "H.265 sequence parameter set";

fn invalid<T>(problem: &'static str) -> Result<T, CodecError> {
    Err(CodecError::Invalid { what: WHAT, problem })
}

/// Reads the picture's size and rate from a sequence parameter set with its NAL header.
pub(super) fn read(nal: &[u8]) -> Result<VideoFormat, CodecError> {
    if nal.first().is_some_and(|header| header >> 1 & 0x3f != super::SPS) {
        return invalid("its NAL unit type is not 33");
    }
    let bytes = payload(nal);
    let mut bits = BitReader::new(WHAT, &bytes);
    bits.skip(16 + 4, "NAL header and sps_video_parameter_set_id")?;
    let max_sub_layers = bits.bits(3, "sps_max_sub_layers_minus1")? as usize;
    bits.skip(1, "sps_temporal_id_nesting_flag")?;
    skip_profile_tier_level(&mut bits, max_sub_layers)?;
    bits.ue("sps_seq_parameter_set_id")?;
    let chroma = bits.ue("chroma_format_idc")?;
    // Separate planes are cropped as monochrome, which counts the same as 4:4:4.
    if chroma == 3 {
        bits.skip(1, "separate_colour_plane_flag")?;
    }
    let coded_width = u64::from(bits.ue("pic_width_in_luma_samples")?);
    let coded_height = u64::from(bits.ue("pic_height_in_luma_samples")?);
    let mut crop = [0; 4];
    if bits.flag("conformance_window_flag")? {
        for edge in &mut crop {
            *edge = bits.ue("conf_win_offset")?;
        }
    }
    let [left, right, top, bottom] = crop;
    let (unit_x, unit_y) = match chroma {
        0 | 3 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        _ => return invalid("chroma_format_idc is above 3"),
    };
    Ok(VideoFormat {
        width: side(WHAT, coded_width, [left, right], unit_x)?,
        height: side(WHAT, coded_height, [top, bottom], unit_y)?,
        // A set whose rest is damaged still tells the size.
        frame_rate: timing(&mut bits, max_sub_layers).unwrap_or(None),
    })
}

/// profile_tier_level (7.3.3).
fn skip_profile_tier_level(bits: &mut BitReader<'_>, max_sub_layers: usize) -> Result<(), CodecError> {
    const PROFILE_BITS: usize = 88;
    const LEVEL_BITS: usize = 8;
    bits.skip(PROFILE_BITS + LEVEL_BITS, "general profile and level")?;
    let mut skip = 0;
    for _ in 0..max_sub_layers {
        skip += if bits.flag("sub_layer_profile_present_flag")? { PROFILE_BITS } else { 0 };
        skip += if bits.flag("sub_layer_level_present_flag")? { LEVEL_BITS } else { 0 };
    }
    if max_sub_layers > 0 {
        skip += 2 * (8 - max_sub_layers);
    }
    bits.skip(skip, "sub-layer profiles and levels")
}

/// The frame rate of the video usability information (E.2.1), which most of the set stands in front of.
fn timing(bits: &mut BitReader<'_>, max_sub_layers: usize) -> Result<Option<FrameRate>, CodecError> {
    bits.ue("bit_depth_luma_minus8")?;
    bits.ue("bit_depth_chroma_minus8")?;
    let poc_bits = bits.ue("log2_max_pic_order_cnt_lsb_minus4")?.saturating_add(4);
    let ordering_of_all = bits.flag("sps_sub_layer_ordering_info_present_flag")?;
    for _ in 0..if ordering_of_all { max_sub_layers + 1 } else { 1 } {
        for field in ["sps_max_dec_pic_buffering_minus1", "sps_max_num_reorder_pics", "sps_max_latency_increase_plus1"]
        {
            bits.ue(field)?;
        }
    }
    for _ in 0..6 {
        bits.ue("block sizes and transform hierarchy")?;
    }
    if bits.flag("scaling_list_enabled_flag")? && bits.flag("sps_scaling_list_data_present_flag")? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2, "amp_enabled_flag and sample_adaptive_offset_enabled_flag")?;
    if bits.flag("pcm_enabled_flag")? {
        bits.skip(8, "PCM bit depths")?;
        bits.ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        bits.ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        bits.skip(1, "pcm_loop_filter_disabled_flag")?;
    }
    skip_short_term_sets(bits)?;
    if bits.flag("long_term_ref_pics_present_flag")? {
        let count = bits.ue("num_long_term_ref_pics_sps")?;
        if count > 32 || poc_bits > 16 {
            return invalid("its long-term references are impossible");
        }
        bits.skip((count * (poc_bits + 1)) as usize, "long-term references")?;
    }
    bits.skip(2, "sps_temporal_mvp_enabled_flag and strong_intra_smoothing_enabled_flag")?;
    if !bits.flag("vui_parameters_present_flag")? {
        return Ok(None);
    }
    skip_picture_description(bits)?;
    bits.skip(3, "neutral_chroma_indication_flag, field_seq_flag and frame_field_info_present_flag")?;
    if bits.flag("default_display_window_flag")? {
        for _ in 0..4 {
            bits.ue("def_disp_win_offset")?;
        }
    }
    if !bits.flag("vui_timing_info_present_flag")? {
        return Ok(None);
    }
    let ticks_per_frame = bits.bits(32, "vui_num_units_in_tick")?;
    let ticks_per_second = bits.bits(32, "vui_time_scale")?;
    Ok(frame_rate(u64::from(ticks_per_second), u64::from(ticks_per_frame)))
}

/// scaling_list_data (7.3.4).
fn skip_scaling_lists(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag("scaling_list_pred_mode_flag")? {
                bits.ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            if size > 1 {
                bits.se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..if size == 0 { 16 } else { 64 } {
                bits.se("scaling_list_delta_coef")?;
            }
        }
    }
    Ok(())
}

/// The short-term reference picture sets (7.3.7).
fn skip_short_term_sets(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    const MAX_SETS: u32 = 64;
    const MAX_PICTURES: u32 = 16;
    let count = bits.ue("num_short_term_ref_pic_sets")?;
    if count > MAX_SETS {
        return invalid("it has more than 64 short-term reference picture sets");
    }
    let mut pictures = 0;
    for set in 0..count {
        if set > 0 && bits.flag("inter_ref_pic_set_prediction_flag")? {
            bits.skip(1, "delta_rps_sign")?;
            bits.ue("abs_delta_rps_minus1")?;
            let mut kept = 0;
            for _ in 0..=pictures {
                if bits.flag("used_by_curr_pic_flag")? || bits.flag("use_delta_flag")? {
                    kept += 1;
                }
            }
            pictures = kept;
            continue;
        }
        let negative = bits.ue("num_negative_pics")?;
        let positive = bits.ue("num_positive_pics")?;
        if negative > MAX_PICTURES || positive > MAX_PICTURES {
            return invalid("a reference picture set has more than 16 pictures");
        }
        pictures = negative + positive;
        for _ in 0..pictures {
            bits.ue("delta_poc_minus1")?;
            bits.skip(1, "used_by_curr_pic_flag")?;
        }
    }
    Ok(())
}
