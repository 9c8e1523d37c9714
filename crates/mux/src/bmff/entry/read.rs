//! Reading back the sample entries this crate writes.

use bytes::Bytes;
use livetape_media::codec::{
    AacConfig, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};
use livetape_media::{AudioFormat, CodecConfig};

use super::super::reader::child;
use super::write::{OTI_AAC, OTI_MPEG1_AUDIO, OTI_MPEG2_AUDIO};

/// From a box's start to the configuration box of a visual sample entry.
const VISUAL_LEN: usize = 8 + 78;
/// The same of an audio sample entry.
const AUDIO_LEN: usize = 8 + 28;

/// How to decode a track whose sample entry is `entry`; `None` when it is not one this crate writes or
/// its record cannot be understood.
pub(super) fn codec_config(entry: &Bytes) -> Option<CodecConfig> {
    let visual = |kind: &[u8; 4], skip: usize| record(entry, VISUAL_LEN, kind, skip);
    let audio = |kind: &[u8; 4], skip: usize| record(entry, AUDIO_LEN, kind, skip);
    match entry.get(4..8)? {
        b"avc1" => AvcConfig::parse(visual(b"avcC", 0)?).ok().map(CodecConfig::Avc),
        b"hvc1" => HevcConfig::parse(visual(b"hvcC", 0)?).ok().map(CodecConfig::Hevc),
        b"av01" => Av1Config::parse(visual(b"av1C", 0)?).ok().map(CodecConfig::Av1),
        b"vp09" => Vp9Config::parse(visual(b"vpcC", 4)?).ok().map(CodecConfig::Vp9),
        b"mp4a" => mp4a(entry, &audio(b"esds", 4)?),
        b"Opus" => OpusConfig::parse(opus_head(&audio(b"dOps", 0)?)?).ok().map(CodecConfig::Opus),
        b"fLaC" => FlacConfig::parse(audio(b"dfLa", 4)?).ok().map(CodecConfig::Flac),
        _ => None,
    }
}

/// Pixels across and down, as a visual sample entry says.
pub(super) fn visual_size(entry: &[u8]) -> Option<(u32, u32)> {
    let &[w1, w0, h1, h0] = entry.get(32..36)? else { return None };
    Some((u32::from(u16::from_be_bytes([w1, w0])), u32::from(u16::from_be_bytes([h1, h0]))))
}

/// The body of the box `kind` among those after the first `fixed` bytes of `entry`, without its first
/// `skip` bytes.
fn record(entry: &Bytes, fixed: usize, kind: &[u8; 4], skip: usize) -> Option<Bytes> {
    let body = child(entry.get(fixed..)?, kind)?;
    Some(entry.slice_ref(body.get(skip..)?))
}

fn mp4a(entry: &Bytes, esds: &Bytes) -> Option<CodecConfig> {
    let stream = descriptor(esds, 3)?;
    let config = descriptor(stream.get(3..)?, 4)?;
    let (&oti, _) = config.split_first()?;
    match oti {
        OTI_AAC => {
            let specific = descriptor(config.get(13..)?, 5)?;
            AacConfig::parse(esds.slice_ref(specific)).ok().map(CodecConfig::Aac)
        }
        OTI_MPEG1_AUDIO | OTI_MPEG2_AUDIO => {
            let channels = u16::from_be_bytes(entry.get(24..26)?.try_into().ok()?);
            let sample_rate = u32::from(u16::from_be_bytes(entry.get(32..34)?.try_into().ok()?));
            let samples = if oti == OTI_MPEG1_AUDIO { 1152 } else { 576 };
            let format = AudioFormat {
                sample_rate,
                output_sample_rate: sample_rate,
                channels,
                samples_per_frame: Some(samples),
            };
            Some(CodecConfig::Mp3(Mp3Config { format }))
        }
        _ => None,
    }
}

/// The body of the descriptor at the start of `bytes`, which must have `tag`.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&found, mut rest) = bytes.split_first()?;
    if found != tag {
        return None;
    }
    let mut length = 0usize;
    for _ in 0..4 {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return rest.get(..length);
        }
    }
    None
}

/// The identification header `dOps` was made from.
fn opus_head(specific: &[u8]) -> Option<Bytes> {
    let (fixed, mapping) = specific.split_first_chunk::<11>()?;
    let [_, channels, skip1, skip0, rate3, rate2, rate1, rate0, gain1, gain0, family] = *fixed;
    let mut head = b"OpusHead\x01".to_vec();
    head.extend_from_slice(&[channels, skip0, skip1, rate0, rate1, rate2, rate3, gain0, gain1, family]);
    head.extend_from_slice(mapping);
    Some(head.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_descriptor_lengths_are_read() {
        assert_eq!(descriptor(&[5, 0x80, 0x80, 0x80, 2, 7, 8, 9], 5), Some(&[7u8, 8][..]));
        assert_eq!(descriptor(&[5, 0x80, 0x80, 0x80, 0x80, 2], 5), None, "more than four length bytes");
        assert_eq!(descriptor(&[5, 3, 1, 2], 5), None, "a body that is not there");
    }
}
