//! Every stream, recorded and read back: frames in are frames out.

use livetape_media::{Frame, MediaTime, TrackId, TrackKind};
use livetape_mux::{Op, Summary};
use proptest::prelude::*;

use crate::disk::Disk;
use crate::media::{aac, audio, avc, video};
use crate::readers::{
    ReadTrack, contents_by_re_mp4, edits, finished, finished_by_mp4, frames_by_mp4_atom, growing, times,
};
use crate::streams::{self, Stream};

/// Checks that a finished file holds exactly `frames`, at their own times.
pub(crate) fn check_finished(bytes: &[u8], frames: &[Frame], summary: &Summary, name: &str) {
    let tracks = finished(bytes);
    let (movie_timescale, edits) = edits(bytes);
    assert_eq!(tracks.len(), edits.len());
    let mut counted = 0;
    for (track, (kind, edits)) in tracks.iter().zip(&edits) {
        assert_eq!(track.kind, *kind);
        let expected: Vec<_> = frames.iter().filter(|frame| frame.track.kind == *kind).collect();
        counted += expected.len();
        check_frames(track, &expected, name);

        // Pictures to the tick, sound to less than a millisecond, both counted from the same start.
        let tolerance = if *kind == TrackKind::Video { 12_000 } else { 999_999 };
        for ((_, shown), frame) in times(track, *edits, movie_timescale).into_iter().zip(&expected) {
            let off = (shown - (frame.pts - summary.start)).as_nanos();
            assert!(off.abs() <= tolerance, "{name}: {kind:?} {} is shown {off} ns late", frame.pts);
        }
        if *kind == TrackKind::Audio && !name.starts_with("random") && !["gaps", "resumed"].contains(&name) {
            let step = track.packets[0].duration;
            assert!(track.packets.iter().all(|packet| packet.duration == step), "{name}: sound in equal steps");
        }
    }
    assert_eq!(counted, frames.len(), "{name}: no track is missing");
    assert_eq!(finished_by_mp4(bytes), tracks, "{name}: two readers agree");
    check_contents(bytes, &tracks, name);
    assert_eq!(frames_by_mp4_atom(bytes), frames.len(), "{name}: a fourth reader agrees");
    let frames_of = |kind| frames.iter().filter(|frame| frame.track.kind == kind).count() as u64;
    assert_eq!(summary.video.as_ref().map_or(0, |video| video.frames), frames_of(TrackKind::Video));
    assert_eq!(summary.audio.as_ref().map_or(0, |audio| audio.frames), frames_of(TrackKind::Audio));
    assert_eq!(summary.size_bytes, bytes.len() as u64, "{name}");
}

/// Checks that a growing file holds exactly `frames`.
pub(crate) fn check_growing(bytes: &[u8], frames: &[&Frame], name: &str) {
    let tracks = growing(bytes);
    for track in &tracks {
        let expected: Vec<_> = frames.iter().filter(|frame| frame.track.kind == track.kind).copied().collect();
        check_frames(track, &expected, name);
    }
    let counted: usize = tracks.iter().map(|track| track.packets.len()).sum();
    assert_eq!(counted, frames.len(), "{name}");
    check_contents(bytes, &tracks, name);
    assert_eq!(frames_by_mp4_atom(bytes), frames.len(), "{name}: a fourth reader agrees");
    // One timeline for all tracks: the differences between tracks are those of the stream.
    let mut offsets = Vec::new();
    for track in tracks.iter().filter(|track| !track.packets.is_empty()) {
        let first = frames.iter().find(|frame| frame.track.kind == track.kind).unwrap();
        let packet = &track.packets[0];
        offsets.push(first.pts - MediaTime::from_ticks(packet.dts + packet.offset, track.timescale));
    }
    let spread = offsets.iter().max().zip(offsets.iter().min()).map_or(0, |(max, min)| (*max - *min).as_nanos());
    assert!(spread < 1_000_000, "{name}: tracks are {spread} ns apart");
}

fn check_frames(track: &ReadTrack, expected: &[&Frame], name: &str) {
    assert_eq!(track.packets.len(), expected.len(), "{name}: {:?} frames", track.kind);
    for (number, (packet, frame)) in track.packets.iter().zip(expected).enumerate() {
        assert!(packet.data == frame.data, "{name}: {:?} frame {number} has other bytes", track.kind);
        assert_eq!(packet.sync, frame.random_access, "{name}: {:?} frame {number}", track.kind);
    }
    if track.kind == TrackKind::Video {
        for (packets, frames) in track.packets.windows(2).zip(expected.windows(2)) {
            let shown = |packet: &crate::readers::Packet| packet.dts + packet.offset;
            let step = MediaTime::from_ticks(shown(&packets[1]) - shown(&packets[0]), track.timescale);
            let off = (step - (frames[1].pts - frames[0].pts)).as_nanos();
            assert!(off.abs() <= 12_000, "{name}: a picture {off} ns off");
            assert!(packets[1].dts > packets[0].dts, "{name}: decoding order");
        }
    }
}

