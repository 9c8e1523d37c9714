//! Media and data messages, to items.

use livetape_media::{Item, Value, WarningKind};

use crate::peer::Peer;
use crate::script::{AAC_HEADER, AUDIO, DATA, Script, VIDEO, amf, number, object, text};
use crate::wire::{Fmt, Sent, Wire};

/// The names of the metadata that came, in order.
fn metadata(peer: &Peer) -> Vec<Vec<String>> {
    let items = peer.items().into_iter().filter_map(|(_, item)| match item {
        Item::Metadata(metadata) => Some(metadata.entries.iter().map(|(name, _)| name.clone()).collect()),
        _ => None,
    });
    items.collect()
}

#[test]
fn metadata_comes_through_in_every_wrapping() {
    let about = |name: &str| object(&[(name, number(1.0))]);
    let mut script = Script::publishing("key");
    let plain = amf(&[text("onMetaData"), about("plain")]);
    let wrapped = amf(&[text("@setDataFrame"), text("onMetaData"), about("wrapped")]);
    let amf3 = [&[0][..], &amf(&[text("@setDataFrame"), text("onMetaData"), about("amf3")])].concat();
    script.message(4, DATA, 1, 0, &plain).message(4, DATA, 1, 0, &wrapped).message(4, 15, 1, 0, &amf3);
    script.message(4, DATA, 1, 0, &amf(&[text("onTextData"), about("text")]));
    let peer = Peer::fed(&script.take());
    assert_eq!(metadata(&peer), [["plain"], ["wrapped"], ["amf3"]]);
}

#[test]
fn broken_data_messages_cost_a_warning_at_most() {
    let mut script = Script::publishing("key");
    script.message(4, DATA, 1, 0, &amf(&[text("@setDataFrame")])).message(4, DATA, 1, 0, &[]);
    script.message(4, DATA, 1, 0, &[3; 100]).message(4, 15, 1, 0, &[0]).message(4, 15, 1, 0, &[]);
    script.aac_header(1).aac(1, 0, b"one");
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.frames().len(), peer.closed()), (1, None));
}

#[test]
fn empty_and_tiny_media_messages_do_no_harm() {
    let mut script = Script::publishing("key");
    script.message(4, AUDIO, 1, 0, &[]).message(6, VIDEO, 1, 0, &[]);
    script.message(6, VIDEO, 1, 0, &[0x17]).message(4, AUDIO, 1, 0, &[0xAF]).message(4, AUDIO, 1, 0, &[0xAF, 1]);
    script.aac_header(1).aac(1, 0, b"one").message(4, AUDIO, 1, 23, &[0xAF, 1]);
    let peer = Peer::fed(&script.take());
    assert_eq!((peer.frames().concat(), peer.closed()), (b"one".to_vec(), None));
}

