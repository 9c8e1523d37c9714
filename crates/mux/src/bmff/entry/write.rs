//! Writing sample entries.

use bytes::Bytes;
use livetape_media::codec::{AacConfig, Mp3Config, OpusConfig};
use livetape_media::{AudioFormat, CodecConfig, VideoFormat};

use super::super::BoxWriter;
use super::super::boxes::saturated;

/// Object type indications of ISO/IEC 14496-1, table 5.
pub(super) const OTI_AAC: u8 = 0x40;
/// MPEG-2 audio, layers I to III (the low sampling rates).
pub(super) const OTI_MPEG2_AUDIO: u8 = 0x69;
/// MPEG-1 audio, layers I to III.
pub(super) const OTI_MPEG1_AUDIO: u8 = 0x6b;

/// The sample entry of a track that is decoded as `config`; `None` when none can be made.
///
/// ```text
/// avc1 { avcC }   hvc1 { hvcC }   av01 { av1C }   vp09 { vpcC }
/// mp4a { esds }   Opus { dOps }   fLaC { dfLa }
/// ```
///
/// AC-3 has none yet: its `dac3` needs fields of the sync frame that the configuration does not keep.
pub(super) fn sample_entry(config: &CodecConfig) -> Option<Bytes> {
    let mut writer = BoxWriter::with_capacity(256);
    let w = &mut writer;
    match config {
        CodecConfig::Avc(c) => visual(w, b"avc1", c.format, |w| w.boxed(b"avcC", |w| w.raw(&c.record))),
        // hvc1, not hev1: players of one large vendor refuse the latter.
        CodecConfig::Hevc(c) => visual(w, b"hvc1", c.format, |w| w.boxed(b"hvcC", |w| w.raw(&c.record))),
        CodecConfig::Av1(c) => visual(w, b"av01", c.format, |w| w.boxed(b"av1C", |w| w.raw(&c.record))),
        CodecConfig::Vp9(c) => {
            // Some publishers send the record with the box's version and flags before it.
            let record = c.record.strip_prefix(&[1, 0, 0, 0]).unwrap_or(&c.record);
            visual(w, b"vp09", c.format, |w| w.full(b"vpcC", 1, 0, |w| w.raw(record)));
        }
        CodecConfig::Aac(c) => audio(w, b"mp4a", c.format, c.format.sample_rate, |w| aac_esds(w, c)),
        CodecConfig::Mp3(c) => audio(w, b"mp4a", c.format, c.format.sample_rate, |w| mp3_esds(w, c)),
        CodecConfig::Opus(c) => {
            let specific = opus_specific(c)?;
            audio(w, b"Opus", c.format, 48_000, |w| w.boxed(b"dOps", |w| w.raw(&specific)));
        }
        CodecConfig::Flac(c) => {
            let blocks = c.record.strip_prefix(b"fLaC").unwrap_or(&c.record);
            audio(w, b"fLaC", c.format, c.format.sample_rate, |w| w.full(b"dfLa", 0, 0, |w| w.raw(blocks)));
        }
        CodecConfig::Ac3(_) => return None,
    }
    Some(writer.into_bytes().into())
}

/// ```text
/// KIND  VisualSampleEntry
///   0:6 data_reference_index:u16=1  0:16  width:u16 height:u16
///   72 dpi:16.16 72 dpi:16.16  0:u32  frame_count:u16=1  compressorname:32  depth:u16=24  -1:i16
///   the codec's configuration box
/// ```
fn visual(writer: &mut BoxWriter, kind: &[u8; 4], format: VideoFormat, configuration: impl FnOnce(&mut BoxWriter)) {
    writer.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1);
        w.zeros(16);
        w.u16(u16::try_from(format.width).unwrap_or(u16::MAX));
        w.u16(u16::try_from(format.height).unwrap_or(u16::MAX));
        w.u32(72 << 16);
        w.u32(72 << 16);
        w.u32(0);
        w.u16(1);
        w.zeros(32);
        w.u16(24);
        w.u16(0xffff);
        configuration(w);
    });
}

/// ```text
/// KIND  AudioSampleEntry
///   0:6 data_reference_index:u16=1  0:8  channelcount:u16 samplesize:u16=16  0:4  samplerate:16.16
///   the codec's configuration box
/// ```
///
/// A rate above 65,535 does not fit: the field is 0 then, and the configuration tells.
fn audio(
    writer: &mut BoxWriter,
    kind: &[u8; 4],
    format: AudioFormat,
    rate: u32,
    configuration: impl FnOnce(&mut BoxWriter),
) {
    writer.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1);
        w.zeros(8);
        w.u16(format.channels);
        w.u16(16);
        w.zeros(4);
        w.u16(u16::try_from(rate).unwrap_or(0));
        w.u16(0);
        configuration(w);
    });
}

fn aac_esds(writer: &mut BoxWriter, config: &AacConfig) {
    esds(writer, OTI_AAC, Some(&config.record));
}

fn mp3_esds(writer: &mut BoxWriter, config: &Mp3Config) {
    let oti = if config.format.sample_rate >= 32_000 { OTI_MPEG1_AUDIO } else { OTI_MPEG2_AUDIO };
    esds(writer, oti, None);
}

/// ```text
/// esds  version 0
///   ES_Descriptor 3            ES_ID:u16=0 flags:u8=0
///     DecoderConfigDescriptor 4  oti:u8 streamType:u8=0x15 bufferSizeDB:u24=0 maxBitrate:u32=0 avgBitrate:u32=0
///       DecoderSpecificInfo 5      the configuration record (AAC only)
///     SLConfigDescriptor 6       predefined:u8=2
/// ```
fn esds(writer: &mut BoxWriter, oti: u8, specific: Option<&[u8]>) {
    let mut config = vec![oti, 0x15];
    config.extend_from_slice(&[0; 11]);
    if let Some(specific) = specific {
        descriptor(&mut config, 5, specific);
    }
    let mut stream = vec![0, 0, 0];
    descriptor(&mut stream, 4, &config);
    descriptor(&mut stream, 6, &[2]);
    let mut bytes = Vec::with_capacity(stream.len() + 5);
    descriptor(&mut bytes, 3, &stream);
    writer.full(b"esds", 0, 0, |w| w.raw(&bytes));
}

/// `tag:u8`, the length seven bits at a time with the top bit set on all but the last, the body.
fn descriptor(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    let length = saturated(body.len());
    for shift in [21, 14, 7] {
        if length >> shift != 0 {
            out.push((length >> shift) as u8 | 0x80);
        }
    }
    out.push(length as u8 & 0x7f);
    out.extend_from_slice(body);
}

/// `dOps` from the identification header: the same fields, big-endian, version 0.
///
/// ```text
/// OpusHead:8 version:u8 channels:u8 pre_skip:u16 input_rate:u32 gain:i16 family:u8 [mapping]   little-endian
/// dOps:      0:u8       channels:u8 pre_skip:u16 input_rate:u32 gain:i16 family:u8 [mapping]   big-endian
/// ```
fn opus_specific(config: &OpusConfig) -> Option<Vec<u8>> {
    let head = config.record.strip_prefix(b"OpusHead")?;
    let (fixed, mapping) = head.split_first_chunk::<11>()?;
    let [_, channels, skip0, skip1, rate0, rate1, rate2, rate3, gain0, gain1, family] = *fixed;
    let mut bytes = vec![0, channels, skip1, skip0, rate3, rate2, rate1, rate0, gain1, gain0, family];
    if family != 0 {
        bytes.extend_from_slice(mapping.get(..usize::from(channels) + 2)?);
    }
    Some(bytes)
}