fn check_contents(bytes: &[u8], tracks: &[ReadTrack], name: &str) {
    for ((kind, contents), track) in contents_by_re_mp4(bytes).iter().zip(tracks) {
        assert_eq!(*kind, track.kind);
        let expected: Vec<_> = track.packets.iter().map(|packet| (packet.sync, packet.data.clone())).collect();
        assert!(*contents == expected, "{name}: a third reader agrees");
    }
}

/// Records `stream` and checks the file at every fragment and at the end.
pub(crate) fn check(stream: &Stream) -> (Vec<Op>, Summary) {
    let (ops, summary) = stream.record();
    let mut disk = Disk::default();
    for op in &ops {
        disk.perform(op);
        let is_fragment =
            matches!(op, Op::Append { slices, .. } if [b"moof", b"prft"].iter().any(|kind| slices[0][4..8] == **kind));
        if is_fragment && stream.frames.len() < 1000 {
            let bytes = disk.bytes();
            check_growing(&bytes, &held(&bytes, stream), stream.name);
        }
    }
    assert!(disk.is_finished());
    check_finished(&disk.bytes(), &stream.frames, &summary, stream.name);
    (ops, summary)
}

/// The frames of `stream` that a growing file has: the first few of each track.
pub(crate) fn held<'a>(bytes: &[u8], stream: &'a Stream) -> Vec<&'a Frame> {
    let mut frames = Vec::new();
    for track in growing(bytes) {
        frames.extend(stream.track(track.kind).into_iter().take(track.packets.len()));
    }
    frames
}

#[test]
fn every_frame_of_every_stream_comes_back() {
    for stream in streams::all() {
        check(&stream);
    }
}

#[test]
fn a_flush_leaves_at_most_one_frame_of_each_track_behind() {
    let stream = streams::b_frames();
    for upto in 1..stream.frames.len() {
        let mut ops = Vec::new();
        let mut muxer = livetape_mux::open(livetape_media::Format::Mp4, stream.begin(), &mut ops);
        stream.frames[..upto].iter().for_each(|frame| muxer.frame(frame, &mut ops));
        muxer.flush(&mut ops);
        let disk = Disk::after(&ops);
        let mut held_back = upto;
        if disk.len() > 0 {
            held_back -= growing(&disk.bytes()).iter().map(|track| track.packets.len()).sum::<usize>();
        }
        assert!(held_back <= 2, "{held_back} frames of {upto} are not in the file");
    }
}

#[test]
fn a_publisher_that_goes_leaves_no_frame_behind() {
    let stream = streams::b_frames();
    for upto in 1..stream.frames.len() {
        let mut ops = Vec::new();
        let mut muxer = livetape_mux::open(livetape_media::Format::Mp4, stream.begin(), &mut ops);
        stream.frames[..upto].iter().for_each(|frame| muxer.frame(frame, &mut ops));
        muxer.pause(&mut ops);
        let held: usize = growing(&Disk::after(&ops).bytes()).iter().map(|track| track.packets.len()).sum();
        assert_eq!(held, upto);
        let newest = stream.frames[..upto].iter().map(|frame| frame.dts).max().unwrap();
        assert!(muxer.progress().flushed <= newest);
    }
}

#[test]
fn nothing_taken_leaves_nothing() {
    let mut stream = streams::short();
    stream.frames.clear();
    let (ops, summary) = stream.record();
    assert!(!Disk::after(&ops).exists());
    assert_eq!((summary.video, summary.audio, summary.size_bytes), (None, None, 0));
}

#[test]
fn durations_and_rates_are_those_of_the_stream() {
    let ms = |stream: Stream| check(&stream).1.duration.as_micros() as i64;
    assert_eq!(ms(streams::video_only()), 35 * 40_000 + 7_000, "to the end that was given");
    assert_eq!(ms(streams::one_picture()), 40_000, "the rate that the stream declares");
    assert_eq!(ms(streams::b_frames()).max(60 * 40_000), ms(streams::b_frames()));
    assert!((ms(streams::he_aac_only()) - 60 * 1024 * 1_000_000 / 24_000).abs() < 100, "HE-AAC is not doubled");
    let (_, summary) = check(&streams::jitter());
    assert_eq!(summary.video.unwrap().frame_rate, 30.0);
    let video = check(&streams::b_frames()).1.video.unwrap();
    assert_eq!((video.frame_rate, video.format.width, video.codec_string.as_str()), (25.0, 320, "avc1.64000c"));
}

