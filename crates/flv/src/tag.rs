//! The frame of an FLV file: its header and the headers of its tags (Adobe FLV specification 10.1, annex E).
//!
//! ```text
//! file: "FLV" | version=1:8 | 00000 audio:1 0 video:1 | header size=9:32 | { previous tag size:32 | tag }* | previous tag size:32
//! tag:  00 filter:1 type:5 | size:24 | timestamp:24 | timestamp, upper byte:8 | stream=0:24 | size bytes
//! ```

use bytes::Bytes;

/// Bytes of the header of a file, with the size of the tag before the first, which is none.
pub const FILE_HEADER_BYTES: usize = 13;
/// Bytes of the header of a tag.
pub const TAG_HEADER_BYTES: usize = 11;
/// Bytes behind a tag that say how long it was.
pub const PREVIOUS_SIZE_BYTES: usize = 4;

/// What is in a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// AMF values, `onMetaData` above all.
    Script,
}

/// The header of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagHeader {
    /// What is in it.
    pub kind: TagKind,
    /// Bytes of the body; at most 2^24 - 1.
    pub size: u32,
    /// Decoding time, in ms.
    pub timestamp_ms: u32,
}

impl TagHeader {
    /// Reads a header. `None` when it is none: an unknown type, an encrypted body, or a stream number, which
    /// files do not have.
    pub fn read(bytes: &[u8; TAG_HEADER_BYTES]) -> Option<Self> {
        let &[kind, s0, s1, s2, t0, t1, t2, upper, 0, 0, 0] = bytes else { return None };
        let kind = match kind {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            18 => TagKind::Script,
            _ => return None,
        };
        let size = u32::from_be_bytes([0, s0, s1, s2]);
        Some(Self { kind, size, timestamp_ms: u32::from_be_bytes([upper, t0, t1, t2]) })
    }

    /// The header.
    pub fn to_bytes(&self) -> [u8; TAG_HEADER_BYTES] {
        let kind = match self.kind {
            TagKind::Audio => 8,
            TagKind::Video => 9,
            TagKind::Script => 18,
        };
        let [_, s0, s1, s2] = self.size.to_be_bytes();
        let [upper, t0, t1, t2] = self.timestamp_ms.to_be_bytes();
        [kind, s0, s1, s2, t0, t1, t2, upper, 0, 0, 0]
    }

    /// Bytes of header and body, as the number behind the tag says.
    pub fn whole_size(&self) -> u32 {
        self.size + TAG_HEADER_BYTES as u32
    }
}

/// One tag of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What is in it.
    pub kind: TagKind,
    /// Decoding time, in ms.
    pub timestamp_ms: u32,
    /// Its contents, a view into the file.
    pub body: Bytes,
    /// Where in the file its header begins.
    pub position: usize,
}

/// Why bytes are not an FLV file, or not a whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// It does not begin as an FLV file does.
    #[error("it does not begin with an FLV header")]
    NotFlv,
    /// What should be the header of a tag is none.
    #[error("there is no FLV tag at byte {at}")]
    NoTag {
        /// Where.
        at: usize,
    },
    /// It ends in the middle of a tag.
    #[error("the FLV tag at byte {at} is not whole")]
    Torn {
        /// Where the tag begins.
        at: usize,
    },
    /// The size behind a tag is not that of the tag.
    #[error("the FLV tag at byte {at} has {expected} bytes, but {found} according to the number behind it")]
    PreviousSize {
        /// Where the tag begins.
        at: usize,
        /// Its size.
        expected: u32,
        /// What the number says.
        found: u32,
    },
}

/// The tags of a file in memory, first to last. The first error is the last thing said.
#[derive(Clone, Debug)]
pub struct Tags {
    file: Bytes,
    at: usize,
    over: bool,
}

impl Tags {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// When it is no FLV file.
    pub fn of(file: Bytes) -> Result<Self, TagError> {
        let at = first_tag(&file).ok_or(TagError::NotFlv)?;
        Ok(Self { file, at, over: false })
    }

