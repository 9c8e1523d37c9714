//! Codec configurations and frame headers.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_media::CodecConfig;
use livetape_media::codec::{
    AacConfig, Ac3Config, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    let record = Bytes::copy_from_slice(rest);
    let config = match which % 9 {
        0 => AvcConfig::parse(record).map(CodecConfig::Avc),
        1 => HevcConfig::parse(record).map(CodecConfig::Hevc),
        2 => Av1Config::parse(record).map(CodecConfig::Av1),
        3 => Vp9Config::parse(record).map(CodecConfig::Vp9),
        4 => AacConfig::parse(record).map(CodecConfig::Aac),
        5 => OpusConfig::parse(record).map(CodecConfig::Opus),
        6 => FlacConfig::parse(record).map(CodecConfig::Flac),
        7 => Mp3Config::parse_frame(rest).map(CodecConfig::Mp3),
        _ => Ac3Config::parse_frame(rest).map(CodecConfig::Ac3),
    };
    if let Ok(config) = config {
        let _ = (config.codec(), config.record().len(), config.video(), config.audio());
    }
});
