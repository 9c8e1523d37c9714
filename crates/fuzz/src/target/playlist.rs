//! The directory of an HLS recording after hands from outside: lines of playlists edited, files taken
//! away, put there and exchanged. Salvage ends; what it completes is a recording; what a playlist
//! lists can be read from any text.
//!
//! ```text
//! input  choice u8 | operations done u16 (of 65,536 parts) | edit *
//! edit   kind u8 | file u8 | place u16 (of 65,536 parts) | length u16 | bytes
//! ```

use livetape_media::Format;
use livetape_mux::FileName;
use livetape_mux::hls::listed;

use super::salvage::sample_ops;
use crate::directory::Directory;
use crate::input::{Input, share};
use crate::settle;

const NAMES: [&str; 12] = [
    "media.m3u8",
    "vod.m3u8",
    "index.m3u8",
    "init-0.mp4",
    "init-1.mp4",
    "init-4294967295.mp4",
    "segment-000000.m4s",
    "segment-000001.m4s",
    "segment-000002.m4s",
    "segment-000000.ts",
    "segment-000001.ts",
    "segment-1000000.ts",
];
/// Lines that mean something to a reader.
const LINES: [&str; 14] = [
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n",
    "#EXT-X-ENDLIST\n",
    "#EXT-X-DISCONTINUITY\n",
    "#EXTINF:2.000,\n",
    "#EXTINF:4294967.295,\n",
    "#EXTINF:99999999.999,\n",
    "#EXT-X-TARGETDURATION:4294967295\n",
    "#EXT-X-MAP:URI=\"init-0.mp4\"\n",
    "#EXT-X-MAP:URI=\"init-1.mp4\"\n",
    "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.000Z\n",
    "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:59.999Z\n",
    "segment-000000.m4s\n",
    "segment-000001.m4s\n",
    "segment-000000.ts\n",
];

/// Reads the input as a recording and its edits.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        listed(text).for_each(|name| assert!(text.contains(name)));
    }
    let mut input = Input::new(data);
    let ops = sample_ops(if input.u8() & 1 == 0 { 1 } else { 3 });
    let mut directory = Directory::default();
    ops[..share(ops.len(), input.u16())].iter().for_each(|op| directory.perform(op));
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        edit(&mut directory, &mut input);
    }
    if settle::settle(Format::Hls, &mut directory, settle::wall_start()).is_none() {
        return;
    }
    for (file, entry) in directory.entries().filter(|(file, _)| file.as_str().ends_with(".m3u8")) {
        let text = String::from_utf8_lossy(&entry.bytes);
        for name in listed(&text).filter(|name| name.starts_with("segment-")) {
            assert!(directory.entry(name).is_some(), "{file} lists {name}, which is not there");
        }
    }
}

fn edit(directory: &mut Directory, input: &mut Input<'_>) {
    let kind = input.u8();
    let name = NAMES[usize::from(input.u8()) % NAMES.len()];
    let file = FileName::new(name).expect("a name a muxer gives");
    let place = input.u16();
    // Initialisation sections and other playlists are written whole, never grown.
    let grows = kind & 0x80 > 0 && (name == "media.m3u8" || name.starts_with("segment"));
    match kind & 7 {
        0 => drop(directory.take(&file)),
        1 => directory.put(file, input.counted().to_vec(), grows),
        2 => change(directory, &file, |bytes| bytes.truncate(share(bytes.len() + 1, place))),
        3 => {
            let (removed, text) = (usize::from(input.u8()), input.counted());
            change(directory, &file, |bytes| {
                let start = share(bytes.len() + 1, place);
                bytes.splice(start..bytes.len().min(start + removed), text.iter().copied());
            });
        }
        4 => {
            let (line, kept) = (input.choice(&LINES), input.u8());
            change(directory, &file, |bytes| {
                // Between two lines, or instead of one.
                let start =
                    bytes[..share(bytes.len(), place)].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let rest =
                    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| start + at + 1);
                bytes.splice(start..if kept & 1 > 0 { start } else { rest }, line.bytes());
            });
        }
        5 => {
            // One file under the name of another.
            let from = NAMES[usize::from(place) % NAMES.len()];
            if let Some(bytes) = directory.entry(from).map(|entry| entry.bytes.clone()) {
                directory.put(file, bytes, grows);
            }
        }
        6 => change(directory, &file, |bytes| {
            let at = share(bytes.len(), place);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= kind;
            }
        }),
        _ => {
            if let Some(entry) = directory.take(&file) {
                directory.put(file, entry.bytes, grows);
            }
        }
    }
}

fn change(directory: &mut Directory, file: &FileName, edit: impl FnOnce(&mut Vec<u8>)) {
    if let Some(entry) = directory.take(file) {
        let mut bytes = entry.bytes;
        edit(&mut bytes);
        directory.put(file.clone(), bytes, entry.growing);
    }
}
