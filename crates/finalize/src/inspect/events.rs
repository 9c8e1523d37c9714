//! Events that say a recording is ready: one for each that is, and no other.

use livetape_catalog::{ReadyEvent, RecordingState, ready_event_id};
use livetape_record::RecordingId;

use super::{Eye, Finding, Subject, What};
use crate::FinalizeError;

/// Events looked at in one step.
const PAGE: usize = 4096;

const RESEND: &str = "receivers may have been told of it already; find out what wrote to the catalog";

impl Eye<'_> {
    pub(super) fn look_at_events(&mut self) -> Result<(), FinalizeError> {
        let mut sequence = 0;
        loop {
            let (events, next) = self.catalog.ready_events(sequence, PAGE)?;
            for event in &events {
                self.counts.events += 1;
                let found = self.event(event)?;
                self.tell(Subject::Event(event.sequence), found)?;
            }
            match next {
                Some(next) => sequence = next,
                None => return Ok(()),
            }
        }
    }

    /// What is wrong with an event.
    pub(super) fn event(&self, event: &ReadyEvent) -> Result<Vec<Finding>, FinalizeError> {
        let one = |what, detail: String| Ok(vec![Finding::new(what, event.id.clone(), detail, RESEND)]);
        let named = event.recording.as_deref().unwrap_or_default();
        let Ok(id) = named.parse::<RecordingId>() else {
            return one(What::EventForged, "its body tells of no recording".to_owned());
        };
        let state = match self.catalog.recording(&id)? {
            None if self.catalog.deleted(&id)? => return Ok(Vec::new()),
            None => return one(What::EventUnfounded, format!("it says that {id} is ready, which has no row")),
            Some(row) => row.state,
        };
        let expected = ready_event_id(&id);
        if state != RecordingState::Ready {
            return one(What::EventUnfounded, format!("it says that {id} is ready, whose row says {state}"));
        }
        if event.id != expected || event.kind != "recording.ready" {
            let detail = format!("it says that {id} is ready as '{}'; that event is {expected}", event.kind);
            return one(What::EventForged, detail);
        }
        Ok(Vec::new())
    }
}
