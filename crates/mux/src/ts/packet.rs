//! Transport packets (ISO/IEC 13818-1, 2.4.3) and the PES packets they carry (2.4.3.6).
//!
//! ```text
//! packet (188):  47 | error:1 start:1 priority:1 PID:13 | scrambling:2 adaptation:1 payload:1 counter:4 | adaptation field | payload
//! adaptation:    length:8 [ discontinuity:1 random_access:1 es_priority:1 PCR:1 0000 | PCR:33 reserved:6 extension:9 | stuffing ff.. ]
//! PES:           00 00 01 | stream_id | length:16 | 10 000 aligned:1 00 | PTS:1 DTS:1 000000 | header length | PTS [DTS] [stuffing] | data
//! ```
//!
//! Where a PES packet ends can always be told from the bytes up to its end: either its length is
//! written, or (video longer than 65,535 bytes) its last transport packet has an adaptation field
//! and those before it, but for the first, have none. Recovery depends on it.

/// Bytes of a transport packet.
pub(super) const PACKET: usize = 188;
/// Bytes of a transport packet after its header.
pub(super) const BODY: usize = 184;
/// The packet identifier of padding.
pub(super) const NULL_PID: u16 = 0x1fff;

/// What the adaptation field of a PES packet's first transport packet says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adaptation {
    /// The clock jumps here.
    pub(super) discontinuity: bool,
    /// A decoder may start here.
    pub(super) random_access: bool,
    /// The programme clock, in ticks of 90 kHz.
    pub(super) clock: Option<i64>,
}

impl Adaptation {
    /// Bytes it takes, its length included; 0 when it says nothing.
    fn len(&self) -> usize {
        match (self.clock, self.discontinuity || self.random_access) {
            (Some(_), _) => 8,
            (None, true) => 2,
            (None, false) => 0,
        }
    }

    /// Writes it, followed by `stuffing` bytes that mean nothing.
    fn write(&self, stuffing: usize, out: &mut Vec<u8>) {
        let len = self.len() + stuffing;
        if len == 0 {
            return;
        }
        out.push((len - 1) as u8);
        if len == 1 {
            return;
        }
        let flags =
            u8::from(self.discontinuity) << 7 | u8::from(self.random_access) << 6 | u8::from(self.clock.is_some()) << 4;
        out.push(flags);
        if let Some(clock) = self.clock {
            let base = wrap(clock);
            let bits = base << 15 | 0x3f << 9;
            out.extend_from_slice(&bits.to_be_bytes()[2..]);
        }
        out.resize(out.len() + len - self.len().max(2), 0xff);
    }
}

/// The 33 bits in which timestamps are written; they wrap every 26.5 hours.
fn wrap(ticks: i64) -> u64 {
    ticks.rem_euclid(1 << 33) as u64
}

/// The header of a PES packet, ready to be split into transport packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct PesHeader {
    /// 0xe0 for video, 0xc0 for audio.
    pub(super) stream_id: u8,
    /// When its first access unit is shown, in ticks of 90 kHz.
    pub(super) pts: i64,
    /// When it is decoded.
    pub(super) dts: i64,
    /// Bytes of data after the header.
    pub(super) payload: usize,
}

impl PesHeader {
    fn both_times(&self) -> bool {
        self.pts != self.dts
    }

    /// Bytes of the header's timestamps.
    fn times_len(&self) -> usize {
        if self.both_times() { 10 } else { 5 }
    }

    /// Stuffing that keeps the data of a PES packet of unwritten length from filling its last
    /// transport packet exactly (see the module's head).
    fn stuffing(&self, adaptation: &Adaptation) -> usize {
        let len = 9 + self.times_len() + self.payload;
        let bounded = len - 6 <= usize::from(u16::MAX);
        let first = BODY - adaptation.len();
        usize::from(!bounded && len > first && (len - first).is_multiple_of(BODY))
    }

    /// Bytes of the whole PES packet.
    fn len(&self, adaptation: &Adaptation) -> usize {
        9 + self.times_len() + self.stuffing(adaptation) + self.payload
    }