#[test]
fn aggregates_are_unpacked_with_their_timestamps() {
    let part = |type_id: u8, time: u32, body: &[u8]| {
        let [high, low @ ..] = time.to_be_bytes();
        let length = (body.len() as u32).to_be_bytes();
        [&[type_id][..], &length[1..], &low, &[high, 0, 0, 0], body, &(body.len() as u32 + 11).to_be_bytes()].concat()
    };
    let frame = |payload: &[u8]| [&[0xAF, 1][..], payload].concat();
    let parts = [
        part(AUDIO, 70_000, &AAC_HEADER),
        part(AUDIO, 70_000, &frame(b"one")),
        part(DATA, 70_010, &amf(&[text("onMetaData"), object(&[("a", number(1.0))])])),
        part(AUDIO, 70_023, &frame(b"two")),
        part(20, 70_023, b"not here"),
    ];
    let mut script = Script::publishing("key");
    script.message(4, 22, 1, 1000, &parts.concat()).aac(1, 1046, b"three");
    let mut torn = parts.concat();
    torn.truncate(30);
    script.message(5, 22, 1, 1069, &torn);
    let peer = Peer::fed(&script.take());
    let times: Vec<_> = peer
        .items()
        .into_iter()
        .filter_map(|(_, item)| match item {
            Item::Frame(frame) => Some((frame.dts.as_millis(), frame.data.to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(times, [(1000, b"one".to_vec()), (1023, b"two".to_vec()), (1046, b"three".to_vec())]);
    assert_eq!(metadata(&peer).len(), 1);
    let torn = |item: &Item| matches!(item, Item::Warning(warning) if warning.kind == WarningKind::MediaUnreadable);
    assert!(peer.items().into_iter().any(|(_, item)| torn(item)));
}

#[test]
fn media_on_stream_zero_belongs_to_the_only_publish() {
    let mut script = Script::publishing("key");
    script.aac_header(0).aac(0, 0, b"one");
    assert_eq!(Peer::fed(&script.take()).frames(), [b"one"]);
}

#[test]
fn cameras_that_begin_their_chunk_streams_with_short_headers_are_heard() {
    let mut script = Script::publishing("key");
    let header = Sent::new(7, AUDIO, 0, AAC_HEADER);
    let frame = Sent::new(7, AUDIO, 23, [0xAF, 1, 7, 7]);
    script.wire.message_as(Fmt::SameStream, header).message_as(Fmt::SameStream, frame);
    assert_eq!(Peer::fed(&script.take()).frames(), [[7, 7]]);
}

#[test]
fn media_without_a_publish_is_left_out() {
    let mut script = Script::new();
    script.connect("live").create_stream(2.0).aac_header(1).aac(1, 0, b"lost").publish(1, "key");
    script.aac_header(1).aac(1, 23, b"kept");
    assert_eq!(Peer::fed(&script.take()).frames(), [b"kept"]);
}

#[test]
fn a_frame_of_the_greatest_size_comes_through_whole() {
    let mut script = Script::publishing("key");
    script.wire.set_chunk_size(4096);
    let frame: Vec<u8> = (0..(8usize << 20) - 2).map(|index| (index % 251) as u8).collect();
    script.aac_header(1).aac(1, 0, &frame);
    let mut peer = Peer::new();
    script.take().chunks(65_536).for_each(|piece| {
        peer.feed(piece);
    });
    assert!(peer.frames() == [frame]);
}

#[test]
fn a_real_clip_comes_through_frame_by_frame_in_any_layout() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sample.flv")).unwrap();
    let tags = tags(&file);
    let pushed = |wire: Wire, interleave: bool| {
        let mut script = Script::publishing("key");
        let bytes = script.take();
        script.wire = Wire { bytes, ..wire };
        let mut waiting: Option<(Sent, crate::wire::Open)> = None;
        for (type_id, timestamp, body) in &tags {
            let csid = if *type_id == VIDEO { 6 } else { 4 };
            let sent = Sent { csid, type_id: *type_id, stream_id: 1, timestamp: *timestamp, body: body.clone() };
            let stays = waiting.as_ref().is_some_and(|(open, _)| open.csid != csid);
            if let Some((_, mut open)) = waiting.take_if(|_| !stays) {
                while script.wire.chunk(Fmt::Full, &mut open) {}
            }
            if interleave && waiting.is_none() && *type_id == VIDEO {
                let format = *script.wire.formats(&sent).last().unwrap();
                let mut open = Wire::open(sent.clone());
                if script.wire.chunk(format, &mut open) {
                    waiting = Some((sent, open));
                }
            } else {
                script.wire.message(sent);
            }
        }
        if let Some((_, mut open)) = waiting {
            while script.wire.chunk(Fmt::Full, &mut open) {}
        }
        let mut peer = Peer::new();
        script.take().chunks(10_000).for_each(|piece| {
            peer.feed(piece);
        });
        assert_eq!(peer.closed(), None);
        let mut frames: Vec<_> = peer
            .items()
            .into_iter()
            .filter_map(|(_, item)| match item {
                Item::Frame(frame) => {
                    Some((frame.track, frame.dts, frame.pts, frame.random_access, frame.data.clone()))
                }
                _ => None,
            })
            .collect();
        frames.sort();
        frames
    };
    let expected = pushed(Wire::default(), false);
    assert_eq!(expected.len(), 240 + 376);
    assert!(pushed(Wire::default(), true) == expected);
    assert!(pushed(Wire { repeats_extended: false, ..Wire::default() }, true) == expected);
}

/// Type, timestamp and body of each tag of an FLV file.
fn tags(file: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut rest = &file[13..];
    let mut tags = Vec::new();
    while let [kind, l0, l1, l2, t0, t1, t2, high, _, _, _, behind @ ..] = rest {
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        tags.push((*kind, u32::from_be_bytes([*high, *t0, *t1, *t2]), behind[..length].to_vec()));
        rest = &behind[length + 4..];
    }
    tags
}

#[test]
fn values_of_every_kind_in_metadata_are_kept() {
    let body = amf(&[
        text("@setDataFrame"),
        text("onMetaData"),
        object(&[
            ("duration", number(0.0)),
            ("videocodecid", text("avc1")),
            ("7.1", Value::Boolean(false)),
            ("creationdate", Value::Date(1.5e12)),
            ("videoTrackIdInfoMap", object(&[("1", object(&[("width", number(640.0))]))])),
            ("list", Value::Array(vec![number(1.0), Value::Null])),
        ]),
    ]);
    let mut script = Script::publishing("key");
    script.message(4, DATA, 1, 0, &body);
    let peer = Peer::fed(&script.take());
    assert_eq!(metadata(&peer)[0].len(), 6);
}
