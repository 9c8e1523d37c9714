//! What must hold of every recording.

use livetape_media::{MediaTime, TrackId, TrackKind};
use livetape_mux::{SegmentType, Summary};
use m3u8_rs::{MasterPlaylist, MediaPlaylist, MediaPlaylistType, MediaSegment};

use crate::disk::Disk;
use crate::segments::{Packet, packets};
use crate::streams::{Step, Stream};

pub(crate) fn media_playlist(text: &str) -> MediaPlaylist {
    m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

pub(crate) fn master_playlist(text: &str) -> MasterPlaylist {
    m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

pub(crate) fn millis(segment: &MediaSegment) -> i64 {
    (f64::from(segment.duration) * 1000.0).round() as i64
}

/// What must hold of a media playlist at any time: what it lists is finished, and lasts no longer
/// than declared.
pub(crate) fn check_media_playlist(disk: &Disk, text: &str) -> MediaPlaylist {
    let playlist = media_playlist(text);
    for (number, segment) in playlist.segments.iter().enumerate() {
        assert!(segment.uri.starts_with(&format!("segment-{number:06}.")), "{}", segment.uri);
        assert!(disk.file(&segment.uri).finished, "{} still grows", segment.uri);
        let rounded = (millis(segment) + 500) / 1000;
        assert!(rounded <= playlist.target_duration as i64, "{} of {}", segment.duration, playlist.target_duration);
        assert!(millis(segment) > 0, "{} lasts no time", segment.uri);
        if let Some(map) = &segment.map {
            assert!(disk.file(&map.uri).finished);
        }
        assert_eq!(segment.program_date_time.is_some(), number == 0 || segment.discontinuity);
    }
    assert_eq!(playlist.media_sequence, 0);
    playlist
}

/// What must hold of a complete recording, whatever was recorded. Returns its VOD playlist.
pub(crate) fn check_complete(disk: &Disk, summary: &Summary) -> MediaPlaylist {
    assert!(disk.files.values().all(|file| file.finished), "something still grows");
    let growing = check_media_playlist(disk, &disk.text("media.m3u8"));
    let whole = check_media_playlist(disk, &disk.text("vod.m3u8"));
    assert_eq!(growing.playlist_type, Some(MediaPlaylistType::Event));
    assert_eq!(whole.playlist_type, Some(MediaPlaylistType::Vod));
    assert!(growing.end_list && whole.end_list && !growing.independent_segments);
    assert_eq!(growing.segments, whole.segments);
    assert_eq!(whole.segments.len(), disk.segments().len(), "every segment is listed");
    let longest = whole.segments.iter().map(millis).max().unwrap();
    assert_eq!(whole.target_duration as i64, ((longest + 500) / 1000).max(1));
    let sum: i64 = whole.segments.iter().map(millis).sum();
    assert_eq!(summary.duration.as_millis() as i64, sum);
    assert_eq!(summary.size_bytes, disk.size());

    let index = master_playlist(&disk.text("index.m3u8"));
    let variant = &index.variants[0];
    assert_eq!((index.variants.len(), variant.uri.as_str()), (1, "vod.m3u8"));
    assert_eq!(index.independent_segments, whole.independent_segments);
    let video = summary.video.as_ref();
    let codecs = variant.codecs.as_deref().unwrap();
    for string in
        video.map(|video| &video.codec_string).into_iter().chain(summary.audio.as_ref().map(|a| &a.codec_string))
    {
        assert!(codecs.split(',').any(|codec| codec == string), "{codecs} lacks {string}");
    }
    assert_eq!(variant.resolution.is_some(), video.is_some());
    if let Some(rate) = variant.frame_rate {
        assert!((rate - video.unwrap().frame_rate).abs() < 0.001);
    }
    let average = variant.average_bandwidth.unwrap();
    assert!(variant.bandwidth >= average && average > 0);
    for (segment, (name, file)) in whole.segments.iter().zip(disk.segments()) {
        assert_eq!(segment.uri, name);
        if millis(segment) >= 1000 {
            assert!(variant.bandwidth as i64 >= file.data.len() as i64 * 8000 / millis(segment), "{name}");
        }
    }
    whole
}

/// The packets of each segment of a complete recording.
pub(crate) fn segment_packets(disk: &Disk, playlist: &MediaPlaylist) -> Vec<Vec<Packet>> {
    let mut init = None;
    let read = playlist.segments.iter().map(|segment| {
        init = segment.map.as_ref().map(|map| map.uri.clone()).or(init.take());
        let init = init.as_deref().map(|uri| disk.file(uri).data.as_slice());
        packets(&segment.uri, &disk.file(&segment.uri).data, init)
    });
    read.collect()
}

/// Holds a complete recording of `stream` against what was sent: each frame in exactly one segment,
/// bit for bit, in its order, at its time.
pub(crate) fn check_frames(stream: &Stream, disk: &Disk, playlist: &MediaPlaylist) {
    let segments = segment_packets(disk, playlist);
    // Where the container's clock has its zero.
    let lead = MediaTime::from_millis(10_000);
    let zero = match stream.layout.segment_type {
        SegmentType::Fmp4 => MediaTime::from_millis((stream.start() - lead).as_millis()),
        SegmentType::Ts => stream.start() - lead,
    };
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let found: Vec<&Packet> = segments.iter().flatten().filter(|packet| packet.track == track).collect();
        let expected: Vec<Packet> = stream.track(track.kind).into_iter().map(Packet::of).collect();
        assert_eq!(found.len(), expected.len(), "{}: {} frames", stream.name, track.kind.name());
        let mut lowered = None;
        for (number, (found, expected)) in found.into_iter().zip(&expected).enumerate() {
            let place = format!("{}: {} frame {number}", stream.name, track.kind.name());
            assert!(found.data == expected.data, "{place} has other bytes");
            assert_eq!(found.key, expected.key, "{place}");
            let pts = found.pts + zero;
            assert!((pts - expected.pts).as_nanos().abs() < 1_100_000, "{place}: at {pts} instead of {}", expected.pts);
            if track.kind == TrackKind::Video {
                let by = expected.dts - (found.dts + zero);
                assert!((by - *lowered.get_or_insert(by)).as_nanos().abs() < 100_000, "{place}: decoded {by} early");
                assert!(found.dts <= found.pts, "{place} is shown before it is decoded");
            }
        }
    }
}

/// The first frames of each segment: the cuts.
pub(crate) fn cuts(disk: &Disk, playlist: &MediaPlaylist) -> Vec<Option<Vec<u8>>> {
    let first = |packets: Vec<Packet>| packets.into_iter().find(|packet| packet.track == TrackId::VIDEO);
    segment_packets(disk, playlist).into_iter().map(|packets| first(packets).map(|packet| packet.data)).collect()
}

/// Records `stream` and checks everything, while it grows and when it is complete.
pub(crate) fn check(stream: &Stream) -> (Disk, MediaPlaylist, Summary) {
    let mut disk = Disk::default();
    let mut growing = String::new();
    let summary = stream.record_with(|ops| {
        for op in &ops {
            disk.perform(op);
            let Some(file) = disk.find("media.m3u8") else { continue };
            if file.data.len() == growing.len() {
                continue;
            }
            let text = disk.text("media.m3u8");
            assert!(text.starts_with(&growing), "it is only appended to");
            check_media_playlist(&disk, &text);
            growing = text;
        }
    });
    let playlist = check_complete(&disk, &summary);
    check_frames(stream, &disk, &playlist);
    let first_frame = stream.steps.iter().position(|step| matches!(step, Step::Frame(_))).unwrap_or(0);
    let behind_it = stream.steps.iter().skip(first_frame);
    let discontinuities =
        behind_it.filter(|step| matches!(step, Step::Discontinuity { .. } | Step::Resume { .. })).count();
    let marked = playlist.segments.iter().filter(|segment| segment.discontinuity).count();
    assert!(marked >= discontinuities, "{marked} of {discontinuities} discontinuities are marked");
    (disk, playlist, summary)
}
