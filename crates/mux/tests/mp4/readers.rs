//! Other people's readers, brought to one form.

use std::io::Cursor;

use bytes::Bytes;
use livetape_media::{MediaTime, TrackKind};
use mp4_atom::Decode;
use shiguredo_mp4::demux::{Fmp4FileDemuxer, Input, Mp4FileDemuxer, RequiredInput, Sample};

/// A frame as a reader gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) dts: i64,
    pub(crate) offset: i64,
    pub(crate) duration: u32,
    pub(crate) sync: bool,
    pub(crate) data: Bytes,
}

/// A track as a reader gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadTrack {
    pub(crate) kind: TrackKind,
    pub(crate) timescale: u32,
    pub(crate) packets: Vec<Packet>,
}

/// The edit list of a track: ticks of the movie without anything, then media from a moment on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    pub(crate) nothing: u64,
    pub(crate) media_time: i64,
    pub(crate) duration: u64,
}

/// A finished file, by `shiguredo_mp4`: it keeps the times of the tables as they are.
pub(crate) fn finished(bytes: &[u8]) -> Vec<ReadTrack> {
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(RequiredInput { position, size }) = demuxer.required_input() {
        demuxer.handle_input(part(bytes, position, size));
    }
    let mut tracks = empty(demuxer.tracks().unwrap());
    while let Some(sample) = demuxer.next_sample().unwrap() {
        push(&mut tracks, &sample, bytes);
    }
    tracks.into_iter().map(|(_, track)| track).collect()
}

