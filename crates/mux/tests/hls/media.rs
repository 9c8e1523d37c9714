//! Tracks and frames made up for tests. Every frame can be told from every other by its bytes.

use bytes::Bytes;
use livetape_media::codec::{AacConfig, AvcConfig, Mp3Config};
use livetape_media::{CodecConfig, Frame, MediaTime, Track, TrackId};

/// High profile, 320x180, 25 frames a second, as x264 writes it.
const AVC_180: &[u8] = b"\x01\x64\x00\x0c\xff\xe1\x00\x1a\x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x01\x10\x00\x00\
    \x03\x00\x10\x00\x00\x03\x03\x20\xf1\x42\x99\x60\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
/// High profile, 640x360.
const AVC_360: &[u8] = b"\x01\x64\x00\x1e\xff\xe1\x00\x1a\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\x00\x00\
    \x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2d\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0";

pub(crate) fn avc() -> Track {
    avc_of(AVC_180)
}

/// A larger picture.
pub(crate) fn avc_large() -> Track {
    avc_of(AVC_360)
}

fn avc_of(record: &'static [u8]) -> Track {
    let config = AvcConfig::parse(Bytes::from_static(record)).unwrap();
    Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) }
}

/// AAC LC, 48 kHz, stereo.
pub(crate) fn aac() -> Track {
    aac_of(&[0x11, 0x90])
}

/// HE-AAC: a core of 24 kHz, explicitly signalled as 48 kHz.
pub(crate) fn he_aac() -> Track {
    aac_of(&[0x2b, 0x11, 0x88, 0x00])
}

fn aac_of(record: &'static [u8]) -> Track {
    let config = AacConfig::parse(Bytes::from_static(record)).unwrap();
    Track { id: TrackId::AUDIO, config: CodecConfig::Aac(config) }
}

const MP3_HEADER: [u8; 4] = [0xff, 0xfb, 0x14, 0xc4];
/// 32 kbit/s at 48 kHz.
const MP3_FRAME: usize = 96;

/// MPEG-1 layer III, 48 kHz.
pub(crate) fn mp3() -> Track {
    let config = Mp3Config::parse_frame(&MP3_HEADER).unwrap();
    Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(config) }
}

/// A picture of one NAL unit: its number, then filling.
pub(crate) fn picture(number: usize, dts_ms: i64, pts_ms: i64, key: bool, len: usize) -> Frame {
    let mut nal = vec![if key { 0x65 } else { 0x41 }];
    nal.extend_from_slice(&(number as u32 | 0x8000_0000).to_be_bytes());
    nal.resize(len.max(6), 0x80 | number as u8);
    let data = [&(nal.len() as u32).to_be_bytes()[..], &nal].concat().into();
    let (dts, pts) = (MediaTime::from_millis(dts_ms), MediaTime::from_millis(pts_ms));
    Frame { track: TrackId::VIDEO, dts, pts, random_access: key, data }
}

/// A sound: its number, then filling.
pub(crate) fn sound(number: usize, ms: i64, mp3: bool) -> Frame {
    let mut data = if mp3 { MP3_HEADER.to_vec() } else { vec![0x21] };
    data.extend_from_slice(&(number as u32 | 0x8000_0000).to_be_bytes());
    data.resize(if mp3 { MP3_FRAME } else { 40 + number % 30 }, 0x80 | number as u8);
    let at = MediaTime::from_millis(ms);
    Frame { track: TrackId::AUDIO, dts: at, pts: at, random_access: true, data: data.into() }
}
