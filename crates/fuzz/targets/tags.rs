//! Tag bodies, one after the other, as one publish sends them. What comes out keeps the order of
//! each track and ends when told.
//!
//! ```text
//! body  kind u8 | timestamp u16 | length u8 | bytes
//! ```

#![no_main]

use std::collections::BTreeMap;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_flv::{DemuxLimits, Demuxer, OUTLINE_BYTES, TagKind, Tags, configuration, outline};
use livetape_fuzz::moment;
use livetape_media::Item;

fuzz_target!(|data: &[u8]| {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let mut items = Vec::new();
    let mut rest = data;
    while let [kind, t1, t0, length, tail @ ..] = rest {
        let (body, later) = tail.split_at(tail.len().min(usize::from(*length)));
        let body = Bytes::copy_from_slice(body);
        // Steps of 1 ms to 65 s, and far jumps.
        let timestamp = u32::from_be_bytes([if kind & 0x80 > 0 { *t0 } else { 0 }, 0, *t1, *t0]);
        match kind % 3 {
            0 => demuxer.audio(timestamp, body.clone(), moment(0), &mut items),
            1 => demuxer.video(timestamp, body.clone(), moment(0), &mut items),
            _ => demuxer.data(timestamp, body.clone(), moment(0), &mut items),
        }
        let tag = [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind % 3)];
        let _ = outline(tag, &body.slice(..body.len().min(OUTLINE_BYTES)));
        let _ = configuration(tag, &body);
        rest = later;
    }
    demuxer.finish(&mut items);
    let mut last = BTreeMap::new();
    for item in &items {
        if let Item::Frame(frame) = item {
            let before = last.insert(frame.track, frame.dts);
            assert!(before.is_none_or(|before| before < frame.dts), "decoding times of a track do not grow");
        }
    }
    if let Ok(tags) = Tags::of(Bytes::copy_from_slice(data)) {
        assert!(tags.count() <= data.len() / 11);
    }
});
