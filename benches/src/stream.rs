//! A steady stream: 30 pictures a second with a key frame every two seconds, and AAC at 48 kHz.

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer};
use livetape_media::{Frame, Item, MediaTime, TrackId};

use crate::now_at;

/// H.264 High 640x360, as x264 configures it, in an FLV body.
pub(crate) const AVC: [u8; 50] = [
    0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9,
    0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2d,
    0x96, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
/// AAC LC, 48 kHz, stereo, in an FLV body.
pub(crate) const AAC: [u8; 4] = [0xaf, 0, 0x11, 0x90];

const PICTURES_PER_SECOND: u64 = 30;
const GOP: u64 = 60;

/// Frames without end, in the order an encoder sends them. All frames share two buffers, so that
/// hours of stream need no memory.
pub struct Stream {
    pictures: u64,
    sounds: u64,
    key: Bytes,
    picture: Bytes,
    sound: Bytes,
}

impl Stream {
    /// A stream of about this many bits a second.
    pub fn new(bits_per_second: u64) -> Self {
        let sound_bytes = 341;
        let sound_rate = 48_000.0 / 1024.0 * 341.0;
        let per_gop =
            (bits_per_second as f64 / 8.0 - sound_rate).max(20_000.0) * GOP as f64 / PICTURES_PER_SECOND as f64;
        let picture_bytes = (per_gop / (GOP as f64 + 7.0)) as usize;
        Self {
            pictures: 0,
            sounds: 0,
            key: nal(0x65, picture_bytes * 8),
            picture: nal(0x41, picture_bytes),
            sound: Bytes::from(vec![0x21; sound_bytes]),
        }
    }

    /// The items that introduce its tracks.
    pub fn tracks() -> Vec<Item> {
        let mut demuxer = Demuxer::new(DemuxLimits::default());
        let mut items = Vec::new();
        demuxer.video(0, Bytes::from_static(&AVC), now_at(Default::default()), &mut items);
        demuxer.audio(0, Bytes::from_static(&AAC), now_at(Default::default()), &mut items);
        assert_eq!(items.len(), 2, "both configurations are understood");
        items
    }
}

/// One NAL unit of `bytes` bytes behind its length.
fn nal(header: u8, bytes: usize) -> Bytes {
    let mut data = (bytes as u32).to_be_bytes().to_vec();
    data.push(header);
    data.resize(bytes + 4, 0x5a);
    data.into()
}

impl Iterator for Stream {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let picture_ms = (self.pictures * 1000 / PICTURES_PER_SECOND) as i64;
        let sound_ms = (self.sounds * 1024 * 1000 / 48_000) as i64;
        Some(if picture_ms <= sound_ms {
            let key = self.pictures.is_multiple_of(GOP);
            self.pictures += 1;
            let data = if key { self.key.clone() } else { self.picture.clone() };
            let dts = MediaTime::from_millis(picture_ms);
            Frame { track: TrackId::VIDEO, dts, pts: dts + MediaTime::from_millis(67), random_access: key, data }
        } else {
            self.sounds += 1;
            let dts = MediaTime::from_millis(sound_ms);
            Frame { track: TrackId::AUDIO, dts, pts: dts, random_access: true, data: self.sound.clone() }
        })
    }
}
