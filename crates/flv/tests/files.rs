//! A real file through the tag reader and the demuxer, whole and damaged.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer, Limits, Tag, TagKind, Tags, amf0, amf3, outline, write};
use livetape_media::{Item, MediaTime, Now, TrackId, Value, WallTime};

fn sample() -> Bytes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sample.flv");
    std::fs::read(path).unwrap().into()
}

fn tags(file: Bytes) -> Vec<Tag> {
    Tags::of(file).unwrap().map(Result::unwrap).collect()
}

fn feed(demuxer: &mut Demuxer, tag: &Tag, items: &mut Vec<Item>) {
    let now = Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(0) };
    match tag.kind {
        TagKind::Video => demuxer.video(tag.timestamp_ms, tag.body.clone(), now, items),
        TagKind::Audio => demuxer.audio(tag.timestamp_ms, tag.body.clone(), now, items),
        TagKind::Script => demuxer.data(tag.timestamp_ms, tag.body.clone(), now, items),
    }
}

#[test]
fn the_sample_is_read_to_its_last_frame() {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let mut items = Vec::new();
    for tag in tags(sample()) {
        feed(&mut demuxer, &tag, &mut items);
    }
    let video = |item: &&Item| matches!(item, Item::Frame(frame) if frame.track == TrackId::VIDEO);
    let keys: Vec<_> = items
        .iter()
        .filter(video)
        .filter_map(|item| match item {
            Item::Frame(frame) if frame.random_access => Some(frame.dts),
            _ => None,
        })
        .collect();
    assert_eq!(items.iter().filter(video).count(), 240);
    assert_eq!(keys, [21, 2021, 4021, 6021].map(MediaTime::from_millis));
    let tracks: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Track(track) => Some(track.config.rfc6381()),
            _ => None,
        })
        .collect();
    assert_eq!(tracks.len(), 2);
    assert!(tracks.contains(&"mp4a.40.2".to_owned()), "{tracks:?}");
    assert!(
        items
            .iter()
            .any(|item| matches!(item, Item::Metadata(data) if data.field("width") == Some(&Value::Number(640.0))))
    );
    assert!(!items.iter().any(|item| matches!(item, Item::Warning(_) | Item::Jump { .. })));
}

