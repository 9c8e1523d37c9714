//! Reading recordings back, with no code of the muxers: which frames they hold, in which order, and when
//! each is decoded.

mod flv;
pub mod hls;
mod mp4;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use livetape_media::Format;

use crate::marker::Marker;

/// The objects in a store, by key.
pub type Objects<'a> = BTreeMap<String, &'a [u8]>;

/// A frame as a reader finds it: its mark, unless it is damaged, and when it is decoded, in milliseconds
/// from some moment.
pub type Found = (Option<Marker>, f64);

/// What a recording holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Parts with a clock each: one of a file; of a playlist, one of each initialisation section.
    pub parts: Vec<Vec<Found>>,
}

impl Content {
    /// The numbers of a track's frames, in order.
    pub fn numbers(&self, video: bool) -> Vec<u32> {
        self.frames().filter(|marker| marker.video == video).map(|marker| marker.number).collect()
    }

    /// The marks of all frames that are whole, each track in order.
    pub fn frames(&self) -> impl Iterator<Item = Marker> {
        self.parts.iter().flatten().filter_map(|(marker, _)| *marker)
    }

    /// How many frames are there and are not what was sent.
    pub fn damaged(&self) -> usize {
        self.parts.iter().flatten().filter(|(marker, _)| marker.is_none()).count()
    }
}

/// Reads recordings, and remembers those it has read.
#[derive(Default)]
pub struct Readings(Mutex<HashMap<u64, Arc<Result<Content, String>>>>);

impl Readings {
    /// What the recording at `key` holds. The text says what is wrong with it.
    pub fn read(&self, format: Format, key: &str, objects: &Objects<'_>) -> Arc<Result<Content, String>> {
        let directory = key.rsplit_once('/').map(|(directory, _)| format!("{directory}/")).unwrap_or_default();
        // Playlists may be over the MP4 of the same name.
        let media = format!("{}.mp4", directory.trim_end_matches('/'));
        let belongs = |name: &str| match format {
            Format::Hls => name.starts_with(&directory) || name == media,
            _ => name == key,
        };
        let files: Objects<'_> =
            objects.iter().filter(|(name, _)| belongs(name)).map(|(name, data)| (name.clone(), *data)).collect();
        let mut hasher = DefaultHasher::new();
        files.hash(&mut hasher);
        let print = hasher.finish();
        if let Some(read) = self.0.lock().unwrap().get(&print) {
            return read.clone();
        }
        let read = Arc::new(read(format, key, &directory, &files).map_err(|problem| format!("{key}: {problem}")));
        self.0.lock().unwrap().insert(print, read.clone());
        read
    }
}

fn read(format: Format, key: &str, directory: &str, files: &Objects<'_>) -> Result<Content, String> {
    let file = files.get(key).ok_or("it is not in the store")?;
    let parts = match format {
        Format::Mp4 => vec![mp4::finished(file)?],
        Format::Flv => vec![flv::file(file)?],
        Format::Hls => hls::playlist(file, directory, files)?,
    };
    Ok(Content { parts })
}
