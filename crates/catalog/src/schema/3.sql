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
