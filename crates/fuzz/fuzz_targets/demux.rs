//! A publish made of any messages: operations of one kind byte, a timestamp, a length and a body.
//! Times of each track must increase; every frame must have been introduced.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_flv::{DemuxLimits, Demuxer, Tags};
use livetape_media::{Item, MediaTime, Now, TrackId, WallTime};

fuzz_target!(|data: &[u8]| {
    if let Ok(tags) = Tags::of(Bytes::copy_from_slice(data)) {
        for _ in tags {}
    }
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let mut items = Vec::new();
    let mut rest = data;
    let mut mono = Duration::ZERO;
    while let [kind, t0, t1, t2, passed, length, after @ ..] = rest {
        let timestamp = u32::from_be_bytes([kind >> 4, *t0, *t1, *t2]);
        mono += Duration::from_millis(u64::from(*passed) * 10);
        let now = Now { mono, wall: WallTime::from_unix_millis(0) };
        let (body, after) = after.split_at(usize::from(*length).min(after.len()));
        let body = Bytes::copy_from_slice(body);
        match kind % 3 {
            0 => demuxer.audio(timestamp, body, now, &mut items),
            1 => demuxer.video(timestamp, body, now, &mut items),
            _ => demuxer.data(timestamp, body, now, &mut items),
        }
        rest = after;
    }
    demuxer.finish(&mut items);
    let mut last: BTreeMap<TrackId, Option<MediaTime>> = BTreeMap::new();
    for item in &items {
        match item {
            Item::Track(track) => drop(last.entry(track.id).or_default()),
            Item::Frame(frame) => {
                let before = last.get_mut(&frame.track).expect("a frame's track has been introduced");
                assert!(before.is_none_or(|before| frame.dts > before), "times increase");
                *before = Some(frame.dts);
            }
            _ => {}
        }
    }
});
