//! The invariants, held against a world: at any moment of a life, and when it has come to rest.

mod at_rest;
mod deletion;
mod frames;
mod moment;
mod returning;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use livetape_media::Format;
use livetape_record::{GapRule, RecordingId};

pub use at_rest::at_rest;
pub use deletion::{all_deleted_but, held_kept, none_forgotten};
pub use moment::at_moment;
pub use returning::PastLife;

use crate::disk::Volume;
use crate::journal::Delivery;
use crate::marker::Marker;
use crate::publisher::Script;
use crate::read::{Content, Objects};
use crate::world::{Life, MEDIA};

/// What is known from outside of the world when it begins once more.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The timestamp of the last frame pushed of each stream, in milliseconds.
    pub pushed: BTreeMap<u8, u32>,
    /// What reached the receivers.
    pub delivered: Vec<Delivery>,
    /// What must be in the store, exactly as it is here.
    pub kept: BTreeMap<RecordingId, Arc<Content>>,
    /// How much media, in milliseconds, the end of each stream may lack.
    pub bound_ms: u32,
    /// Media may be missing elsewhere as well, since the disk failed on the way.
    pub gaps: bool,
    /// After a power cut: frames that were written after the last sync may be damaged where they stand.
    pub damage: bool,
    /// The pulse outlasted the crash, so that rows say what is missing.
    pub tells: bool,
    /// HLS is playlists over the MP4, so that only FLV has fragments of its own.
    pub over: bool,
    /// Recordings may have failed, and their files be in the quarantine.
    pub failures: bool,
    /// Publishers go and come back, also after a crash.
    pub returning: Option<GapRule>,
    /// The lives before this one, where publishers come back.
    pub lives: Vec<PastLife>,
}

/// What a complete run of the workload records: the frames that are not thrown away for being too
/// short a recording.
#[derive(Clone, Debug)]
pub struct Reference {
    wanted: BTreeMap<(u8, Format), BTreeSet<Marker>>,
}

impl Reference {
    /// Where publishers come back: everything that was pushed.
    pub fn everything() -> Self {
        Self { wanted: BTreeMap::new() }
    }

    /// From the recordings of a run without trouble.
    pub fn new(contents: &BTreeMap<RecordingId, Arc<Content>>) -> Self {
        let mut wanted: BTreeMap<_, BTreeSet<Marker>> = BTreeMap::new();
        for (id, content) in contents {
            for marker in content.frames() {
                wanted.entry((marker.stream, id.format)).or_default().insert(marker);
            }
        }
        for script in Script::both() {
            for format in Format::ALL {
                let found = wanted.get(&(script.stream, format)).map_or(0, BTreeSet::len);
                let sent = script.frames().count();
                assert!(found + 10 > sent, "of stream {} {format} has {found} of {sent} frames", script.stream);
            }
        }
        Self { wanted }
    }
}

/// What a crash cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How much media the end of a stream lacks, in milliseconds, at worst.
    pub lost_ms: u32,
    /// Frames that are in recordings and are not what was sent.
    pub damaged: usize,
}

/// What is in the store of a world, by key. Names that begin with a dot are no objects.
pub fn objects<'a>(volume: &'a Volume, simulated: &'a BTreeMap<String, Bytes>) -> Objects<'a> {
    let media = Path::new(MEDIA);
    let files = volume
        .files(media)
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(media).unwrap().to_str().unwrap().to_owned(), bytes));
    let objects = simulated.iter().map(|(key, data)| (key.clone(), data.as_ref()));
    files.chain(objects).filter(|(key, _)| !key.split('/').any(|name| name.starts_with('.'))).collect()
}

/// What the store of a life holds at its end.
pub fn objects_of(life: &Life) -> Objects<'_> {
    objects(&life.volume, &life.store.objects)
}

/// The objects of one recording.
fn objects_at<'a, 'b>(
    objects: &'b Objects<'a>,
    format: Format,
    key: &'b str,
) -> impl Iterator<Item = (&'b String, &'b &'a [u8])> {
    let directory = key.rsplit_once('/').map(|(directory, _)| format!("{directory}/")).unwrap_or_default();
    objects
        .iter()
        .filter(move |(name, _)| if format == Format::Hls { name.starts_with(&directory) } else { *name == key })
}
