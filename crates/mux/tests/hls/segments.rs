//! Reading frames out of segments, independently of the code that wrote them.

use livetape_media::{Frame, MediaTime, TrackId};
use mp4_atom::{Any, Header, Moof, ReadAtom, ReadFrom, Trak};

/// A frame as a player sees it. Times count from wherever the container's do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) track: TrackId,
    pub(crate) dts: MediaTime,
    pub(crate) pts: MediaTime,
    pub(crate) key: bool,
    pub(crate) data: Vec<u8>,
}

impl Packet {
    /// What `frame` should look like.
    pub(crate) fn of(frame: &Frame) -> Self {
        let Frame { track, dts, pts, random_access, ref data } = *frame;
        Self { track, dts, pts, key: random_access, data: data.to_vec() }
    }
}

/// The packets of a segment, transport stream or fragmented MP4 with `init`.
pub(crate) fn packets(name: &str, segment: &[u8], init: Option<&[u8]>) -> Vec<Packet> {
    if name.ends_with(".ts") { ts_packets(segment) } else { fmp4_packets(segment, init.expect("an init section")) }
}

fn fmp4_packets(segment: &[u8], init: &[u8]) -> Vec<Packet> {
    let tracks = tracks(init);
    let mut packets = Vec::new();
    let mut rest = segment;
    let mut kinds = Vec::new();
    let mut moof: Option<(usize, Moof)> = None;
    while !rest.is_empty() {
        let at = segment.len() - rest.len();
        let mut body = rest;
        let header = Header::read_from(&mut body).unwrap();
        let size = header.size.unwrap();
        kinds.push(header.kind.to_string());
        assert!(size <= body.len(), "{} at {at} is torn", header.kind);
        match header.kind.as_ref() {
            b"moof" => moof = Some((at, Moof::read_atom(&header, &mut &body[..size]).unwrap())),
            b"mdat" => {
                let (moof_at, moof) = moof.take().expect("a moof before the mdat");
                packets.extend(fragment_packets(segment, moof_at, &moof, &tracks));
            }
            _ => {}
        }
        rest = &body[size..];
    }
    assert!(moof.is_none(), "a moof without an mdat");
    assert_eq!(kinds[..2], ["styp", "free"]);
    assert!(kinds[2..].chunks(2).all(|pair| pair == ["moof", "mdat"]), "{kinds:?}");
    packets
}

fn tracks(init: &[u8]) -> Vec<(u32, TrackId, u32)> {
    let mut rest = init;
    while !rest.is_empty() {
        if let Any::Moov(moov) = Any::read_from(&mut rest).unwrap() {
            let id =
                |trak: &Trak| if trak.mdia.hdlr.handler.as_ref() == b"vide" { TrackId::VIDEO } else { TrackId::AUDIO };
            assert!(moov.trak.iter().all(|trak| trak.edts.is_none()), "an edit list");
            return moov.trak.iter().map(|trak| (trak.tkhd.track_id, id(trak), trak.mdia.mdhd.timescale)).collect();
        }
    }
    panic!("no moov")
}

fn fragment_packets(segment: &[u8], moof_at: usize, moof: &Moof, tracks: &[(u32, TrackId, u32)]) -> Vec<Packet> {
    let mut packets = Vec::new();
    for traf in &moof.traf {
        let (_, track, timescale) = *tracks.iter().find(|(number, ..)| *number == traf.tfhd.track_id).unwrap();
        let mut ticks = traf.tfdt.as_ref().unwrap().base_media_decode_time as i64;
        let time = |ticks: i64| MediaTime::from_ticks(ticks, timescale);
        for trun in &traf.trun {
            let mut at = moof_at + trun.data_offset.unwrap() as usize;
            for entry in trun.samples.iter() {
                let duration = entry.duration.or(traf.tfhd.default_sample_duration).unwrap();
                let flags = entry.flags.or(traf.tfhd.default_sample_flags).unwrap();
                let size = entry.size.unwrap() as usize;
                let cts = entry.cts.unwrap_or(0);
                assert!(cts >= 0, "a negative composition offset");
                packets.push(Packet {
                    track,
                    dts: time(ticks),
                    pts: time(ticks + cts),
                    key: flags & 0x1_0000 == 0,
                    data: match track {
                        TrackId::VIDEO => without_sets(&segment[at..at + size]),
                        _ => segment[at..at + size].to_vec(),
                    },
                });
                at += size;
                ticks += i64::from(duration);
            }
        }
    }
    packets
}

