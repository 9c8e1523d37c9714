//! Giving every recording in the spool a row that has none, as when the catalog was lost.
//!
//! ```text
//! label of the recording     row
//! whole                      as it was: session, stream, key, start
//! torn, missing, or its      of the application `recovered`, or of its session's stream where the
//! key is another's           session is known; key recovered/SESSION/RECORDING.EXT
//! ```
//!
//! The rows are in state `recording`, whatever the files are: the next start finds out what is whole
//! and goes on from there. Every step can be repeated.

use livetape_catalog::{Applied, Catalog, CatalogError, Change, NewRecording, NewSession};
use livetape_disk::Spool;
use livetape_media::{Format, MediaTime, WallTime};
use livetape_record::{Keep, RecordingId, SessionId, StartReason};
use tracing::warn;

use crate::{FinalizeError, Label};

/// The application of recordings of which nothing else is known.
const APP: &str = "recovered";

/// What was given to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Recordings whose rows are made of their labels.
    pub labelled: Vec<RecordingId>,
    /// Recordings of whose label nothing could be read.
    pub unlabelled: Vec<RecordingId>,
}

/// Gives every recording in the spool that has no row one. Blocks. Call it while this process alone
/// has the data directory.
///
/// # Errors
/// When the catalog or the spool cannot be used at all.
pub fn adopt(catalog: &Catalog, spool: &Spool) -> Result<Adopted, FinalizeError> {
    let mut adopted = Adopted::default();
    let mut without_label = Vec::new();
    for name in spool.list()?.recordings {
        // What is not a recording's id cannot have a row.
        let Ok(id) = name.parse::<RecordingId>() else { continue };
        if catalog.recording_row(&id)?.is_some() {
            continue;
        }
        let label = match spool.label(&name) {
            Ok(Some(bytes)) => Label::parse(&id, &bytes).map_err(|error| error.to_string()),
            Ok(None) => Err("there is none".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let done = match label {
            Ok(label) => {
                open(catalog, label.session, label.recording, label.playlists).map_err(|error| error.to_string())
            }
            Err(problem) => Err(problem),
        };
        match done {
            Ok(()) => adopted.labelled.push(id),
            Err(problem) => {
                warn!(recording = name, "the recording's label is of no use: {problem}");
                without_label.push(id);
            }
        }
    }
    // After the others: one of the same session may have said what the stream was.
    for id in without_label {
        let (session, recording) = guess(catalog, id)?;
        open(catalog, session, recording, None)?;
        adopted.unlabelled.push(id);
    }
    Ok(adopted)
}

fn open(
    catalog: &Catalog,
    session: NewSession,
    mut recording: NewRecording,
    playlists: Option<String>,
) -> Result<(), CatalogError> {
    let of = recording.id;
    match catalog.session(&session.id)? {
        None => drop(catalog.apply(Change::SessionStarted(session))?),
        // The stream is the session's, whatever a label says.
        Some(row) => (recording.app, recording.stream) = (row.app, row.stream),
    }
    catalog.apply(Change::RecordingOpened(recording)).map(|_: Applied| ())?;
    let Some(key) = playlists else { return Ok(()) };
    match catalog.apply(Change::PlaylistsOpened { of, key }) {
        Ok(_) => Ok(()),
        // Another has the key: the MP4 is there without them.
        Err(error) if error.is_refusal() => {
            warn!(recording = %of, "its playlists are given up: {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// What can be said of a recording by its id alone.
fn guess(catalog: &Catalog, id: RecordingId) -> Result<(NewSession, NewRecording), FinalizeError> {
    let started_at = began(id.session);
    let (app, stream) = match catalog.session(&id.session)? {
        Some(row) => (row.app, row.stream),
        None => (APP.to_owned(), id.session.to_string()),
    };
    let ending = match id.format {
        Format::Hls => "/index.m3u8".to_owned(),
        format => format!(".{format}"),
    };
    let session = NewSession {
        id: id.session,
        app: app.clone(),
        stream: stream.clone(),
        query: String::new(),
        remote_addr: String::new(),
        tc_url: String::new(),
        encoder: String::new(),
        started_at,
    };
    let recording = NewRecording {
        id,
        app,
        stream,
        task: None,
        // How long it was to be kept is not known: its age is no reason to delete it.
        keep: Keep::Ever,
        key: format!("{APP}/{}/{id}{ending}", id.session),
        started_at,
        start: MediaTime::ZERO,
        start_reason: StartReason::Publish.name().to_owned(),
        video: None,
        audio: None,
    };
    Ok((session, recording))
}

/// When a session began: its id says so.
fn began(session: SessionId) -> WallTime {
    // RFC 9562, version 7: milliseconds since 1970 in the first 48 bits.
    let millis = i64::try_from(session.0.as_u128() >> 80).unwrap_or(0);
    WallTime::from_unix_millis(if session.0.get_version_num() == 7 { millis } else { 0 })
}
