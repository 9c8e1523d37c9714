//! MPEG-TS (ISO/IEC 13818-1): H.264 and AAC of a segment, as MP4 would hold them.
//!
//! ```text
//! packet 188:  47 | flags, PID 13 | control, counter | adaptation field? | payload
//! PES packet:  00 00 01 stream | length 2 | flags 2, header length 1 | PTS, DTS ... | one picture, or ADTS frames
//! ```

use std::collections::BTreeMap;

use super::Sample;
use crate::elementary::{PARAMETERS_AND_DELIMITERS, nal_units};
use crate::flv::Kind;

const PACKET: usize = 188;

/// A stream of the programme.
struct Stream {
    kind: Kind,
    /// The PES packet that has begun.
    packet: Vec<u8>,
}

/// Every frame of one segment, in the order in which their packets end.
pub(super) fn segment(bytes: &[u8]) -> Result<Vec<Sample>, String> {
    let mut streams: BTreeMap<u16, Stream> = BTreeMap::new();
    let (mut table, mut samples) = (None, Vec::new());
    if !bytes.len().is_multiple_of(PACKET) {
        return Err(format!("{} bytes are no whole packets", bytes.len()));
    }
    for (number, packet) in bytes.chunks_exact(PACKET).enumerate() {
        if packet[0] != 0x47 {
            return Err(format!("packet {number} does not begin as one"));
        }
        let (begins, pid) = (packet[1] & 0x40 != 0, u16::from_be_bytes([packet[1] & 0x1f, packet[2]]));
        let payload = match packet[3] >> 4 & 3 {
            1 => &packet[4..],
            3 => packet.get(5 + usize::from(packet[4])..).ok_or(format!("packet {number}: a field beyond its end"))?,
            _ => continue,
        };
        if pid == 0 || table == Some(pid) {
            let section = payload.get(1 + usize::from(payload[0])..).unwrap_or_default();
            if pid == 0 {
                // The first programme's table.
                let entry = section.get(8..12).ok_or(format!("packet {number}: no programme"))?;
                table = Some(u16::from_be_bytes([entry[2] & 0x1f, entry[3]]));
            } else {
                for (pid, kind) in programme(section).ok_or(format!("packet {number}: half a programme"))? {
                    streams.entry(pid).or_insert(Stream { kind, packet: Vec::new() });
                }
            }
        } else if let Some(stream) = streams.get_mut(&pid) {
            if begins {
                stream.end(&mut samples)?;
            }
            stream.packet.extend_from_slice(payload);
        }
    }
    streams.values_mut().try_for_each(|stream| stream.end(&mut samples))?;
    Ok(samples)
}

/// The streams of a programme's table that are H.264 or AAC, by PID.
fn programme(section: &[u8]) -> Option<Vec<(u16, Kind)>> {
    let size = |at: usize| Some(usize::from(section.get(at)? & 0x0f) << 8 | usize::from(*section.get(at + 1)?));
    // A checksum of four bytes ends it.
    let end = 3 + size(1)?.checked_sub(4)?;
    let mut at = 12 + size(10)?;
    let mut streams = Vec::new();
    while at < end {
        let pid = u16::from_be_bytes([section.get(at + 1)? & 0x1f, *section.get(at + 2)?]);
        match section[at] {
            0x1b => streams.push((pid, Kind::Video)),
            0x0f => streams.push((pid, Kind::Audio)),
            _ => {}
        }
        at += 5 + size(at + 3)?;
    }
    Some(streams)
}

impl Stream {
    /// The frames of the packet that has come to its end.
    fn end(&mut self, samples: &mut Vec<Sample>) -> Result<(), String> {
        let packet = std::mem::take(&mut self.packet);
        if packet.is_empty() {
            return Ok(());
        }
        let cut = || format!("a PES packet of {} bytes is no whole one", packet.len());
        let head = packet.get(..9).filter(|head| head.starts_with(&[0, 0, 1])).ok_or_else(cut)?;
        let begin = 9 + usize::from(head[8]);
        let times = match head[7] >> 6 {
            0 => None,
            // The decoding time comes second, where there is one.
            which => packet.get(if which == 3 { 14..19 } else { 9..14 }),
        };
        let dts = times.map_or(0, time);
        // Video may say 0: to the next packet's beginning.
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let end = if length == 0 { packet.len() } else { 6 + length };
        let media = packet.get(begin..end).ok_or_else(cut)?;
        if self.kind == Kind::Video {
            let mut data = Vec::with_capacity(media.len());
            for nal in nal_units(media).filter(|nal| !PARAMETERS_AND_DELIMITERS.contains(&(nal[0] & 0x1f))) {
                data.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                data.extend_from_slice(nal);
            }
            samples.push(Sample { kind: Kind::Video, dts, data });
            return Ok(());
        }
        let mut rest = media;
        while !rest.is_empty() {
            let [0xff, flags, _, high, middle, low, ..] = *rest else { return Err("sound that is not ADTS".into()) };
            let size = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5);
            let head = if flags & 1 == 0 { 9 } else { 7 };
            let data = rest.get(head..size).ok_or("half a frame of sound")?.to_vec();
            samples.push(Sample { kind: Kind::Audio, dts, data });
            rest = &rest[size..];
        }
        Ok(())
    }
}

/// 33 bits of ninety thousandths among 40, in microseconds.
fn time(bytes: &[u8]) -> i64 {
    let bits = bytes.iter().fold(0i64, |bits, byte| bits << 8 | i64::from(*byte));
    let ticks = (bits >> 33 & 7) << 30 | (bits >> 17 & 0x7fff) << 15 | bits >> 1 & 0x7fff;
    ticks * 100 / 9
}
