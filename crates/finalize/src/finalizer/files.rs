//! Which files make up a recording, where each goes, and in which order.
//!
//! ```text
//! mp4, flv   recording.EXT                   -> KEY
//! hls        init-N.mp4, segment-N.m4s|.ts   -> dirname(KEY)/NAME    first
//!            media.m3u8, vod.m3u8            -> dirname(KEY)/NAME    then
//!            index.m3u8                      -> KEY                  last
//! over mp4   recording.mp4                   -> the MP4's KEY        first of all
//!            init-0.mp4, then as hls         -> dirname(KEY)/NAME
//! ```
//!
//! So a playlist is in the store only when everything it lists is.

use std::collections::BTreeSet;
use std::io;

use livetape_catalog::RecordingRow;
use livetape_disk::{DiskError, EntryKind, Spool, SpoolFiles};
use livetape_media::Format;
use livetape_mux::hls::{is_media, listed};
use livetape_mux::{FileName, Files};
use livetape_record::RecordingId;
use livetape_store::{ContentType, ObjectKey, PutFile};

use crate::FinalizeError;

/// No playlist is larger: a week of the shortest segments is a quarter of it.
pub(crate) const PLAYLIST_MAX_BYTES: usize = 64 << 20;

/// A file on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) put: PutFile,
    pub(crate) size_bytes: u64,
}

impl Outgoing {
    fn is_playlist(&self) -> bool {
        self.put.content_type == ContentType::Playlist
    }
}

/// The files of a finished recording; all of a stage are in the store before the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outbound {
    pub(crate) stages: Vec<Vec<Outgoing>>,
}

impl Outbound {
    /// Bytes over all files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.stages.iter().flatten().map(|file| file.size_bytes).sum()
    }

    /// Finds the files of `row` in the spool and holds them against the row. Blocks.
    ///
    /// # Errors
    /// [`FinalizeError::Damaged`] when files are missing or differ from what the row says.
    pub(crate) fn find(spool: &Spool, row: &RecordingRow) -> Result<Self, FinalizeError> {
        let id = row.id.to_string();
        if !spool.contains(&id)? {
            return Err(damaged("they are gone"));
        }
        let files = spool.files(&id)?;
        let names = finished(&files, &id)?;
        let key: ObjectKey = row.key.parse()?;
        let outbound = match row.id.format {
            Format::Mp4 => Self { stages: vec![vec![outgoing(spool, &id, &FileName::mp4(), key)?]] },
            Format::Flv => Self { stages: vec![vec![outgoing(spool, &id, &FileName::flv(), key)?]] },
            Format::Hls => Self::playlist(spool, &files, &id, names, &key, false)?,
        };
        // The size of a playlist's recording is that of its media, with or without the playlists.
        let media: u64 =
            outbound.stages.iter().flatten().filter(|file| !file.is_playlist()).map(|f| f.size_bytes).sum();
        match (row.size_bytes, outbound.size_bytes()) {
            (Some(expected), found) if expected != found && expected != media => {
                Err(damaged(format!("they have {found} bytes ({media} of them media) instead of {expected}")))
            }
            _ => Ok(outbound),
        }
    }

    /// Finds the playlists over an MP4 in its directory, for their own `row`. Blocks.
    ///
    /// # Errors
    /// As of [`Outbound::find`].
    pub(crate) fn playlists_over(spool: &Spool, media: RecordingId, row: &RecordingRow) -> Result<Self, FinalizeError> {
        let id = media.to_string();
        let files = spool.files(&id)?;
        let names = finished(&files, &id)?.into_iter().filter(|file| *file != FileName::mp4()).collect();
        let outbound = Self::playlist(spool, &files, &id, names, &row.key.parse()?, true)?;
        match (row.size_bytes, outbound.size_bytes()) {
            (Some(expected), found) if expected != found => {
                Err(damaged(format!("the playlists over it have {found} bytes instead of {expected}")))
            }
            _ => Ok(outbound),
        }
    }

    /// `over_mp4`: what the playlists list besides their initialisation section is another object.
    fn playlist(
        spool: &Spool,
        files: &SpoolFiles,
        id: &str,
        names: Vec<FileName>,
        key: &ObjectKey,
        over_mp4: bool,
    ) -> Result<Self, FinalizeError> {
        let index = key.name().to_owned();
        let present: BTreeSet<&str> = names.iter().map(FileName::as_str).collect();
        if !present.contains(index.as_str()) {
            return Err(damaged(format!("{index} is missing")));
        }
        for playlist in names.iter().filter(|name| is_playlist(name)) {
            let text = read(files, playlist).map_err(|source| DiskError::Io {
                action: "reading",
                path: playlist.as_str().into(),
                source,
            })?;
            let is_beside = |name: &&str| !over_mp4 || is_media(name) || is_playlist_name(name);
            if let Some(missing) = listed(&text).filter(is_beside).find(|name| !present.contains(name)) {
                let missing: String = missing.chars().take(80).collect();
                return Err(damaged(format!("{playlist} lists {missing}, which is missing")));
            }
        }
        let mut stages = vec![Vec::new(), Vec::new(), Vec::new()];
        for name in names {
            let stage = if name.as_str() == index {
                2
            } else if is_playlist(&name) {
                1
            } else {
                0
            };
            let file = outgoing(spool, id, &name, key.sibling(name.as_str())?)?;
            if let Some(stage) = stages.get_mut(stage) {
                stage.push(file);
            }
        }
        Ok(Self { stages })
    }
}

/// The files of a recording's directory that grow no more.
fn finished(files: &SpoolFiles, id: &str) -> Result<Vec<FileName>, FinalizeError> {
    let listed =
        files.list().map_err(|source| DiskError::Io { action: "listing the files of", path: id.into(), source })?;
    Ok(listed.into_iter().filter(|(_, growing)| !growing).map(|(file, _)| file).collect())
}

fn outgoing(spool: &Spool, id: &str, name: &FileName, key: ObjectKey) -> Result<Outgoing, FinalizeError> {
    let path = spool.path(id, name)?;
    let found = spool.disk().stat(&path).map_err(|source| DiskError::Io {
        action: "looking at",
        path: path.clone(),
        source,
    })?;
    match found {
        Some(stat) if stat.kind == EntryKind::File => {
            let content_type = ContentType::of_key(&key);
            Ok(Outgoing { put: PutFile { key, path, content_type }, size_bytes: stat.size_bytes })
        }
        Some(_) => Err(damaged(format!("{name} is not a file"))),
        None => Err(damaged(format!("{name} is missing"))),
    }
}

fn is_playlist(name: &FileName) -> bool {
    is_playlist_name(name.as_str())
}

fn is_playlist_name(name: &str) -> bool {
    ContentType::of(name) == ContentType::Playlist
}

fn read(files: &SpoolFiles, playlist: &FileName) -> io::Result<String> {
    let file = files.open(playlist)?;
    let len = usize::try_from(file.len()).ok().filter(|len| *len <= PLAYLIST_MAX_BYTES);
    let mut bytes = vec![0; len.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "not a playlist"))?];
    file.read_exact_at(0, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn damaged(problem: impl Into<String>) -> FinalizeError {
    FinalizeError::Damaged(problem.into())
}
