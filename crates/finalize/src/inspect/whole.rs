//! Whether a finished recording is whole: what can be seen from its structure.
//!
//! Quickly: the boxes of an MP4 file lie one behind the other up to its end, with an index among
//! them; an FLV file ends with a whole tag; a media playlist says that it ends. In depth: besides,
//! everything that salvage reads of it, and each segment's structure.

use std::io;

use livetape_media::{Format, WallTime};
use livetape_mux::{FileName, Files, Op, ReadAt, Salvage, salvage};

/// No recording has more boxes at the top level of one file than fragments of a day and a half, each two.
const BOXES_MAX: u32 = 1 << 20;
/// Bytes of a transport stream packet.
const TS_PACKET: usize = 188;

/// What is wrong with the finished recording in `files`; `None` when nothing is.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn problem(
    format: Format,
    files: &dyn Files,
    started_at: WallTime,
    deep: bool,
) -> io::Result<Option<String>> {
    let found = match format {
        Format::Mp4 => mp4_problem(&*files.open(&FileName::mp4())?, true)?,
        Format::Flv => flv_problem(&*files.open(&FileName::flv())?)?,
        Format::Hls if deep => segments_problem(files)?,
        Format::Hls => None,
    };
    if found.is_some() || !deep {
        return Ok(found);
    }
    let size_bytes = |file: &FileName| files.open(file).map(|file| file.len());
    Ok(match salvage(format, files, started_at) {
        Err(error) => Some(error.to_string()),
        Ok(Salvage::Empty) => Some("it holds no whole frame".to_owned()),
        // A playlist that salvage would write anew in its own words is whole.
        Ok(Salvage::Complete { ops, cut_bytes, .. })
            if cut_bytes > 0 || !ops.iter().all(|op| matches!(op, Op::Whole { .. })) =>
        {
            Some("it is not complete: it would have to be cut, or finished".to_owned())
        }
        Ok(Salvage::Complete { summary, .. }) => {
            let expected = match format {
                Format::Mp4 => size_bytes(&FileName::mp4())?,
                Format::Flv => size_bytes(&FileName::flv())?,
                Format::Hls => summary.size_bytes,
            };
            (summary.size_bytes != expected)
                .then(|| format!("what follows byte {} of {expected} is no part of it", summary.size_bytes))
        }
    })
}

/// The boxes lie one behind the other and end where the file does. `movie`: it is a finished file.
fn mp4_problem(file: &dyn ReadAt, movie: bool) -> io::Result<Option<String>> {
    let (mut at, mut kinds) = (0, Vec::new());
    for _ in 0..BOXES_MAX {
        if at >= file.len() {
            break;
        }
        let mut head = [0; 16];
        let left = file.len() - at;
        let short = usize::try_from(left).unwrap_or(usize::MAX).min(head.len());
        file.read_exact_at(at, head.get_mut(..short).unwrap_or_default())?;
        let [a, b, c, d, k, l, m, n, large @ ..] = head;
        let kind = [k, l, m, n];
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => left,
            1 => u64::from_be_bytes(large),
            size => u64::from(size),
        };
        if short < 8 || size < 8 || size > left {
            return Ok(Some(format!("the box at byte {at} does not fit into the file")));
        }
        if at == 0 && movie && !large.starts_with(b"isom") {
            return Ok(Some("it does not begin as a finished file does".to_owned()));
        }
        if kinds.len() < 16 {
            kinds.push(kind);
        }
        at += size;
    }
    let missing = ["ftyp", "moov", "mdat"].into_iter().find(|kind| !kinds.iter().any(|found| found == kind.as_bytes()));
    Ok(missing.filter(|_| movie).map(|kind| format!("it has no box '{kind}'")))
}

/// The file begins with a header and ends with a whole tag.
fn flv_problem(file: &dyn ReadAt) -> io::Result<Option<String>> {
    const HEADER: u64 = 9;
    const TAG_HEADER: u64 = 11;
    const SIZE: u64 = 4;
    if file.len() < HEADER + SIZE + TAG_HEADER + SIZE {
        return Ok(Some("it is too short to hold anything".to_owned()));
    }
    let mut signature = [0; 4];
    file.read_exact_at(0, &mut signature)?;
    if signature != *b"FLV\x01" {
        return Ok(Some("it does not begin with an FLV header".to_owned()));
    }
    let mut size = [0; 4];
    file.read_exact_at(file.len() - SIZE, &mut size)?;
    let size = u64::from(u32::from_be_bytes(size));
    let torn = Some("it does not end with a whole tag".to_owned());
    let Some(at) = (file.len() - SIZE).checked_sub(size).filter(|at| size >= TAG_HEADER && *at >= HEADER + SIZE) else {
        return Ok(torn);
    };
    let mut tag = [0; 4];
    file.read_exact_at(at, &mut tag)?;
    let [kind, a, b, c] = tag;
    let whole = matches!(kind & 0x1f, 8 | 9 | 18) && u64::from(u32::from_be_bytes([0, a, b, c])) + TAG_HEADER == size;
    Ok(torn.filter(|_| !whole))
}

/// Every segment and initialisation section is whole.
fn segments_problem(files: &dyn Files) -> io::Result<Option<String>> {
    for (name, _) in files.list()? {
        let found = match name.as_str().rsplit_once('.') {
            Some((_, "m4s" | "mp4")) => mp4_problem(&*files.open(&name)?, false)?,
            Some((_, "ts")) => ts_problem(&*files.open(&name)?)?,
            _ => None,
        };
        if let Some(problem) = found {
            return Ok(Some(format!("{name}: {problem}")));
        }
    }
    Ok(None)
}

fn ts_problem(file: &dyn ReadAt) -> io::Result<Option<String>> {
    let mut buffer = vec![0; TS_PACKET * 1024];
    let mut at = 0;
    while at < file.len() {
        let piece = usize::try_from(file.len() - at).unwrap_or(usize::MAX).min(buffer.len());
        let bytes = buffer.get_mut(..piece).unwrap_or_default();
        file.read_exact_at(at, bytes)?;
        if bytes.chunks(TS_PACKET).any(|packet| packet.len() < TS_PACKET || packet.first() != Some(&0x47)) {
            return Ok(Some(format!("a packet behind byte {at} is not whole")));
        }
        at += u64::try_from(piece).unwrap_or(u64::MAX);
    }
    Ok(None)
}
