use proptest::prelude::*;

use super::*;

fn read(kind: TrackKind, body: &[u8]) -> Result<Vec<Packet>, BodyError> {
    let body = Bytes::copy_from_slice(body);
    let mut packets = Vec::new();
    let each = |packet| packets.push(packet);
    match kind {
        TrackKind::Video => video(&body, each)?,
        TrackKind::Audio => audio(&body, each)?,
    }
    Ok(packets)
}

const V: TrackKind = TrackKind::Video;
const A: TrackKind = TrackKind::Audio;

fn packet(track: u8, codec: Codec, content: Content) -> Packet {
    Packet { track, coding: Coding::Known(codec), content }
}

fn frame(random_access: bool, composition_ms: i32, data: &'static [u8]) -> Content {
    Content::Frame { composition_ms, offset_nanos: 0, random_access, data: Bytes::from_static(data) }
}

fn configuration(record: &'static [u8]) -> Content {
    Content::Configuration(Bytes::from_static(record))
}

#[test]
fn one_packet_bodies_say_what_they_hold() {
    use Codec::*;
    let cases: [(TrackKind, &[u8], Codec, Content); 32] = [
        (V, b"\x17\x00\x00\x00\x00rec", Avc, configuration(b"rec")),
        (V, b"\x17\x01\x00\x00\x28data", Avc, frame(true, 40, b"data")),
        (V, b"\x27\x01\xff\xff\xd8data", Avc, frame(false, -40, b"data")),
        (V, b"\x37\x01\x7f\xff\xffd", Avc, frame(false, 8_388_607, b"d")),
        (V, b"\x47\x01\x80\x00\x00d", Avc, frame(true, -8_388_608, b"d")),
        (V, b"\x17\x02\x00\x00\x00", Avc, Content::Other),
        (V, b"\x17\x02\x00\x00\x00x", Avc, Content::Other),
        (V, b"\x17\x02", Avc, Content::Other),
        (V, b"\x17\x00\x00\x00\x00", Avc, Content::Other),
        (V, b"\x1c\x01\x00\x00\x01d", Hevc, frame(true, 1, b"d")),
        (V, b"\x90hvc1rec", Hevc, configuration(b"rec")),
        (V, b"\x90av01", Av1, Content::Other),
        (V, b"\x91hvc1\xff\xff\xffd", Hevc, frame(true, -1, b"d")),
        (V, b"\xa1avc1\x00\x00\x02d", Avc, frame(false, 2, b"d")),
        (V, b"\xa3hvc1d", Hevc, frame(false, 0, b"d")),
        (V, b"\x91av01\x00\x00\x02d", Av1, frame(true, 0, b"\x00\x00\x02d")),
        (V, b"\xa1vp09d", Vp9, frame(false, 0, b"d")),
        (V, b"\x92av01", Av1, Content::Other),
        (V, b"\xd4av01\x02\x00\x09colorInfo", Av1, Content::Other),
        (V, b"\x95av01ts", Av1, Content::Other),
        (A, b"\xaf\x00\x12\x10", Aac, configuration(b"\x12\x10")),
        (A, b"\xaf\x01data", Aac, frame(true, 0, b"data")),
        (A, b"\xaf\x01", Aac, Content::Other),
        (A, b"\x2fmp3", Mp3, frame(true, 0, b"mp3")),
        (A, b"\xe2mp3", Mp3, frame(true, 0, b"mp3")),
        (A, b"\x90OpusOpusHead", Opus, configuration(b"OpusHead")),
        (A, b"\x94Opus\x01\x02\x00\x00\x00\x03", Opus, Content::Other),
        (A, b"\x91fLaCd", Flac, frame(true, 0, b"d")),
        (A, b"\x91.mp3d", Mp3, frame(true, 0, b"d")),
        (A, b"\x90mp4a\x12\x10", Aac, configuration(b"\x12\x10")),
        (A, b"\x91ac-3d", Ac3, frame(true, 0, b"d")),
        (A, b"\x92ec-3", Eac3, Content::Other),
    ];
    for (kind, body, codec, content) in cases {
        assert_eq!(read(kind, body).unwrap(), [packet(0, codec, content)], "{}", body.escape_ascii());
    }
}

