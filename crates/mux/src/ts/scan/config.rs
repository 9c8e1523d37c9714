//! How to decode a transport stream's tracks, from what is in it.

use bytes::Bytes;
use livetape_media::codec::{AacConfig, AvcConfig, Mp3Config};
use livetape_media::{CodecConfig, Track, TrackId};

use super::super::audio::{ADTS, RATES, adts_frame_len};
use super::super::tables::{
    AUDIO_PID, MPEG4_AUDIO_DESCRIPTOR, TYPE_AAC, TYPE_MPEG1_AUDIO, TYPE_MPEG2_AUDIO, VIDEO_PID, extension_type,
};

/// What the programme map says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Programme {
    /// There is a video track.
    pub(super) video: bool,
    /// Stream type of the audio track.
    pub(super) audio: Option<u8>,
    /// Which version of the map it is.
    pub(super) version: u8,
    /// 5 when the AAC is HE-AAC, 29 when it is HE-AAC v2, else 0.
    extension_type: u8,
}

impl Programme {
    /// Reads the payload of the map's packet.
    pub(super) fn read(payload: &[u8]) -> Self {
        let mut programme = Self::default();
        let section = payload.split_first().and_then(|(pointer, rest)| rest.get(usize::from(*pointer)..));
        programme.version = section.and_then(|section| section.get(5)).map_or(0, |byte| byte >> 1 & 0x1f);
        let length =
            section.and_then(|section| Some(usize::from(section.get(1)? & 0x0f) << 8 | usize::from(*section.get(2)?)));
        // Behind the programme's own descriptors, before the checksum.
        let streams = section.zip(length).and_then(|(section, length)| section.get(12..(3 + length).checked_sub(4)?));
        let mut rest = streams.unwrap_or_default();
        while let Some((&[kind, pid_high, pid_low, _, descriptors_len], tail)) = rest.split_first_chunk() {
            let (descriptors, tail) = tail.split_at(usize::from(descriptors_len).min(tail.len()));
            match u16::from_be_bytes([pid_high & 0x1f, pid_low]) {
                VIDEO_PID => programme.video = true,
                AUDIO_PID => {
                    programme.audio = Some(kind);
                    if let [MPEG4_AUDIO_DESCRIPTOR, 1, indication, ..] = descriptors {
                        programme.extension_type = extension_type(*indication);
                    }
                }
                _ => {}
            }
            rest = tail;
        }
        programme
    }
}

/// The track of a picture that brings its parameter sets.
pub(super) fn avc_track(data: &[u8]) -> Option<Track> {
    let mut record = Vec::new();
    let of_kind = |kind: u8| nals(data).filter(move |nal| nal.first().is_some_and(|head| head & 0x1f == kind));
    let first = of_kind(7).next()?;
    record.extend_from_slice(&[1, *first.get(1)?, *first.get(2)?, *first.get(3)?, 0xff]);
    for (kind, count_mask, most) in [(7, 0xe0, 31), (8, 0, 255)] {
        let sets: Vec<&[u8]> = of_kind(kind).take(most).filter(|set| set.len() <= usize::from(u16::MAX)).collect();
        record.push(count_mask | sets.len() as u8);
        for set in sets {
            record.extend_from_slice(&(set.len() as u16).to_be_bytes());
            record.extend_from_slice(set);
        }
    }
    let config = AvcConfig::parse(Bytes::from(record)).ok()?;
    Some(Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) })
}

/// The track of the sounds in a PES packet.
pub(super) fn sound_track(programme: &Programme, data: &[u8]) -> Option<Track> {
    let config = match programme.audio? {
        TYPE_AAC => {
            adts_frame_len(data)?;
            CodecConfig::Aac(AacConfig::parse(audio_specific_config(data, programme.extension_type)?.into()).ok()?)
        }
        TYPE_MPEG1_AUDIO | TYPE_MPEG2_AUDIO => CodecConfig::Mp3(Mp3Config::parse_frame(data).ok()?),
        _ => return None,
    };
    Some(Track { id: TrackId::AUDIO, config })
}

