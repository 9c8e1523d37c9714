//! `onMetaData` at the head of the file, with room for the index.
//!
//! ```text
//! script tag: "onMetaData" | ECMA array:
//!     what never changes: metadatacreator, encoder, hasVideo, width, ..., livetape_start_ms
//!     duration, filesize, ..., keyframes { filepositions [ n numbers ], times [ n numbers ] }
//!     reserved [ numbers that are 0, as many as are left of the room ]
//! ```
//!
//! The room is a strict array of numbers since that is the one filler every player reads past: long strings and
//! second script tags lose the metadata or make a data stream. A number that is 0 is nine zero bytes, so room that
//! is not used is a hole that takes no space on the disk.
//!
//! What never changes comes first, so that a patch torn by a crash leaves it alone: salvage finds the rest, and
//! where the recording begins, by it.

use livetape_flv::tag::{FILE_HEADER_BYTES, PREVIOUS_SIZE_BYTES, TAG_HEADER_BYTES};
use livetape_flv::{TagHeader, TagKind, amf0, write};
use livetape_media::{MediaTime, Track, Value};

use super::ledger::Ledger;
use crate::Begin;

/// Bytes of a number with its marker.
const NUMBER_BYTES: u64 = 9;
/// An entry of the index is two numbers: place and time.
const ENTRY_BYTES: u64 = 2 * NUMBER_BYTES;
/// The end of an ECMA array.
const END: [u8; 3] = [0, 0, 9];
/// The least room, for recordings of a few minutes with a key frame a second.
const MIN_ENTRIES: u64 = 256;
/// The most: 1.2 MB, 36 hours of a key frame every two seconds. An index with more is thinned.
const MAX_ENTRIES: u64 = 65_536;
/// A key frame is expected every so often.
const KEY_FRAME_SECONDS: u64 = 2;
/// ffmpeg loses the object at strings of 1,024 bytes.
const MAX_TEXT_BYTES: usize = 255;

/// The name of the value that says where the recording begins on the session's timeline. It comes right before
/// [`FIRST_CHANGING`].
const START: &str = "livetape_start_ms";
/// The first value that changes, as it stands in the array: its name behind the name's length.
const FIRST_CHANGING: &[u8] = b"\x00\x08duration\x00";

/// From there to the number behind the name of the second, `filesize`: two names of eight letters with their
/// lengths, a number, a marker.
const FILE_SIZE_AT: usize = 10 + NUMBER_BYTES as usize + 10 + 1;

/// Where things are in the head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where the values that change begin, from the start of the file.
    changing_at: u64,
    /// Bytes of the body of the script tag.
    body_bytes: u64,
}

impl Head {
    /// The file up to the room for the index. The room, all zeros, and [`Head::after_room`] follow.
    pub(super) fn write(begin: &Begin, video: Option<&Track>, audio: Option<&Track>) -> (Self, Vec<u8>) {
        let mut constant = Vec::new();
        amf0::write_string("onMetaData", &mut constant);
        let values = constants(begin, video, audio);
        constant.push(0x08);
        constant.extend((values.len() as u32 + CHANGING_VALUES).to_be_bytes());
        for (name, value) in &values {
            amf0::write_key(name, &mut constant);
            amf0::write(value, &mut constant);
        }
        let expected = begin.max_duration.as_secs() / KEY_FRAME_SECONDS + 1;
        let entries = expected.clamp(MIN_ENTRIES, MAX_ENTRIES);

        let body_at = (FILE_HEADER_BYTES + TAG_HEADER_BYTES) as u64;
        let mut head = Self { changing_at: body_at + constant.len() as u64, body_bytes: 0 };
        let empty = changing(&Ledger::new(), MediaTime::ZERO, entries);
        head.body_bytes = (constant.len() + empty.len() + END.len()) as u64 + entries * ENTRY_BYTES;

        let mut out = Vec::new();
        write::file_header(audio.is_some(), video.is_some(), &mut out);
        out.extend(head.tag_header().to_bytes());
        out.extend(constant);
        out.extend(empty);
        (head, out)
    }

