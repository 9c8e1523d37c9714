//! Recordings as real muxers write them, up to any point.

use std::time::Duration;

use bytes::Bytes;
use livetape_media::codec::{AacConfig, AvcConfig};
use livetape_media::{CodecConfig, Format, Frame, MediaTime, Metadata, Track, TrackId};
use livetape_mux::{Begin, Layout, Op, Summary};

use crate::world::start;

/// A High profile stream of 320 by 180 pixels, 25 frames a second.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x0c, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01,
    0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60, 0x01, 0x00, 0x06, 0x68,
    0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

/// What a recorder has done to the files of a recording of four seconds.
pub(crate) struct Tape {
    /// Operations while it grows.
    pub(crate) growing: Vec<Op>,
    /// Operations that end it.
    pub(crate) ending: Vec<Op>,
    /// What it then holds.
    pub(crate) summary: Summary,
}

pub(crate) fn tape(format: Format) -> Tape {
    tape_with(format, None)
}

/// With playlists over it that call it `playlists`.
pub(crate) fn tape_with(format: Format, playlists: Option<String>) -> Tape {
    let avc = AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap();
    let aac = AacConfig::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
    let begin = Begin {
        tracks: vec![
            Track { id: TrackId::VIDEO, config: CodecConfig::Avc(avc) },
            Track { id: TrackId::AUDIO, config: CodecConfig::Aac(aac) },
        ],
        start: MediaTime::ZERO,
        wall_start: start(),
        metadata: Metadata::default(),
        max_duration: Duration::from_secs(60),
        layout: Layout { segment: Duration::from_secs(1), ..Layout::default() },
        playlists,
    };
    let mut growing = Vec::new();
    let mut muxer = livetape_mux::open(format, begin, &mut growing);
    let (mut pictures, mut sounds) = (0, 0);
    for millis in (0..4000).step_by(20) {
        if millis % 40 == 0 {
            let key = millis % 1000 == 0;
            muxer.frame(&picture(millis, key, pictures), &mut growing);
            pictures += 1;
        }
        // A frame of 1024 samples lasts 21 1/3 ms.
        let sound = MediaTime::from_ticks(i64::from(sounds) * 1024, 48_000);
        if sound <= MediaTime::from_millis(millis) {
            muxer.frame(&frame(TrackId::AUDIO, sound, true, vec![0x21, sounds, 3, 4]), &mut growing);
            sounds += 1;
        }
    }
    let mut ending = Vec::new();
    let summary = muxer.end(None, &mut ending);
    Tape { growing, ending, summary }
}

fn picture(millis: i64, key: bool, number: u8) -> Frame {
    let unit = [vec![if key { 0x65 } else { 0x41 }], vec![number; 200]].concat();
    let data = [u32::try_from(unit.len()).unwrap().to_be_bytes().to_vec(), unit].concat();
    frame(TrackId::VIDEO, MediaTime::from_millis(millis), key, data)
}

fn frame(track: TrackId, at: MediaTime, random_access: bool, data: Vec<u8>) -> Frame {
    Frame { track, dts: at, pts: at, random_access, data: data.into() }
}
