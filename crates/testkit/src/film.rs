//! A film without an end: the frames of a clip over and over, each with a mark of its own, so that a
//! recorded frame says which one it is, and can be held against the one that was pushed, bit for bit.
//!
//! ```text
//! video (H.264):  length u32 | 06 05 size UUID mark 80  |  the clip's own NAL units
//!                 a supplemental message (user data unregistered), which decoders pass over
//! audio (AAC):    80 27 mark  |  the clip's own raw data block
//!                 a data stream element: 16 bits of header, so that nothing behind it moves
//! mark:           "mark SSSS NNNNNN K IIIIIIII"    stream, session, v or a, number of the frame
//! ```
//!
//! Marks are plain letters: no byte of them is zero, so nothing needs to be escaped.

use std::path::Path;

use crate::flv::{self, Kind, Tag};

/// The number of a mark's letters.
const MARK_LENGTH: usize = 27;
/// Marks the messages that are ours.
const OURS: [u8; 16] = *b"livetape-testkit";

/// Which frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The stream.
    pub stream: u32,
    /// Which of the stream's sessions.
    pub session: u32,
    /// Audio or video.
    pub kind: Kind,
    /// Which of the session's frames of this kind, from 0.
    pub number: u32,
}

impl Mark {
    fn text(self) -> String {
        let kind = if self.kind == Kind::Video { 'v' } else { 'a' };
        let text = format!("mark {:04} {:06} {kind} {:08}", self.stream, self.session, self.number);
        assert_eq!(text.len(), MARK_LENGTH, "{self:?}");
        text
    }

    /// The mark of a recorded frame (AVC or AAC, as MP4 and FLV hold them), if it has one.
    pub fn read(kind: Kind, payload: &[u8]) -> Option<Self> {
        let at = match kind {
            Kind::Video => 4 + 3 + OURS.len(),
            _ => 2,
        };
        let text = std::str::from_utf8(payload.get(at..at + MARK_LENGTH)?).ok()?;
        let mut words = text.split(' ');
        (words.next()? == "mark").then_some(())?;
        let stream = words.next()?.parse().ok()?;
        let session = words.next()?.parse().ok()?;
        let said = if words.next()? == "v" { Kind::Video } else { Kind::Audio };
        (said == kind).then_some(Self { stream, session, kind, number: words.next()?.parse().ok()? })
    }
}

/// The film.
#[derive(Clone, Debug)]
pub struct Film {
    headers: Vec<Tag>,
    /// One round of the clip, in the order it is sent, and which of its kind each is.
    round: Vec<(Tag, u32)>,
    video: Vec<usize>,
    audio: Vec<usize>,
    /// How long a round lasts, in milliseconds.
    period: u32,
}

impl Film {
    /// Of an FLV file with H.264 (no B-frames) and AAC.
    pub fn new(clip: &Path) -> Self {
        let tags = flv::tags(clip);
        let headers = tags.iter().filter(|tag| tag.is_header()).cloned().collect();
        let mut film = Self { headers, round: Vec::new(), video: Vec::new(), audio: Vec::new(), period: 0 };
        for tag in tags.into_iter().filter(Tag::is_frame) {
            let of_kind = if tag.kind == Kind::Video { &mut film.video } else { &mut film.audio };
            of_kind.push(film.round.len());
            film.round.push((tag, of_kind.len() as u32 - 1));
        }
        let last = film.round.iter().map(|(tag, _)| tag.timestamp).max().unwrap();
        film.period = last + 22;
        film
    }

    /// The codec configurations.
    pub fn headers(&self) -> &[Tag] {
        &self.headers
    }

    /// Frames of one round, after which the clip comes again.
    pub fn round_frames(&self) -> usize {
        self.round.len()
    }

    /// The rate of its frames' bytes.
    pub fn bits_per_second(&self) -> u64 {
        let bytes: usize = self.round.iter().map(|(tag, _)| tag.body.len()).sum();
        bytes as u64 * 8_000 / u64::from(self.period.max(1))
    }

    /// The frame that is sent as number `index` of all: its kind and its number among those.
    pub fn nth(&self, index: usize) -> (Kind, u32) {
        let (tag, number) = &self.round[index % self.round.len()];
        let rounds = (index / self.round.len()) as u32;
        let per_round = if tag.kind == Kind::Video { self.video.len() } else { self.audio.len() };
        (tag.kind, rounds * per_round as u32 + number)
    }

    fn place(&self, kind: Kind, number: u32) -> (u32, &Tag) {
        let of_kind = if kind == Kind::Video { &self.video } else { &self.audio };
        let (rounds, place) = (number / of_kind.len() as u32, number as usize % of_kind.len());
        (rounds, &self.round[of_kind[place]].0)
    }

    /// When a frame is sent and shown, in milliseconds.
    pub fn time(&self, kind: Kind, number: u32) -> u32 {
        let (rounds, tag) = self.place(kind, number);
        rounds * self.period + tag.timestamp
    }

    /// Whether a decoder may start at this picture.
    pub fn is_key(&self, number: u32) -> bool {
        self.place(Kind::Video, number).1.is_key()
    }

    /// The frame as a tag.
    pub fn tag(&self, mark: Mark) -> Tag {
        let (_, clip) = self.place(mark.kind, mark.number);
        let head = if mark.kind == Kind::Video { 5 } else { 2 };
        let mut body = clip.body[..head].to_vec();
        body.extend(self.payload(mark));
        Tag { kind: mark.kind, timestamp: self.time(mark.kind, mark.number), body }
    }

    /// The frame as a file holds it.
    pub fn payload(&self, mark: Mark) -> Vec<u8> {
        let (_, clip) = self.place(mark.kind, mark.number);
        let text = mark.text();
        let mut bytes = Vec::with_capacity(clip.body.len() + 64);
        if mark.kind == Kind::Video {
            let size = OURS.len() + MARK_LENGTH;
            bytes.extend_from_slice(&(size as u32 + 4).to_be_bytes());
            bytes.extend_from_slice(&[6, 5, size as u8]);
            bytes.extend_from_slice(&OURS);
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0x80);
            bytes.extend_from_slice(&clip.body[5..]);
        } else {
            bytes.extend_from_slice(&[0x80, MARK_LENGTH as u8]);
            bytes.extend_from_slice(text.as_bytes());
            bytes.extend_from_slice(&clip.body[2..]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip;

    #[test]
    fn a_frame_says_which_one_it_is() {
        let film = Film::new(&clip::plain());
        let mut latest = 0;
        for index in 0..3000 {
            let (kind, number) = film.nth(index);
            let mark = Mark { stream: 7, session: 12, kind, number };
            let payload = film.payload(mark);
            assert_eq!(Mark::read(kind, &payload), Some(mark));
            let time = film.time(kind, number);
            assert!(time + 40 > latest, "frame {index} is sent at {time}, the latest was at {latest}");
            latest = latest.max(time);
        }
    }

    #[test]
    fn decoders_pass_over_the_marks() {
        let film = Film::new(&clip::plain());
        let mut tags = film.headers().to_vec();
        tags.extend((0..1500).map(|index| {
            let (kind, number) = film.nth(index);
            film.tag(Mark { stream: 0, session: 0, kind, number })
        }));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("film.flv");
        std::fs::write(&file, flv::file(&tags)).unwrap();
        crate::ffmpeg::assert_decodes_silently(&file);
    }
}
