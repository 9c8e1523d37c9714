//! Codec configurations and frame headers: the first byte says which, the rest is it.

use bytes::Bytes;
use livetape_media::codec::{
    AacConfig, Ac3Config, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};
use livetape_media::{CodecConfig, TrackId, TrackKind};

/// Reads the input as one configuration.
pub fn run(data: &[u8]) {
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
    let Ok(config) = config else { return };
    let kind = config.codec().kind();
    assert_eq!(config.video().is_some(), kind == TrackKind::Video);
    assert_eq!(config.audio().is_some(), kind == TrackKind::Audio);
    assert!(config.rfc6381().len() <= 64, "{}", config.rfc6381());
    if let Some(video) = config.video() {
        assert!(video.frame_rate.is_none_or(|rate| rate.denominator > 0 && rate.as_f64().is_finite()));
    }
    if let Some(audio) = config.audio() {
        assert!(audio.sample_rate > 0, "a track has a clock");
    }
    let id = if kind == TrackKind::Video { TrackId::VIDEO } else { TrackId::AUDIO };
    assert!(livetape_media::Track { id, config }.timescale() > 0);
}