/// A small generator of numbers, the same at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }

    /// `seed` with some bytes changed, cut out, repeated or put in.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        const TELLING: [u8; 14] = [0x00, 0x01, 0x03, 0x08, 0x0a, 0x11, 0x17, 0x7f, 0x80, 0x90, 0x96, 0x97, 0xaf, 0xff];
        let mut bytes = seed.to_vec();
        for _ in 0..=self.roll(6) {
            let at = self.roll(bytes.len().min(64));
            match self.roll(5) {
                0 if !bytes.is_empty() => bytes[at] = TELLING[self.roll(TELLING.len())],
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.roll(8),
                2 => bytes.truncate(self.roll(bytes.len() + 1)),
                3 => bytes.insert(at.min(bytes.len()), TELLING[self.roll(TELLING.len())]),
                _ => {
                    let end = at + self.roll(bytes.len().saturating_sub(at));
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        bytes.truncate(16 << 10);
        bytes
    }
}

/// Bodies of every kind, to begin from.
fn seeds() -> Vec<(TagKind, Vec<u8>)> {
    let mut seeds: Vec<_> = tags(sample()).into_iter().take(8).map(|tag| (tag.kind, tag.body.to_vec())).collect();
    let enhanced: [&[u8]; 8] = [
        b"\x90hvc1\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x3f\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x00",
        b"\x91hvc1\xff\xff\xd8\x00\x00\x00\x01\x40",
        b"\x90av01\x81\x00\x0c\x00\x0a\x0b\x00\x00\x00\x04\x3d\x06\xd4\xda\xf9\x00\x40",
        b"\x90vp09\x01\x00\x00\x00\x00\x0b\x82\x02\x02\x02\x00\x00",
        b"\x97\x02\x00\x01\x00\x03avc1\x00\x00\x00\x01\x65",
        b"\x96\x13hvc1\x00\x00\x00\x02ab\x01\x00\x00\x01c",
        b"\x96\x21av01\x00\x00\x00\x02abvp09\x01\x00\x00\x01c",
        b"\x17\x00\x00\x00\x00\x00\x00\x00\x01\x67\x42\xc0\x0c\xd9\x01\x00\x00\x01\x68\xcb\x83",
    ];
    seeds.extend(enhanced.map(|body| (TagKind::Video, body.to_vec())));
    let sound: [&[u8]; 5] = [
        b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00",
        b"\x90fLaC\x04\x00\x04\x00\x00\x00\x00\x00\x00\x00\x10\x98\x0b\xb8\x02\xf0",
        b"\x91ec-3\x0b\x77\x01\x7f\x34\x87\xc0\x00",
        b"\x95\x21mp4a\x00\x00\x00\x02abOpus\x01\x00\x00\x01c",
        b"\x2f\xff\xfb\x50\x64",
    ];
    seeds.extend(sound.map(|body| (TagKind::Audio, body.to_vec())));
    seeds.push((TagKind::Script, b"\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x03a\x09\x03\x01\x06\x05bc\x01".to_vec()));
    seeds
}

#[test]
fn twenty_thousand_damaged_bodies_neither_panic_nor_say_too_much() {
    let seeds = seeds();
    let mut dice = Dice(7);
    for round in 0..200 {
        let mut demuxer = Demuxer::new(DemuxLimits::default());
        let mut items = Vec::new();
        for _ in 0..100 {
            let (kind, seed) = &seeds[dice.roll(seeds.len())];
            let body: Bytes = dice.mutate(seed).into();
            let longest = body.len();
            let before = items.len();
            feed(
                &mut demuxer,
                &Tag { kind: *kind, timestamp_ms: dice.roll(100_000) as u32, body: body.clone(), position: 0 },
                &mut items,
            );
            // Each track of a body costs at least its number, and says at most five things.
            assert!(items.len() - before <= 5 * (longest + 1), "round {round}");
            let _ = outline(*kind, &body);
        }
        demuxer.finish(&mut items);
    }
}

#[test]
fn twenty_thousand_damaged_values_end_within_their_limits() {
    let entries = vec![
        ("text".to_owned(), Value::String("abc".to_owned())),
        ("list".to_owned(), Value::Array(vec![Value::Number(1.0), Value::Date(2.0), Value::Null])),
        ("object".to_owned(), Value::Object(vec![("deep".to_owned(), Value::Boolean(true))])),
    ];
    let mut zero = Vec::new();
    amf0::write_ecma_array(&entries, &mut zero);
    zero.extend(b"\x07\x00\x00\x11\x0a\x0b\x01\x03a\x0a\x00\x01\x0c\x00\x00\x00\x02ab");
    let three = b"\x0a\x1b\x03C\x03a\x01\x03b\x03\x01\x09\x05\x03k\x04\x05\x01\x0a\x00\x06\x00\x11\x03\x00\x06\x03k\x0d\x03\x00\x00\x00\x00\x01";
    let mut dice = Dice(11);
    let mut values = 0;
    for _ in 0..10_000 {
        let bytes = dice.mutate(&zero);
        let mut reader = amf0::Reader::new(&bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_value() {
            values += 1;
        }
        let bytes = dice.mutate(three);
        let mut reader = amf3::Reader::new(&bytes, Limits::default());
        while let Ok(Some(_)) = reader.next_value() {
            values += 1;
        }
    }
    assert!(values > 10_000, "the damage leaves something to read: {values}");
}

#[test]
fn damaged_files_give_their_tags_up_to_the_damage() {
    let mut file = Vec::new();
    write::file_header(true, true, &mut file);
    for index in 0..20u32 {
        let kind = [TagKind::Video, TagKind::Audio, TagKind::Script][index as usize % 3];
        write::tag(kind, index * 40, &vec![index as u8; index as usize * 3], &mut file);
    }
    assert_eq!(tags(file.clone().into()).len(), 20);
    let mut dice = Dice(13);
    for _ in 0..5_000 {
        let mut damaged = file.clone();
        let at = 9 + dice.roll(file.len() - 9);
        damaged[at] = damaged[at].wrapping_add(1 + dice.roll(255) as u8);
        let Ok(tags) = Tags::of(damaged.into()) else { continue };
        let whole =
            tags.take_while(Result::is_ok).map(Result::unwrap).filter(|tag| tag.position + tag.body.len() + 15 <= at);
        let expected =
            self::tags(file.clone().into()).into_iter().filter(|tag| tag.position + tag.body.len() + 15 <= at);
        assert!(whole.eq(expected), "byte {at}");
    }
}
