-- The catalog, schema version 11: recordings whose template says how long they are kept.

-- How long it is kept once it is ready, in ms; 0: for ever; NULL: its template does not say, what is configured for all holds.
ALTER TABLE recordings ADD COLUMN retention_ms INTEGER CHECK (retention_ms >= 0);
-- What may be deleted, of each store, those that ended first before others.
DROP INDEX recordings_stored;
CREATE INDEX recordings_stored ON recordings (store, ended_ms, id)
    WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL;
-- For retention: those of which the template says, by the time it says, and the others by when they were ready.
CREATE INDEX recordings_expiring ON recordings (store, ready_ms + retention_ms, id)
    WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL AND retention_ms > 0;
CREATE INDEX recordings_common ON recordings (store, ready_ms, id)
    WHERE state = 'ready' AND deleting IS NULL AND held_ms IS NULL AND retention_ms IS NULL;
