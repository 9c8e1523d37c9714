-- The catalog, schema version 9: how streams are recorded, and tasks.

-- Templates and rules that were made by the API. One that is removed stays, without settings, so that what is left of
-- it in the file is not taken for it.
CREATE TABLE plan (
    kind     TEXT    NOT NULL CHECK (kind IN ('template', 'rule')), -- what it is
    name     TEXT    NOT NULL, -- what it is called
    settings TEXT,             -- JSON that only the service knows; NULL: it was removed
    version  INTEGER NOT NULL, -- how often it has been changed
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- One row per stream that is recorded on demand for some time.
CREATE TABLE tasks (
    id         TEXT    NOT NULL PRIMARY KEY, -- task_UUID
    app        TEXT    NOT NULL, -- application of the stream
    stream     TEXT    NOT NULL, -- stream name within it
    settings   TEXT    NOT NULL, -- how it is recorded: JSON that only the service knows
    created_ms INTEGER NOT NULL, -- when it was made
    start_ms   INTEGER NOT NULL, -- from when on it records
    stop_ms    INTEGER,          -- until when; NULL: until somebody says so
    paused     INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)), -- 1: it records nothing for now
    ended_ms   INTEGER,          -- when it was over; NULL: it is not
    end_reason TEXT,             -- why it was over
    removed    INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)), -- 1: nobody sees it any more
    version    INTEGER NOT NULL DEFAULT 1, -- how often it has been changed
    CHECK ((ended_ms IS NULL) = (end_reason IS NULL)),
    CHECK (removed = 0 OR ended_ms IS NOT NULL)
) STRICT;
CREATE INDEX tasks_open ON tasks (created_ms, id) WHERE ended_ms IS NULL;
CREATE INDEX tasks_newest ON tasks (created_ms, id) WHERE removed = 0;
CREATE INDEX tasks_over ON tasks (ended_ms) WHERE ended_ms IS NOT NULL;

-- The task it is for; NULL: it is recorded by a template.
ALTER TABLE recordings ADD COLUMN task TEXT;