    /// Finds its way in the head of a file that begins with `bytes`. Also the place where the recording begins
    /// on its session's timeline. `None` when no muxer of ours wrote it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, MediaTime)> {
        let tag = bytes.get(FILE_HEADER_BYTES..)?;
        let header = TagHeader::read(tag.first_chunk()?)?;
        let body_bytes = u64::from(header.size);
        let changing_at = bytes.windows(FIRST_CHANGING.len()).position(|window| window == FIRST_CHANGING)?;
        let start = bytes.get(..changing_at)?.last_chunk::<8>()?;
        let head = Self { changing_at: changing_at as u64, body_bytes };
        let fits = head.room_bytes_checked()? % ENTRY_BYTES == 0;
        let start = MediaTime::from_nanos((f64::from_be_bytes(*start) * 1e6).round() as i64);
        (header.kind == TagKind::Script && fits).then_some((head, start))
    }

    fn tag_header(&self) -> TagHeader {
        // The room is at most MAX_ENTRIES, far below the 2^24 of a tag.
        TagHeader { kind: TagKind::Script, size: self.body_bytes as u32, timestamp_ms: 0 }
    }

    /// Where the values that change begin, from the start of the file.
    pub(super) fn changing_at(&self) -> u64 {
        self.changing_at
    }

    /// Where the script tag's last bytes begin, behind the room.
    pub(super) fn room_end(&self) -> u64 {
        (FILE_HEADER_BYTES + TAG_HEADER_BYTES) as u64 + self.body_bytes - END.len() as u64
    }

    /// Where the first tag behind the metadata is.
    pub(super) fn end(&self) -> u64 {
        self.room_end() + (END.len() + PREVIOUS_SIZE_BYTES) as u64
    }

    /// The size of the whole file that the metadata tells; `bytes` are the head.
    pub(super) fn file_size(&self, bytes: &[u8]) -> Option<u64> {
        let changing = bytes.get(usize::try_from(self.changing_at).ok()?..)?;
        let size = f64::from_be_bytes(*changing.get(FILE_SIZE_AT..)?.first_chunk()?);
        // Whole, and within the 2^53 that a double counts exactly.
        (size.fract() == 0.0 && (0.0..9e15).contains(&size)).then_some(size as u64)
    }

    /// Bytes of the room for the index.
    pub(super) fn room_bytes(&self) -> u64 {
        self.room_bytes_checked().unwrap_or(0)
    }

    fn room_bytes_checked(&self) -> Option<u64> {
        let empty = changing(&Ledger::new(), MediaTime::ZERO, 0).len() as u64;
        self.room_end().checked_sub(self.changing_at)?.checked_sub(empty)
    }

    /// Entries of the index there is room for.
    pub(super) fn index_entries(&self) -> usize {
        usize::try_from(self.room_bytes() / ENTRY_BYTES).unwrap_or(usize::MAX)
    }

    /// What stands behind the room: the end of the metadata.
    pub(super) fn after_room(&self) -> Vec<u8> {
        let mut out = END.to_vec();
        out.extend(self.tag_header().whole_size().to_be_bytes());
        out
    }

    /// The values that change, to be written at [`Head::changing_at`]; `end` is when the file has played. Up to
    /// [`Head::room_end`] zeros follow.
    pub(super) fn changing(&self, ledger: &Ledger, end: MediaTime) -> Vec<u8> {
        changing(ledger, end, self.room_bytes() / ENTRY_BYTES)
    }
}

/// What is known at the beginning.
fn constants(begin: &Begin, video: Option<&Track>, audio: Option<&Track>) -> Vec<(String, Value)> {
    let mut values =
        vec![("metadatacreator".to_owned(), Value::String(concat!("Livetape ", env!("CARGO_PKG_VERSION")).to_owned()))];
    let mut set = |name: &str, value| values.push((name.to_owned(), value));
    if let Some(encoder) = begin.metadata.field("encoder").and_then(Value::as_str) {
        // The name that salvage looks for has zero bytes around it: no text may hold any.
        let text: String = encoder.chars().filter(|letter| !letter.is_control()).collect();
        set("encoder", Value::String(text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()));
    }
    set("hasMetadata", Value::Boolean(true));
    set("hasVideo", Value::Boolean(video.is_some()));
    set("hasAudio", Value::Boolean(audio.is_some()));
    if let Some(track) = video {
        if let Some(format) = track.config.video().filter(|format| format.width > 0) {
            set("width", Value::Number(f64::from(format.width)));
            set("height", Value::Number(f64::from(format.height)));
        }
        set("videocodecid", Value::Number(f64::from(write::codec_id(&track.config))));
    }
    if let Some(track) = audio {
        set("audiocodecid", Value::Number(f64::from(write::codec_id(&track.config))));
        if let Some(format) = track.config.audio() {
            set("audiosamplerate", Value::Number(f64::from(format.output_sample_rate)));
            set("audiosamplesize", Value::Number(16.0));
            set("stereo", Value::Boolean(format.channels > 1));
        }
    }
    // Whole microseconds, which a double holds exactly for 285 years.
    set(START, Value::Number((begin.start.as_nanos() / 1000) as f64 / 1e3));
    values
}

/// How many values [`changing`] writes.
const CHANGING_VALUES: u32 = 11;

/// The values that change. Their length depends on nothing but the entries of the index, of which there is room
/// for `room`. `end` is when the file has played, on its own timeline.
fn changing(ledger: &Ledger, end: MediaTime, room: u64) -> Vec<u8> {
    let seconds = end.as_nanos() as f64 / 1e9;
    let kilobits = |bytes: Option<u64>| match bytes {
        Some(bytes) if seconds > 0.0 => bytes as f64 * 8.0 / 1000.0 / seconds,
        _ => 0.0,
    };
    let (last_position, last_ms) = ledger.index.last.unwrap_or((0, 0));
    let mut out = Vec::new();
    let mut number = |name: &str, value: f64| {
        amf0::write_key(name, &mut out);
        amf0::write_number(value, &mut out);
    };
    number("duration", seconds);
    number("filesize", ledger.size as f64);
    number("framerate", ledger.frame_rate());
    number("videodatarate", kilobits(ledger.video.as_ref().map(|track| track.bytes)));
    number("audiodatarate", kilobits(ledger.audio.as_ref().map(|track| track.bytes)));
    number("lasttimestamp", ledger.last_ms() as f64 / 1000.0);
    number("lastkeyframetimestamp", f64::from(last_ms) / 1000.0);
    number("lastkeyframelocation", last_position as f64);
    amf0::write_key("hasKeyframes", &mut out);
    amf0::write(&Value::Boolean(ledger.index.last.is_some()), &mut out);

    amf0::write_key("keyframes", &mut out);
    out.push(0x03);
    let entries = ledger.index.entries().count() as u64;
    array("filepositions", entries, &mut out);
    ledger.index.entries().for_each(|(position, _)| amf0::write_number(position as f64, &mut out));
    array("times", entries, &mut out);
    ledger.index.entries().for_each(|(_, ms)| amf0::write_number(f64::from(ms) / 1000.0, &mut out));
    out.extend(END);
    array("reserved", 2 * room.saturating_sub(entries), &mut out);
    out
}

/// The name and the head of a strict array.
fn array(name: &str, count: u64, out: &mut Vec<u8>) {
    amf0::write_key(name, out);
    out.push(0x0a);
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}
