-- The catalog, schema version 11: recordings whose template says how long they are kept; how much is held.

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

-- Of the bytes of the ready recordings those of recordings that are held, in the row 'ready'; 0 in the others.
ALTER TABLE tallies ADD COLUMN held_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE tallies SET held_bytes =
    (SELECT coalesce(sum(size_bytes), 0) FROM recordings WHERE state = 'ready' AND held_ms IS NOT NULL)
    WHERE state = 'ready';
CREATE TRIGGER held_insert AFTER INSERT ON recordings WHEN new.state = 'ready' AND new.held_ms IS NOT NULL BEGIN
    UPDATE tallies SET held_bytes = held_bytes + new.size_bytes WHERE state = 'ready';
END;
CREATE TRIGGER held_update AFTER UPDATE OF state, size_bytes, held_ms ON recordings
    WHEN old.held_ms IS NOT NULL OR new.held_ms IS NOT NULL
BEGIN
    UPDATE tallies SET held_bytes = held_bytes
        + CASE WHEN new.state = 'ready' AND new.held_ms IS NOT NULL THEN new.size_bytes ELSE 0 END
        - CASE WHEN old.state = 'ready' AND old.held_ms IS NOT NULL THEN old.size_bytes ELSE 0 END
        WHERE state = 'ready';
END;
CREATE TRIGGER held_delete AFTER DELETE ON recordings WHEN old.state = 'ready' AND old.held_ms IS NOT NULL BEGIN
    UPDATE tallies SET held_bytes = held_bytes - old.size_bytes WHERE state = 'ready';
END;
