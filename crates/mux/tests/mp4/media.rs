//! Tracks and frames made up for tests.

use bytes::Bytes;
use livetape_media::codec::{AacConfig, AvcConfig, Mp3Config};
use livetape_media::{CodecConfig, Frame, MediaTime, Track, TrackId};

/// The record of a High profile stream of 320 by 180 pixels, 25 frames a second, with B-frames.
pub(crate) const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x0c, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01,
    0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60, 0x01, 0x00, 0x06, 0x68,
    0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

pub(crate) fn avc() -> Track {
    let config = AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap();
    Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) }
}

/// AAC LC of two channels. `rate` is one of 48,000, 44,100 and 24,000.
pub(crate) fn aac(rate: u32) -> Track {
    let record: &'static [u8] = match rate {
        48_000 => &[0x11, 0x90],
        44_100 => &[0x12, 0x10],
        24_000 => &[0x13, 0x10],
        _ => panic!("no record for {rate} Hz"),
    };
    Track { id: TrackId::AUDIO, config: CodecConfig::Aac(AacConfig::parse(Bytes::from_static(record)).unwrap()) }
}

/// HE-AAC: a core of 24,000 Hz, explicitly signalled as 48,000 Hz.
pub(crate) fn he_aac() -> Track {
    let record = Bytes::from_static(&[0x2b, 0x11, 0x88, 0x00]);
    Track { id: TrackId::AUDIO, config: CodecConfig::Aac(AacConfig::parse(record).unwrap()) }
}

/// MPEG-1 layer III, 44,100 Hz.
pub(crate) fn mp3() -> Track {
    let config = Mp3Config::parse_frame(&[0xff, 0xfb, 0x90, 0x00]).unwrap();
    Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(config) }
}

/// Bytes that differ from frame to frame in content and length.
pub(crate) fn content(track: TrackId, number: usize, large: bool) -> Bytes {
    let seed = number.wrapping_mul(2_654_435_761) ^ track.kind as usize;
    let len = if large { 300 + seed % 900 } else { 20 + seed % 40 };
    (0..len).map(|at| (seed.wrapping_add(at * 31) >> 3) as u8).collect::<Vec<u8>>().into()
}

pub(crate) fn video(number: usize, dts_ms: i64, pts_ms: i64, key: bool) -> Frame {
    Frame {
        track: TrackId::VIDEO,
        dts: MediaTime::from_millis(dts_ms),
        pts: MediaTime::from_millis(pts_ms),
        random_access: key,
        data: content(TrackId::VIDEO, number, key),
    }
}

pub(crate) fn audio(number: usize, ms: i64) -> Frame {
    let time = MediaTime::from_millis(ms);
    Frame {
        track: TrackId::AUDIO,
        dts: time,
        pts: time,
        random_access: true,
        data: content(TrackId::AUDIO, number, false),
    }
}
