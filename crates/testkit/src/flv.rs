//! A small reader of FLV files, for publishers that send their tags by hand.
//!
//! ```text
//! file: "FLV" 01 flags 00000009  [previous tag size u32]  tag  [previous tag size u32]  tag ...
//! tag:  type u8 | size u24 | timestamp u24 | timestamp's high byte u8 | stream u24 | body
//! ```

use std::path::Path;

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Audio (8).
    Audio,
    /// Video (9).
    Video,
    /// Script data (18).
    Data,
}

impl Kind {
    /// Its number, which is also the RTMP message type.
    pub const fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
        }
    }
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: Kind,
    /// In milliseconds.
    pub timestamp: u32,
    /// Without the header.
    pub body: Vec<u8>,
}

impl Tag {
    /// Whether it is a codec configuration (AVC or AAC).
    pub fn is_header(&self) -> bool {
        match (self.kind, self.body.as_slice()) {
            (Kind::Video, [first, 0, ..]) => first & 0x0f == 7,
            (Kind::Audio, [first, 0, ..]) => first >> 4 == 10,
            _ => false,
        }
    }

    /// Whether it is a key frame.
    pub fn is_key(&self) -> bool {
        self.kind == Kind::Video && self.is_frame() && self.body.first().is_some_and(|first| first >> 4 == 1)
    }

    /// Whether it is coded media: neither script data nor a configuration, nor the end of a sequence.
    pub fn is_frame(&self) -> bool {
        let end = self.kind == Kind::Video && self.body.get(1) == Some(&2);
        self.kind != Kind::Data && !self.is_header() && !end
    }

    /// The same tag at another time.
    #[must_use]
    pub fn at(&self, timestamp: u32) -> Self {
        Self { timestamp, ..self.clone() }
    }
}

/// Every tag of the file.
pub fn tags(file: &Path) -> Vec<Tag> {
    let bytes = std::fs::read(file).unwrap();
    parse(&bytes).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()))
}

/// Every tag of a file's bytes, which must be whole to the last one.
pub fn parse(bytes: &[u8]) -> Result<Vec<Tag>, String> {
    let (tags, problem) = parse_growing(bytes);
    problem.map_or(Ok(tags), Err)
}

/// The tags of a file that may still be growing, as far as they are whole, and what comes then, if
/// anything does.
pub fn parse_growing(bytes: &[u8]) -> (Vec<Tag>, Option<String>) {
    let mut tags = Vec::new();
    if !bytes.starts_with(b"FLV\x01") || bytes.len() < 13 {
        return (tags, Some("it does not begin as an FLV file does".to_owned()));
    }
    let mut rest = &bytes[13..];
    while !rest.is_empty() {
        match tag(rest) {
            Ok((tag, behind)) => {
                tags.push(tag);
                rest = behind;
            }
            Err(problem) => return (tags, Some(format!("{problem} at {}", bytes.len() - rest.len()))),
        }
    }
    (tags, None)
}

/// The first tag, and what is behind it.
fn tag(bytes: &[u8]) -> Result<(Tag, &[u8]), String> {
    let [kind, a, b, c, t1, t2, t3, t0, _, _, _, tail @ ..] = bytes else {
        return Err("half the head of a tag".to_owned());
    };
    let size = u32::from_be_bytes([0, *a, *b, *c]);
    let kind = match kind {
        8 => Kind::Audio,
        9 => Kind::Video,
        18 => Kind::Data,
        other => return Err(format!("a tag of type {other}")),
    };
    let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
    let (body, behind) = tail.split_at_checked(size as usize).ok_or("half a tag")?;
    let behind = behind.strip_prefix(&(size + 11).to_be_bytes()).ok_or("no size, or a wrong one, behind the tag")?;
    Ok((Tag { kind, timestamp, body: body.to_vec() }, behind))
}

/// The file these tags make.
pub fn file(tags: &[Tag]) -> Vec<u8> {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for tag in tags {
        let size = u32::try_from(tag.body.len()).unwrap();
        let [t0, t1, t2, t3] = tag.timestamp.to_be_bytes();
        bytes.push(tag.kind.number());
        bytes.extend_from_slice(&size.to_be_bytes()[1..]);
        bytes.extend_from_slice(&[t1, t2, t3, t0, 0, 0, 0]);
        bytes.extend_from_slice(&tag.body);
        bytes.extend_from_slice(&(size + 11).to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_can_be_written_back() {
        let sample = crate::place::sample();
        let tags = tags(&sample);
        assert_eq!(tags.iter().filter(|tag| tag.kind == Kind::Video && tag.is_frame()).count(), 240);
        assert_eq!(tags.iter().filter(|tag| tag.is_key()).count(), 4);
        assert_eq!(file(&tags), std::fs::read(sample).unwrap());
    }
}
