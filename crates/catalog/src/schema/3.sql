-- The catalog, schema version 3: objects put in parts, a second store, deletion.

-- The store's name of the multipart upload under way; NULL: none.
ALTER TABLE recordings ADD COLUMN upload TEXT;
-- Which store has it, once it is ready; NULL: the first one.
ALTER TABLE recordings ADD COLUMN store TEXT CHECK (store IN ('fallback'));
-- Why its objects are being deleted; NULL: they are not.
ALTER TABLE recordings ADD COLUMN deleting TEXT CHECK (deleting IS NULL OR state = 'ready');
-- Ready recordings by their end, the oldest first, for retention.
CREATE INDEX recordings_stored ON recordings (ended_ms, id) WHERE state = 'ready' AND deleting IS NULL;
CREATE INDEX recordings_deleting ON recordings (id) WHERE deleting IS NOT NULL;

-- Bytes of the ready recordings that are not being deleted, in the row 'ready'; 0 in the others.
ALTER TABLE tallies ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE tallies SET bytes = (SELECT coalesce(sum(size_bytes), 0) FROM recordings WHERE state = 'ready')
    WHERE state = 'ready';
CREATE TRIGGER bytes_insert AFTER INSERT ON recordings WHEN new.state = 'ready' AND new.deleting IS NULL BEGIN
    UPDATE tallies SET bytes = bytes + new.size_bytes WHERE state = 'ready';
END;
CREATE TRIGGER bytes_update AFTER UPDATE OF state, size_bytes, deleting ON recordings
    WHEN old.state = 'ready' OR new.state = 'ready'
BEGIN
    UPDATE tallies SET bytes = bytes
        + CASE WHEN new.state = 'ready' AND new.deleting IS NULL THEN new.size_bytes ELSE 0 END
        - CASE WHEN old.state = 'ready' AND old.deleting IS NULL THEN old.size_bytes ELSE 0 END
        WHERE state = 'ready';
END;
CREATE TRIGGER bytes_delete AFTER DELETE ON recordings WHEN old.state = 'ready' AND old.deleting IS NULL BEGIN
    UPDATE tallies SET bytes = bytes - old.size_bytes WHERE state = 'ready';
END;
