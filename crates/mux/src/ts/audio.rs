//! Sound as a transport stream carries it: AAC behind ADTS headers (ISO/IEC 13818-7, 6.2;
//! ISO/IEC 14496-3, 1.A.3.2), MP3 frames as they are.
//!
//! ```text
//! ADTS (7): fff:12 mpeg2:1=0 layer:2=0 no CRC:1=1 | profile:2 rate_index:4 private:1 channels:3 | 0:4 length:13 fullness:11=7ff blocks:2=0
//! ```

use livetape_media::codec::AacConfig;
use livetape_media::{CodecConfig, Frame};

use super::packet::PesWriter;
use super::program::program_config;

/// Sampling rates that ADTS has a number for (ISO/IEC 14496-3, table 1.18).
pub(super) const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Bytes of an ADTS header without checksum.
pub(super) const ADTS: usize = 7;
const ADTS_LONGEST: usize = (1 << 13) - 1;

/// How an audio track's frames are wrapped.
#[derive(Clone, Debug)]
pub(super) enum Wrapping {
    /// Each behind an ADTS header; this one, but for the length.
    Adts {
        header: [u8; ADTS],
        /// The program config element, without which channel configuration 0 says nothing; it
        /// goes into the first frame of each segment.
        program: Vec<u8>,
    },
    /// As they are.
    None,
}

impl Wrapping {
    /// How frames of `config` are wrapped; `None` when a transport stream cannot carry them.
    pub(super) fn new(config: &CodecConfig) -> Option<Self> {
        match config {
            CodecConfig::Aac(config) => Self::adts(config),
            CodecConfig::Mp3(_) => Some(Self::None),
            _ => None,
        }
    }

    fn adts(config: &AacConfig) -> Option<Self> {
        let profile = config.object_type.checked_sub(1).filter(|profile| *profile < 4)?;
        let rate = RATES.iter().position(|rate| *rate == config.format.sample_rate)? as u8;
        let channels = config.channel_configuration;
        let program = match channels {
            0 => program_config(&config.record)?,
            1..=7 => Vec::new(),
            _ => return None,
        };
        let header = [0xff, 0xf1, profile << 6 | rate << 2 | channels >> 2, channels << 6, 0, 0x1f, 0xfc];
        Some(Self::Adts { header, program })
    }

    /// Bytes `frame` takes; `None` when it is too long to be wrapped.
    pub(super) fn len(&self, frame: &Frame, first_of_segment: bool) -> Option<usize> {
        match self {
            Self::Adts { program, .. } => {
                let len = ADTS + frame.data.len() + if first_of_segment { program.len() } else { 0 };
                (len <= ADTS_LONGEST).then_some(len)
            }
            Self::None => Some(frame.data.len()).filter(|len| *len <= ADTS_LONGEST),
        }
    }

    /// Writes `frame`, which is of the length that [`Self::len`] said.
    pub(super) fn write(&self, frame: &Frame, first_of_segment: bool, pes: &mut PesWriter<'_>) {
        if let Self::Adts { header, program } = self {
            let program: &[u8] = if first_of_segment { program } else { &[] };
            let len = ADTS + program.len() + frame.data.len();
            let mut header = *header;
            header[3] |= (len >> 11) as u8;
            header[4] = (len >> 3) as u8;
            header[5] |= (len << 5) as u8;
            pes.put(&header);
            pes.put(program);
        }
        pes.put(&frame.data);
    }
}

/// The frames in the data of one audio PES packet: how many are whole, as their headers say.
pub(super) fn count_frames(mut data: &[u8], frame_len: impl Fn(&[u8]) -> Option<usize>) -> u64 {
    let mut frames = 0;
    while let Some(rest) = frame_len(data).filter(|len| *len > 0).and_then(|len| data.get(len..)) {
        frames += 1;
        data = rest;
    }
    frames
}

/// The length in an ADTS header.
pub(super) fn adts_frame_len(data: &[u8]) -> Option<usize> {
    let header = data.first_chunk::<ADTS>()?;
    let sync = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let len = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5]) >> 5;
    sync.then_some(len)
}