#[test]
fn sound_a_little_before_the_picture_is_pre_roll_and_sound_long_before_is_played() {
    let (_, early) = check(&streams::early_audio());
    assert_eq!(early.start, MediaTime::from_millis(5_000));
    let (_, very_early) = check(&streams::very_early_audio());
    assert!((very_early.start - MediaTime::from_millis(3_500)).as_nanos().abs() < 1_000_000);
}

#[test]
fn the_index_stands_at_the_front_where_it_fits() {
    let at_front = |stream: &Stream| {
        let (ops, summary) = stream.record();
        let bytes = Disk::after(&ops).bytes();
        let kinds: Vec<_> = crate::tree::top_level(&bytes).into_iter().map(|(kind, _)| kind).collect();
        (summary.index_at_end, kinds)
    };
    assert_eq!(
        at_front(&streams::b_frames()),
        (false, ["ftyp", "free", "moov", "free", "mdat"].map(String::from).to_vec())
    );
    assert_eq!(at_front(&streams::crowded()), (true, ["ftyp", "free", "mdat", "moov"].map(String::from).to_vec()));
}

/// However much or little room an index leaves, the boxes fit together.
#[test]
fn every_remainder_of_room_makes_a_valid_file() {
    let mut layouts = std::collections::BTreeSet::new();
    for extra in 0..64 {
        let mut stream = streams::short();
        // The index grows by four bytes with each frame of sound.
        stream.frames.extend((9..9 + extra).map(|n| audio(n, 3 + n as i64 * 1024 / 48)));
        stream.layout.mp4_reserve_max_bytes = 1500;
        let (ops, summary) = check(&stream);
        let bytes = Disk::after(&ops).bytes();
        layouts.insert((summary.index_at_end, crate::tree::top_level(&bytes).len()));
    }
    assert!(layouts.contains(&(false, 5)), "{layouts:?}");
}

pub(crate) fn random_stream() -> impl Strategy<Value = Stream> {
    let video_frames = proptest::collection::vec((1i64..120, -80i64..200, proptest::bool::weighted(0.1)), 0..80);
    let audio_frames = proptest::collection::vec(prop_oneof![Just(21i64), Just(22), 1i64..80], 0..100);
    let tracks = prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))];
    (video_frames, audio_frames, tracks, -900i64..900, 0u64..3000, 20u64..900).prop_map(
        |(pictures, sounds, (has_video, has_audio), audio_start, reserve, fragment)| {
            let (mut videos, mut audios) = (Vec::new(), Vec::new());
            let (mut dts, mut key) = (1000, true);
            for (number, (step, offset, random_access)) in pictures.into_iter().enumerate().filter(|_| has_video) {
                videos.push(video(number, dts, dts + offset, key || random_access));
                (dts, key) = (dts + step, false);
            }
            let mut time = 1000 + audio_start;
            for (number, step) in sounds.into_iter().enumerate().filter(|_| has_audio) {
                audios.push(audio(number, time));
                time += step;
            }
            let mut tracks = vec![];
            tracks.extend(has_video.then(avc));
            tracks.extend(has_audio.then(|| aac(48_000)));
            let mut stream = Stream::new("random", tracks, videos, audios);
            stream.layout.mp4_reserve_max_bytes = reserve;
            stream.layout.fragment = std::time::Duration::from_millis(fragment);
            stream
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn whatever_comes_in_comes_out(stream in random_stream().prop_filter("no frames", |stream| !stream.frames.is_empty())) {
        check(&stream);
    }

    #[test]
    fn every_torn_file_is_completed(
        stream in random_stream().prop_filter("no frames", |stream| !stream.frames.is_empty()),
        op in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
    ) {
        let (ops, _) = stream.record();
        crate::crash::check_torn(&stream, &ops, op.index(ops.len()), Some(&byte), &again);
    }
}

#[test]
fn progress_is_what_was_handed_over() {
    let stream = streams::b_frames();
    let mut ops = Vec::new();
    let mut muxer = livetape_mux::open(livetape_media::Format::Mp4, stream.begin(), &mut ops);
    for frame in &stream.frames {
        muxer.frame(frame, &mut ops);
        assert_eq!(muxer.progress().size_bytes, Disk::after(&ops).len());
    }
    assert_eq!(muxer.progress().duration.as_millis(), 2_360, "to the last picture or sound shown");
    let summary = muxer.end(None, &mut ops);
    assert_eq!(muxer.progress().size_bytes, summary.size_bytes);
}

#[test]
fn frames_of_other_tracks_are_ignored() {
    let mut stream = streams::short();
    let mut other = video(0, 20, 20, true);
    other.track = TrackId { kind: TrackKind::Video, index: 1 };
    let expected = stream.frames.clone();
    stream.frames.insert(3, other);
    let (ops, summary) = stream.record();
    check_finished(&Disk::after(&ops).bytes(), &expected, &summary, stream.name);
}