/// A growing file, by `shiguredo_mp4`.
pub(crate) fn growing(bytes: &[u8]) -> Vec<ReadTrack> {
    let mut demuxer = Fmp4FileDemuxer::new();
    while let Some(RequiredInput { position, size }) = demuxer.required_input() {
        demuxer.handle_input(part(bytes, position, size));
    }
    let mut tracks = empty(demuxer.tracks().unwrap());
    loop {
        match demuxer.next_sample() {
            Ok(Some(sample)) => push(&mut tracks, &sample, bytes),
            Ok(None) => break,
            Err(shiguredo_mp4::demux::DemuxError::InputRequired(RequiredInput { position, size })) => {
                demuxer.handle_input(part(bytes, position, size));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    tracks.into_iter().map(|(_, track)| track).collect()
}

fn part(bytes: &[u8], position: u64, size: Option<usize>) -> Input<'_> {
    let start = (position as usize).min(bytes.len());
    let end = size.map_or(bytes.len(), |size| (start + size).min(bytes.len()));
    Input { position, data: &bytes[start..end] }
}

fn empty(tracks: &[shiguredo_mp4::demux::TrackInfo]) -> Vec<(u32, ReadTrack)> {
    let kind = |kind| match kind {
        shiguredo_mp4::TrackKind::Video => TrackKind::Video,
        _ => TrackKind::Audio,
    };
    let track = |info: &shiguredo_mp4::demux::TrackInfo| ReadTrack {
        kind: kind(info.kind),
        timescale: info.timescale.get(),
        packets: Vec::new(),
    };
    tracks.iter().map(|info| (info.track_id, track(info))).collect()
}

fn push(tracks: &mut [(u32, ReadTrack)], sample: &Sample<'_>, bytes: &[u8]) {
    let (_, track) = tracks.iter_mut().find(|(id, _)| *id == sample.track.track_id).unwrap();
    let start = sample.data_offset as usize;
    track.packets.push(Packet {
        dts: sample.timestamp as i64,
        offset: sample.composition_time_offset.unwrap_or(0),
        duration: sample.duration,
        sync: sample.keyframe,
        data: Bytes::copy_from_slice(&bytes[start..start + sample.data_size]),
    });
}

/// The edit lists of a finished file by track kind, by `re_mp4`, and the movie's own clock.
pub(crate) fn edits(bytes: &[u8]) -> (u64, Vec<(TrackKind, Edits)>) {
    let file = re_mp4::Mp4::read_bytes(bytes).unwrap();
    let read = |trak: &re_mp4::TrakBox| {
        let kind = if trak.mdia.minf.vmhd.is_some() { TrackKind::Video } else { TrackKind::Audio };
        let mut edits = Edits { duration: trak.tkhd.duration, ..Edits::default() };
        if let Some(list) = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref()) {
            let (last, before) = list.entries.split_last().unwrap();
            edits.nothing = before.iter().map(|entry| entry.segment_duration).sum();
            edits.media_time = last.media_time as i64;
            edits.duration = last.segment_duration;
        }
        (kind, edits)
    };
    (u64::from(file.moov.mvhd.timescale), file.moov.traks.iter().map(read).collect())
}

/// The frames' bytes and sync flags by `re_mp4`, of a growing or a finished file.
pub(crate) fn contents_by_re_mp4(bytes: &[u8]) -> Vec<(TrackKind, Vec<(bool, Bytes)>)> {
    let file = re_mp4::Mp4::read_bytes(bytes).unwrap();
    let tracks = file.tracks().values();
    tracks
        .map(|track| {
            let kind = if track.trak(&file).mdia.minf.vmhd.is_some() { TrackKind::Video } else { TrackKind::Audio };
            let samples = track.samples.iter().map(|sample| (sample.is_sync, slice(bytes, sample))).collect();
            (kind, samples)
        })
        .collect()
}

fn slice(bytes: &[u8], sample: &re_mp4::Sample) -> Bytes {
    Bytes::copy_from_slice(&bytes[sample.byte_range()])
}

/// A finished file by the `mp4` crate.
pub(crate) fn finished_by_mp4(bytes: &[u8]) -> Vec<ReadTrack> {
    let mut reader = mp4::Mp4Reader::read_header(Cursor::new(bytes), bytes.len() as u64).unwrap();
    let mut ids: Vec<u32> = reader.tracks().keys().copied().collect();
    ids.sort_unstable();
    let mut tracks = Vec::new();
    for id in ids {
        let track = &reader.tracks()[&id];
        let video = track.trak.mdia.minf.vmhd.is_some();
        let kind = if video { TrackKind::Video } else { TrackKind::Audio };
        let timescale = track.timescale();
        let mut packets = Vec::new();
        for number in 1..=reader.sample_count(id).unwrap() {
            let sample = reader.read_sample(id, number).unwrap().unwrap();
            packets.push(Packet {
                dts: sample.start_time as i64,
                offset: i64::from(sample.rendering_offset),
                duration: sample.duration,
                sync: sample.is_sync,
                data: sample.bytes,
            });
        }
        tracks.push(ReadTrack { kind, timescale, packets });
    }
    tracks
}

/// When each packet of a finished file is decoded and shown, by its edit list.
pub(crate) fn times(track: &ReadTrack, edits: Edits, movie_timescale: u64) -> Vec<(MediaTime, MediaTime)> {
    let start = MediaTime::from_ticks(edits.nothing as i64, movie_timescale as u32);
    let at = |ticks| start + MediaTime::from_ticks(ticks - edits.media_time, track.timescale);
    track.packets.iter().map(|packet| (at(packet.dts), at(packet.dts + packet.offset))).collect()
}

/// Decodes every index and fragment header with `mp4-atom`, a fourth reader, which is strict about fields.
/// Returns how many frames they describe.
pub(crate) fn frames_by_mp4_atom(bytes: &[u8]) -> usize {
    let mut frames = 0;
    for (kind, mut whole) in crate::tree::top_level(bytes) {
        match kind.as_str() {
            "moov" => {
                let moov = mp4_atom::Moov::decode(&mut whole).unwrap();
                for trak in &moov.trak {
                    frames += match &trak.mdia.minf.stbl.stsz.samples {
                        mp4_atom::StszSamples::Identical { count, .. } => *count as usize,
                        mp4_atom::StszSamples::Different { sizes } => sizes.len(),
                    };
                }
            }
            "moof" => {
                let moof = mp4_atom::Moof::decode(&mut whole).unwrap();
                frames += moof.traf.iter().flat_map(|traf| &traf.trun).map(|trun| trun.samples.len()).sum::<usize>();
            }
            _ => continue,
        }
        assert!(whole.is_empty(), "{kind} is read to its end");
    }
    frames
}