#[test]
fn bodies_that_say_nothing_are_nothing() {
    // Empty; a byte alone; commands to the player, legacy and extended.
    for (kind, body) in [(V, b"".as_slice()), (V, b"\x17"), (V, b"\x57\x00"), (V, b"\xd1\x00"), (A, b""), (A, b"\xaf")]
    {
        assert_eq!(read(kind, body).unwrap(), [], "{}", body.escape_ascii());
    }
}

#[test]
fn codecs_without_a_model_keep_their_names() {
    for (kind, body, name) in [
        (V, b"\x22h263".as_slice(), "Sorenson H.263"),
        (V, b"\x14vp6f", "VP6"),
        (V, b"\x1d....", "number 13"),
        (V, b"\x90vvc1rec", "'vvc1'"),
        (V, b"\x90\x00\n\xff'rec", r"'\x00\n\xff\''"),
        (A, b"\x7fpcma", "G.711 A-law"),
        (A, b"\xb2speex", "Speex"),
        (A, b"\x3fpcm", "little-endian PCM"),
    ] {
        let packets = read(kind, body).unwrap();
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0].coding.to_string(), name);
    }
}

#[test]
fn torn_and_unknown_bodies_are_errors() {
    let torn = |kind, body: &[u8]| matches!(read(kind, body), Err(BodyError::Truncated(_)));
    assert!(torn(V, b"\x17\x01\x00"));
    assert!(torn(V, b"\x91hvc"));
    assert!(torn(V, b"\x91hvc1\x00\x00"));
    assert!(torn(V, b"\x97\x05abc"));
    assert!(torn(V, b"\x96\x11avc1\x01\x00\x00\x09d"));
    assert!(torn(A, b"\x95"));
    let unknown = |kind, body: &[u8]| matches!(read(kind, body), Err(BodyError::Unknown { .. }));
    assert!(unknown(V, b"\x17\x03\x00\x00\x00d"));
    assert!(unknown(A, b"\xaf\x02d"));
    assert!(unknown(V, b"\x96\x31avc1"));
    assert!(unknown(V, b"\x96\x06avc1"));
}

#[test]
fn modifiers_stand_before_the_packet_and_refine_its_time() {
    let nanos = |body: &[u8]| match &read(V, body).unwrap()[0].content {
        Content::Frame { offset_nanos, data, .. } if data == "d" => *offset_nanos,
        other => panic!("{other:?}"),
    };
    assert_eq!(nanos(b"\x97\x02\x00\x01\x00\x03hvc1d"), 256);
    assert_eq!(nanos(b"\x97\x02\xff\xff\xff\x03hvc1d"), 999_999);
    // One that is not known, 256 bytes long by the escape; then one that is.
    let mut body = b"\x97\xff\x00\xff".to_vec();
    body.extend([7; 256]);
    body.extend(b"\x57\x02\x00\x00\x05\x03hvc1d");
    assert_eq!(nanos(&body), 5);
}

#[test]
fn multitrack_bodies_are_taken_apart() {
    let one = b"\x96\x01avc1\x07\x00\x00\x02d";
    assert_eq!(read(V, one).unwrap(), [packet(7, Codec::Avc, frame(true, 2, b"d"))]);
    let many = b"\x96\x13hvc1\x00\x00\x00\x02ab\x01\x00\x00\x01c";
    assert_eq!(
        read(V, many).unwrap(),
        [packet(0, Codec::Hevc, frame(true, 0, b"ab")), packet(1, Codec::Hevc, frame(true, 0, b"c"))]
    );
    let codecs = b"\x95\x20mp4a\x00\x00\x00\x02\x12\x10????\x01\x00\x00\x01xOpus\x02\x00\x00\x00";
    assert_eq!(
        read(A, codecs).unwrap(),
        [
            packet(0, Codec::Aac, configuration(b"\x12\x10")),
            Packet { track: 1, coding: Coding::FourCc(*b"????"), content: configuration(b"x") },
            packet(2, Codec::Opus, Content::Other),
        ]
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(first: u8, mut body in proptest::collection::vec(prop_oneof![Just(0x00), Just(0x07), Just(0xff), any::<u8>()], 0..80)) {
        body.insert(0, first);
        let _ = (read(V, &body), read(A, &body));
    }
}
