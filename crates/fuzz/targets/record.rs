//! A session of any frames through the recorders of all formats with the real muxers: operations
//! must be possible in their order, and each file is opened and finished once.

#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_flv::{DemuxLimits, Demuxer};
use livetape_media::{EndReason, Format, Item, Now, WallTime};
use livetape_mux::{FileName, Layout, Op};
use livetape_record::{Effect, NameTemplate, Policy, Recorder, SessionId, StreamPath};

/// H.264 and AAC configurations of a real encoder.
const AVC: [u8; 50] = [
    0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9,
    0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2d,
    0x96, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
const AAC: [u8; 4] = [0xaf, 0, 0x11, 0x90];

fuzz_target!(|data: &[u8]| {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let mut now = Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(1_700_000_000_000) };
    let mut items = Vec::new();
    demuxer.video(0, Bytes::from_static(&AVC), now, &mut items);
    demuxer.audio(0, Bytes::from_static(&AAC), now, &mut items);
    assert_eq!(items.len(), 2, "both configurations are understood");
    let (mut video_ms, mut audio_ms) = (0u32, 0u32);
    for step in data.chunks_exact(2) {
        let delta = u32::from(step[1]) * if step[0] & 0x40 == 0 { 1 } else { 50 };
        match step[0] & 0x0f {
            0..=7 => {
                video_ms = video_ms.wrapping_add(delta);
                let first = if step[0] & 0x10 == 0 { 0x27 } else { 0x17 };
                let nal = if first == 0x17 { 0x65 } else { 0x41 };
                let body = [first, 1, 0, 0, step[0] & 7, 0, 0, 0, 2, nal, step[1]];
                demuxer.video(video_ms, Bytes::copy_from_slice(&body), now, &mut items);
            }
            8..=13 => {
                audio_ms = audio_ms.wrapping_add(delta.min(64));
                demuxer.audio(audio_ms, Bytes::copy_from_slice(&[0xaf, 1, step[1], 7]), now, &mut items);
            }
            14 => {
                let mut changed = AVC;
                changed[8] = step[1] & 0x3f;
                demuxer.video(video_ms, Bytes::copy_from_slice(&changed), now, &mut items);
            }
            _ => video_ms = video_ms.wrapping_sub(delta * 20),
        }
    }
    items.push(Item::End(EndReason::Drop));
    for format in Format::ALL {
        let policy = Policy {
            format,
            layout: Layout { mp4_reserve_max_bytes: 4096, ..Layout::default() },
            max_duration: Duration::from_secs(2),
            min_duration: Duration::ZERO,
            track_wait: Duration::from_secs(1),
            names: NameTemplate::default(),
        };
        let stream = StreamPath { app: "live".into(), name: "cam".into() };
        let mut recorder = Recorder::new(policy, SessionId(uuid::Uuid::nil()), stream);
        let mut effects = Vec::new();
        for item in &items {
            now.mono += Duration::from_millis(7);
            recorder.tick(now, &mut effects);
            recorder.push(item, now, &mut effects);
        }
        check(&effects);
    }
});

fn check(effects: &[Effect]) {
    let mut open = false;
    let mut growing: BTreeSet<FileName> = BTreeSet::new();
    let mut finished: BTreeSet<FileName> = BTreeSet::new();
    for effect in effects {
        match effect {
            Effect::Open(_) => {
                assert!(!open);
                open = true;
                finished.clear();
            }
            Effect::Close(_) => {
                assert!(open && growing.is_empty(), "every file of a closed recording is finished");
                open = false;
            }
            Effect::Discard(_) | Effect::Abandon(_) => {
                assert!(open);
                growing.clear();
                open = false;
            }
            Effect::Op(Op::Create { file }) => {
                assert!(open && !finished.contains(file) && growing.insert(file.clone()));
            }
            Effect::Op(Op::Finish { file }) => assert!(growing.remove(file) && finished.insert(file.clone())),
            Effect::Op(
                Op::Append { file, .. }
                | Op::Patch { file, .. }
                | Op::Reserve { file, .. }
                | Op::PunchHole { file, .. }
                | Op::Sync { file },
            ) => assert!(growing.contains(file)),
            Effect::Op(Op::Whole { file, .. }) => assert!(open && !growing.contains(file)),
            Effect::Op(Op::Truncate { .. } | Op::Remove { .. }) => panic!("only salvage does this"),
            Effect::Warn(_) => {}
        }
    }
    assert!(!open, "the end closes what is open");
}
