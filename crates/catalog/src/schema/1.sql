-- The catalog, schema version 1. Times are milliseconds since 1970-01-01T00:00:00Z.

-- One row: what is true of the whole catalog.
CREATE TABLE meta (
    id          INTEGER PRIMARY KEY CHECK (id = 1), -- always 1
    node        TEXT    NOT NULL, -- UUID of this node, made with the catalog; copied into rows for a view over many nodes
    created_ms  INTEGER NOT NULL, -- when the catalog was made
    longest_ms  INTEGER NOT NULL  -- the longest any recording has lasted; bounds searches by time
) STRICT;

-- One row per accepted publish.
CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY, -- ses_UUID
    node        TEXT    NOT NULL, -- the node that took it
    app         TEXT    NOT NULL, -- application pushed to
    stream      TEXT    NOT NULL, -- stream name within it
    query       TEXT    NOT NULL, -- query of the push URL, without secrets
    remote_addr TEXT    NOT NULL, -- publisher's address and port
    started_ms  INTEGER NOT NULL, -- when it was accepted
    ended_ms    INTEGER,          -- when it ended; NULL while it lasts
    end_reason  TEXT,             -- why it ended
    warnings    INTEGER NOT NULL DEFAULT 0, -- warnings of no particular recording; numbers the next one
    CHECK ((ended_ms IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE INDEX sessions_open ON sessions (started_ms) WHERE ended_ms IS NULL;

-- One row per recording: one playable thing in one format.
CREATE TABLE recordings (
    id                TEXT    NOT NULL PRIMARY KEY, -- rec_UUID_FORMAT_SEQUENCE
    session           TEXT    NOT NULL REFERENCES sessions (id), -- the publish it is of
    node              TEXT    NOT NULL, -- the node that made it
    app               TEXT    NOT NULL, -- application pushed to
    stream            TEXT    NOT NULL, -- stream name within it
    subject           TEXT    NOT NULL, -- app/stream
    format            TEXT    NOT NULL CHECK (format IN ('mp4', 'hls', 'flv')), -- what it is
    state             TEXT    NOT NULL
        CHECK (state IN ('recording', 'finished', 'uploading', 'ready', 'failed', 'discarded')), -- how far it has come
    key               TEXT    NOT NULL UNIQUE, -- where it is, or will be, in the store
    started_ms        INTEGER NOT NULL, -- calendar time of its first picture or sound
    ended_ms          INTEGER,          -- calendar time of its end; NULL while it grows
    start_reason      TEXT    NOT NULL, -- why it began
    end_reason        TEXT,             -- why it ended
    size_bytes        INTEGER,          -- over all its files; NULL while it grows
    duration_ms       INTEGER,          -- how long it plays; NULL while it grows
    video_codec       TEXT,             -- NULL when it has no video; so are the next four
    video_width       INTEGER,          -- pixels
    video_height      INTEGER,          -- pixels
    video_frame_rate  REAL,             -- frames a second, where known
    video_frames      INTEGER,          -- frames recorded
    audio_codec       TEXT,             -- NULL when it has no audio; so are the next three
    audio_sample_rate INTEGER,          -- samples a second of what is heard
    audio_channels    INTEGER,          -- channels
    audio_frames      INTEGER,          -- frames recorded
    recovered         INTEGER NOT NULL DEFAULT 0 CHECK (recovered IN (0, 1)), -- 1: completed after a crash
    error             TEXT,             -- why it failed
    ready_ms          INTEGER,          -- when it was whole in the store
    spool_evicted     INTEGER NOT NULL DEFAULT 0 CHECK (spool_evicted IN (0, 1)), -- 1: nothing of it is left in the spool
    warnings          INTEGER NOT NULL DEFAULT 0, -- warnings it had; numbers the next one
    CHECK (state NOT IN ('finished', 'uploading', 'ready')
        OR (ended_ms IS NOT NULL AND end_reason IS NOT NULL AND size_bytes IS NOT NULL AND duration_ms IS NOT NULL)),
    CHECK ((state = 'recording') = (ended_ms IS NULL)),
    CHECK ((state = 'ready') = (ready_ms IS NOT NULL)),
    CHECK ((state = 'failed') = (error IS NOT NULL)),
    CHECK (spool_evicted = 0 OR state IN ('ready', 'failed', 'discarded'))
) STRICT;
-- Every listing walks one of these backwards from its cursor. The columns after id let the walk
-- over all recordings pass by those that do not match without reading their rows.
CREATE INDEX recordings_newest ON recordings (started_ms, id, subject, format, state, ended_ms);
CREATE INDEX recordings_app ON recordings (app, started_ms, id);
CREATE INDEX recordings_stream ON recordings (stream, started_ms, id);
CREATE INDEX recordings_subject ON recordings (subject, started_ms, id);
CREATE INDEX recordings_state ON recordings (state, started_ms, id);
CREATE INDEX recordings_session ON recordings (session);
CREATE INDEX recordings_open ON recordings (started_ms) WHERE ended_ms IS NULL;
CREATE INDEX recordings_spooled ON recordings (started_ms) WHERE spool_evicted = 0;

-- How many recordings there are in each state, so that metrics need not count.
CREATE TABLE tallies (
    state TEXT    NOT NULL PRIMARY KEY, -- as in recordings
    rows  INTEGER NOT NULL              -- how many
) STRICT, WITHOUT ROWID;
INSERT INTO tallies (state, rows)
    VALUES ('recording', 0), ('finished', 0), ('uploading', 0), ('ready', 0), ('failed', 0), ('discarded', 0);
CREATE TRIGGER tally_insert AFTER INSERT ON recordings BEGIN
    UPDATE tallies SET rows = rows + 1 WHERE state = new.state;
END;
CREATE TRIGGER tally_update AFTER UPDATE OF state ON recordings WHEN old.state <> new.state BEGIN
    UPDATE tallies SET rows = rows - 1 WHERE state = old.state;
    UPDATE tallies SET rows = rows + 1 WHERE state = new.state;
END;
CREATE TRIGGER tally_delete AFTER DELETE ON recordings BEGIN
    UPDATE tallies SET rows = rows - 1 WHERE state = old.state;
END;

-- What happened, in the order it became durable.
CREATE TABLE events (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT, -- place among all events of this node; never given twice
    id           TEXT    NOT NULL UNIQUE, -- evt_...; a function of what it tells of
    type         TEXT    NOT NULL, -- recording.ready ...
    subject      TEXT    NOT NULL, -- app/stream; deliveries are in order within it
    timestamp_ms INTEGER NOT NULL, -- when what it tells of happened
    body         TEXT    NOT NULL  -- the JSON that is sent, byte for byte
) STRICT;

-- Webhook endpoints, by their names in the configuration.
CREATE TABLE endpoints (
    id              TEXT    NOT NULL PRIMARY KEY, -- name
    configured      INTEGER NOT NULL CHECK (configured IN (0, 1)), -- 1: named when the catalog was opened last
    disabled_ms     INTEGER, -- when it wanted no more events; forgotten at the next opening
    disabled_reason TEXT,    -- why
    pending         INTEGER NOT NULL DEFAULT 0, -- deliveries that are waiting, head or aside
    CHECK ((disabled_ms IS NULL) = (disabled_reason IS NULL))
) STRICT, WITHOUT ROWID;

-- One row per event and endpoint that was configured when it happened.
CREATE TABLE deliveries (
    endpoint   TEXT    NOT NULL REFERENCES endpoints (id), -- to whom
    event      INTEGER NOT NULL REFERENCES events (sequence), -- what
    subject    TEXT    NOT NULL, -- as in events
    state      TEXT    NOT NULL
        CHECK (state IN ('waiting', 'head', 'aside', 'delivered', 'given_up', 'dropped')), -- how far it has come
    attempts   INTEGER NOT NULL DEFAULT 0, -- attempts made
    created_ms INTEGER NOT NULL, -- timestamp of the event; ten minutes later it steps aside
    next_ms    INTEGER NOT NULL, -- when to try next, while it is head or aside; 0: at once
    PRIMARY KEY (endpoint, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_event ON deliveries (event);
-- A stream's queue has at most one head, and one whenever something waits.
CREATE UNIQUE INDEX deliveries_head ON deliveries (endpoint, subject) WHERE state = 'head';
CREATE INDEX deliveries_waiting ON deliveries (endpoint, subject, event) WHERE state = 'waiting';
CREATE INDEX deliveries_aside ON deliveries (endpoint, subject, created_ms) WHERE state = 'aside';
CREATE INDEX deliveries_due ON deliveries (endpoint, next_ms, event) WHERE state IN ('head', 'aside');
CREATE INDEX deliveries_pending ON deliveries (endpoint, created_ms) WHERE state IN ('waiting', 'head', 'aside');
CREATE TRIGGER pending_insert AFTER INSERT ON deliveries WHEN new.state IN ('waiting', 'head', 'aside') BEGIN
    UPDATE endpoints SET pending = pending + 1 WHERE id = new.endpoint;
END;
CREATE TRIGGER pending_update AFTER UPDATE OF state ON deliveries
    WHEN (old.state IN ('waiting', 'head', 'aside')) <> (new.state IN ('waiting', 'head', 'aside'))
BEGIN
    UPDATE endpoints SET pending = pending + CASE WHEN new.state IN ('waiting', 'head', 'aside') THEN 1 ELSE -1 END
        WHERE id = new.endpoint;
END;
CREATE TRIGGER pending_delete AFTER DELETE ON deliveries WHEN old.state IN ('waiting', 'head', 'aside') BEGIN
    UPDATE endpoints SET pending = pending - 1 WHERE id = old.endpoint;
END;

-- The last attempts of each delivery.
CREATE TABLE attempts (
    endpoint TEXT    NOT NULL, -- of the delivery
    event    INTEGER NOT NULL, -- of the delivery
    attempt  INTEGER NOT NULL, -- which, from 1
    at_ms    INTEGER NOT NULL, -- when
    status   INTEGER, -- HTTP status, if there was an answer
    error    TEXT,    -- what went wrong; NULL: delivered
    PRIMARY KEY (endpoint, event, attempt),
    FOREIGN KEY (endpoint, event) REFERENCES deliveries (endpoint, event) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
