//! Each row against its files, its objects and its event.

use std::io;

use livetape_catalog::{FoundRow, RecordingRow, RecordingState, Use};
use livetape_media::Format;
use livetape_mux::{Files, Salvage, salvage};

use super::{Eye, Finding, Subject, What, whole};
use crate::FinalizeError;
use crate::finalizer::Outbound;

/// Rows looked at in one step.
const PAGE: usize = 1000;
/// How often a row is looked at again because it changed on the way.
const TRIES: u32 = 5;

const REBUILD: &str = "stop the service and run `livetape fsck --rebuild`";

impl Eye<'_> {
    pub(super) fn look_at_rows(&mut self) -> Result<(), FinalizeError> {
        let mut after = String::new();
        loop {
            let page = self.catalog.recordings(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id();
            for found in page {
                self.counts.recordings += 1;
                match found {
                    FoundRow::Unreadable { id, problem } => {
                        let finding = Finding::new(What::RowUnreadable, id.clone(), problem, REBUILD);
                        self.tell(Subject::Unreadable, vec![finding])?;
                    }
                    FoundRow::Whole(row) => {
                        let found = self.row(&row)?;
                        self.tell(Subject::Recording(row.id), found)?;
                    }
                }
            }
        }
    }

    /// What is wrong with the recording of `row`, which may be changing meanwhile.
    pub(super) fn settled_row(&self, row: RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let mut row = row;
        for _ in 0..TRIES {
            let found = self.row(&row)?;
            match self.catalog.recording(&row.id)? {
                Some(now) if now != row => row = now,
                _ => return Ok(found),
            }
        }
        Ok(Vec::new())
    }

    /// What is wrong with the recording of `row`.
    pub(super) fn row(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let id = row.id.to_string();
        let found = match row.state {
            // Playlists over an MP4 are looked at with it as long as they lie among its files.
            RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading
                if row.media_of.is_some() =>
            {
                Ok(Vec::new())
            }
            RecordingState::Recording => self.growing(row),
            RecordingState::Finished | RecordingState::Uploading => self.waiting(row),
            RecordingState::Ready => self.ready(row),
            RecordingState::Failed | RecordingState::Discarded => Ok(Vec::new()),
        };
        match found {
            Err(FinalizeError::Spool(error)) => {
                let remedy = "see to the disk, then look again";
                Ok(vec![Finding::new(What::Unreadable, id, error.to_string(), remedy)])
            }
            Err(FinalizeError::Key(error)) => {
                Ok(vec![Finding::new(What::RowUnreadable, id, error.to_string(), REBUILD)])
            }
            result => result,
        }
    }

    fn growing(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let id = row.id.to_string();
        let present = self.spool.contains(&id)?;
        if self.used_by == Use::Others {
            let gone =
                || Finding::new(What::SpoolMissing, id, "it grows, and has no files", "nothing can bring it back");
            return Ok(if present { Vec::new() } else { vec![gone()] });
        }
        if !present {
            let detail = "it broke off before it had files";
            return Ok(vec![Finding::new(What::RecordingTorn, id, detail, "the next start discards it")]);
        }
        let files = self.spool.files(&id)?;
        let size_bytes: io::Result<u64> =
            files.list().and_then(|list| list.iter().map(|(name, _)| Ok(files.open(name)?.len())).sum());
        let detail = match size_bytes {
            Ok(bytes) => format!("it broke off at {bytes} bytes"),
            Err(error) => format!("it broke off; its files: {error}"),
        };
        if !self.deep {
            let remedy = "the next start completes what is whole of it";
            return Ok(vec![Finding::new(What::RecordingTorn, id, detail, remedy)]);
        }
        let remedy = match salvage(row.id.format, &files, row.started_at) {
            Ok(Salvage::Complete { summary, cut_bytes, .. }) => format!(
                "the next start completes it with {} ms, and cuts {cut_bytes} bytes that are not whole",
                summary.duration.as_millis()
            ),
            Ok(Salvage::Empty) => "the next start discards it: it holds no whole frame".to_owned(),
            Err(error) => format!("the next start moves its files to the quarantine: {error}"),
        };
        Ok(vec![Finding::new(What::RecordingTorn, id, detail, &remedy)])
    }

    fn waiting(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let id = row.id.to_string();
        let mut found = Vec::new();
        let over = self.catalog.recording(&row.id.playlists())?;
        let over = over.filter(|over| over.media_of == Some(row.id) && over.state != RecordingState::Discarded);
        let outbound = Outbound::find(self.spool, row).and_then(|_| match over {
            Some(over) => Outbound::playlists_over(self.spool, row.id, &over).map(drop),
            None => Ok(()),
        });
        match outbound {
            Err(FinalizeError::Damaged(problem)) => {
                let what = if self.spool.contains(&id)? { What::SpoolDamaged } else { What::SpoolMissing };
                let detail = format!("it is {}, and its files: {problem}", row.state);
                let remedy = "it is marked as failed; what is left is kept in the quarantine";
                return Ok(vec![Finding::new(what, id, detail, remedy)]);
            }
            outbound => outbound?,
        }
        let files = self.spool.files(&id)?;
        match whole::problem(row.id.format, &files, row.started_at, self.deep) {
            Ok(None) if self.used_by == Use::Nobody => {
                let remedy = "the next start puts it into the store";
                found.push(Finding::new(What::Waiting, id, format!("it is {}", row.state), remedy));
            }
            Ok(None) => {}
            Ok(Some(problem)) => {
                let remedy = "it is put into the store as it is";
                found.push(Finding::new(What::SpoolDamaged, id, problem, remedy));
            }
            Err(error) => return Err(unreadable(&row.id.to_string(), error)),
        }
        if row.id.format == Format::Hls && row.state == RecordingState::Uploading {
            found.extend(self.stored_playlists(row)?);
        }
        Ok(found)
    }

    fn ready(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let mut found = match row.deleting {
            None => self.objects_of(row)?,
            Some(reason) if self.used_by == Use::Nobody => {
                let detail = format!("it is being deleted, the reason being {reason}; its objects may be gone");
                let remedy = "the next start deletes what is left of it";
                vec![Finding::new(What::Deleting, row.id.to_string(), detail, remedy)]
            }
            Some(_) => Vec::new(),
        };
        if !self.catalog.announced(&row.id)? {
            let detail = "it is ready, and no event says so";
            let remedy = "stop the service and run `livetape fsck --rebuild`, which writes the event";
            found.push(Finding::new(What::EventMissing, row.id.to_string(), detail, remedy));
        }
        Ok(found)
    }
}

/// A file that could not be read, as the spool's error.
fn unreadable(id: &str, source: io::Error) -> FinalizeError {
    livetape_disk::DiskError::Io { action: "reading the files of", path: id.into(), source }.into()
}