    fn tag(&mut self) -> Result<Option<Tag>, TagError> {
        let at = self.at;
        let rest = self.file.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let header = rest.first_chunk().ok_or(TagError::Torn { at })?;
        let header = TagHeader::read(header).ok_or(TagError::NoTag { at })?;
        let expected = header.whole_size();
        let end = expected as usize;
        let behind = rest.get(end..).and_then(|rest| rest.first_chunk::<PREVIOUS_SIZE_BYTES>());
        let found = u32::from_be_bytes(*behind.ok_or(TagError::Torn { at })?);
        if found != expected {
            return Err(TagError::PreviousSize { at, expected, found });
        }
        self.at = at + end + PREVIOUS_SIZE_BYTES;
        let body = self.file.slice(at + TAG_HEADER_BYTES..at + end);
        Ok(Some(Tag { kind: header.kind, timestamp_ms: header.timestamp_ms, body, position: at }))
    }
}

impl Iterator for Tags {
    type Item = Result<Tag, TagError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.tag().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Where the first tag of a file that begins with `bytes` is; `None` when it is no FLV file. Some writers leave
/// room in the header.
pub fn first_tag(bytes: &[u8]) -> Option<usize> {
    let &[b'F', b'L', b'V', 1, _, h0, h1, h2, h3] = bytes.first_chunk::<9>()? else { return None };
    let size = u32::from_be_bytes([h0, h1, h2, h3]);
    if !(9..=1024).contains(&size) {
        return None;
    }
    Some(size as usize + PREVIOUS_SIZE_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(tags: &[(TagKind, u32, &[u8])]) -> Vec<u8> {
        let mut out = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00".to_vec();
        for (kind, timestamp_ms, body) in tags {
            let header = TagHeader { kind: *kind, size: body.len() as u32, timestamp_ms: *timestamp_ms };
            out.extend(header.to_bytes());
            out.extend(*body);
            out.extend(header.whole_size().to_be_bytes());
        }
        out
    }

    #[test]
    fn tags_are_read_with_their_extended_timestamps_and_places() {
        let file =
            file(&[(TagKind::Script, 0, b"ab"), (TagKind::Video, 0x0123_4567, b""), (TagKind::Audio, u32::MAX, b"c")]);
        let tags: Vec<_> = Tags::of(file.into()).unwrap().map(Result::unwrap).collect();
        let found: Vec<_> =
            tags.iter().map(|tag| (tag.kind, tag.timestamp_ms, tag.body.as_ref(), tag.position)).collect();
        assert_eq!(
            found,
            [
                (TagKind::Script, 0, b"ab".as_slice(), 13),
                (TagKind::Video, 0x0123_4567, b"", 30),
                (TagKind::Audio, u32::MAX, b"c", 45)
            ]
        );
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_tags_and_then_one_error() {
        let whole = file(&[(TagKind::Video, 1, b"abc"), (TagKind::Audio, 2, b"de")]);
        for len in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..len]);
            let Ok(tags) = Tags::of(cut.clone()) else {
                assert!(len < 9);
                continue;
            };
            let tags: Vec<_> = tags.collect();
            let whole_tags = tags.iter().filter(|tag| tag.is_ok()).count();
            assert_eq!(whole_tags, usize::from(len >= 31));
            assert_eq!(tags.len() - whole_tags, usize::from(len > 13 && len != 31), "{len}");
        }
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let whole = file(&[(TagKind::Video, 1, b"abc"), (TagKind::Audio, 2, b"de")]);
        let error = |at: usize, byte: u8| {
            let mut file = whole.clone();
            file[at] = byte;
            Tags::of(file.into()).and_then(|mut tags| tags.find_map(Result::err).map_or(Ok(()), Err)).unwrap_err()
        };
        assert_eq!(error(0, 0), TagError::NotFlv);
        assert_eq!(error(13, 0x29), TagError::NoTag { at: 13 });
        assert_eq!(error(31 + 10, 1), TagError::NoTag { at: 31 });
        assert_eq!(error(30, 15), TagError::PreviousSize { at: 13, expected: 14, found: 15 });
        assert_eq!(error(34, 200), TagError::Torn { at: 31 });
    }

    proptest! {
        #[test]
        fn no_bytes_panic(rest in proptest::collection::vec(0u8..20, 0..200)) {
            let mut file = file(&[]);
            file.extend(rest);
            let _ = Tags::of(file.into()).map(Iterator::count);
        }
    }
}
