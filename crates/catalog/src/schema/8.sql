-- The catalog, schema version 8: recordings that are held, deletion by filter, events that are pruned.

-- Since when somebody holds it, so that it is not deleted; NULL: nobody does.
ALTER TABLE recordings ADD COLUMN held_ms INTEGER CHECK (held_ms IS NULL OR deleting IS NULL);
-- Who holds it; NULL: nobody does.
ALTER TABLE recordings ADD COLUMN held_by TEXT CHECK ((held_by IS NULL) = (held_ms IS NULL));
-- Why; NULL: nobody does.
ALTER TABLE recordings ADD COLUMN held_reason TEXT CHECK ((held_reason IS NULL) = (held_ms IS NULL));
-- When a hold on it ended last; NULL: none ever did.
ALTER TABLE recordings ADD COLUMN released_ms INTEGER;
-- The deletion by filter that it is deleted by; NULL: none.
ALTER TABLE recordings ADD COLUMN deletion INTEGER;
-- Those that are held are passed by without being looked at.
DROP INDEX recordings_stored;
CREATE INDEX recordings_stored ON recordings (ended_ms, id)
    WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL;
CREATE INDEX recordings_held ON recordings (started_ms, id) WHERE held_ms IS NOT NULL;

-- The deliveries of one stream's events are asked for by its name.
CREATE INDEX deliveries_stream ON deliveries (subject, event);

-- One row per deletion by filter that somebody asked for.
CREATE TABLE deletions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- its number
    token      TEXT    NOT NULL UNIQUE, -- of its dry run; asked for with it again, it is the same deletion
    filter     TEXT    NOT NULL, -- which recordings, as JSON
    as_of_ms   INTEGER NOT NULL, -- when the dry run was: what was not ready then, or held, is not part of it
    asked_ms   INTEGER NOT NULL, -- when it was asked for
    asked_by   TEXT    NOT NULL, -- by whom
    recordings INTEGER NOT NULL, -- how many the dry run showed
    size_bytes INTEGER NOT NULL, -- their bytes
    place_ms   INTEGER, -- start of the last one that was looked at, the newest first; NULL: none was
    place_id   TEXT,    -- its id
    begun      INTEGER NOT NULL DEFAULT 0, -- of how many the deletion has begun
    deleted    INTEGER NOT NULL DEFAULT 0, -- how many are gone
    chosen_ms  INTEGER, -- when all had been looked at; NULL: some were not yet
    ended_ms   INTEGER, -- when the last was gone; NULL: it goes on
    CHECK ((place_ms IS NULL) = (place_id IS NULL)),
    CHECK (deleted <= begun),
    CHECK (ended_ms IS NULL OR (chosen_ms IS NOT NULL AND deleted = begun))
) STRICT;
CREATE INDEX deletions_open ON deletions (id) WHERE chosen_ms IS NULL;

-- One row per stream of whose events the first were pruned.
CREATE TABLE pruned (
    subject  TEXT    NOT NULL PRIMARY KEY, -- app/stream
    seq      INTEGER NOT NULL, -- which of its stream's events the last one was; 0: they had no numbers yet
    sequence INTEGER NOT NULL, -- its place among all events
    at_ms    INTEGER NOT NULL  -- the latest time of them
) STRICT, WITHOUT ROWID;
