//! What callers may change.

use std::time::Duration;

use livetape_media::{MediaTime, WallTime};
use livetape_record::{Finding, Gap, Keep, RecordingId, Report, SessionId, TaskId};

use crate::{AudioFacts, DeletionReason, Facts, Looked, PlanKind, RecordingFilter, StoreRole, TaskRow, VideoFacts};

/// A webhook endpoint's name in the configuration.
pub type EndpointId = String;

/// One change of the catalog. The events it causes, and a delivery of each to every endpoint, are
/// part of it: all of it is durable, or none.
///
/// Repeating a change changes nothing and is [`Applied::Already`]; times of the moment (`at`) do
/// not count when two are compared. The same change with other contents is
/// [`crate::CatalogError::Conflict`].
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A publisher was accepted. Event `stream.started`.
    SessionStarted(NewSession),
    /// A session is over. Event `stream.ended`.
    SessionEnded {
        /// Which.
        id: SessionId,
        /// When.
        at: WallTime,
        /// Why: [`livetape_media::EndReason::name`].
        reason: String,
    },
    /// A recording begins, in state `recording`. Its session must be in the catalog. Event
    /// `recording.started`.
    RecordingOpened(NewRecording),
    /// Playlists over an MP4 begin: an HLS recording whose media is the MP4's. Only of one that is `recording`.
    /// From then on whatever becomes of the MP4 becomes of them, with events of their own. Event
    /// `recording.started`.
    PlaylistsOpened {
        /// The MP4.
        of: RecordingId,
        /// Where they will be in the store.
        key: String,
    },
    /// The publisher of a recording has gone, and may come back. Only of one that is `recording`. Event
    /// `recording.waiting`, unless it waits already.
    RecordingWaits {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
        /// Until when it waits.
        until: WallTime,
        /// Media that had come behind what it holds when a crash came, and is lost; zero when its publisher just went.
        lost: Duration,
    },
    /// The publisher of a recording has come back. Only of one that is `recording`. Event `recording.continued`.
    RecordingContinued {
        /// Which.
        id: RecordingId,
        /// The session that goes on with it, of the same stream.
        session: SessionId,
        /// What lies in between. Kept to the millisecond.
        gap: Gap,
    },
    /// A recording will never change again on disk. From `recording` to `finished`. A gap that turns out to have
    /// nothing behind it is forgotten. Event `recording.ended`.
    RecordingFinished {
        /// Which.
        id: RecordingId,
        /// The calendar's time at its end.
        ended_at: WallTime,
        /// Why it ended: [`livetape_record::StopReason::name`].
        reason: String,
        /// What it holds.
        facts: Facts,
        /// It was completed after a crash.
        recovered: bool,
        /// Media that arrived directly after what it holds and is in no recording of its format; zero when
        /// none is known of. Kept to the millisecond.
        lost: Duration,
    },
    /// What is to be said of a recording's integrity, before it is finished; a later one takes the place of the one
    /// before. Only of one that is `recording`; once it is finished nothing is changed.
    Reported {
        /// Which.
        id: RecordingId,
        /// What.
        report: Box<Report>,
    },
    /// Nothing more of a recording is written for the time being: the disk is too slow, and what comes is dropped. Only
    /// of one that is `recording`; of another nothing is told. Event `recording.paused`.
    RecordingPaused {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
    },
    /// A recording goes on, or begins, after one was paused. As [`Change::RecordingPaused`]. Event `recording.resumed`.
    RecordingResumed {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
    },
    /// A recording was too short, or holds nothing. From `recording` to `discarded`. Event
    /// `recording.discarded`.
    RecordingDiscarded {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
        /// Why.
        reason: String,
        /// Media that arrived and is in no recording of its format, as of one that holds nothing whole
        /// after a crash; zero when none is known of, and for what is not wanted.
        lost: Duration,
    },
    /// A multipart upload of a recording has begun in the store, or is given up. Of one that is
    /// `recording`, `finished` or `uploading`.
    UploadNoted {
        /// Which.
        id: RecordingId,
        /// The store's name of the upload; `None`: there is none any more.
        upload: Option<String>,
    },
    /// A recording is on its way to the store. From `finished` to `uploading`.
    UploadStarted {
        /// Which.
        id: RecordingId,
    },
    /// A recording is whole in the store. From `finished` or `uploading` to `ready`. Event
    /// `recording.ready`.
    RecordingReady {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
        /// Bytes in the store, over all its objects.
        size_bytes: u64,
        /// Which store.
        store: StoreRole,
    },
    /// A recording cannot be completed. From `recording`, `finished` or `uploading` to `failed`.
    /// Event `recording.failed`.
    RecordingFailed {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
        /// Why, for an operator.
        error: String,
    },
    /// Something an operator should hear of. Event `recording.warning`. Not idempotent: each is a
    /// further one, up to 100 of each recording, and 2000 of each session for those of no recording, findings as well.
    Warning {
        /// The session it happened in.
        session: SessionId,
        /// The recording it concerns, if it concerns one only.
        recording: Option<RecordingId>,
        /// What kind of thing: [`livetape_media::WarningKind::name`].
        kind: String,
        /// In words.
        detail: String,
        /// When.
        at: WallTime,
    },
    /// What was noticed of the quality of what a publisher sends. Event `recording.warning`. Not idempotent, and
    /// bounded as [`Change::Warning`].
    Finding {
        /// The session.
        session: SessionId,
        /// What.
        finding: Box<Finding>,
        /// When.
        at: WallTime,
    },
    /// Nothing of a recording is left in the spool, or is about to be. Only of one that is `ready`,
    /// `failed` or `discarded`.
    SpoolEvicted {
        /// Which.
        id: RecordingId,
    },
    /// A recording's objects are about to be deleted. Only of one that is `ready`; from then on nobody is told
    /// where it can be fetched. For another reason than before it is a conflict.
    DeletionStarted {
        /// Which.
        id: RecordingId,
        /// Why.
        reason: DeletionReason,
    },
    /// Somebody holds a recording: it is not deleted by anybody, or by itself, before that is over. Of an MP4 with
    /// playlists over it, and of those, it holds both. Not of one that is being deleted. Who holds it, and why, may be
    /// said anew.
    RecordingHeld {
        /// Which.
        id: RecordingId,
        /// Since when.
        at: WallTime,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nobody holds a recording any more; nor what [`Change::RecordingHeld`] held with it.
    RecordingReleased {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
    },
    /// Somebody asks for the deletion of what a dry run has shown.
    DeletionAsked(NewDeletion),
    /// Some of a deletion's recordings have been looked at: the deletion begins of those of `ids` that were part of
    /// the dry run, and are held by nobody.
    DeletionAdvanced {
        /// Which deletion.
        deletion: i64,
        /// The recordings.
        ids: Vec<RecordingId>,
        /// The last one that was looked at; `None`: there are no more.
        place: Option<Looked>,
        /// When.
        at: WallTime,
    },
    /// The oldest events, that happened before a moment, go with what became of them at each endpoint: up to the first
    /// one that is owed still, and at most `limit` of them. One that is dated later than now is as old as an event
    /// behind it. [`Applied::Already`]: there is none.
    EventsPruned {
        /// The moment.
        before: WallTime,
        /// The calendar's time now.
        now: WallTime,
        /// The most that go at once.
        limit: usize,
    },
    /// None of a recording's objects is left: its row goes. Only of one that is being deleted and out of the
    /// spool. Event `recording.deleted`, the last thing the catalog says of it.
    RecordingDeleted {
        /// Which.
        id: RecordingId,
        /// When.
        at: WallTime,
    },
    /// An endpoint took an event.
    DeliverySucceeded {
        /// The event's id.
        event: String,
        /// The endpoint.
        endpoint: EndpointId,
        /// The attempt.
        attempt: Attempt,
    },
    /// An endpoint did not take an event.
    DeliveryFailed {
        /// The event's id.
        event: String,
        /// The endpoint.
        endpoint: EndpointId,
        /// The attempt.
        attempt: Attempt,
        /// What went wrong.
        error: String,
        /// When to try again; `None`: it is given up.
        retry_at: Option<WallTime>,
    },
    /// An endpoint does not want events like this one: it was not sent.
    DeliveryFiltered {
        /// The event's id.
        event: String,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Somebody wants these events sent to an endpoint, whatever became of them before; also those from
    /// before it was an endpoint. They hold up nothing. One that is on its way already is tried at once.
    DeliveriesAgain {
        /// The endpoint. One that is disabled is refused.
        endpoint: EndpointId,
        /// The events, by sequence. Those that are not there are passed over.
        events: Vec<i64>,
        /// When.
        at: WallTime,
    },
    /// What has waited for an endpoint since before this moment is given up.
    DeliveriesExpired {
        /// The endpoint.
        endpoint: EndpointId,
        /// The moment.
        before: WallTime,
    },
    /// An endpoint that took nothing for some time takes events again: all that waits for another attempt
    /// is tried now.
    EndpointRecovered {
        /// Which.
        endpoint: EndpointId,
        /// When.
        at: WallTime,
    },
    /// An endpoint wants no more events. What is pending for it is dropped, and it gets no new ones
    /// until it is enabled, or the catalog opened again.
    EndpointDisabled {
        /// Which.
        endpoint: EndpointId,
        /// When.
        at: WallTime,
        /// Why.
        reason: String,
    },
    /// An endpoint that was disabled gets events again, from now on.
    EndpointEnabled {
        /// Which.
        endpoint: EndpointId,
    },
    /// An endpoint that is not in the configuration is made, or gets other settings.
    EndpointSet {
        /// Which.
        endpoint: EndpointId,
        /// Its settings: JSON that only the caller knows, secrets and all.
        settings: String,
    },
    /// An endpoint that is not in the configuration goes. What is pending for it is dropped.
    EndpointRemoved {
        /// Which.
        endpoint: EndpointId,
    },
    /// A template or a rule that is not in the configuration is made, or gets other settings.
    PlanSet {
        /// What it is.
        kind: PlanKind,
        /// What it is called.
        name: String,
        /// Its settings: JSON that only the caller knows.
        settings: String,
    },
    /// A template or a rule that is not in the configuration goes.
    PlanRemoved {
        /// What it is.
        kind: PlanKind,
        /// What it is called.
        name: String,
    },
    /// A task is made, neither paused nor over. Those that have been over for 90 days are forgotten.
    TaskCreated(TaskRow),
    /// A task that is not over records nothing for now, or again.
    TaskPaused {
        /// Which.
        id: TaskId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A task is over.
    TaskEnded {
        /// Which.
        id: TaskId,
        /// When.
        at: WallTime,
        /// Why.
        reason: String,
    },
    /// A task that is over is seen by nobody any more. Its recordings still name it.
    TaskRemoved {
        /// Which.
        id: TaskId,
    },
}

/// A deletion by filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeletion {
    /// The token of its dry run. With one that is known already it is that deletion, and nothing changes.
    pub token: String,
    /// Which recordings. Page and cursor do not count.
    pub filter: RecordingFilter,
    /// When the dry run was.
    pub as_of: WallTime,
    /// When it is asked for.
    pub asked_at: WallTime,
    /// By whom.
    pub asked_by: String,
    /// How many recordings the dry run showed.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// When it was over.
    pub at: WallTime,
    /// How long it took. Kept to the millisecond.
    pub took: Duration,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The beginning of the answer.
    pub answer: String,
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was made.
    Done,
    /// It had been made before.
    Already,
    /// A warning beyond the most that are kept of one recording or session; not recorded.
    Suppressed,
}

/// A session that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The query of the push URL, without secrets; empty when there is none.
    pub query: String,
    /// The publisher's address and port.
    pub remote_addr: String,
    /// The URL the publisher said it connected to, without query and user; empty: unknown.
    pub tc_url: String,
    /// What the publisher called itself; empty: unknown.
    pub encoder: String,
    /// When it began.
    pub started_at: WallTime,
}

/// A recording that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecording {
    /// Its id; says session, format and sequence.
    pub id: RecordingId,
    /// The application pushed to.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// The task it is for; `None`: it is recorded by a template.
    pub task: Option<TaskId>,
    /// How long it is kept.
    pub keep: Keep,
    /// Where it will be in the store. No other recording has the same.
    pub key: String,
    /// The calendar's time at its start.
    pub started_at: WallTime,
    /// The moment of its start on its session's timeline. Kept to the millisecond.
    pub start: MediaTime,
    /// Why it begins: [`livetape_record::StartReason::name`].
    pub start_reason: String,
    /// What is known of its video track; no frames yet.
    pub video: Option<VideoFacts>,
    /// What is known of its audio track; no frames yet.
    pub audio: Option<AudioFacts>,
}