/// The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) an ADTS header stands for; with SBR it is
/// signalled at its head, the way that leaves nothing open.
fn audio_specific_config(data: &[u8], extension_type: u8) -> Option<Vec<u8>> {
    let header = data.first_chunk::<ADTS>()?;
    let object_type = (header[2] >> 6) + 1;
    let rate = header[2] >> 2 & 0x0f;
    let channels = (header[2] & 1) << 2 | header[3] >> 6;
    let mut bits = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    if extension_type == 0 {
        put(u32::from(object_type), 5);
        put(u32::from(rate), 4);
        put(u32::from(channels), 4);
    } else {
        let core = *RATES.get(usize::from(rate))?;
        let output = RATES.iter().position(|rate| *rate == core * 2).unwrap_or(usize::from(rate));
        put(u32::from(extension_type), 5);
        put(u32::from(rate), 4);
        put(u32::from(channels), 4);
        put(output as u32, 4);
        put(u32::from(object_type), 5);
    }
    put(0, 3); // frame length, core coder, extension
    let record =
        bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)));
    let mut record: Vec<u8> = record.collect();
    if channels == 0 {
        // The program config element leads the frame: behind its three bits of identifier it is
        // what the record wants, and only its channels matter here.
        record = with_program_config(record, bits.len(), data.get(ADTS..)?)?;
    }
    Some(record)
}

/// Appends the program config element that begins the raw data block `block` behind the first
/// `used` bits of `record`.
fn with_program_config(mut record: Vec<u8>, used: usize, block: &[u8]) -> Option<Vec<u8>> {
    const ID_PROGRAM_CONFIG: u8 = 5;
    if block.first()? >> 5 != ID_PROGRAM_CONFIG {
        return None;
    }
    // Longer than any element; what is too much is not looked at, since a reader stops at its end.
    let bits = block.len().min(512) * 8;
    record.truncate(used.div_ceil(8));
    for (at, from) in (used..).zip(3..bits) {
        if at / 8 == record.len() {
            record.push(0);
        }
        let bit = block.get(from / 8)? >> (7 - from % 8) & 1;
        *record.get_mut(at / 8)? |= bit << (7 - at % 8);
    }
    Some(record)
}

/// The NAL units between the start codes of `data`; the last one may be torn and is left out
/// unless it is the only sight of `data`'s end.
fn nals(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let from = start_code(rest)? + 3;
        let nal = rest.get(from..)?;
        let len = start_code(nal).unwrap_or(nal.len());
        rest = nal.get(len..)?;
        let nal = nal.get(..len)?;
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        nal.get(..nal.len() - zeros)
    })
}

/// Where `00 00 01` is.
fn start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|window| window == [0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_between_start_codes_of_either_length() {
        let data = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65];
        assert_eq!(nals(&data).collect::<Vec<_>>(), [&[9, 0xf0][..], &[0x67, 1, 2], &[0x65]]);
        assert_eq!(nals(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn adts_headers_become_the_record_they_came_from() {
        let header = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc];
        assert_eq!(audio_specific_config(&header, 0).unwrap(), [0x12, 0x10]);
        // LC 22.05 kHz stereo with SBR.
        let header = [0xff, 0xf1, 0x5c, 0x80, 0x01, 0x7f, 0xfc];
        let config = AacConfig::parse(audio_specific_config(&header, 5).unwrap().into()).unwrap();
        assert_eq!((config.rfc6381().as_str(), config.format.output_sample_rate), ("mp4a.40.5", 44_100));
    }

    #[test]
    fn a_programme_map_is_read_back() {
        let he = AacConfig::parse(Bytes::from_static(&[0xeb, 0x09, 0x88, 0x00])).unwrap();
        let map = super::super::super::tables::map(true, Some(&CodecConfig::Aac(he)), 3);
        let programme = Programme::read(&[&[0][..], &map, &[0xff; 40]].concat());
        assert_eq!((programme.video, programme.audio, programme.extension_type), (true, Some(TYPE_AAC), 29));
        let torn = Programme::read(&[0, 2, 0xb0]);
        assert_eq!((torn.video, torn.audio), (false, None));
    }
}
