//! What the items of one publish must keep to.

use std::collections::BTreeMap;

use livetape_media::{Item, MediaTime, Track, TrackId};

/// What references can add to a message: its text, and a name for each value.
const METADATA_MAX: usize = (512 << 10) + (1 << 20);

/// Watches the items of one publish; panics at the first that breaks a rule.
#[derive(Debug, Default)]
pub struct Rules {
    tracks: BTreeMap<TrackId, Track>,
    last: BTreeMap<TrackId, MediaTime>,
    /// It has had its last item.
    pub ended: bool,
}

impl Rules {
    /// One more item. `received` are the bytes that came so far: no frame and no text is larger.
    pub fn watch(&mut self, item: &Item, received: usize) {
        assert!(!self.ended, "an item behind the end: {item:?}");
        match item {
            Item::Track(track) => {
                let before = self.tracks.insert(track.id, track.clone());
                assert_ne!(before.as_ref(), Some(track), "a configuration is told twice");
            }
            Item::Frame(frame) => {
                assert!(self.tracks.contains_key(&frame.track), "a frame of a track that was not introduced");
                // Start codes of three bytes become lengths of four.
                assert!(frame.data.len() <= 2 * received, "a frame is larger than what came");
                let before = self.last.insert(frame.track, frame.dts);
                assert!(before.is_none_or(|before| before < frame.dts), "decoding times of a track do not grow");
            }
            Item::Warning(warning) => assert!(warning.detail.len() <= 1_000, "{} bytes", warning.detail.len()),
            Item::Metadata(metadata) => {
                // References make a short message into a long text, within the limits of a message.
                let held: usize = metadata.entries.iter().map(|(name, _)| name.len()).sum();
                assert!(held <= received + METADATA_MAX, "metadata of {held} bytes");
            }
            Item::Jump { .. } => {}
            Item::Moved { track, back } => {
                assert!(self.last.contains_key(track), "a time is moved that nothing was before");
                assert!(*back >= MediaTime::ZERO, "it ran back by {back}");
            }
            Item::End(_) => self.ended = true,
        }
    }
}
