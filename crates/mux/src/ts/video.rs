//! H.264 access units as a transport stream carries them: Annex B byte streams (ISO/IEC 14496-10,
//! annex B; ISO/IEC 13818-1, 2.14.1).
//!
//! ```text
//! 00000001 access unit delimiter | 00000001 SPS.. | 00000001 PPS.. | 00000001 NAL unit ..
//! ```
//!
//! A delimiter stands first; parameter sets stand before every random access picture that does not
//! bring its own; NAL units pass unchanged.

use bytes::Bytes;
use livetape_media::codec::AvcConfig;

use super::packet::PesWriter;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// An access unit delimiter that allows every kind of slice.
const DELIMITER: [u8; 2] = [0x09, 0xf0];

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;

/// One access unit, measured and ready to be written.
#[derive(Clone, Copy)]
pub(super) struct AccessUnit<'a> {
    data: &'a [u8],
    length_size: u8,
    /// The publisher's delimiter leads, so that none is added.
    delimited: bool,
    /// Parameter sets to add.
    sps: &'a [Bytes],
    pps: &'a [Bytes],
}

impl<'a> AccessUnit<'a> {
    /// Looks through the NAL units of `data`, each behind a length of `config.nal_length_size` bytes.
    pub(super) fn new(data: &'a [u8], random_access: bool, config: &'a AvcConfig) -> Self {
        let length_size = config.nal_length_size;
        let mut unit = Self { data, length_size, delimited: false, sps: &[], pps: &[] };
        let nals = unit.nals();
        let kinds = || nals.clone().filter_map(|nal| nal.first()).map(|head| head & 0x1f);
        unit.delimited = kinds().next() == Some(NAL_DELIMITER);
        if random_access {
            let has = |kind| kinds().any(|other| other == kind);
            // Both or none: a picture parameter set must follow the sequence parameter set it refers to.
            if !(has(NAL_SPS) && has(NAL_PPS)) {
                (unit.sps, unit.pps) = (&config.sps, &config.pps);
            }
        }
        unit
    }

    /// Bytes it takes in the byte stream.
    pub(super) fn len(&self) -> usize {
        let framed = |nal: &[u8]| START_CODE.len() + nal.len();
        let delimiter = if self.delimited { 0 } else { framed(&DELIMITER) };
        let sets: usize = self.sps.iter().chain(self.pps).map(|set| framed(set)).sum();
        delimiter + sets + self.nals().map(framed).sum::<usize>()
    }

    /// Writes it.
    pub(super) fn write(&self, pes: &mut PesWriter<'_>) {
        let mut put = |nal: &[u8]| {
            pes.put(&START_CODE);
            pes.put(nal);
        };
        let mut nals = self.nals();
        if !self.delimited {
            put(&DELIMITER);
        } else if let Some(delimiter) = nals.next() {
            put(delimiter);
        }
        self.sps.iter().chain(self.pps).for_each(|set| put(set));
        nals.for_each(put);
    }

    fn nals(&self) -> Nals<'a> {
        Nals { rest: self.data, length_size: usize::from(self.length_size.clamp(1, 4)) }
    }
}

/// The NAL units of a length-prefixed access unit. Empty ones, which a byte stream cannot show,
/// are left out; a length beyond the end takes what there is.
#[derive(Clone)]
struct Nals<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> Iterator for Nals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (prefix, rest) = self.rest.split_at_checked(self.length_size)?;
            let len = prefix.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
            let (nal, rest) = rest.split_at(len.min(rest.len()));
            self.rest = rest;
            if !nal.is_empty() {
                return Some(nal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::VideoFormat;

    use super::super::packet::{Adaptation, PACKET, PesHeader};
    use super::*;

    fn config(nal_length_size: u8) -> AvcConfig {
        AvcConfig {
            record: Bytes::new(),
            format: VideoFormat { width: 16, height: 16, frame_rate: None },
            nal_length_size,
            sps: vec![Bytes::from_static(&[0x67, 1])],
            pps: vec![Bytes::from_static(&[0x68, 2]), Bytes::from_static(&[0x68, 3])],
        }
    }

    fn check(nal_length_size: u8, random_access: bool, data: &[u8], expected: &[&[u8]]) {
        let config = config(nal_length_size);
        let unit = AccessUnit::new(data, random_access, &config);
        let expected: Vec<u8> = expected.iter().flat_map(|nal| [&START_CODE[..], nal].concat()).collect();
        let header = PesHeader { stream_id: 0xe0, pts: 0, dts: 0, payload: unit.len() };
        let (mut out, mut counter) = (Vec::new(), 0);
        unit.write(&mut PesWriter::begin(&mut out, &mut counter, 0x100, Adaptation::default(), &header));
        assert_eq!(out.len(), PACKET);
        assert_eq!(out[PACKET - expected.len()..], expected);
    }

    #[test]
    fn lengths_of_every_size_become_start_codes() {
        let slice: &[u8] = &[0x41, 9, 9];
        check(4, false, &[0, 0, 0, 3, 0x41, 9, 9, 0, 0, 0, 1, 0x06], &[&DELIMITER, slice, &[0x06]]);
        check(2, false, &[0, 3, 0x41, 9, 9], &[&DELIMITER, slice]);
        check(1, false, &[3, 0x41, 9, 9, 0], &[&DELIMITER, slice]);
    }

    #[test]
    fn parameter_sets_come_before_a_key_frame_that_lacks_them() {
        let idr: &[u8] = &[0x65, 8];
        check(1, true, &[2, 0x65, 8], &[&DELIMITER, &[0x67, 1], &[0x68, 2], &[0x68, 3], idr]);
        check(1, true, &[2, 0x67, 7, 2, 0x65, 8], &[&DELIMITER, &[0x67, 1], &[0x68, 2], &[0x68, 3], &[0x67, 7], idr]);
        check(1, true, &[2, 0x67, 7, 2, 0x68, 7, 2, 0x65, 8], &[&DELIMITER, &[0x67, 7], &[0x68, 7], idr]);
    }

    #[test]
    fn the_publishers_delimiter_is_kept_first() {
        check(1, true, &[2, 9, 0x10, 1, 0x65], &[&[9, 0x10], &[0x67, 1], &[0x68, 2], &[0x68, 3], &[0x65]]);
    }

    #[test]
    fn a_torn_access_unit_keeps_what_there_is() {
        check(4, false, &[0, 0, 0, 9, 0x41, 1], &[&DELIMITER, &[0x41, 1]]);
        check(4, false, &[0, 0], &[&DELIMITER]);
        check(2, false, &[], &[&DELIMITER]);
    }
}