/// The length an MP3 frame's header means (ISO/IEC 11172-3, 2.4.3.1; ISO/IEC 13818-3).
pub(super) fn mp3_frame_len(data: &[u8]) -> Option<usize> {
    const MPEG1: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const MPEG2: [usize; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    let format = livetape_media::codec::Mp3Config::parse_frame(data).ok()?.format;
    let head = data.get(2)?;
    let mpeg1 = format.samples_per_frame == Some(1152);
    let kilobits = if mpeg1 { MPEG1 } else { MPEG2 }[usize::from(head >> 4)];
    let slots = if mpeg1 { 144_000 } else { 72_000 };
    let padding = usize::from(head >> 1 & 1);
    (kilobits > 0).then(|| slots * kilobits / format.sample_rate as usize + padding)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use livetape_media::{MediaTime, TrackId};

    use super::super::packet::{Adaptation, PACKET, PesHeader};
    use super::*;

    fn wrapping(record: &'static [u8]) -> Option<Wrapping> {
        Wrapping::new(&CodecConfig::Aac(AacConfig::parse(Bytes::from_static(record)).unwrap()))
    }

    fn frame(len: usize) -> Frame {
        let data = vec![0x21; len].into();
        Frame { track: TrackId::AUDIO, dts: MediaTime::ZERO, pts: MediaTime::ZERO, random_access: true, data }
    }

    fn written(wrapping: &Wrapping, len: usize) -> Vec<u8> {
        let frame = frame(len);
        let payload = wrapping.len(&frame, true).unwrap();
        let header = PesHeader { stream_id: 0xc0, pts: 0, dts: 0, payload };
        let (mut out, mut counter) = (Vec::new(), 0);
        wrapping.write(&frame, true, &mut PesWriter::begin(&mut out, &mut counter, 1, Adaptation::default(), &header));
        assert_eq!(out.len(), PACKET);
        out[PACKET - payload..].to_vec()
    }

    #[test]
    fn adts_headers_describe_the_core_coder() {
        // LC 44.1 kHz stereo: as ffmpeg's ADTS muxer writes it for a frame of 4 bytes.
        let bytes = written(&wrapping(&[0x12, 0x10]).unwrap(), 4);
        assert_eq!(bytes, [0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 0x21, 0x21, 0x21, 0x21]);
        assert_eq!(adts_frame_len(&bytes), Some(11));
        // HE-AAC 22.05/44.1 kHz: the core is LC at 22.05 kHz (index 7).
        let bytes = written(&wrapping(&[0x2b, 0x92, 0x08, 0x00]).unwrap(), 1);
        assert_eq!(bytes[2] >> 2 & 15, 7);
        assert_eq!(bytes[2] >> 6, 1);
    }

    #[test]
    fn what_adts_cannot_say_is_not_carried() {
        // ER AAC ELD (39), an odd rate, 7.1 as channel configuration 12.
        assert!(wrapping(&[0xf8, 0xee, 0x50, 0x00]).is_none());
        assert!(wrapping(&[0x17, 0x80, 0x49, 0xd4, 0x10]).is_none());
        assert!(wrapping(&[0x11, 0xe0]).is_none());
        assert_eq!(wrapping(&[0x12, 0x10]).unwrap().len(&frame(ADTS_LONGEST - 6), false), None);
    }

    #[test]
    fn frames_of_a_pes_packet_are_counted_by_their_headers() {
        let two =
            [written(&wrapping(&[0x12, 0x10]).unwrap(), 4), written(&wrapping(&[0x12, 0x10]).unwrap(), 9)].concat();
        assert_eq!(count_frames(&two, adts_frame_len), 2);
        assert_eq!(count_frames(&two[..two.len() - 1], adts_frame_len), 1);
        assert_eq!(count_frames(&[], adts_frame_len), 0);
        // 128 kbit/s at 44.1 kHz: 417 bytes, with padding 418; MPEG-2 at 22.05 kHz, 32 kbit/s: 104.
        assert_eq!(mp3_frame_len(&[0xff, 0xfb, 0x90, 0x64]), Some(417));
        assert_eq!(mp3_frame_len(&[0xff, 0xfb, 0x92, 0x64]), Some(418));
        assert_eq!(mp3_frame_len(&[0xff, 0xf3, 0x40, 0xc4]), Some(104));
        assert_eq!(mp3_frame_len(&[0xff, 0xfb, 0x00, 0x64]), None);
    }
}
