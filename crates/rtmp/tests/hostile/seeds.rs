//! What is damaged: captures, and scripts for what no captured client does.

use livetape_media::Value;

use crate::script::{AUDIO, DATA, Script, VIDEO, amf, number, object, text};
use crate::wire::{Fmt, Sent, Wire};
use crate::{Numbers, outcome};

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    macro_rules! capture {
        ($name:literal) => {
            ($name, include_bytes!(concat!("../captures/", $name, ".bin")).to_vec())
        };
    }
    vec![
        capture!("ffmpeg-5.1"),
        capture!("ffmpeg-9.0"),
        capture!("gstreamer-rtmp2sink"),
        capture!("gstreamer-rtmpsink"),
        capture!("ffmpeg-5.1-late"),
        ("interleaved", interleaved()),
        ("unrepeated", extended(false)),
        ("extended", extended(true)),
        ("commands", commands()),
        ("data", data()),
    ]
}

fn interleaved() -> Vec<u8> {
    let mut script = Script::publishing("key");
    script.aac_header(1);
    for round in 0..5u32 {
        let sent = |csid, type_id, length: usize| {
            Wire::open(Sent::new(csid, type_id, round * 40, [&[0x17, 1, 0, 0, 0][..], &vec![7; length]].concat()))
        };
        let mut open = [sent(6, VIDEO, 600), sent(4, AUDIO, 300), sent(400, VIDEO, 200)];
        for turn in [0, 1, 2, 0, 1, 0, 1, 2, 0, 0] {
            script.wire.chunk(Fmt::Full, &mut open[turn]);
        }
        script.control(3, &[0; 4]).control(2, &6u32.to_be_bytes());
    }
    script.take()
}

fn extended(repeats_extended: bool) -> Vec<u8> {
    let mut script = Script::publishing("key");
    script.wire.repeats_extended = repeats_extended;
    script.aac_header(1);
    for index in 0..20u32 {
        script.aac(1, 20_000_000 + index * 23, &[index as u8; 200]);
    }
    script.take()
}

fn commands() -> Vec<u8> {
    let mut script = Script::publishing("one?token=1");
    for name in ["releaseStream", "FCPublish", "_checkbw", "getStreamLength", "play", "unknown", "FCUnpublish"] {
        script.command(0, &[text(name), number(4.0), Value::Null, text("other")]);
    }
    script.create_stream(3.0).publish(2, "two").aac_header(2).aac(2, 0, b"two");
    script.control(4, &[0, 6, 0, 0, 0, 1]).control(5, &70_000u32.to_be_bytes()).control(6, &[0, 0, 1, 0, 2]);
    script.command(0, &[text("deleteStream"), number(7.0), Value::Null, number(1.0)]).publish(1, "three");
    script.command(2, &[text("closeStream"), number(0.0), Value::Null]);
    let amf3 =
        [&[0][..], &amf(&[text("createStream"), number(9.0)]), &[0x11, 0x0A, 0x0B, 1, 3, b'a', 6, 1, 1]].concat();
    script.message(3, 17, 0, 0, &amf3);
    script.take()
}

fn data() -> Vec<u8> {
    let mut script = Script::publishing("key");
    let metadata = object(&[("width", number(1.0)), ("list", Value::Array(vec![number(1.0); 5])), ("o", object(&[]))]);
    script.message(4, DATA, 1, 0, &amf(&[text("@setDataFrame"), text("onMetaData"), metadata]));
    let part = |time: u8| [&[AUDIO, 0, 0, 4, 0, 0, time, 0, 0, 0, 0, 0xAF, 1, 7, 7][..], &[0, 0, 0, 15]].concat();
    script.aac_header(1).message(5, 22, 1, 100, &[part(1), part(24), part(47)].concat());
    script.message(4, 15, 1, 0, &[0, 2, 0, 1, b'x']).message(4, 16, 1, 0, &[1, 2]).message(4, 19, 1, 0, &[]);
    script.take()
}

#[test]
fn every_seed_is_understood_in_whole_and_in_any_cut() {
    let mut numbers = Numbers(0x5EED);
    for (name, seed) in seeds() {
        let whole = outcome([&seed].into_iter());
        let asked = whole.iter().any(|event| matches!(event, crate::Event::Asked(_)));
        let fine = matches!(whole.last(), Some(crate::Event::Closed(None)));
        assert!(asked && fine, "{name}: {:?}", whole.last());
        assert!(outcome(seed.iter().map(std::slice::from_ref)) == whole, "{name} byte by byte");
        for most in [2, 5, 50, 500, 5000] {
            assert!(outcome(numbers.cut(&seed, most).into_iter()) == whole, "{name} in pieces of up to {most}");
        }
    }
}