    /// How many transport packets it takes.
    pub(super) fn packets(&self, adaptation: &Adaptation) -> usize {
        1 + (self.len(adaptation)).saturating_sub(BODY - adaptation.len()).div_ceil(BODY)
    }
}

/// Splits one PES packet into transport packets.
pub(super) struct PesWriter<'a> {
    out: &'a mut Vec<u8>,
    counter: &'a mut u8,
    pid: u16,
    adaptation: Adaptation,
    first: bool,
    /// Bytes of the PES packet still to come.
    left: usize,
    /// Bytes of them that still fit into the open transport packet.
    room: usize,
}

impl<'a> PesWriter<'a> {
    /// Begins a PES packet on `pid`; `header.payload` bytes of data must follow.
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        counter: &'a mut u8,
        pid: u16,
        adaptation: Adaptation,
        header: &PesHeader,
    ) -> Self {
        let left = header.len(&adaptation);
        let mut writer = Self { out, counter, pid, adaptation, first: true, left, room: 0 };
        let written = u16::try_from(left - 6).unwrap_or(0);
        let stuffing = header.stuffing(&adaptation);
        let mut bytes = [0xff; 20];
        bytes[..4].copy_from_slice(&[0, 0, 1, header.stream_id]);
        bytes[4..6].copy_from_slice(&written.to_be_bytes());
        bytes[6] = 0x84;
        bytes[7] = if header.both_times() { 0xc0 } else { 0x80 };
        bytes[8] = (header.times_len() + stuffing) as u8;
        bytes[9..14].copy_from_slice(&timestamp(if header.both_times() { 3 } else { 2 }, header.pts));
        if header.both_times() {
            bytes[14..19].copy_from_slice(&timestamp(1, header.dts));
        }
        writer.put(&bytes[..9 + header.times_len() + stuffing]);
        writer
    }

    /// The next bytes of the PES packet.
    pub(super) fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.left > 0 {
            if self.room == 0 {
                self.begin_packet();
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            self.out.extend_from_slice(now);
            self.room -= now.len();
            self.left -= now.len();
            bytes = later;
        }
        debug_assert!(bytes.is_empty(), "more data than the PES header announced");
    }

    fn begin_packet(&mut self) {
        let adaptation = std::mem::take(&mut self.adaptation);
        self.room = (BODY - adaptation.len()).min(self.left);
        let stuffing = BODY - adaptation.len() - self.room;
        let has_adaptation = adaptation.len() + stuffing > 0;
        let control = 0x10 | u8::from(has_adaptation) << 5;
        header(self.out, self.pid, std::mem::take(&mut self.first), control | *self.counter);
        *self.counter = (*self.counter + 1) & 0x0f;
        adaptation.write(stuffing, self.out);
    }
}

/// A packet that carries nothing but the programme clock. `counter` is the next packet's; without
/// payload it does not advance.
pub(super) fn clock_packet(out: &mut Vec<u8>, pid: u16, counter: u8, clock: i64) {
    header(out, pid, false, 0x20 | (counter.wrapping_sub(1) & 0x0f));
    let adaptation = Adaptation { clock: Some(clock), ..Adaptation::default() };
    adaptation.write(BODY - adaptation.len(), out);
}

/// A packet that carries one table, which fits in it.
pub(super) fn table_packet(out: &mut Vec<u8>, pid: u16, counter: &mut u8, section: &[u8]) {
    header(out, pid, true, 0x10 | *counter);
    *counter = (*counter + 1) & 0x0f;
    out.push(0); // pointer_field: the section begins at once
    debug_assert!(section.len() < BODY, "a table of {} bytes does not fit in one packet", section.len());
    out.extend_from_slice(section);
    out.resize(out.len() + BODY - 1 - section.len(), 0xff);
}

/// A padding packet, which players skip, with a note of at most 184 bytes in it.
pub(super) fn note_packet(out: &mut Vec<u8>, note: &[u8]) {
    header(out, NULL_PID, false, 0x10);
    debug_assert!(note.len() <= BODY, "a note of {} bytes does not fit in one packet", note.len());
    out.extend_from_slice(note);
    out.resize(out.len() + BODY - note.len(), 0xff);
}

