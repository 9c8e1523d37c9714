//! What is in the spool, the quarantine, and beside them.

use std::io;
use std::path::Path;

use livetape_catalog::{RecordingState, SessionRow, Use};
use livetape_disk::{DiskError, EntryKind, Pulse};
use livetape_record::RecordingId;

use super::{Eye, Finding, Subject, What};
use crate::{FinalizeError, Label};

/// Names of the quarantine's contents that are told.
const NAMES: usize = 5;

impl Eye<'_> {
    pub(super) fn look_at_spool(&mut self) -> Result<(), FinalizeError> {
        let root = self.spool.root().to_owned();
        if self.is_there(&root.join("spool"))? {
            let listing = self.spool.list()?;
            for name in listing.unknown {
                let name = name.to_string_lossy();
                let finding = Finding::new(
                    What::SpoolUnknown,
                    format!("spool/{name}"),
                    "it is no recording's",
                    "the next start moves it to the quarantine",
                );
                self.tell(Subject::Unreadable, vec![finding])?;
            }
            for name in listing.recordings {
                let found = self.spooled(&name)?;
                self.tell(Subject::Spooled(name), found)?;
            }
        }
        self.look_beside(&root)?;
        self.look_at_quarantine(&root)
    }

    pub(super) fn look_at_sessions(&mut self) -> Result<(), FinalizeError> {
        for session in self.catalog.sessions_open()? {
            let found = self.open_session(&session)?;
            self.tell(Subject::Session(session.id), found)?;
        }
        Ok(())
    }

    /// What is wrong with a session that has not ended.
    pub(super) fn open_session(&self, session: &SessionRow) -> Result<Vec<Finding>, FinalizeError> {
        let id = session.id.to_string();
        if self.used_by == Use::Nobody {
            let detail = format!("{}/{} has not ended, and nobody records it", session.app, session.stream);
            return Ok(vec![Finding::new(What::SessionCutOff, id, detail, "the next start ends it, reason crash")]);
        }
        // The process writes down which sessions are live, several times a second.
        let pulse = Pulse::read(&**self.spool.disk(), self.spool.root())?;
        if pulse.is_none_or(|pulse| pulse.sessions.contains_key(&id)) {
            return Ok(Vec::new());
        }
        let detail = format!("{}/{} has not ended, and is not live", session.app, session.stream);
        Ok(vec![Finding::new(What::SessionCutOff, id, detail, "the next start ends it, reason crash")])
    }

    /// What is wrong with a directory of the spool that is named as a recording.
    pub(super) fn spooled(&self, name: &str) -> Result<Vec<Finding>, FinalizeError> {
        let id = name.parse::<RecordingId>().ok();
        let row = id.map(|id| self.catalog.recording(&id)).transpose()?.flatten();
        let remedy = match row.as_ref().map(|row| row.state) {
            None => return Ok(vec![self.without_row(name, id)?]),
            Some(RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading) => {
                return self.strangers(name);
            }
            Some(RecordingState::Ready | RecordingState::Discarded) => "the next start removes them",
            Some(RecordingState::Failed) => "the next start moves them to the quarantine",
        };
        // A process that is at work takes them out as soon as it can.
        if self.used_by == Use::Others {
            return Ok(Vec::new());
        }
        let state = row.map_or("", |row| row.state.name());
        let detail = format!("the recording is {state}, and its files are in the spool");
        Ok(vec![Finding::new(What::SpoolLeftover, name, detail, remedy)])
    }

    fn without_row(&self, name: &str, id: Option<RecordingId>) -> Result<Finding, FinalizeError> {
        let label = match id {
            Some(id) => self.spool.label(name)?.and_then(|bytes| Label::parse(&id, &bytes).ok()),
            None => None,
        };
        let detail = match label {
            Some(label) => {
                let recording = label.recording;
                format!("it has no row; its label says {}/{}, {}", recording.app, recording.stream, recording.key)
            }
            None => "it has no row and no label".to_owned(),
        };
        let remedy = match id {
            Some(_) => {
                "`livetape fsck --rebuild` gives it a row, so that it is completed; the next start moves what has none \
                 to the quarantine"
            }
            None => "the next start moves it to the quarantine",
        };
        Ok(Finding::new(What::SpoolWithoutRow, name, detail, remedy))
    }

    /// What else is among the files of a recording.
    fn strangers(&self, name: &str) -> Result<Vec<Finding>, FinalizeError> {
        let directory = self.spool.directory(name)?;
        let listing = |source| DiskError::Io { action: "listing", path: directory.clone(), source };
        if self.used_by == Use::Others {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let files = self.spool.files(name)?;
        for unknown in files.unknown().map_err(listing)? {
            let subject = format!("spool/{name}/{}", unknown.to_string_lossy());
            let remedy = "it is moved to the quarantine when the recording is completed, or goes with its files";
            found.push(Finding::new(What::SpoolUnknown, subject, "it is no recording's", remedy));
        }
        let entries = self.spool.disk().list_dir(&directory).map_err(listing)?;
        let temporary = |name: &str| name.starts_with('.') && name.ends_with(".new");
        for entry in entries.iter().filter_map(|entry| entry.name.to_str()).filter(|name| temporary(name)) {
            let subject = format!("spool/{name}/{entry}");
            let remedy = "it is written anew, or goes with the recording's files";
            found.push(Finding::new(What::Temporary, subject, "a file that was being replaced", remedy));
        }
        Ok(found)
    }

    /// Temporary files beside the spool. The pulse's is replaced several times a second.
    fn look_beside(&mut self, root: &Path) -> Result<(), FinalizeError> {
        if self.used_by == Use::Nobody && self.is_there(&root.join("livetape.db.new"))? {
            let detail = "a catalog that was being made";
            let remedy = "it is removed when a catalog is made next; it holds nothing";
            let finding = Finding::new(What::Temporary, "livetape.db.new", detail, remedy);
            self.tell(Subject::Unreadable, vec![finding])?;
        }
        Ok(())
    }

    fn look_at_quarantine(&mut self, root: &Path) -> Result<(), FinalizeError> {
        let path = root.join("quarantine");
        if !self.is_there(&path)? {
            return Ok(());
        }
        let listing = |source| DiskError::Io { action: "listing", path: path.clone(), source };
        let entries = self.spool.disk().list_dir(&path).map_err(listing)?;
        if entries.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = entries.iter().take(NAMES).map(|entry| entry.name.to_string_lossy()).collect();
        let more = if entries.len() > NAMES { " ..." } else { "" };
        let detail = format!("{} kept there: {}{more}", entries.len(), names.join(", "));
        let remedy = "look at them, and remove what is not needed; nothing else does";
        self.tell(Subject::Unreadable, vec![Finding::new(What::Quarantine, "quarantine", detail, remedy)])
    }

    fn is_there(&self, path: &Path) -> Result<bool, FinalizeError> {
        let looked = self.spool.disk().stat(path);
        let found = looked.map_err(|source| DiskError::Io { action: "looking at", path: path.to_owned(), source })?;
        Ok(found.is_some_and(|stat| stat.kind != EntryKind::Other))
    }
}

/// Whether an error only says that something is not there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
