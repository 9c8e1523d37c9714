//! Tag bodies, one after the other, as one publish sends them. The items keep to their rules.
//!
//! ```text
//! body  kind u8 | timestamp u16 | length u8 | bytes
//! ```

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer, OUTLINE_BYTES, TagKind, configuration, outline};

use crate::moment;
use crate::rules::Rules;

/// Reads the input as tag bodies.
pub fn run(data: &[u8]) {
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
    let mut rules = Rules::default();
    items.iter().for_each(|item| rules.watch(item, data.len()));
}