fn header(out: &mut Vec<u8>, pid: u16, start: bool, last: u8) {
    let [high, low] = pid.to_be_bytes();
    out.extend_from_slice(&[0x47, u8::from(start) << 6 | high, low, last]);
}

/// A timestamp of a PES header (2.4.3.7): `prefix:4 32..30:3 1 29..15:15 1 14..0:15 1`.
fn timestamp(prefix: u8, ticks: i64) -> [u8; 5] {
    let t = wrap(ticks);
    let byte = |shift: u32| (t >> shift) as u8;
    [prefix << 4 | (byte(30) & 7) << 1 | 1, byte(22), byte(14) | 1, byte(7), byte(0) << 1 | 1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(payload: usize, adaptation: Adaptation, dts: i64) -> (Vec<u8>, usize) {
        let header = PesHeader { stream_id: 0xe0, pts: 900_000, dts, payload };
        let mut out = Vec::new();
        let mut counter = 14;
        let data: Vec<u8> = (0..payload).map(|i| i as u8).collect();
        let mut pes = PesWriter::begin(&mut out, &mut counter, 0x100, adaptation, &header);
        data.chunks(61).for_each(|chunk| pes.put(chunk));
        (out, header.packets(&adaptation))
    }

    /// The PES bytes, and for each transport packet whether it has an adaptation field.
    fn unpack(packets: &[u8]) -> (Vec<u8>, Vec<bool>) {
        let mut pes = Vec::new();
        let mut adaptations = Vec::new();
        for packet in packets.chunks(PACKET) {
            assert_eq!((packet.len(), packet[0]), (PACKET, 0x47));
            let adaptation = packet[3] & 0x20 != 0;
            let from = if adaptation { 5 + usize::from(packet[4]) } else { 4 };
            pes.extend_from_slice(&packet[from..]);
            adaptations.push(adaptation);
        }
        (pes, adaptations)
    }

    #[test]
    fn timestamps_are_laid_out_as_the_standard_draws_them() {
        assert_eq!(timestamp(2, 0), [0x21, 0x00, 0x01, 0x00, 0x01]);
        assert_eq!(timestamp(3, (1 << 33) - 1), [0x3f, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(timestamp(1, -1), [0x1f, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(timestamp(2, 126_000), [0x21, 0x00, 0x07, 0xd8, 0x61]);
    }

    #[test]
    fn the_clock_is_laid_out_as_the_standard_draws_it() {
        let mut out = Vec::new();
        clock_packet(&mut out, 0x100, 0, 1);
        assert_eq!(out.len(), PACKET);
        assert_eq!(out[..13], [0x47, 0x01, 0x00, 0x2f, 183, 0x10, 0, 0, 0, 0, 0xfe, 0x00, 0xff]);
    }

    proptest! {
        #[test]
        fn any_length_survives_and_its_end_can_be_told(
            payload in prop_oneof![0usize..800, 65_300usize..66_400],
            clock: bool, random_access: bool, delayed: bool,
        ) {
            let adaptation = Adaptation { clock: clock.then_some(5), random_access, discontinuity: false };
            let (packets, count) = write(payload, adaptation, if delayed { 899_000 } else { 900_000 });
            prop_assert_eq!(packets.len(), count * PACKET);
            let (pes, adaptations) = unpack(&packets);
            let head = 9 + usize::from(pes[8]);
            prop_assert_eq!(pes.len(), head + payload);
            prop_assert!(pes[head..].iter().enumerate().all(|(i, byte)| *byte == i as u8));
            let written = usize::from(u16::from_be_bytes([pes[4], pes[5]]));
            if written == 0 {
                prop_assert!(pes.len() - 6 > 65_535);
                prop_assert!(adaptations[adaptations.len() - 1]);
                prop_assert!(!adaptations[1..adaptations.len() - 1].contains(&true));
            } else {
                prop_assert_eq!(written, pes.len() - 6);
            }
        }
    }
}
