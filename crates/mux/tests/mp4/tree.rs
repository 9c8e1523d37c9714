//! A file's boxes as text.

use std::fmt::Write;

const CONTAINERS: [&str; 14] = [
    "moov",
    "trak",
    "edts",
    "mdia",
    "minf",
    "dinf",
    "stbl",
    "mvex",
    "moof",
    "traf",
    "udta",
    "ilst",
    "\u{a9}too",
    "meta",
];

/// The boxes of `bytes` that do not lie in another: type and whole box.
pub(crate) fn top_level(bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut boxes = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (kind, header, size) = header(rest);
        assert!(size >= header && size <= rest.len(), "{kind} of {size} bytes where {} are left", rest.len());
        boxes.push((kind, &rest[..size]));
        rest = &rest[size..];
    }
    boxes
}

fn header(bytes: &[u8]) -> (String, usize, usize) {
    let kind = bytes[4..8].iter().map(|byte| *byte as char).collect();
    match u32::from_be_bytes(bytes[..4].try_into().unwrap()) {
        0 => (kind, 8, bytes.len()),
        1 => (kind, 16, u64::from_be_bytes(bytes[8..16].try_into().unwrap()) as usize),
        size => (kind, 8, size as usize),
    }
}

/// The tree: each box with its size, and its content as 32-bit words where that is short.
pub(crate) fn tree(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (_, whole) in top_level(bytes) {
        describe(whole, 0, &mut text);
    }
    text
}

fn describe(whole: &[u8], depth: usize, text: &mut String) {
    let (kind, header_len, size) = header(whole);
    write!(text, "{:depth$}{kind} {size}", "", depth = depth * 2).unwrap();
    let mut body = &whole[header_len..];
    if CONTAINERS.contains(&kind.as_str()) || kind == "stsd" || kind == "dref" {
        text.push('\n');
        body = match kind.as_str() {
            "meta" => &body[4..],
            "stsd" | "dref" => &body[8..],
            _ => body,
        };
        top_level(body).into_iter().for_each(|(_, child)| describe(child, depth + 1, text));
        return;
    }
    match kind.as_str() {
        "free" | "mdat" => {}
        "ftyp" => write!(text, " {}", String::from_utf8_lossy(body).replace(char::from(0), ".")).unwrap(),
        "data" => text.push_str(" (the program and its version)"),
        _ => {
            let words: Vec<String> = body.chunks(4).map(hex).collect();
            let shown = words.len().min(28);
            write!(text, " {}", words[..shown].join(" ")).unwrap();
            if words.len() > shown {
                write!(text, " ... {} words", words.len()).unwrap();
            }
        }
    }
    text.push('\n');
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