fn ts_packets(segment: &[u8]) -> Vec<Packet> {
    assert_eq!(segment.len() % 188, 0, "torn in a transport packet");
    let mut packets = Vec::new();
    let mut pes: Option<(u16, bool, Vec<u8>)> = None;
    let mut pids = Vec::new();
    let mut finish = |pes: Option<(u16, bool, Vec<u8>)>| {
        if let Some((pid, key, pes)) = pes {
            packets.extend(pes_packets(pid, key, &pes));
        }
    };
    for packet in segment.chunks(188) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let adaptation = packet[3] & 0x20 != 0;
        let from = if adaptation { 5 + usize::from(packet[4]) } else { 4 };
        pids.push(pid);
        if !matches!(pid, 0x100 | 0x101) || packet[3] & 0x10 == 0 {
            continue;
        }
        if packet[1] & 0x40 != 0 {
            finish(pes.take());
            pes = Some((pid, adaptation && packet[5] & 0x40 != 0, Vec::new()));
        }
        let (open, _, data) = pes.as_mut().expect("a PES packet's first packet");
        assert_eq!(*open, pid, "PES packets are interleaved");
        data.extend_from_slice(&packet[from..]);
    }
    finish(pes);
    assert_eq!(pids[..3], [0, 0x1000, 0x1fff]);
    packets
}

fn pes_packets(pid: u16, key: bool, pes: &[u8]) -> Vec<Packet> {
    assert_eq!(pes[..3], [0, 0, 1]);
    let stamp = |at: usize| {
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| i64::from(pes[at + n]));
        (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
    };
    let pts = stamp(9);
    let dts = if pes[7] & 0x40 != 0 { stamp(14) } else { pts };
    let time = |ticks: i64| MediaTime::from_ticks(ticks, 90_000);
    let len = usize::from(u16::from_be_bytes([pes[4], pes[5]]));
    let end = if len == 0 { pes.len() } else { 6 + len };
    assert_eq!(end, pes.len(), "a torn PES packet");
    let data = &pes[9 + usize::from(pes[8])..];
    if pid == 0x100 {
        return vec![Packet {
            track: TrackId::VIDEO,
            dts: time(dts),
            pts: time(pts),
            key,
            data: length_prefixed(data, key),
        }];
    }
    let mut packets = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        // Made up by `media`: MP3 frames of 96 bytes and 1152 samples, or AAC behind ADTS headers.
        let aac = rest[1] == 0xf1;
        let (from, to, samples) = match aac {
            false => (0, 96, 1152),
            true => (7, usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5, 1024),
        };
        let rate = if aac { [48_000, 44_100, 32_000, 24_000][usize::from(rest[2] >> 2 & 15) - 3] } else { 48_000 };
        let at = time(dts) + MediaTime::from_ticks(packets.len() as i64 * samples, rate);
        packets.push(Packet { track: TrackId::AUDIO, dts: at, pts: at, key: true, data: rest[from..to].to_vec() });
        rest = &rest[to..];
    }
    packets
}

/// Undoes what is done to key frames behind a change of the configuration.
fn without_sets(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let (nal, tail) = tail.split_at(u32::from_be_bytes(*len) as usize);
        if !matches!(nal[0] & 0x1f, 7..=9) {
            out.extend_from_slice(len);
            out.extend_from_slice(nal);
        }
        rest = tail;
    }
    out
}

/// Undoes what a transport stream adds to an access unit.
fn length_prefixed(data: &[u8], key: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut kinds = Vec::new();
    let starts: Vec<usize> =
        data.windows(4).enumerate().filter(|(_, w)| w == &[0, 0, 0, 1]).map(|(at, _)| at).collect();
    for (index, start) in starts.iter().enumerate() {
        let nal = &data[start + 4..starts.get(index + 1).copied().unwrap_or(data.len())];
        kinds.push(nal[0] & 0x1f);
        if !matches!(nal[0] & 0x1f, 7..=9) {
            out.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            out.extend_from_slice(nal);
        }
    }
    let expected: &[u8] = if key { &[9, 7, 8, 5] } else { &[9, 1] };
    assert_eq!(kinds, expected, "delimiter, parameter sets before key frames, one slice");
    out
}
