//! Codec configurations from any bytes. The first byte says which.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_media::codec::{
    Ac3Config, AacConfig, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    let record = Bytes::copy_from_slice(rest);
    match which % 9 {
        0 => drop(AvcConfig::parse(record).map(|config| config.rfc6381())),
        1 => drop(HevcConfig::parse(record).map(|config| config.rfc6381())),
        2 => drop(Av1Config::parse(record).map(|config| config.rfc6381())),
        3 => drop(Vp9Config::parse(record).map(|config| config.rfc6381())),
        4 => drop(AacConfig::parse(record).map(|config| config.rfc6381())),
        5 => drop(OpusConfig::parse(record)),
        6 => drop(FlacConfig::parse(record)),
        7 => drop(Mp3Config::parse_frame(rest)),
        _ => drop(Ac3Config::parse_frame(rest)),
    }
});
